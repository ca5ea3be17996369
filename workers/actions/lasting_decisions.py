"""Pauses and mutes, and the end of any decision."""

from __future__ import annotations

from datetime import tzinfo

from workers.actions.wording import clock_time, person_name, until_text
from workers.engine.journal_store import JournalStore
from workers.errors import Refused
from workers.incidents import decisions, known_services
from workers.models import Action, ActionResult, Decision, DecisionKind, digest


def pause(store: JournalStore, action: Action, zone: tzinfo) -> ActionResult:
    """Hold all posts, pull requests and agent runs."""
    for decision in _active(store, action, DecisionKind.PAUSE):
        since = clock_time(decision.at, zone, action.at)
        raise Refused(f"Paused already: by {person_name(decision.person)} since {since}.")
    until = until_text(action.until, zone, action.at) if action.until else "until somebody resumes it"
    result = ActionResult(done=True, text=f"Paused: no posts, pull requests or agent runs {until}.")
    decisions.add(store, _decision(action, DecisionKind.PAUSE), action, result)
    return result


def resume(store: JournalStore, action: Action, _zone: tzinfo) -> ActionResult:
    """End the pause."""
    paused = _active(store, action, DecisionKind.PAUSE)
    if not paused:
        raise Refused("Trackwalker is not paused.")
    result = ActionResult(done=True, text="Resumed: work that waited continues within half a minute.")
    return _undo(store, paused[0], action, result)


def mute(store: JournalStore, action: Action, zone: tzinfo) -> ActionResult:
    """Hold posts and fixes of one service."""
    if not action.target:
        raise Refused("A mute needs the name of a service.")
    if action.until is not None and action.until <= action.at:
        raise Refused("A mute needs an end in the future, for example in 4 h.")
    service = known_services.find_service(store, action.target)
    decision = _decision(action, DecisionKind.MUTE).model_copy(update=service)
    text = f"{service['service_name']} is muted {until_text(action.until, zone, action.at)}."
    result = ActionResult(done=True, text=text)
    decisions.add(store, decision, action, result)
    return result


def unmute(store: JournalStore, action: Action, _zone: tzinfo) -> ActionResult:
    """End the mute of one service."""
    muted = [
        decision
        for decision in _active(store, action, DecisionKind.MUTE)
        if action.target and action.target in (decision.service_id, decision.service_name)
    ]
    if not muted:
        raise Refused(f"{action.target or 'No service'} is not muted.")
    return _undo(store, muted[0], action, ActionResult(done=True, text=f"{action.target} is not muted now."))


def undo(store: JournalStore, action: Action, zone: tzinfo) -> ActionResult:
    """End a decision of any kind before its time."""
    decision = decisions.find(store, action.target)
    if decision is None:
        raise Refused(f"{action.target or 'No target'} is not a decision: the list of decisions has the ids.")
    if decision.undone_by is not None and decision.undone_at is not None:
        when = clock_time(decision.undone_at, zone, action.at)
        raise Refused(f"Too late: {person_name(decision.undone_by)} undid it at {when}.")
    if not decision.is_active(action.at):
        raise Refused("Too late: it has ended by itself.")
    return _undo(store, decision, action, ActionResult(done=True, text="Undone."))


def _undo(store: JournalStore, decision: Decision, action: Action, result: ActionResult) -> ActionResult:
    if decisions.undo(store, decision, action.person, action, result) == "changed":
        raise Refused("Too late: somebody else ended it at the same time.")
    return result


def _active(store: JournalStore, action: Action, kind: DecisionKind) -> list[Decision]:
    return [decision for decision in decisions.active(store, action.at) if decision.kind is kind]


def _decision(action: Action, kind: DecisionKind) -> Decision:
    return Decision(
        id=digest("decision", action.request_id)[:8], kind=kind, reason=action.reason, person=action.person,
        at=action.at, until=action.until,
    )  # fmt: skip
