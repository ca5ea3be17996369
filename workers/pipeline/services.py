"""The collaborators of the stages: settings, journals and one client for each outside service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.clients.railway import Railway
from workers.clients.slack import Slack
from workers.engine.worker_store import WorkerStore
from workers.remediation.resources import Remediation
from workers.runtime.settings import Settings


@dataclass(frozen=True)
class Services:
    """The collaborators of the stages. `workers.main` builds them once per process.

    Attributes:
        slack: None if no Slack is configured; messages are then only recorded.
        now: the time by this process's clock, for the stages, which read no clock themselves.
    """

    settings: Settings
    store: WorkerStore
    railway: Railway
    github: GitHub
    slack: Slack | None
    repositories: Repositories
    remediation: Remediation
    now: Callable[[], datetime]
