"""Ends a journal on request: cancels it, or decides that the trouble of an incident is no problem.

One script does it, so that a worker that holds the claim loses it in the same moment. No effect is undone: branches,
pull requests and posts stay.
"""

from __future__ import annotations

import shlex
from datetime import tzinfo
from typing import NamedTuple

from workers.actions.targets import (
    MAX_CONFLICTS,
    TRY_AGAIN,
    Fields,
    IncidentState,
    notification_of,
    read_fields,
    read_open_incident,
)
from workers.actions.wording import clock_time, person_name, until_text
from workers.engine import records, scripts
from workers.engine.claim import TTL_SECONDS
from workers.engine.codec import pack
from workers.engine.journal_store import JournalStore, field_text
from workers.engine.reservations import CANCELLED_RESERVATION_SECONDS
from workers.engine.schema import EndedAs, journal_id, journal_key, slot_key_of
from workers.engine.stage_table import INCIDENT, NOTIFICATION, ROLLBACK, SWEEP, kind_of
from workers.errors import Refused
from workers.incidents.audit import run_once
from workers.models import (
    Action,
    ActionResult,
    Answer,
    AnswerKind,
    Decision,
    DecisionKind,
    Finding,
    Outcome,
    PullRequest,
    Severity,
    alerting_findings,
    digest,
)
from workers.runtime.text import format_timestamp, safe_line

CANCELLED = "cancelled by a person"  # the outcome of a cancelled journal, for people
NO_REASON = "no reason given"


class Ending(NamedTuple):
    """How a journal ends, and the decision that goes with it."""

    ended_as: EndedAs
    outcome: str
    record: Outcome | None
    """None for a journal that is no incident."""
    decision: Decision | None = None


def cancel(store: JournalStore, action: Action, _zone: tzinfo) -> ActionResult:
    """End a journal now, even if a worker is running it. A second person learns when it was cancelled.

    The worker loses its claim: the processes that it started are killed within seconds, and its later effects are
    refused. Reservations are released unless a pull request may be open, and the budget is settled. The cancellation is
    posted to the incident's thread, not to the channel; the alerts of a sweep get it as their answer.
    """
    key = journal_key(action.target)
    if kind_of(action.target) == ROLLBACK:
        raise Refused("A rollback is done within seconds, or not at all. `redeploy` undoes it.")
    for _ in range(MAX_CONFLICTS):
        fields = read_fields(store, key)
        if "ended" in fields:
            raise Refused(_ended_text(journal_id(key), fields))
        is_incident = kind_of(journal_id(key)) == INCIDENT
        ending = Ending(EndedAs.CANCELLED, CANCELLED, _outcome(fields) if is_incident else None)
        result = ActionResult(done=True, text="\n".join(_cancel_lines(journal_id(key), fields)))
        if _end(store, key, fields, ending, action, result) == "cancelled":
            return result
    raise Refused(TRY_AGAIN)


def declare_no_problem(store: JournalStore, action: Action, zone: tzinfo) -> ActionResult:
    """End the incident, and open no other one for its kinds of findings of its service until the decision ends."""
    if action.until is not None and action.until <= action.at:
        raise Refused("The end of the decision lies in the past: choose a later one, or none.")
    for _ in range(MAX_CONFLICTS):
        state = read_open_incident(store, action, zone)
        decision = _decision(state, action)
        ending = Ending(
            EndedAs.NOT_A_PROBLEM, "not a problem", _no_problem_outcome(state, decision, zone), decision
        )
        result = ActionResult(done=True, text=_no_problem_text(state, decision, zone))
        if _end(store, state.key, state.fields, ending, action, result) == "cancelled":
            return result
    raise Refused(TRY_AGAIN)


def _end(
    store: JournalStore, key: str, fields: Fields, ending: Ending, action: Action, result: ActionResult
) -> str:
    decision = ending.decision
    # A script needs a key at each position, so a journal without a slot passes its own key and `uses_slot=0`.
    slot = slot_key_of(key)
    return run_once(
        store, scripts.CANCEL, action, result, journal=key, notification=notification_of(journal_id(key)),
        slot=slot or key, uses_slot=int(bool(slot)), outcome=ending.outcome, ttl_ms=TTL_SECONDS * 1000,
        budget_holder=journal_id(key), names_pull=int(records.PULL.is_in(fields)),
        cancelled_record=records.CANCELLED.pack(ending.record) if ending.record else b"",
        cancelled_reservation_ms=int(CANCELLED_RESERVATION_SECONDS * 1000),
        answer_record=pack(Answer(kind=AnswerKind.CANCELLED), Answer), ended_as=ending.ended_as,
        decision_id=decision.id if decision else "",
        decision=records.DECISION.pack(decision) if decision else b"",
    )  # fmt: skip


# ---- cancelled -------------------------------------------------------------------------------


