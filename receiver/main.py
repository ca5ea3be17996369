"""Builds the web process from settings: `uvicorn --factory receiver.main:app --no-access-log`."""

from __future__ import annotations

import gc
import logging
import random
import secrets
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from starlette.applications import Starlette

from receiver.app import Endpoints, Scope, build
from receiver.fallback import FallbackNotifier
from workers.clients.slack import Slack
from workers.engine import broker
from workers.engine.journal_store import JournalStore
from workers.engine.schema import SCHEDULE
from workers.errors import SettingsError
from workers.incidents import intake, request_quota
from workers.runtime import logs, settings, store
from workers.runtime.settings import Settings

log = logging.getLogger("trackwalker.door")


def app() -> Starlette:
    """The web app as the environment configures it. Ends the process, saying why, when it cannot be."""
    logs.configure("web")
    # The path may hold the secret: whoever forgets --no-access-log must not find it in his logs.
    logging.getLogger("uvicorn.access").disabled = True
    try:
        made = compose(settings.read())
    except SettingsError as error:
        log.critical(str(error))
        sys.exit(2)
    # All this lives as long as the process: the collector need not walk through it under every load.
    gc.collect()
    gc.freeze()
    return made


def compose(chosen: Settings) -> Starlette:
    """The web app for these settings; connects to nothing yet. Raises SettingsError when no store is set."""
    client = store.connect(chosen)
    journal, wake = JournalStore(client), broker.waker(client)
    if not chosen.secrets:
        log.error(
            "TRACKWALKER_SECRET is not set: every door answers 401 until it is; `make setup` writes one"
        )

    take_in = partial(
        intake.ingest_batch, journal=journal, wake=wake,
        ack_seconds=chosen.ack_seconds, ping_seconds=chosen.ping_minutes * 60,
    )  # fmt: skip

    def next_ping() -> float | None:
        seconds = request_quota.next_ping(journal, chosen.ping_minutes * 60, datetime.now(UTC))
        if seconds:
            intake.extend_ping_deadline(journal, seconds)
        return seconds

    # Names must differ, nobody need guess wrong: the system's own entropy is a call to the kernel for each.
    chance = random.Random(secrets.randbits(64))
    doors = Endpoints(
        secrets=chosen.secrets,
        ingest=take_in,
        check_store=journal.ping,
        count_open=lambda: int(journal.command("zcard", SCHEDULE)),
        notify_fallback=FallbackNotifier(_post_line(chosen), time.monotonic).notify,
        scope=Scope(chosen.environments, chosen.railway_service_id),
        now=partial(datetime.now, UTC),
        token=lambda: f"{chance.getrandbits(32):08x}",
        next_ping=next_ping,
    )
    return build(doors)


def _post_line(chosen: Settings) -> Callable[[str], None]:
    """Where a raw line goes: to Slack; into the log where nobody can or may be told."""
    if chosen.mode == "shadow" or not chosen.can_notify:
        return lambda text: log.error("an alert is told to nobody", extra={"line": text})
    slack = Slack(
        bot_token=chosen.slack_bot_token,
        channel=chosen.slack_channel,
        webhook_url=chosen.slack_webhook_url,
        api_url=chosen.slack_api_url,
    )
    return slack.post_line
