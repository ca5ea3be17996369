"""Where an incident is, what it waits for, and what a person can do about it. Pure."""

from __future__ import annotations

from workers.engine import records
from workers.engine.schema import EndedAs, journal_id
from workers.incidents.recovery import recovery_progress
from workers.models import (
    ActionKind,
    DecisionKind,
    FollowUpResult,
    Outcome,
    PullRequest,
    RollbackKind,
    RollbackState,
)
from workers.runtime.text import format_duration, plural
from workers.views.bounds import line
from workers.views.incident_source import IncidentSource
from workers.views.rollback_views import rollback_view
from workers.views.shapes import IncidentState

INVESTIGATING_STAGES = ("enrich", "diagnose")
FIXING_STAGES = ("plan", "fix", "propose")
ENDINGS = {
    EndedAs.FIX_VERIFIED: IncidentState.FIX_VERIFIED,
    EndedAs.FIX_FAILED: IncidentState.FIX_FAILED,
    EndedAs.RESOLVED: IncidentState.RESOLVED,
    EndedAs.CANCELLED: IncidentState.CANCELLED,
    EndedAs.FAILED: IncidentState.FAILED,
}
STAGE_WORK = {
    "enrich": "reading logs, requests and code",
    "diagnose": "finding the cause",
    "plan": "planning a fix",
    "fix": "writing and testing a fix",
    "propose": "opening the pull request",
    "watch": "checking whether the problem is gone",
}
"""The work of a stage, as it completes `Now …`."""


def state_of(source: IncidentSource) -> IncidentState:
    """The state of an incident as people ask for it."""
    if source.incident is None:
        return IncidentState.UNKNOWN
    if source.is_ended:
        return _ended_state(source)
    stage, pull = source.text("stage"), source.get(records.PULL)
    if source.text("suppressed_by") and pull is None and not source.text("fix_requests"):
        return IncidentState.SUPPRESSED
    if stage in INVESTIGATING_STAGES:
        return IncidentState.INVESTIGATING
    if stage in FIXING_STAGES:
        return IncidentState.FIXING
    return _watched_state(pull, source.get(records.OUTCOME))


def _watched_state(pull: PullRequest | None, outcome: Outcome | None) -> IncidentState:
    if pull is not None and pull.state == "open":
        return IncidentState.FIX_READY
    if pull is not None and pull.state == "merged":
        return IncidentState.FIX_MERGED
    if outcome is not None and outcome.kind == "waiting":
        return IncidentState.WAITING_FOR_APPROVAL
    return IncidentState.REPORTED


def _ended_state(source: IncidentSource) -> IncidentState:
    decision = source.get(records.DECISION)
    if decision is not None and decision.kind is DecisionKind.NOT_A_PROBLEM and decision.undone_at is None:
        return IncidentState.NOT_A_PROBLEM
    follow_up = source.get(records.FOLLOW_UP)
    if follow_up is not None and follow_up.result is FollowUpResult.FAILED:
        return IncidentState.FIX_FAILED
    ended_as = source.text("ended_as")
    return (
        ENDINGS.get(EndedAs(ended_as), IncidentState.RESOLVED)
        if ended_as in set(EndedAs)
        else IncidentState.RESOLVED
    )


def waits_for(source: IncidentSource) -> str:
    """The event that comes next, or why nothing moves; "" for an incident that has ended."""
    if source.is_ended:
        return ""
    stage = source.text("stage")
    work = STAGE_WORK.get(stage, f"running stage {stage}")
    if source.is_running:
        return line(f"Now {work}.")
    reason = source.text("reason")
    attempts = source.number("attempts")
    if attempts:
        since = source.moment("failing_since")
        duration = f" in {format_duration((source.at - since).total_seconds())}" if since else ""
        return line(f"Retrying ({work}): failed {plural(attempts, 'time')}{duration}. {reason}")
    if stage != "watch":
        return line(f"Next: {work}. {reason}".strip())
    return line(_watched_event(source) or reason)


def _watched_event(source: IncidentSource) -> str:
    """The event that an incident in stage `watch` waits for."""
    pull, outcome = source.get(records.PULL), source.get(records.OUTCOME)
    if pull is not None and pull.state == "open":
        return f"Waiting for a review of #{pull.number}."
    if pull is not None and pull.state == "merged":
        return _merged_event(source, pull)
    if suppressed_by := source.text("suppressed_by"):
        return f"A symptom of {journal_id(suppressed_by)}: ends with it."
    if outcome is not None and outcome.kind == "waiting":
        return "Waiting for approval of a fix."
    progress = recovery_progress(source.fields)
    if progress is None:
        return "Ends after consecutive checks without the problem; the last check found it."
    checks = plural(progress.required_checks, "consecutive check")
    return f"Ends after {checks} without the problem ({progress.clean_checks} so far)."


def _merged_event(source: IncidentSource, pull: PullRequest) -> str:
    progress = source.get(records.MERGE_PROGRESS)
    if progress is None or progress.deployed_at is None:
        status = (
            f" (Railway: {progress.deployment_status})" if progress and progress.deployment_status else ""
        )
        return f"#{pull.number} is merged: waiting for its deployment{status}."
    figures = (
        f"{progress.failed_requests:,} of {plural(progress.requests, 'request')} failed since its deployment"
    )
    until = f"; measured until {progress.watching_until:%H:%M} UTC" if progress.watching_until else ""
    return f"#{pull.number} is deployed: {figures}{until}."


def possible_actions(source: IncidentSource) -> tuple[ActionKind, ...]:
    """The actions that a person can take now, in the order in which a page offers them."""
    pull, outcome = source.get(records.PULL), source.get(records.OUTCOME)
    if source.incident is None:
        return ()
    redeploy = (ActionKind.REDEPLOY,) if _is_rolled_back(source) else ()
    if source.is_ended:
        return (ActionKind.CHECK, *redeploy, ActionKind.RETRY)
    acknowledge = () if source.get(records.ACKNOWLEDGED) else (ActionKind.ACKNOWLEDGE,)
    may_fix = source.text("stage") == "watch" and pull is None
    may_fix = may_fix and outcome is not None and outcome.kind != "attached"
    fix = (ActionKind.FIX,) if may_fix else ()
    roll_back = (ActionKind.ROLL_BACK,) if _has_rollback(source) else ()
    return (
        *acknowledge, ActionKind.SNOOZE, ActionKind.NOT_A_PROBLEM, *fix, ActionKind.CHECK, *roll_back, *redeploy,
        ActionKind.RETRY, ActionKind.CANCEL,
    )  # fmt: skip


def _has_rollback(source: IncidentSource) -> bool:
    view = rollback_view(source)
    return view is not None and view.possible


def _is_rolled_back(source: IncidentSource) -> bool:
    """True if the newest rollback is in effect, so that it can be undone."""
    last = source.get(records.ROLLBACK)
    return last is not None and last.kind is RollbackKind.ROLLBACK and last.state is RollbackState.DONE
