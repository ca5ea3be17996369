"""The models of all views. `model_dump(mode="json")` of them is what `/incidents/<id>.json` and the MCP server answer.

The shape is stable: fields are added, never renamed, and a reader must ignore fields that it does not know. Times are
UTC, amounts carry their unit in the name, and a value that is unknown is null.
"""

from __future__ import annotations

from enum import StrEnum

from workers.models import (
    Acknowledgement,
    ActionKind,
    Category,
    Decision,
    FollowUpResult,
    Model,
    Moment,
    Point,
    Severity,
)
from workers.models.clean_text import Exact, Text

# ---- shared --------------------------------------------------------------------------------------


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
    environment: str
    """`project/environment`."""
    severity: Severity | None = None
    state: IncidentState
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


# ---- overview ------------------------------------------------------------------------------------


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
    """What is paused, muted, snoozed or no problem at this time."""
    waiting: tuple[WaitingNotification, ...] = ()
    waiting_left_out: int = 0
    warnings: tuple[str, ...] = ()
    """What a person has to repair, each in one sentence."""


# ---- an incident ---------------------------------------------------------------------------------


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
    """How often it was logged or requested; 0 if it is not counted."""


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
    """What the host saw fail before and pass after."""

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
    """What changed since besides the code, as far as it is known: variables, volumes, other services."""
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
    """What could not be read, each as a sentence."""
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


# ---- records, history, journals --------------------------------------------------------------------


class RecordView(Model):
    """One record of a journal as text."""

    journal: Exact
    name: Exact
    title: str
    stage: str = ""
    """The stage that makes it; "" if it was opened with it."""
    made_at: Moment | None = None
    stored_bytes: int = 0
    text: Text = ""
    """Redacted, at most 60,000 characters."""
    lines_left_out: int = 0
    readable: bool = True
    others: tuple[Exact, ...] = ()
    """Names of the journal's other records, in the order of the pipeline."""


class HistoryPage(Model):
    """A page of incidents that match a query, the newest first."""

    rows: tuple[IncidentRow, ...] = ()
    total: int = 0
    """Number of incidents that match."""
    page: int = 1
    pages: int = 1
    searched: int = 0
    """Number of incidents that were read."""
    services: tuple[str, ...] = ()
    """Names to filter by."""
    environments: tuple[str, ...] = ()


class JournalRow(Model):
    """An alert or a sweep in one line."""

    id: Exact
    kind: str
    """`alert` or `sweep`."""
    at: Moment | None = None
    """When it was opened."""
    ended_at: Moment | None = None
    state: str = ""
    """The stage that is due, or how it ended."""
    text: str = ""
    linked: tuple[Exact, ...] = ()
    """Journals that it belongs to: an alert's sweep, a sweep's alerts and incidents."""


class JournalPage(Model):
    """A page of alerts or sweeps, the newest first."""

    rows: tuple[JournalRow, ...] = ()
    total: int = 0
    page: int = 1
    pages: int = 1
