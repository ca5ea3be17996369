"""Detection: from a survey and each service's history to findings, and from findings to causes. Pure.

A rule reports a condition that lasts for minutes, never a single sample, and compares a service with its own baseline
where its history is known.

- `statistics`: intervals, slopes and shares; `baseline`: levels and recurring conditions in the history.
- `service_window`: the input of a rule; `sentences`: the text of a finding.
- `cpu`, `memory`, `growth`, `leaks`, `volumes`, `traffic` (with `server_errors` and `latency`), `error_logs`,
  `restarts`, `deployments`, `shortfall`, `egress`,
  `cron_runs`: the rules.
- `causes`: which of the failing services is the root cause; `summaries`: the summary that is kept of a window.
"""

from __future__ import annotations

from collections.abc import Sequence

from workers.detection.baseline import Baseline
from workers.detection.causes import SEVERITIES, CauseGroup, group_by_cause, rank_suspects
from workers.detection.cpu import detect_cpu
from workers.detection.cron_runs import detect_cron
from workers.detection.deployments import detect_deployments
from workers.detection.egress import detect_egress
from workers.detection.error_logs import detect_error_logs
from workers.detection.growth import detect_growth, detect_restart_at_limit
from workers.detection.memory import detect_memory
from workers.detection.restarts import detect_restarts
from workers.detection.service_window import ServiceWindow
from workers.detection.shortfall import detect_idle_worker
from workers.detection.summaries import summarise, with_kinds
from workers.detection.traffic import detect_traffic
from workers.detection.volumes import detect_volumes
from workers.models import Finding, History, Service, Summary, Survey

__all__ = [
    "CauseGroup",
    "detect",
    "detect_service",
    "group_by_cause",
    "rank_suspects",
    "summarise",
    "with_kinds",
]


def detect(survey: Survey, *, min_duration_minutes: float, history: History | None = None) -> list[Finding]:
    """The findings of all services in the window, most severe first.

    Data that could not be read gives no finding; the survey lists it in `failed_reads`.

    Args:
        min_duration_minutes: Minutes for which a condition must hold. Events that the platform reports, such as
            crashes, count at once.
        history: Earlier windows by service id, oldest first, not overlapping. Without it the rules compare a service
            with its limits and with the beginning of the window only.
    """
    min_duration = max(0.0, min_duration_minutes) * 60
    history = history or {}
    findings = [
        finding
        for service in survey.services
        for finding in detect_service(service, survey, min_duration, history.get(service.id, ()))
    ]
    return sorted(
        findings,
        key=lambda finding: (
            -SEVERITIES.index(finding.severity), finding.since, finding.service, finding.kind
        ),
    )  # fmt: skip


def detect_service(
    service: Service, survey: Survey, min_duration: float, history: Sequence[Summary] = ()
) -> list[Finding]:
    """The findings of one service, in no particular order.

    Args:
        min_duration: Seconds for which a condition must hold.
    """
    baseline = Baseline(history, survey.window.start, survey.window.minutes)
    window = ServiceWindow(service, survey, baseline, min_duration)
    at_limit = detect_restart_at_limit(window)
    findings = [
        detect_cpu(window),
        # A restart at the limit is the stronger statement about the same memory.
        at_limit or detect_memory(window),
        detect_growth(window),
        detect_error_logs(window),
        detect_idle_worker(window),
        detect_egress(window),
        *detect_deployments(window),
        *detect_cron(window),
        *detect_restarts(window),
        *detect_volumes(window),
        *detect_traffic(window),
    ]
    return [finding for finding in findings if finding is not None]
