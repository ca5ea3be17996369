"""Asks for a rollback, and for its end. The stage `roll_back` performs it in a worker, once."""

from __future__ import annotations

from datetime import tzinfo
from typing import NamedTuple

from workers.actions.targets import MAX_CONFLICTS, TRY_AGAIN, IncidentState, read_incident, read_open_incident
from workers.actions.wording import clock_time, person_name
from workers.engine import records, scripts
from workers.engine.journal_store import JournalStore
from workers.engine.schema import journal_key, notification_key
from workers.errors import Refused
from workers.incidents import controls
from workers.incidents.audit import run_once
from workers.models import (
    Action,
    ActionResult,
    CommitNote,
    Rollback,
    RollbackKind,
    RollbackState,
)


class Change(NamedTuple):
    """The deployment to run, and the one that it replaces."""

    kind: RollbackKind
    target: CommitNote
    replaces: CommitNote


def roll_back(store: JournalStore, action: Action, zone: tzinfo) -> ActionResult:
    """Return the incident's service to the deployment before the suspect one."""
    for _ in range(MAX_CONFLICTS):
        state = read_open_incident(store, action, zone)
        change = _rollback(state, action, zone)
        if result := _request(store, action, state, change):
            return result
    raise Refused(TRY_AGAIN)


def redeploy(store: JournalStore, action: Action, zone: tzinfo) -> ActionResult:
    """Undo the incident's rollback: deploy again what ran before it. The incident may have ended by it."""
    for _ in range(MAX_CONFLICTS):
        state = read_incident(store, action)
        change = _end_of_rollback(state, action, zone)
        if result := _request(store, action, state, change):
            return result
    raise Refused(TRY_AGAIN)


def why_no_rollback(state: IncidentState, action: Action, zone: tzinfo) -> str:
    """Why no rollback can be asked for now; "" if one can."""
    last, name = records.ROLLBACK.read(state.fields), state.incident.subject.name
    if last is not None and (reason := _blocks(last, action, zone)):
        return reason
    pull = records.PULL.read(state.fields)
    if pull is not None and pull.state == "merged":
        return f"Too late: #{pull.number} is merged, and its deployment takes the place of the faulty one."
    evidence = records.EVIDENCE.read(state.fields)
    if evidence is None:
        return f"The evidence about {name} is not gathered yet. Try again in a minute."
    if evidence.rollback is None:
        return (
            f"{name} cannot be rolled back: no deployment is known to have caused this, or Railway does not keep "
            "the one before it."
        )
    return ""


def _blocks(last: Rollback, action: Action, zone: tzinfo) -> str:
    """Why a rollback cannot follow the last one; "" if it can."""
    what = f"{last.kind.value} to {last.target.name}"
    when = clock_time(last.done_at or last.at, zone, action.at)
    if last.state is RollbackState.REQUESTED:
        return f"A {what} is under way: {person_name(last.person)} asked for it at {when}."
    if last.state is RollbackState.DONE and last.kind is RollbackKind.ROLLBACK:
        name = last.target.name
        return f"Too late: {last.service_name} was rolled back to {name} by {person_name(last.person)} at {when}."
    return ""


def _rollback(state: IncidentState, action: Action, zone: tzinfo) -> Change:
    if reason := why_no_rollback(state, action, zone):
        raise Refused(reason)
    evidence, last = records.EVIDENCE.read(state.fields), records.ROLLBACK.read(state.fields)
    option = evidence.rollback if evidence else None
    if option is None:
        raise Refused(f"{state.incident.subject.name} cannot be rolled back.")
    replaces = option.replaces
    if last is not None and last.state is RollbackState.DONE and last.new_deployment_id:
        # After a rollback and its end, the suspect's image runs under the id of a new deployment.
        replaces = replaces.model_copy(update={"deployment_id": last.new_deployment_id})
    return Change(RollbackKind.ROLLBACK, option.target, replaces)


def _end_of_rollback(state: IncidentState, action: Action, zone: tzinfo) -> Change:
    last, name = records.ROLLBACK.read(state.fields), state.incident.subject.name
    if last is not None and last.state is RollbackState.REQUESTED:
        raise Refused(_blocks(last, action, zone))
    if last is not None and last.kind is RollbackKind.REDEPLOY and last.state is RollbackState.DONE:
        when = clock_time(last.done_at or last.at, zone, action.at)
        raise Refused(f"Too late: {person_name(last.person)} ended the rollback at {when}.")
    if last is None or last.state is not RollbackState.DONE:
        raise Refused(f"{name} was not rolled back in this incident, so there is nothing to undo.")
    # What Railway made for the rollback is what runs now.
    runs = last.target.model_copy(
        update={"deployment_id": last.new_deployment_id or last.target.deployment_id}
    )
    return Change(RollbackKind.REDEPLOY, last.replaces, runs)


def _request(
    store: JournalStore, action: Action, state: IncidentState, change: Change
) -> ActionResult | None:
    """Open the journal; None if the incident changed in between."""
    if controls.state(store, action.at.timestamp())[0]:
        raise Refused("Trackwalker is paused, which holds rollbacks, too: resume first.")
    incident, number = state.incident, int(state.text("rollback_count") or 0) + 1
    journal_id = state.id.replace("incident:", "rollback:", 1) + (f":{number}" if number > 1 else "")
    rollback = Rollback(
        kind=change.kind, journal_id=journal_id, incident_id=state.id, project_id=incident.project_id,
        environment_id=incident.environment_id, service_id=incident.subject.key,
        service_name=incident.subject.name, target=change.target, replaces=change.replaces, person=action.person,
        at=action.at,
    )  # fmt: skip
    result = ActionResult(done=True, text=_answer(rollback))
    reply = run_once(
        store, scripts.OPEN_ROLLBACK, action, result, journal=state.key,
        notification=notification_key(state.id), rollback=journal_key(journal_id),
        record=records.ROLLBACK.pack(rollback), seen=state.fields.get(records.ROLLBACK.field, b""),
        needs_open=int(change.kind is RollbackKind.ROLLBACK),
    )  # fmt: skip
    return result if reply == "done" else None


def _answer(rollback: Rollback) -> str:
    target = rollback.target.name
    if rollback.kind is RollbackKind.REDEPLOY:
        return f"Deploying {target} of {rollback.service_name} again. The incident says when it is done."
    return (
        f"Rolling {rollback.service_name} back from {rollback.replaces.name} to {target}, with the "
        "variables of that time. The incident says when it is done."
    )
