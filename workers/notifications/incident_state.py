"""Everything about an incident that its messages depend on, and the phase that follows from it. Pure.

Messages are rendered from this value, never from an earlier message.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from workers.engine import records
from workers.engine.claim import Claim
from workers.incidents.recovery import recovery_progress
from workers.models import (
    Acknowledgement,
    CheckResult,
    Decision,
    DecisionKind,
    Evidence,
    Finding,
    Fix,
    FollowUp,
    FollowUpResult,
    Incident,
    MergeProgress,
    Outcome,
    Plan,
    PullRequest,
    RecoveryProgress,
    Rollback,
    RollbackKind,
    RollbackState,
    Severity,
    Usage,
    Verdict,
    Verification,
)

SEVERITY_MARKS = {Severity.NOTICE: "⚪", Severity.WARNING: "🟠", Severity.CRITICAL: "🔴"}
WATCHING_MARK = "🟡"
HEALTHY_MARK = "✅"
SET_ASIDE_MARK = "⚪"


class Phase(StrEnum):
    """The point that an incident has reached, for people."""

    LOOKING = "looking"
    """The cause is not known yet."""
    FIXING = "fixing"
    """The cause is known, and a fix is being written and tested."""
    PULL_REQUEST = "pull request"
    APPROVAL = "approval"
    """A fix waits for a person's word to begin."""
    REPORTED = "reported"
    """No automatic fix: people have to act."""
    DELAYED = "delayed"
    """The cause is known, and the fix waits for a service that is away."""
    BLOCKED = "blocked"
    """A tested fix waits for a permission."""
    NOT_DELIVERED = "not delivered"
    """A fix was made or tried and did not become a pull request."""
    COVERED = "covered"
    """Another incident or pull request covers the cause."""
    SYMPTOM = "symptom"
    CLOSED = "closed"
    """A person closed the pull request."""
    ROLLED_BACK = "rolled back"
    """A person asked for a rollback; no check has shown its effect yet."""
    RECOVERING = "recovering"
    """The latest checks did not find the trouble; it is not over yet."""
    WATCHING = "watching"
    """The pull request is merged, and its effect is measured."""
    NOT_LIVE = "not live"
    """The pull request is merged, but not deployed."""
    FIX_FAILED = "fix failed"
    UNMEASURED = "unmeasured"
    FIXED = "fixed"
    RESOLVED = "resolved"
    ABANDONED = "abandoned"
    """The follow-up stopped: nobody watches this incident any more."""
    CANCELLED = "cancelled"
    NOT_A_PROBLEM = "not a problem"


HEALTHY_PHASES = (Phase.FIXED, Phase.RESOLVED)
SET_ASIDE_PHASES = (Phase.CANCELLED, Phase.NOT_A_PROBLEM)
ENDED_PHASES = (*HEALTHY_PHASES, *SET_ASIDE_PHASES, Phase.ABANDONED)
RINGING_PHASES = (Phase.FIX_FAILED, Phase.NOT_LIVE)
"""Phases of a follow-up that need a person: their reply is shown in the channel, too, and rings."""

UNFINISHED = (FollowUpResult.CLOSED,)
"""Follow-ups after which the incident stays open."""

FOLLOW_UP_PHASES = {
    FollowUpResult.VERIFIED: Phase.FIXED,
    FollowUpResult.FAILED: Phase.FIX_FAILED,
    FollowUpResult.UNMEASURED: Phase.UNMEASURED,
    FollowUpResult.NOT_DEPLOYED: Phase.NOT_LIVE,
    FollowUpResult.CLOSED: Phase.CLOSED,
    FollowUpResult.RESOLVED: Phase.RESOLVED,
    FollowUpResult.REMOVED: Phase.RESOLVED,
    FollowUpResult.ABANDONED: Phase.ABANDONED,
}
OUTCOME_PHASES = {
    "pull request": Phase.PULL_REQUEST,
    "reported": Phase.REPORTED,
    "waiting": Phase.APPROVAL,
    "delayed": Phase.DELAYED,
    "blocked": Phase.BLOCKED,
    "nothing proposed": Phase.NOT_DELIVERED,
    "attached": Phase.COVERED,
    "failed": Phase.NOT_DELIVERED,
    "cancelled": Phase.CANCELLED,
    "not a problem": Phase.NOT_A_PROBLEM,
}


