"""The overview and an incident as lines for a terminal of 80 columns, in the installation's time zone. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo

from workers.actions.wording import clock_time, person_name, until_text
from workers.models import Decision
from workers.runtime.text import format_duration, plural
from workers.views.shapes import (
    Health,
    HistoryPage,
    IncidentRow,
    IncidentView,
    Overview,
    ServiceRow,
    SweepRow,
    TimelineRow,
)

WIDTH = 79  # columns: a terminal of 80 columns breaks a line of 80 characters in some programs
MAX_EVENTS = 60
ADDRESS = "    "  # indentation of what belongs to the line above


def render_overview(overview: Overview, ended: HistoryPage, zone: tzinfo) -> list[str]:
    """The lines of `list`: environments, open incidents, recent endings, what waits, what is used up."""
    now = overview.at
    lines = [
        *_wrapped("\n".join(overview.warnings), "! "),
        *_environments(overview, zone),
        *_section("OPEN", [line for row in overview.incidents for line in _open(row, zone, now)]),
        *_more(overview.incidents_left_out),
        *_section("ENDED", [line for row in ended.rows for line in _ended(row, zone, now)]),
        *_section("DECISIONS", [line for item in overview.decisions for line in _decision(item, zone, now)]),
        *_section("WAITING", [
            line for row in overview.waiting for line in _wrapped(f"{row.subject}: {row.reason}", "  ")
        ]),
        *_wrapped(_budgets(overview, zone), ""),
    ]  # fmt: skip
    # The first section needs no blank line before it.
    shown = lines[1:] if lines[:1] == [""] else lines
    return shown or ["Nothing is watched yet."]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", title, *lines] if lines else []


def _wrapped(text: str, indent: str) -> list[str]:
    """The text in lines of at most WIDTH characters; ids and addresses are not broken."""
    return [
        line
        for paragraph in text.split("\n")
        for line in textwrap.wrap(
            paragraph, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent),
            break_long_words=False, break_on_hyphens=False,
        )
    ]  # fmt: skip


def _more(count: int) -> list[str]:
    return [f"  and {count:,} more (--limit shows more)"] if count else []


def _environments(overview: Overview, zone: tzinfo) -> Iterator[str]:
    for sweep in overview.sweeps:
        services = [row for row in overview.services if row.environment_id == sweep.environment_id]
        yield from _wrapped(_environment(sweep, services, zone, overview.at), "")
        for row in services:
            if row.health in (Health.FINDING, Health.UNKNOWN):
                yield from _wrapped(f"{row.name}: {row.worst}", "  ")


def _environment(sweep: SweepRow, services: Sequence[ServiceRow], zone: tzinfo, now: datetime) -> str:
    if sweep.running:
        return f"{sweep.environment}: a check is running"
    counts = {health: sum(row.health is health for row in services) for health in Health}
    names = {
        Health.INCIDENT: "with an incident", Health.FINDING: "with a notice", Health.UNKNOWN: "not read",
        Health.HEALTHY: "healthy",
    }  # fmt: skip
    parts = [f"{counts[health]} {name}" for health, name in names.items() if counts[health]]
    checked = f"; checked {clock_time(sweep.ended_at, zone, now)}" if sweep.ended_at else ""
    return (
        f"{sweep.environment}: {plural(len(services), 'service')}, {', '.join(parts) or 'none read'}{checked}"
    )


def _open(row: IncidentRow, zone: tzinfo, now: datetime) -> Iterator[str]:
    since = "for days" if row.chronic else f"since {clock_time(row.since, zone, now)}" if row.since else ""
    severity = row.severity.value if row.severity else "unknown"
    yield from _wrapped(f"{severity:8} {row.service}: {row.trouble}", "  ")
    owner = f", {person_name(row.acknowledged.person)} has it" if row.acknowledged else ""
    yield from _wrapped(f"{row.state.value}, {since}{owner}. {row.waits_for}".replace(", .", "."), ADDRESS)
    if row.pull is not None and row.pull.url:
        yield f"{ADDRESS}{row.pull.url}"
    yield f"{ADDRESS}{row.id}"


def _ended(row: IncidentRow, zone: tzinfo, now: datetime) -> Iterator[str]:
    at = clock_time(row.ended_at, zone, now) if row.ended_at else ""
    yield from _wrapped(f"{at}  {row.service}: {row.outcome or row.state.value}", "  ")
    yield f"{ADDRESS}{row.id}"


def _decision(decision: Decision, zone: tzinfo, now: datetime) -> list[str]:
    about = decision.service_name or decision.incident_id
    reason = f": {decision.reason}" if decision.reason else ""
    kind = decision.kind.value.replace("_", " ")
    until, person = until_text(decision.until, zone, now), person_name(decision.person)
    return _wrapped(f"{kind} {about} {until}, by {person}{reason}", "  ")


def _budgets(overview: Overview, zone: tzinfo) -> str:
    parts = []
    if overview.next_ping is not None:
        wait = (overview.next_ping - overview.at).total_seconds()
        parts.append(f"next check in {format_duration(wait)}" if wait > 0 else "next check now")
    if overview.requests is not None:
        requests, reset = overview.requests, clock_time(overview.requests.resets_at, zone, overview.at)
        parts.append(f"Railway: {requests.remaining:,} of {requests.limit:,} requests until {reset}")
    spending = overview.spending
    if spending.runs:
        cost = f"${spending.cost_usd:.2f} of ${spending.max_cost_usd:g}"
        parts.append(f"agent today: {spending.runs} of {plural(spending.max_runs, 'run')}, {cost}")
    parts += [f"mode {overview.mode}"] if overview.mode != "full" else []
    return "\n" + "; ".join(parts) if parts else ""


# ---- an incident -------------------------------------------------------------------------------


def render_incident(view: IncidentView, zone: tzinfo, now: datetime) -> list[str]:
    """The story of an incident, what it waits for, and its timeline, for the head of `show`."""
    owner = f"; {person_name(view.acknowledged.person)} has it" if view.acknowledged else ""
    cost = f"; {view.cost.tokens:,} tokens, ${view.cost.usd:.2f}" if view.cost.tokens else ""
    lines = [
        *_wrapped(view.story, ""),
        *_wrapped(f"{view.state.value}{owner}{cost}. {view.waits_for}", ""),
        *(line for warning in view.warnings for line in _wrapped(warning, "! ")),
        *(line for row in view.earlier for line in _wrapped(row.text, "")),
        "",
        *(line for row in view.timeline[:MAX_EVENTS] for line in _event(row, zone, now)),
    ]
    left_out = max(0, len(view.timeline) - MAX_EVENTS) + view.timeline_left_out
    return [*lines, f"  … and {left_out} more"] if left_out else lines


def _event(row: TimelineRow, zone: tzinfo, now: datetime) -> list[str]:
    at = clock_time(row.at, zone, now) if row.at else "time unknown"
    parts = [format_duration(row.seconds)] if row.seconds is not None and row.seconds >= 1 else []
    parts += [plural(row.attempts, "failed attempt")] if row.attempts else []
    parts += [plural(row.tokens, "token")] if row.tokens else []
    more = f" ({', '.join(parts)})" if parts else ""
    return _wrapped(f"{row.text}{more}", f"  {at}  ")
