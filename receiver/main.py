"""Builds and runs the web process.

`python -m receiver.main` serves on PORT, with `--clock` it sends the periodic pings too, as `trackwalker up`
does. Uvicorn's command line would serve without the bounds of `receiver.connection`.
"""

from __future__ import annotations

import gc
import logging
import random
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from starlette.applications import Starlette

from receiver.app import build_app
from receiver.connection import ConnectionLimits
from receiver.endpoints import Endpoints, Scope
from receiver.fallback import FallbackNotifier
from receiver.metrics import read_state
from receiver.page.backend import journal_backend
from receiver.page.routes import page_routes
from receiver.page.site import Site
from receiver.server import bind, build_server
from receiver.slack_actions import Collaborators, SlackActions
from workers.actions import perform
from workers.clients import slack_response
from workers.clients.slack import Slack
from workers.engine import broker
from workers.engine.journal_store import JournalStore
from workers.errors import SettingsError
from workers.incidents import intake, request_quota
from workers.runtime import environment, logs, misspelt_settings, settings, store
from workers.runtime.local_clock import LocalClock
from workers.runtime.process import protect_process
from workers.runtime.settings import Settings

HOST = "0.0.0.0"  # noqa: S104 (Railway's proxy and webhooks come from outside)
INVALID_SETTINGS = 2  # exit code
TOKEN_BITS = 32  # of the random part of an alert's id, which must be unique but not secret

log = logging.getLogger("trackwalker.web")


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        arguments: `--clock` sends the periodic pings from a thread of this process.
    """
    protect_process()
    logs.configure("web")
    try:
        misspelt_settings.refuse_unknown(environment.variables())
        config = settings.read()
        composed = compose(config)
    except SettingsError as error:
        log.critical("invalid settings", extra={"why": str(error)})
        return INVALID_SETTINGS
    logs.set_level(config.log_level)
    try:
        listener = bind(HOST, config.port)
    except SettingsError as error:
        log.critical("invalid settings", extra={"why": str(error)})
        return INVALID_SETTINGS
    if "--clock" in arguments:
        from receiver import clock

        clock.start_thread(config)
    _freeze()
    build_server(composed, HOST, config.port, ConnectionLimits()).run(sockets=[listener])
    return 0


def _freeze() -> None:
    """Exempt what is loaded from garbage collection: it lives as long as the process, and walking it costs time."""
    gc.collect()
    gc.freeze()


def compose(config: Settings) -> Starlette:
    """The web app for these settings. Connects to nothing yet.

    Raises:
        SettingsError: there is no address of a Redis.
    """
    client = store.connect(config)
    journal_store, send_message = JournalStore(client), broker.intake_sender(client)
    if not config.secrets:
        log.error("every webhook is answered 401", extra={"why": "TRACKWALKER_SECRET is not set"})

    ingest = partial(
        intake.ingest_batch, store=journal_store, send_message=send_message,
        ack_seconds=config.ack_seconds, ping_seconds=config.ping_minutes * 60,
    )  # fmt: skip

    def next_ping() -> float | None:
        seconds = request_quota.next_ping(journal_store, config.ping_minutes * 60, datetime.now(UTC))
        if seconds:
            intake.extend_ping_deadline(journal_store, seconds)
        return seconds

    # Seeded once: each read of the system's entropy is a system call, and these ids are no secret.
    generator = random.Random(secrets.randbits(64))
    endpoints = Endpoints(
        secrets=config.secrets,
        ingest=ingest,
        check_store=journal_store.ping,
        read_state=lambda: read_state(journal_store, datetime.now(UTC)),
        notify_fallback=FallbackNotifier(_post_line(config), time.monotonic).notify,
        scope=Scope(config.environments, config.railway_service_id),
        now=partial(datetime.now, UTC),
        token=lambda: f"{generator.getrandbits(TOKEN_BITS):08x}",
        next_ping=next_ping,
        record_probe=partial(intake.record_probe, journal_store),
        service_map=config.service_map,
    )
    site = Site(config, journal_store, journal_backend(journal_store, config), partial(datetime.now, UTC))
    return build_app(endpoints, page_routes(site), [slack_actions(config, journal_store).route()])


def slack_actions(config: Settings, journal_store: JournalStore) -> SlackActions:
    """The endpoint of the buttons in Slack. Without a signing secret it refuses every request."""
    clock = LocalClock(config.timezone)
    bot = _slack(config) if config.slack_bot_token else None
    outside = Collaborators(
        perform=partial(perform, journal_store, zone=clock.tzinfo),
        reply=partial(slack_response.reply, api_url=config.slack_api_url),
        open_view=bot.open_view if bot else None,
        now=partial(datetime.now, UTC),
        clock=clock,
    )
    return SlackActions(config.slack_signing_secrets, outside)


def _post_line(config: Settings) -> Callable[[str], None]:
    """A function that delivers one line while Redis is away: to Slack, or to the log if Slack may not be used."""
    if config.mode == "shadow" or not config.can_notify:
        return lambda text: log.error("alert could not be delivered", extra={"line": text})
    return _slack(config).post_line


def _slack(config: Settings) -> Slack:
    return Slack(
        bot_token=config.slack_bot_token,
        channel=config.slack_channel,
        webhook_url=config.slack_webhook_url,
        api_url=config.slack_api_url,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
