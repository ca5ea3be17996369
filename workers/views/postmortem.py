"""The draft of a post-mortem in Markdown. Pure; text from outside cannot format, link or mention anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from workers.pull_requests.markdown import block, inline
from workers.runtime.text import format_duration, plural
from workers.views.shapes import IncidentView, TimelineRow

MAX_PATCH_LINES = 60
MAX_PATCH_CHARS = 8_000
MAX_ROWS = 60


def markdown(view: IncidentView) -> str:
    """A document with summary, impact, timeline, cause, fix and follow-up. Times are UTC."""
    parts = [
        [f"# {inline(view.trouble[0] if view.trouble else f'{view.service}: {view.state.value}')}", ""],
        [f"*Draft, written by Trackwalker from the incident {inline(view.id)}. Times are UTC.*", ""],
        ["## Summary", "", inline(view.story), ""],
        ["## Impact", "", *_bullets(_impact(view)), ""],
        ["## Timeline", "", *_timeline(view), ""],
        ["## Cause", "", *_cause(view), ""],
        ["## Fix", "", *_fix(view), ""],
        ["## Follow-up", "", *_bullets(_follow_up(view)), ""],
    ]
    return "\n".join(row for part in parts for row in part)


def _cell(text: str) -> str:
    """The text in a table, where a bar ends the cell even inside code."""
    return inline(text.replace("|", "∣"))


def _bullets(rows: Iterable[str]) -> list[str]:
    return [f"- {inline(row)}" for row in rows] or ["- Nothing is recorded."]


def _clock(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else "unknown"


def _impact(view: IncidentView) -> Iterator[str]:
    yield f"Service: {view.service} in {view.project}/{view.environment}"
    if view.chronic:
        yield "Since: for as long as the history reaches"
    elif view.since is not None:
        yield f"Since: {_clock(view.since)}"
    if view.since is not None and view.until is not None:
        yield f"Until: {_clock(view.until)} ({format_duration((view.until - view.since).total_seconds())})"
    elif view.until is None:
        yield "Until: it is open"
    if view.severity is not None:
        yield f"Severity: {view.severity.value}"
    yield from view.trouble
    yield from (row.text for row in view.folded if row.how == "symptom")


def _timeline(view: IncidentView) -> list[str]:
    rows = [
        f"| {_clock(row.at)} | {row.kind.value} | {_rowinline(row)} |" for row in view.timeline[:MAX_ROWS]
    ]
    more = len(view.timeline) - MAX_ROWS + view.timeline_left_out
    rows += [f"| | | … and {more} more |"] if more > 0 else []
    return ["| time | event | what |", "|---|---|---|", *rows]


def _rowinline(row: TimelineRow) -> str:
    parts = [format_duration(row.seconds)] if row.seconds is not None and row.seconds >= 1 else []
    parts += [plural(row.attempts, "failed attempt")] if row.attempts else []
    parts += [plural(row.tokens, "token")] if row.tokens else []
    return _cell(row.text + (f" ({', '.join(parts)})" if parts else ""))


def _cause(view: IncidentView) -> list[str]:
    verdict = view.verdict
    if verdict is None:
        return ["The cause was not diagnosed."]
    rows = [f"**{inline(verdict.category.value)}**: {inline(verdict.summary)}", ""]
    cited = {fact.id: fact for fact in view.facts}
    supports = [cited[name] for name in verdict.supports if name in cited]
    rows += [f"- {inline(fact.id)}: {inline(fact.text)}" for fact in supports]
    if view.suspect is not None and view.suspect.commit:
        rows.append(
            f"- Commit {inline(view.suspect.commit[:12])} by {inline(view.suspect.author or 'an unknown author')}"
        )
    rows += ["", "Considered and not chosen:", ""] if verdict.considered else []
    return [
        *rows,
        *(f"- {inline(item.category.value)}: {inline(item.why_not)}" for item in verdict.considered),
    ]


def _fix(view: IncidentView) -> list[str]:
    rows = [f"- {inline(view.outcome)}"] if view.outcome else []
    if view.pull is not None:
        number, state = view.pull.number, inline(view.pull.state)
        rows.append(f"- Pull request {number} ({state}): <{_link(view.pull.url)}>")
    if view.plan is not None:
        rows += [f"- {inline(step)}" for step in view.plan.steps]
    for run in (view.verification.before, view.verification.after) if view.verification else ():
        if run is not None:
            rows.append(f"- {inline(run.name)}: {inline(run.outcome)}")
    if view.rollback is not None and view.rollback.detail:
        rows.append(f"- {inline(view.rollback.detail)}")
    if view.diff is not None and view.diff.patch:
        lines = view.diff.patch.splitlines()
        rows += ["", block("\n".join(lines[:MAX_PATCH_LINES]), MAX_PATCH_CHARS)]
        more = len(lines) - MAX_PATCH_LINES + view.diff.lines_left_out
        rows += [f"… and {plural(more, 'more line')}"] if more > 0 else []
    return rows or ["No fix was made."]


def _link(url: str) -> str:
    """An address inside angle brackets, which it must not close."""
    return url.replace("<", "%3C").replace(">", "%3E").replace("\\", "%5C") or "no link"


def _follow_up(view: IncidentView) -> Iterator[str]:
    if view.follow_up is not None:
        yield view.follow_up.text
    yield from (row.text for row in view.earlier)
    if view.verdict is not None:
        yield from (f"To do: {check}" for check in view.verdict.next_checks)
    yield from (f"Not known: {item}" for item in (view.plan.unknown if view.plan else ()))
    yield from (f"Could not be read: {gap}" for gap in view.gaps)
