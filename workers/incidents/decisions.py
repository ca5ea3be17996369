"""Decisions of people that last: pauses, mutes, snoozes, and findings that are no problem.

Each has a person, a reason and an end. It is listed, explained wherever it has an effect, and can be undone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from workers.engine import counters, scripts
from workers.engine.codec import pack, unpack
from workers.engine.journal_store import JournalStore
from workers.engine.schema import DECISIONS, ENDED_DECISIONS, journal_key, notification_key
from workers.incidents.audit import run_once
from workers.models import Action, ActionResult, Decision, DecisionKind, Person

ENDED_LIMIT = 200  # ended decisions that `all` returns: the page shows the newest


def active(store: JournalStore, now: datetime) -> list[Decision]:
    """The decisions that hold now, newest first."""
    return [decision for decision in _current(store) if decision.is_active(now)]


def all(store: JournalStore) -> list[Decision]:  # noqa: A001 (the module's name makes the meaning plain)
    """Every decision, newest first, with those that ended or were undone."""
    ended = (unpack(blob, Decision) for blob in store.command("lrange", ENDED_DECISIONS, 0, ENDED_LIMIT - 1))
    return _newest_first([*_current(store), *(decision for decision in ended if decision)])


def find(store: JournalStore, decision_id: str) -> Decision | None:
    """The decision with this id, ended or not."""
    return next((decision for decision in all(store) if decision.id == decision_id), None)


def add(store: JournalStore, decision: Decision, action: Action, result: ActionResult) -> str:
    """Add a decision and record the action; `done`, or `changed` if its incident has ended.

    A pause, a mute or a snooze replaces the one before it of the same kind and target.
    """
    has_journal = decision.kind is DecisionKind.SNOOZE
    replaced = [item.id for item in _current(store) if _is_over(item, action.at) or _is_same(item, decision)]
    return run_once(
        store, scripts.DECIDE, action, result, more=tuple(replaced), decision_id=decision.id,
        decision=pack(decision, Decision), counts=counters.of_decision(decision, 1),
        **_journal(decision, has_journal=has_journal),
    )  # fmt: skip


def undo(
    store: JournalStore, decision: Decision, person: Person, action: Action, result: ActionResult
) -> str:
    """End a decision and record the action; `done`, or `changed` if somebody else ended it first."""
    undone = decision.model_copy(update={"undone_by": person, "undone_at": action.at})
    return run_once(
        store, scripts.UNDO_DECISION, action, result, decision_id=decision.id, undone=pack(undone, Decision),
        noted=pack(decision, Decision), counts=counters.of_decision(decision, -1),
        **_journal(decision, has_journal=bool(decision.incident_id)),
    )  # fmt: skip


def is_snoozed(decision: Decision | None, now: datetime) -> bool:
    """True while nothing is posted about the incident whose journal notes this decision."""
    return decision is not None and decision.kind is DecisionKind.SNOOZE and decision.is_active(now)


def _current(store: JournalStore) -> list[Decision]:
    found = (unpack(blob, Decision) for blob in store.command("hvals", DECISIONS))
    return _newest_first([decision for decision in found if decision])


def _newest_first(decisions: list[Decision]) -> list[Decision]:
    return sorted(decisions, key=lambda decision: (decision.at, decision.id), reverse=True)


def _is_over(decision: Decision, now: datetime) -> bool:
    return not decision.is_active(now)


def _is_same(decision: Decision, newer: Decision) -> bool:
    """True if the newer decision takes the place of the other one."""
    if newer.kind is DecisionKind.NOT_A_PROBLEM or decision.kind is not newer.kind:
        return False
    if newer.kind is DecisionKind.SNOOZE:
        return decision.incident_id == newer.incident_id
    return decision.service_name == newer.service_name or (
        bool(newer.service_id) and decision.service_id == newer.service_id
    )


def _journal(decision: Decision, *, has_journal: bool) -> dict[str, Any]:
    return {
        "journal": journal_key(decision.incident_id) if has_journal else DECISIONS,
        "notification": notification_key(decision.incident_id) if has_journal else DECISIONS,
        "has_journal": int(has_journal),
    }