@dataclass(frozen=True)
class IncidentState:
    """An incident as its journal stands.

    Args:
        incident: with the newest findings and symptoms.
        reason: why its work waits; "" if it does not.
        firings: number of sweeps that detected it.
        cause: the incident of which a sweep calls this one a symptom, escaped; "" if it is a cause itself.
        trouble_until: the end of the last window in which the trouble was found.
        posted_at: when the first message about it was posted.
    """

    incident: Incident
    verdict: Verdict | None = None
    evidence: Evidence | None = None
    plan: Plan | None = None
    fix: Fix | None = None
    verification: Verification | None = None
    outcome: Outcome | None = None
    pull: PullRequest | None = None
    merge: MergeProgress | None = None
    recovery: RecoveryProgress | None = None
    follow_up: FollowUp | None = None
    acknowledged: Acknowledgement | None = None
    rollback: Rollback | None = None
    checked: CheckResult | None = None
    decision: Decision | None = None
    usage: Usage | None = None
    reason: str = ""
    firings: int = 1
    cause: str = ""
    trouble_until: datetime | None = None
    posted_at: datetime | None = None

    @property
    def phase(self) -> Phase:
        """The point that the incident has reached; what a person decided comes first, then the newest result."""
        if self.decision is not None and self.decision.kind is DecisionKind.NOT_A_PROBLEM:
            return Phase.NOT_A_PROBLEM
        if self.outcome is not None and self.outcome.kind in ("cancelled", "not a problem"):
            return OUTCOME_PHASES[self.outcome.kind]
        if self.follow_up is not None and not (self._is_recovering and self.follow_up.result in UNFINISHED):
            return FOLLOW_UP_PHASES[self.follow_up.result]
        if self.pull is not None and self.pull.state == "merged":
            return Phase.WATCHING
        if self._is_recovering:
            return Phase.RECOVERING
        if self.is_rolled_back:
            return Phase.ROLLED_BACK
        if self.cause:
            return Phase.SYMPTOM
        if self.outcome is not None:
            return OUTCOME_PHASES[self.outcome.kind]
        is_fixing = self.verdict is not None and self.verdict.calls_for_a_fix
        return Phase.FIXING if is_fixing else Phase.LOOKING

    @property
    def is_rolled_back(self) -> bool:
        """True from the request of a rollback on, unless Railway refused it or it was undone."""
        rollback = self.rollback
        is_rollback = rollback is not None and rollback.kind is RollbackKind.ROLLBACK
        return is_rollback and rollback is not None and rollback.state is not RollbackState.REFUSED

    @property
    def _is_recovering(self) -> bool:
        return self.recovery is not None and self.recovery.clean_checks > 0

    @property
    def mark(self) -> str:
        """The coloured mark at the beginning of the headline."""
        phase = self.phase
        if phase in HEALTHY_PHASES:
            return HEALTHY_MARK
        if phase in (Phase.WATCHING, Phase.RECOVERING, Phase.ROLLED_BACK):
            return WATCHING_MARK
        return SET_ASIDE_MARK if phase in SET_ASIDE_PHASES else SEVERITY_MARKS[self.incident.severity]

    @property
    def pull_url(self) -> str:
        """The pull request's address, or that of the one that covers the cause; "" without one."""
        if self.pull is not None:
            return self.pull.url
        return (self.outcome.link or "") if self.outcome else ""

    def is_snoozed(self, now: datetime) -> bool:
        """True while a person has asked for silence about this incident."""
        decision = self.decision
        is_snooze = decision is not None and decision.kind is DecisionKind.SNOOZE
        return is_snooze and decision is not None and decision.is_active(now)


def read_state(
    claim: Claim, incident: Incident, fields: dict[str, bytes], cause: str, posted_at: datetime | None
) -> IncidentState:
    """The state from the fields of the incident's journal.

    Args:
        claim: the claim of the notification. What the messages say first waits for a newer worker that wrote it;
            without the rest they only say less.
        incident: as it was opened.
    """
    newest: dict[str, object] = {}
    if findings := claim.read(fields, records.LATEST_FINDINGS):
        newest["findings"] = tuple(findings)
    # An empty list is news, too: no other service is affected any more.
    if (symptoms := claim.read(fields, records.SYMPTOMS)) is not None:
        newest["symptoms"] = tuple(symptoms)
    decision = claim.read(fields, records.DECISION)
    outcome = claim.read(fields, records.CANCELLED) or claim.read(fields, records.OUTCOME)
    return IncidentState(
        incident=incident.model_copy(update=newest),
        verdict=claim.read(fields, records.VERDICT),
        evidence=records.EVIDENCE.read(fields),
        plan=records.PLAN.read(fields),
        fix=records.FIX.read(fields),
        verification=records.VERIFICATION.read(fields),
        outcome=outcome or claim.read(fields, records.INTERIM),
        pull=claim.read(fields, records.PULL),
        merge=records.MERGE_PROGRESS.read(fields),
        recovery=None if "ended" in fields else recovery_progress(fields),
        follow_up=claim.read(fields, records.FOLLOW_UP),
        acknowledged=records.ACKNOWLEDGED.read(fields),
        rollback=records.ROLLBACK.read(fields),
        checked=records.CHECKED.read(fields),
        decision=decision if decision is not None and decision.undone_at is None else None,
        usage=records.USAGE.read(fields),
        reason=fields.get("reason", b"").decode(),
        firings=int(fields.get("firings", b"1")),
        cause=cause,
        trouble_until=moment_of(fields.get("found_at")),
        posted_at=posted_at,
    )


def moment_of(milliseconds: bytes | None) -> datetime | None:
    """A time of a journal, which is in milliseconds; None if it is not set."""
    return datetime.fromtimestamp(int(float(milliseconds)) / 1000, UTC) if milliseconds else None


def worst_symptoms(incident: Incident) -> dict[str, Finding]:
    """The worst finding of each service that suffers from this cause, critical first."""
    worst: dict[str, Finding] = {}
    for finding in sorted(incident.symptoms, key=lambda item: -list(Severity).index(item.severity)):
        worst.setdefault(finding.service, finding)
    return worst
