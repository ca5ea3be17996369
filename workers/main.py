"""Builds and runs the worker process: settings → clients → actors → broker.

`python -m workers.main` runs one worker in this process, as `trackwalker up` does. `dramatiq workers.main:build`
runs the same actors under Dramatiq's master process, for deployments with a Procfile.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import dramatiq

from workers.agent import workspaces
from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.clients.railway import Railway
from workers.clients.slack import Slack
from workers.engine import dispatcher
from workers.engine.broker import make_broker
from workers.engine.worker_store import WorkerStore
from workers.errors import AgentBusy, AgentRefused, NotAvailable, SettingsError
from workers.incidents import ping_watchdog
from workers.pipeline.services import Services
from workers.pipeline.worker import declare_actors
from workers.remediation.resources import Remediation
from workers.runtime import environment, logs, misspelt_settings, settings, store
from workers.runtime.process import protect_process
from workers.runtime.settings import Settings
from workers.runtime.signals import Signals

WORKER_THREADS = 8  # the pipeline reserves two of them for notifications
SHUTDOWN_TIMEOUT_MS = 5_000  # all claims are released before
FORCED_EXIT_SECONDS = 15  # after its own SIGTERM; then a worker whose threads hang exits at once
INVALID_SETTINGS = 2  # exit code
KILLED = 3  # exit code after a second signal, as in Dramatiq

log = logging.getLogger("trackwalker.worker")


class WorkerLifecycle(dramatiq.Middleware):
    """Runs the dispatcher and the lease renewer beside the worker, and hands its claims back when it stops.

    Args:
        ping_seconds: the interval of the clock, for the watchdog that reports missing pings.
        folder: the data folder, below which clones and agent runs lie.
        leave: called last, when the worker has stopped.
    """

    def __init__(
        self,
        worker_store: WorkerStore,
        ping_seconds: float,
        folder: Path,
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        self.store, self.ping_seconds, self.folder, self.leave = worker_store, ping_seconds, folder, leave
        self.threads: list[dispatcher.Dispatcher | dispatcher.LeaseRenewer] = []

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        # Again, because Dramatiq's command line has configured logging since `build`.
        logs.configure("worker")

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self.threads = [
            dispatcher.Dispatcher(self.store, broker),  # type: ignore[arg-type]
            dispatcher.LeaseRenewer(self.store, _exit_for_restart),
        ]
        for thread in self.threads:
            thread.start()
        for warning in store.durability_warnings(self.store.client, self.folder, os.environ):
            log.warning("Redis is not durable", extra={"why": warning})
        for warning in store.protection_warnings(self.store.client):
            log.warning("Redis is not protected", extra={"why": warning})
        workspaces.kill_orphans(self.folder / "runs", self.folder / "work")
        with suppress(NotAvailable):
            ping_watchdog.start(self.store, self.ping_seconds)
        log.info("worker ready")

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        for thread in self.threads:
            thread.ended.set()
        # Wakes the dispatcher: claims that are released now are for the next worker.
        self.store.rescheduled.set()
        self.store.stop()
        self.store.release_all()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self.leave()


def _exit_for_restart() -> None:
    """End the process after a long outage of Redis or a stage that hangs; the supervisor starts a new one."""
    log.error("worker exits to be restarted")
    os.kill(os.getpid(), signal.SIGTERM)
    # A thread that hangs may keep the orderly shutdown waiting, and its worker may not act any more.
    timer = threading.Timer(FORCED_EXIT_SECONDS, os._exit, args=(1,))
    timer.daemon = True
    timer.start()


def services(config: Settings, client: Any, folder: Path) -> Services:
    """The clients and settings that the stages use.

    Args:
        client: a Redis client.
        folder: the data folder, below which clones and agent runs lie.
    """
    worker_store = WorkerStore(client)
    github = GitHub.from_settings(config)
    repositories = Repositories(folder / "work", config.github_server_url, github.credentials)
    now = partial(datetime.now, UTC)
    return Services(
        settings=config,
        store=worker_store,
        railway=railway(config),
        github=github,
        slack=slack(config),
        repositories=repositories,
        remediation=Remediation(
            settings=config,
            github=github,
            repositories=repositories,
            store=worker_store,
            folder=folder,
            now=now,
        ),
        now=now,
    )


def railway(config: Settings) -> Railway:
    """The client for Railway's API."""
    return Railway(config.railway_api_url, token=config.railway_api_token, project_token=config.railway_token)


def slack(config: Settings) -> Slack | None:
    """The client for Slack, with the bot token if there is one, else the incoming webhook; None without either."""
    if not config.can_notify:
        return None
    return Slack(
        bot_token=config.slack_bot_token,
        channel=config.slack_channel,
        webhook_url=config.slack_webhook_url,
        api_url=config.slack_api_url,
    )


def build() -> None:
    """Make the broker with all actors Dramatiq's current broker; the entry point of Dramatiq's command line."""
    protect_process()
    logs.configure("worker")
    dramatiq.set_broker(_build_broker(settings.read()))


def _build_broker(config: Settings) -> dramatiq.Broker:
    misspelt_settings.refuse_unknown(environment.variables())
    logs.set_level(config.log_level)
    client, folder = store.connect(config), environment.data_dir()
    built = services(config, client, folder)
    if config.can_fix:
        threading.Thread(target=_try_sandbox, args=(built.remediation,), name="sandbox", daemon=True).start()
    # All claims are released by then. A normal exit would wait for threads that hang.
    leave = partial(os._exit, 0)
    broker = make_broker(client, [WorkerLifecycle(built.store, config.ping_minutes * 60, folder, leave)])
    declare_actors(broker, built)
    return broker


def _try_sandbox(remediation: Remediation) -> None:
    """Build the sandbox at start, so that the log names its level and what is missing before the first fix."""
    try:
        _ = remediation.sandbox
    except AgentRefused as error:
        log.warning("no fix can be attempted", extra={"why": str(error)})
    except AgentBusy as error:
        log.warning("the sandbox is tried again before the first fix", extra={"why": str(error)})


def main() -> int:
    """Run one worker until SIGTERM or Ctrl-C; a signal more than a second after the first ends it at once."""
    protect_process()
    logs.configure("worker")
    try:
        broker = _build_broker(settings.read())
    except SettingsError as error:
        log.critical("invalid settings", extra={"why": str(error)})
        return INVALID_SETTINGS
    signals = Signals(on_repeat=partial(os._exit, KILLED))
    dramatiq.set_broker(broker)
    broker.emit_after("process_boot")
    worker = dramatiq.Worker(broker, worker_threads=WORKER_THREADS)
    worker.start()
    # What is loaded now stays for the life of the process: the collector need not walk through it.
    gc.collect()
    gc.freeze()
    signals.wait_for_end()
    worker.stop(timeout=SHUTDOWN_TIMEOUT_MS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
