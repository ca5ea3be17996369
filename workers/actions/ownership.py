"""Actions that say who has an incident: acknowledge it, or silence it for a while."""

from __future__ import annotations

from datetime import tzinfo

from workers.actions.targets import MAX_CONFLICTS, TRY_AGAIN, IncidentState, read_open_incident
from workers.actions.wording import clock_time, person_name
from workers.engine import records, scripts
from workers.engine.journal_store import JournalStore
from workers.engine.schema import notification_key
from workers.errors import Refused
from workers.incidents import decisions
from workers.incidents.audit import run_once
from workers.models import Acknowledgement, Action, ActionResult, Decision, DecisionKind, digest


def acknowledge(store: JournalStore, action: Action, zone: tzinfo) -> ActionResult:
    """Give the incident to the person; the first one has it."""
    for _ in range(MAX_CONFLICTS):
        state = read_open_incident(store, action, zone)
        _refuse_second(state, action, zone)
        record = Acknowledgement(person=action.person, at=action.at)
        name = state.incident.subject.name
        result = ActionResult(done=True, text=f"{person_name(action.person)} has {name} now.")
        reply = run_once(
            store, scripts.ACKNOWLEDGE, action, result, journal=state.key,
            notification=notification_key(state.id), record=records.ACKNOWLEDGED.pack(record),
        )  # fmt: skip
        if reply == "done":
            return result
    raise Refused(TRY_AGAIN)


def _refuse_second(state: IncidentState, action: Action, zone: tzinfo) -> None:
    first = records.ACKNOWLEDGED.read(state.fields)
    if first is None:
        return
    since = clock_time(first.at, zone, action.at)
    is_same = (first.person.name, first.person.via) == (action.person.name, action.person.via)
    raise Refused(
        f"You have it since {since}." if is_same else f"{person_name(first.person)} has it since {since}."
    )


def snooze(store: JournalStore, action: Action, zone: tzinfo) -> ActionResult:
    """Post nothing about the incident until a time; its message is still edited."""
    state = read_open_incident(store, action, zone)
    if action.until is None or action.until <= action.at:
        raise Refused("A snooze needs an end in the future, for example in 1 h.")
    decision = Decision(
        id=digest("decision", action.request_id)[:8], kind=DecisionKind.SNOOZE,
        service_id=state.incident.subject.key, service_name=state.incident.subject.name,
        incident_id=state.id, reason=action.reason, person=action.person, at=action.at, until=action.until,
    )  # fmt: skip
    text = (
        f"Snoozed {state.incident.subject.name} until {clock_time(action.until, zone, action.at)}: "
        "nothing is posted about this incident until then."
    )
    result = ActionResult(done=True, text=text)
    if decisions.add(store, decision, action, result) == "changed":
        # The incident ended in between.
        read_open_incident(store, action, zone)
        raise Refused(TRY_AGAIN)
    return result
