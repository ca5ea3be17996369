"""An incident with everything that is known about it."""

from __future__ import annotations

from workers.models import (
    Acknowledgement,
    ActionKind,
    Decision,
    FollowUpResult,
    Model,
    Moment,
    Severity,
)
from workers.models.clean_text import Exact, Text
from workers.views.shapes.evidence_shapes import (
    Chart,
    DiffView,
    FactView,
    PlanView,
    RecordLink,
    TimelineRow,
    VerdictView,
    VerificationView,
)
from workers.views.shapes.row_shapes import IncidentState, PullLink


class PostView(Model):
    """A message in Slack, or the text that was not posted."""

    name: str
    """`ack`, `outcome`, `watch-2`, …"""
    at: Moment | None = None
    edited_at: Moment | None = None
    where: str = ""
    """Channel and time stamp; "" for a message that was not posted."""
    text: Text = ""
    """Only of a message that was not posted."""
    url: Exact = ""
    record: RecordLink


class FoldedRow(Model):
    """Trouble that this incident reports besides its own, or that reports this one."""

    how: str
    """`symptom`, `suppressed`, `merged alert`, `group` or `suppressed by`."""
    text: str
    journal: Exact = ""


class EarlierRow(Model):
    """An earlier or a later occurrence of the same cause."""

    id: Exact
    opened_at: Moment | None = None
    ended_at: Moment | None = None
    text: str
    """`#29 fixed this on 3 Oct; the fix lasted 41 days`."""
    pull: PullLink | None = None
    later: bool = False


class SuspectView(Model):
    """The deployment that was live at the onset, with its commit."""

    deployment_id: Exact
    commit: str = ""
    author: str = ""
    message: str = ""
    at: Moment | None = None
    files: tuple[str, ...] = ()


class RollbackView(Model):
    """The deployment to which the service can be rolled back, and what became of it."""

    possible: bool
    why_not: str = ""
    deployment_id: Exact = ""
    commit: str = ""
    label: str = ""
    """The target as people name it: `a1b2c3d "gift cards" (Ana, 14:00)`."""
    healthy_until: Moment | None = None
    changed: tuple[str, ...] = ()
    """The other changes since then, as far as they are known: variables, volumes, other services."""
    state: str = ""
    """"" before anybody asked; else `requested`, `done`, `failed` or `undone`."""
    detail: str = ""


class FollowUpView(Model):
    """The measured effect of a fix, or the recovery without one."""

    result: FollowUpResult
    text: str
    minutes: float | None = None
    requests: int = 0
    failed_requests: int = 0


class Cost(Model):
    """The model's part of an incident."""

    usd: float = 0.0
    tokens: int = 0
    calls: int = 0
    seconds: float = 0.0


class IncidentView(Model):
    """Everything about one incident."""

    id: Exact
    service: str
    service_id: Exact = ""
    project: str
    environment: str
    """The environment's own name: `production`."""
    project_id: Exact = ""
    environment_id: Exact = ""
    story: str
    """One sentence: the trouble, its cause, what was done."""
    severity: Severity | None = None
    state: IncidentState
    stage: str = ""
    """The stage that is due next; "" once it ended."""
    running: bool = False
    waits_for: str = ""
    since: Moment | None = None
    chronic: bool = False
    opened_at: Moment | None = None
    until: Moment | None = None
    """When it ended; None while it is open."""
    headline: str = ""
    """The worst finding in a few words, without times: `94 % of requests fail`."""
    trouble: tuple[str, ...] = ()
    """All findings as sentences, the worst first."""
    acknowledged: Acknowledgement | None = None
    decisions: tuple[Decision, ...] = ()
    cost: Cost = Cost()
    suspect: SuspectView | None = None
    timeline: tuple[TimelineRow, ...] = ()
    timeline_left_out: int = 0
    charts: tuple[Chart, ...] = ()
    charts_left_out: int = 0
    facts: tuple[FactView, ...] = ()
    facts_left_out: int = 0
    gaps: tuple[str, ...] = ()
    """The failed reads, each as a sentence."""
    verdict: VerdictView | None = None
    plan: PlanView | None = None
    diff: DiffView | None = None
    verification: VerificationView | None = None
    pull: PullLink | None = None
    outcome: str = ""
    outcome_lines: tuple[str, ...] = ()
    follow_up: FollowUpView | None = None
    posts: tuple[PostView, ...] = ()
    notification_waits: str = ""
    """Why the next message is not posted yet; "" if none waits."""
    why_told: tuple[str, ...] = ()
    """Why people were told, and when, or why not."""
    folded: tuple[FoldedRow, ...] = ()
    folded_left_out: int = 0
    earlier: tuple[EarlierRow, ...] = ()
    earlier_left_out: int = 0
    rollback: RollbackView | None = None
    actions: tuple[ActionKind, ...] = ()
    """The actions that a person can take now."""
    warnings: tuple[str, ...] = ()
    """Records that cannot be read, each as a sentence."""
