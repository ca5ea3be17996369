"""Builds the worker process: settings → clients → actors → broker. Run by `dramatiq workers.main:build`."""

from __future__ import annotations

import logging
import os
import signal
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
from workers.errors import NotAvailable
from workers.incidents import ping_watchdog
from workers.pipeline.services import Services
from workers.pipeline.worker import declare_actors
from workers.remediation.resources import Remediation
from workers.runtime import environment, logs, settings, store
from workers.runtime.settings import Settings
from workers.sandbox.commands import protect_process

log = logging.getLogger("trackwalker.worker")


class WorkerLifecycle(dramatiq.Middleware):
    """The mover and the pulse live as long as the worker; its end hands every claim back."""

    def __init__(
        self,
        journal: WorkerStore,
        ping_seconds: float,
        folder: Path,
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        self.journal, self.ping_seconds, self.folder, self.leave = journal, ping_seconds, folder, leave
        self.threads: list[dispatcher.Dispatcher | dispatcher.LeaseRenewer] = []

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        logs.configure("worker")
        protect_process()

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self.threads = [
            dispatcher.Dispatcher(self.journal, broker),  # type: ignore[arg-type]
            dispatcher.LeaseRenewer(self.journal, _give_up),
        ]
        for thread in self.threads:
            thread.start()
        for weakness in store.durability_warnings(self.journal.client, self.folder, os.environ):
            log.warning("the store may lose what was recorded", extra={"why": weakness})
        workspaces.kill_orphans(self.folder / "runs", self.folder / "work")
        with suppress(NotAvailable):
            ping_watchdog.start(self.journal, self.ping_seconds)
        log.info("worker ready")

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        for thread in self.threads:
            thread.ended.set()
        self.journal.stop()
        self.journal.release_all()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self.leave()


def _give_up() -> None:
    """The store has been away, or a stage has hung, too long: end, so that the supervisor starts afresh."""
    log.error("the worker ends itself, to be started afresh")
    os.kill(os.getpid(), signal.SIGTERM)
    # A stage that hangs must not keep a worker alive that may not act any more.
    timer = threading.Timer(15, os._exit, args=(1,))
    timer.daemon = True
    timer.start()


def services(config: Settings, client: Any, folder: Path) -> Services:
    """Every client the stages use, from the settings; clones and runs lie below `folder`."""
    journal = WorkerStore(client)
    github = GitHub.from_settings(config)
    repositories = Repositories(folder / "work", config.github_server_url, github.credentials)
    return Services(
        settings=config,
        store=journal,
        railway=railway(config),
        github=github,
        slack=slack(config),
        repositories=repositories,
        remediation=Remediation(
            settings=config, github=github, repositories=repositories, store=journal, folder=folder
        ),
        now=lambda: datetime.now(UTC),
    )


def railway(config: Settings) -> Railway:
    return Railway(config.railway_api_url, token=config.railway_api_token, project_token=config.railway_token)


def slack(config: Settings) -> Slack | None:
    """The bot if there is one, else the incoming webhook, else nobody to tell."""
    if not config.can_notify:
        return None
    return Slack(
        bot_token=config.slack_bot_token,
        channel=config.slack_channel,
        webhook_url=config.slack_webhook_url,
        api_url=config.slack_api_url,
    )


def build() -> None:
    """Make the broker with all actors the current one; what dramatiq's command line calls."""
    logs.configure("worker")
    config = settings.read()
    client = store.connect(config)
    made = services(config, client, environment.data_dir())
    # At the end nothing is waited for: all is handed back, and threads that hang would hold the process.
    leave = partial(os._exit, 0)
    life = WorkerLifecycle(made.store, config.ping_minutes * 60, environment.data_dir(), leave)
    broker = make_broker(client, [life])
    dramatiq.set_broker(broker)
    declare_actors(broker, made)
