"""An incident in one line, and what all views share."""

from __future__ import annotations

from enum import StrEnum

from workers.models import (
    Acknowledgement,
    Category,
    Model,
    Moment,
    Severity,
)
from workers.models.clean_text import Exact


class IncidentState(StrEnum):
    """Where an incident is, as people ask for it. The stages of the pipeline are finer."""

    INVESTIGATING = "investigating"
    """Evidence is read or the cause is diagnosed."""
    FIXING = "fixing"
    """The agent plans, writes or tests a fix."""
    WAITING_FOR_APPROVAL = "waiting for approval"
    FIX_READY = "fix ready"
    """A pull request waits for review."""
    FIX_MERGED = "fix merged"
    """It is merged: its deployment is awaited or measured."""
    REPORTED = "reported"
    """The cause is reported, nothing is proposed, and the problem lasts."""
    SUPPRESSED = "suppressed"
    """A symptom of another incident, which reports it."""
    FIX_VERIFIED = "fix verified"
    FIX_FAILED = "fix failed"
    RESOLVED = "resolved"
    NOT_A_PROBLEM = "not a problem"
    CANCELLED = "cancelled"
    FAILED = "investigation failed"
    UNKNOWN = "unknown"
    """Its records cannot be read."""


class PullLink(Model):
    """The pull request of an incident."""

    number: int
    url: Exact
    title: str = ""
    state: str
    """`open`, `merged` or `closed`."""
    draft: bool = False
    author: str = ""


class IncidentRow(Model):
    """An incident in one line of a list."""

    id: Exact
    """The journal's id, `incident:<fingerprint>:<occurrence>`."""
    service: str
    service_id: Exact = ""
    """The service, or the upstream host or `platform` that is the cause."""
    environment: str
    """`project/environment`."""
    severity: Severity | None = None
    state: IncidentState
    headline: str = ""
    """The worst finding in a few words, without times: `94 % of requests fail`."""
    trouble: str
    """The worst finding as a sentence without the service's name."""
    since: Moment | None = None
    """Onset; None if it is unknown or older than the history."""
    chronic: bool = False
    opened_at: Moment | None = None
    ended_at: Moment | None = None
    category: Category | None = None
    cause: str = ""
    """The verdict's summary."""
    outcome: str = ""
    """How it ended, or the result of its active part."""
    waits_for: str = ""
    """The event that comes next, or why nothing moves."""
    acknowledged: Acknowledgement | None = None
    pull: PullLink | None = None
    suppressed_by: Exact = ""
    """The incident of which it is a symptom."""
    group: Exact = ""
    """The incident group that announced it."""
    checks: int = 0
    """Number of checks that found it."""
    cost_usd: float = 0.0
    readable: bool = True
