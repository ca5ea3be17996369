"""The decisions and the audit for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from workers.models import AuditEntry, Decision, DecisionKind

KIND_NAMES = {
    DecisionKind.PAUSE: "paused",
    DecisionKind.MUTE: "muted",
    DecisionKind.SNOOZE: "snoozed",
    DecisionKind.NOT_A_PROBLEM: "not a problem",
}


def render_decisions(decisions: Iterable[Decision], now: datetime) -> list[str]:
    """One line for each decision: its id, what it is about, its end, its person and its reason."""
    lines = [_decision(decision, now) for decision in decisions]
    return lines or ["no decisions: nothing is paused, muted, snoozed or declared to be no problem"]


def _decision(decision: Decision, now: datetime) -> str:
    kinds = f" ({', '.join(decision.finding_kinds)})" if decision.finding_kinds else ""
    subject = f" {decision.service_name or 'everything'}{kinds}"
    reason = f": {decision.reason}" if decision.reason else ""
    who = f"by {decision.person.name} via {decision.person.via}"
    return f"{decision.id}  {KIND_NAMES[decision.kind]}{subject} {_end(decision, now)}, {who}{reason}"


def _end(decision: Decision, now: datetime) -> str:
    if decision.undone_by is not None and decision.undone_at is not None:
        return f"until {decision.undone_by.name} undid it at {_time(decision.undone_at)}"
    if decision.until is None:
        return "until somebody undoes it"
    return f"until {_time(decision.until)}" + ("" if decision.is_active(now) else " (ended)")


def render_audit(entries: Iterable[AuditEntry]) -> list[str]:
    """One line for each action, newest first."""
    lines = [
        f"{_time(entry.action.at)}  {entry.action.person.name} via {entry.action.person.via}: "
        f"{entry.action.kind.value.replace('_', ' ')}{f' {entry.action.target}' if entry.action.target else ''}"
        f"  → {'' if entry.result.done else 'not done: '}{entry.result.text}"
        for entry in entries
    ]
    return lines or ["nobody has done anything yet"]


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
