"""The overview."""

from __future__ import annotations

from enum import StrEnum

from workers.models import (
    Decision,
    Model,
    Moment,
)
from workers.models.clean_text import Exact
from workers.views.shapes.row_shapes import IncidentRow


class Health(StrEnum):
    """A service at the last check."""

    HEALTHY = "healthy"
    FINDING = "finding"
    """Something was seen that opened no incident: a notice."""
    INCIDENT = "incident"
    UNKNOWN = "unknown"
    """It could not be read, or no check has ended yet."""


class ServiceRow(Model):
    """A watched service at a glance."""

    id: Exact
    name: str
    environment: str
    """`project/environment`."""
    environment_id: Exact
    health: Health
    worst: str = ""
    """The worst finding as a sentence, or why the health is unknown; "" for a healthy service."""
    incident_id: Exact = ""
    """Its open incident."""
    checked_at: Moment | None = None
    """The end of the window that was checked last."""
    muted: bool = False


class SweepRow(Model):
    """The last check of an environment."""

    id: Exact
    environment: str
    environment_id: Exact
    ended_at: Moment | None = None
    """None while it runs."""
    running: bool = False
    failed: bool = False
    """It ended without looking at the services; the outcome says why."""
    outcome: str = ""
    findings: int = 0
    services: int = 0
    failed_reads: int = 0


class RequestBudget(Model):
    """Requests that Railway's API allows in an hour."""

    limit: int
    remaining: int
    resets_at: Moment
    last_check_requests: int | None = None


class Spending(Model):
    """The agent's runs and cost of today (UTC), reservations of running fixes included."""

    runs: int = 0
    max_runs: int = 0
    cost_usd: float = 0.0
    max_cost_usd: float = 0.0


class WaitingNotification(Model):
    """A notification that could not be posted yet."""

    id: Exact
    subject: str
    """The service or the alert that it is about."""
    incident_id: Exact = ""
    reason: str
    since: Moment | None = None
    attempts: int = 0


class Overview(Model):
    """The present state of everything that is watched."""

    at: Moment
    mode: str
    services: tuple[ServiceRow, ...] = ()
    """The unhealthy ones first."""
    services_left_out: int = 0
    incidents: tuple[IncidentRow, ...] = ()
    """The open ones, the worst and newest first."""
    incidents_left_out: int = 0
    sweeps: tuple[SweepRow, ...] = ()
    """The last check of each environment, and the one that runs."""
    next_ping: Moment | None = None
    """When the next periodic check is due; None if no ping has arrived yet."""
    last_ping: Moment | None = None
    requests: RequestBudget | None = None
    spending: Spending = Spending()
    paused: bool = False
    decisions: tuple[Decision, ...] = ()
    """The decisions that hold at this time."""
    waiting: tuple[WaitingNotification, ...] = ()
    waiting_left_out: int = 0
    warnings: tuple[str, ...] = ()
    """The problems that a person has to repair, each in one sentence."""