def _cancel_lines(name: str, fields: Fields) -> list[str]:
    lines = [f"{name}: {CANCELLED}"]
    if "lease" in fields:
        lines.append("the worker that is running it stops within a few seconds")
    if kind_of(name) == SWEEP:
        lines.append("its alerts are answered; the next ping or alert starts a new sweep")
    if kind_of(name) == NOTIFICATION:
        lines.append("nothing is posted until there is something new to report")
    if kind_of(name) == INCIDENT:
        lines += [*_pull_request_lines(fields), _mute_hint(fields)]
    return lines


def _ended_text(name: str, fields: Fields) -> str:
    ended = format_timestamp(int(fields["ended"]) / 1000)
    if field_text(fields, "ended_as") == EndedAs.CANCELLED:
        return f"{name} was cancelled at {ended}"
    sweep = journal_id(field_text(fields, "sweep"))
    hint = f"; its sweep is {sweep}" if sweep else ""
    return f"{name} has ended already: {safe_line(field_text(fields, 'outcome'))} ({ended}){hint}"


def _outcome(fields: Fields) -> Outcome:
    lines = [f"it was in stage `{field_text(fields, 'stage')}`", *_pull_request_lines(fields, link=False)]
    pull = records.PULL.read(fields)
    return Outcome(kind="cancelled", headline=CANCELLED, lines=tuple(lines), link=pull.url if pull else None)


def _pull_request_lines(fields: Fields, *, link: bool = True) -> list[str]:
    pull = records.PULL.read(fields)
    if pull is not None:
        return [f"its {_pull_state(pull)}" + (f": {pull.url}" if link else "")]
    if records.PULL.is_in(fields) or (records.REMOTE.is_in(fields) and not records.OUTCOME.is_in(fields)):
        incident = records.INCIDENT.read(fields)
        branch = f"branch {incident.branch}" if incident else "its branch"
        return [
            f"its pull request may be open already: look for {branch} in {field_text(fields, 'repository')}"
        ]
    return []


def _pull_state(pull: PullRequest) -> str:
    return f"pull request #{pull.number} " + ("stays open" if pull.state == "open" else f"is {pull.state}")


def _mute_hint(fields: Fields) -> str:
    incident = records.INCIDENT.read(fields)
    service = incident.subject.name if incident else "SERVICE"
    mute = f"`trackwalker mute {shlex.quote(service)} --for 4h`"
    return f"the next sweep that finds the problem opens a new occurrence; {mute} prevents posts about it"


# ---- no problem ------------------------------------------------------------------------------


def _decision(state: IncidentState, action: Action) -> Decision:
    subject, findings = state.incident.subject, _own_findings(state)
    critical = dict.fromkeys(finding.kind for finding in findings if finding.severity is Severity.CRITICAL)
    return Decision(
        id=digest("decision", action.request_id)[:8], kind=DecisionKind.NOT_A_PROBLEM, service_id=subject.key,
        service_name=subject.name, finding_kinds=tuple(dict.fromkeys(finding.kind for finding in findings)),
        critical_kinds=tuple(critical), incident_id=state.id, reason=action.reason, person=action.person,
        at=action.at, until=action.until,
    )  # fmt: skip


def _own_findings(state: IncidentState) -> tuple[Finding, ...]:
    """The findings of the incident, as it was opened and as the latest sweep saw it, that are the service's own."""
    latest = records.LATEST_FINDINGS.read(state.fields) or []
    findings = (*state.incident.opening_findings, *alerting_findings(latest))
    own = tuple(item for item in findings if item.service_id == state.incident.subject.key)
    return own or findings


def _no_problem_outcome(state: IncidentState, decision: Decision, zone: tzinfo) -> Outcome:
    pull = records.PULL.read(state.fields)
    until = until_text(decision.until, zone, decision.at)
    lines = [
        f"decided by {person_name(decision.person)} at {clock_time(decision.at, zone, decision.at)}, {until}"
    ]
    lines += _pull_request_lines(state.fields, link=False)
    return Outcome(
        kind="not a problem", headline=f"Not a problem: {decision.reason or NO_REASON}", lines=tuple(lines),
        link=pull.url if pull else None,
    )  # fmt: skip


def _no_problem_text(state: IncidentState, decision: Decision, zone: tzinfo) -> str:
    kinds = ", ".join(kind.replace("_", " ") for kind in decision.finding_kinds)
    until = until_text(decision.until, zone, decision.at)
    covered = f"{kinds} of {decision.service_name}"
    first = f"Not a problem: Trackwalker opens no incident for {covered} {until}, unless it becomes critical."
    if decision.critical_kinds:
        first = f"Not a problem: Trackwalker opens no incident for {covered} {until}."
    lines = [f"{first} Undo it with decision {decision.id}."]
    return "\n".join(
        [*lines, *(line[0].upper() + line[1:] + "." for line in _pull_request_lines(state.fields))]
    )
