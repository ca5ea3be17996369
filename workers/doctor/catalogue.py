"""Every check beside that of the settings, in the order in which the report shows them."""

from __future__ import annotations

from workers.doctor.clock_check import AREA as CLOCK
from workers.doctor.clock_check import check_clock
from workers.doctor.github_check import AREA as GITHUB
from workers.doctor.github_check import check_github
from workers.doctor.machine_checks import (
    DATA,
    HEARTBEAT,
    PROGRAM_AREA,
    SANDBOX,
    check_data_folder,
    check_heartbeat,
    check_programs,
    check_sandbox,
)
from workers.doctor.model_check import AREA as MODEL
from workers.doctor.model_check import check_model
from workers.doctor.railway_check import AREA as RAILWAY
from workers.doctor.railway_check import check_railway
from workers.doctor.redis_check import AREA as REDIS
from workers.doctor.redis_check import check_redis
from workers.doctor.runner import Check
from workers.doctor.slack_check import AREA as SLACK
from workers.doctor.slack_check import check_slack
from workers.doctor.webhook_check import ADDRESS, WEBHOOK, check_address, check_webhook

CHECKS = (
    Check(PROGRAM_AREA, check_programs, seconds=12, is_quick=True),
    Check(SANDBOX, check_sandbox, seconds=15),
    Check(DATA, check_data_folder, seconds=5, is_quick=True),
    Check(REDIS, check_redis, seconds=10, is_quick=True),
    Check(RAILWAY, check_railway, seconds=10, is_quick=True, address="RAILWAY_API_URL"),
    Check(GITHUB, check_github, seconds=15, is_quick=True, address="GITHUB_API_URL", needs=(RAILWAY,)),
    Check(SLACK, check_slack, seconds=12, is_quick=True, address="SLACK_API_URL"),
    Check(MODEL, check_model, seconds=15, is_quick=True, address="options.baseURL in OPENCODE_CONFIG"),
    Check(WEBHOOK, check_webhook, seconds=15, needs=(RAILWAY,)),
    Check(ADDRESS, check_address, seconds=15, address="TRACKWALKER_PUBLIC_URL"),
    Check(HEARTBEAT, check_heartbeat, seconds=10, address="TRACKWALKER_HEARTBEAT_URL"),
    Check(
        CLOCK, check_clock, seconds=1, is_quick=True, needs=(RAILWAY, GITHUB, SLACK, REDIS), after_others=True
    ),
)
