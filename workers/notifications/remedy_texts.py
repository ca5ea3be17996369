"""The remedies that a person can apply now, the quickest first. Pure."""

from __future__ import annotations

from workers.clients.slack_text import code, escape, link
from workers.models import Category, Finding
from workers.notifications.buttons import can_roll_back
from workers.notifications.incident_state import IncidentState, Phase
from workers.notifications.presentation import Presentation, railway_url
from workers.runtime.text import format_duration, safe_line

MAX_ADVICE = 400  # characters
MAX_CHECKS = 2  # next checks in a message; the thread lists all
COMMIT_CHARACTERS = 7


def remedy_lines(state: IncidentState, look: Presentation) -> list[str]:
    """The steps for a person, the one that helps soonest first; [] if there is nothing to do but wait."""
    lines = [_rollback(state, look), _restart(state)]
    if state.phase is Phase.PULL_REQUEST and state.pull is not None:
        lines.append(f"*To do:* review and merge {link(state.pull.url, f'#{state.pull.number}')}")
    elif state.phase in (Phase.FIX_FAILED, Phase.NOT_LIVE):
        lines.append("")
    else:
        lines += _advice(state)
    return [line for line in lines if line]


def _rollback(state: IncidentState, look: Presentation) -> str:
    """The rollback with the commit that would run again, and since when it had run well."""
    option = state.evidence.rollback if state.evidence else None
    if option is None or not can_roll_back(state):
        return ""
    confirm = look.rollback_url(state.incident.id)
    verb = link(confirm, "roll back") if confirm else "roll back in Railway"
    target = option.target
    name = f" to {code(target.commit[:COMMIT_CHARACTERS])}" if target.commit else " to the deployment before"
    healthy = ""
    if target.at is not None and option.ran_until > target.at:
        healthy = f", healthy for {format_duration((option.ran_until - target.at).total_seconds())}"
    return f"*Quickest:* {verb}{name}{healthy}. This restores the image and the variables."


def _restart(state: IncidentState) -> str:
    """The advice to restart a service that leaks memory, with the time that it buys."""
    leak = next((item for item in state.incident.findings if item.kind == "memory_growth"), None)
    if leak is None or leak.seconds_to_limit is None or state.phase is Phase.WATCHING:
        return ""
    address = railway_url(state.incident)
    verb = link(address, "restart it in Railway") if address else "restart it in Railway"
    return f"*Now:* {verb}. This frees the memory{_bought(leak)}."


def _bought(leak: Finding) -> str:
    """`and buys about 40 min`: the time from a fresh start to the limit at the measured rate."""
    numbers = leak.numbers
    minutes = numbers.get("minutes_seen") or 60 * numbers.get("hours_seen", 0.0)
    grown, limit, percent = numbers.get("grown_gb"), numbers.get("limit_gb"), numbers.get("now_percent")
    if not (minutes and grown and limit and percent):
        return ""
    start = max(0.0, limit * percent / 100 - grown)
    return f" and buys about {format_duration(60 * minutes * (limit - start) / grown)}"


def _advice(state: IncidentState) -> list[str]:
    verdict = state.verdict
    if verdict is None or state.phase in (Phase.WATCHING, Phase.SYMPTOM, Phase.FIXING):
        return []
    lines = []
    if verdict.category is Category.INCONCLUSIVE:
        facts = {fact.id: fact.text for fact in (state.evidence.facts if state.evidence else ())}
        lead = next((facts[name] for name in verdict.supports if name in facts), "")
        lines += [f"*Best lead:* {escape(safe_line(lead, MAX_ADVICE))}"] if lead else []
    if verdict.action:
        lines.append(f"*To do:* {escape(safe_line(verdict.action, MAX_ADVICE))}")
    elif verdict.next_checks:
        checks = "; ".join(verdict.next_checks[:MAX_CHECKS])
        lines.append(f"*Next:* {escape(safe_line(checks, MAX_ADVICE))}")
    return lines
