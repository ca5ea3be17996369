"""The parts of an incident: events, charts, facts, verdict, plan, patch, verification."""

from __future__ import annotations

from enum import StrEnum

from workers.models import (
    Category,
    Model,
    Moment,
    Point,
)
from workers.models.clean_text import Exact, Text


class RecordLink(Model):
    """A record that `record_view.read` shows."""

    journal: Exact
    name: Exact


class RowKind(StrEnum):
    """The kind of an event in the timeline."""

    ONSET = "onset"
    ALERT = "alert"
    SWEEP = "sweep"
    STAGE = "stage"
    MODEL_CALLS = "model calls"
    POST = "post"
    PULL_REQUEST = "pull request"
    MERGE = "merge"
    DEPLOYMENT = "deployment"
    FOLLOW_UP = "follow-up"
    OUTCOME = "outcome"
    PERSON = "person"
    """An action or a decision of a person."""
    ROLLBACK = "rollback"
    END = "end"


class TimelineRow(Model):
    """One event, in the order of time; rows without a time come last."""

    at: Moment | None = None
    kind: RowKind
    text: str
    seconds: float | None = None
    """Its duration."""
    attempts: int = 0
    """Number of attempts that failed before."""
    tokens: int = 0
    cost_usd: float = 0.0
    record: RecordLink | None = None
    url: Exact = ""
    """A link outside, such as the pull request; http or https."""
    readable: bool = True
    """False if its record is damaged or of a newer version; the text says so."""


class ChartMark(Model):
    """A deployment in a chart."""

    at: Moment
    label: str
    """`a1b2c3d "gift cards" (Ana)`, as far as it is known."""


class Chart(Model):
    """The measurements behind one finding."""

    title: str
    """`Failed requests (5xx)`, `CPU`, …"""
    finding: str
    """The finding as a sentence."""
    fact: Exact = ""
    """The id of the fact that states the finding, `E1`."""
    unit: str
    """`%`, `vCPU`, `GB`, `ms`, `requests/min`, `lines/min`, …"""
    points: tuple[Point, ...] = ()
    """(epoch seconds, value), oldest first, at most 200."""
    limit: float | None = None
    usual_low: float | None = None
    usual_high: float | None = None
    """The band of the service's earlier windows."""
    onset: Moment | None = None
    start: Moment
    end: Moment
    """The window of the check."""
    deployments: tuple[ChartMark, ...] = ()
    note: str = ""
    """Why there are no points; "" if there are."""


class FactView(Model):
    """A numbered fact that sentences cite."""

    id: Exact
    kind: str
    text: str
    quote: Text = ""
    """The redacted lines of the log or the code that it rests on."""
    count: int = 0
    """The number of log records or requests; 0 if they are not counted."""


class ConsideredCategory(Model):
    """A category that the verdict could have had."""

    category: Category
    why_not: str
    facts: tuple[Exact, ...] = ()


class VerdictView(Model):
    """The cause, and why it is no other."""

    category: Category
    summary: str
    action: str = ""
    next_checks: tuple[str, ...] = ()
    supports: tuple[Exact, ...] = ()
    contradicts: tuple[Exact, ...] = ()
    confidence: float = 0.0
    considered: tuple[ConsideredCategory, ...] = ()


class PlanView(Model):
    """The agent's plan."""

    summary: str
    place: str = ""
    """`file:line` of the cause."""
    facts: tuple[Exact, ...] = ()
    reproduction: str = ""
    steps: tuple[str, ...] = ()
    risk: str = ""
    undo: str = ""
    ruled_out: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    next_checks: tuple[str, ...] = ()


class DiffView(Model):
    """The patch of the fix."""

    base_commit: str
    summary: str = ""
    files: tuple[str, ...] = ()
    added: int = 0
    removed: int = 0
    patch: Text = ""
    """The unified diff, redacted, at most 40,000 characters."""
    lines_left_out: int = 0
    not_done: tuple[str, ...] = ()


class RunView(Model):
    """A command that ran in the sandbox, with the end of its output."""

    name: str
    command: str
    outcome: str
    """`passed`, `failed` or `not run`."""
    seconds: float = 0.0
    passed: int = 0
    failed: int = 0
    output: Text = ""


class VerificationView(Model):
    """The runs that failed before the fix and pass after it."""

    decision: str
    """`ready`, `draft`, `rejected` or `already fixed`."""
    before: RunView | None = None
    after: RunView | None = None
    """The reproduction without and with the patch: on the base branch, or `before` on the deployed commit."""
    others: tuple[RunView, ...] = ()
    others_left_out: int = 0
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sandbox: str = ""
