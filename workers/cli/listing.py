"""What people see of all journals: what is due and why, what is open, what ended lately; and mending one after all.

Much of it was written by others: no line of it steers the terminal. What is read is bounded, however many there are.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NoReturn

from workers.cli.lookup import find_journal
from workers.engine import records, scripts
from workers.engine.journal_store import JournalStore
from workers.engine.schema import ENDED, OPEN, PREFIX, SCHEDULE, EndedAs
from workers.engine.stage_table import FIX, PLAN
from workers.errors import Refused
from workers.incidents import controls, request_quota
from workers.runtime.text import format_duration, format_timestamp, safe_line

DEFAULT_ROWS = 50
"""Journals that are shown of each kind unless more are asked for."""
DEFAULT_ENDINGS = 20
MAX_ENDINGS = 300
"""Newest endings among which those are looked for that are worth a line."""
LISTED_FIELDS = (
    "stage", "lease", "reason", "attempts", "failing_since", "crashes", "suppressed_by", "group", "clean_sweeps",
    "ended", "r:pull", "r:outcome", "r:cancelled",
)  # fmt: skip

Fields = dict[str, bytes]


def render_overview(journal: JournalStore, now: datetime, limit: int | None = DEFAULT_ROWS) -> list[str]:
    """The lines for a person: all that `collect` found."""
    said = collect(journal, now, limit)
    due = [
        f"{one['id']:60} {one['stage']:9} {_due_in(one):>11}  {one['why']}".rstrip()
        for one in said["due"]
    ]  # fmt: skip
    shown = [f"{'JOURNAL':60} {'STAGE':9} {'DUE':>11}  WHY", *due] if due else []
    shown += [] if said["due_total"] else ["nothing is under way"]
    shown += _more(said["due_total"], len(due))
    shown += [_render_incident(one) for one in said["open"]]
    shown += _more(said["open_total"], len(said["open"]))
    shown += [f"ended {one['ended']}: {one['id']}: {one['outcome']}" for one in said["ended"]]
    if quiet := said["quiet_sweeps"]:
        shown.append(f"sweeps that found nothing: {quiet['count']}, the last one ended {quiet['last']}")
    shown += ["paused"] if said["paused"] else []
    shown += [f"muted: {name} until {until}" for name, until in said["muted"].items()]
    return [*shown, said["allowance"]] if said["allowance"] else shown


def collect(journal: JournalStore, now: datetime, limit: int | None = DEFAULT_ROWS) -> dict[str, Any]:
    """The same for machines: plain values, foreign text cleaned. At most `limit` of each kind, None for all.

    Of endings LATELY unless another limit is asked for, and never more than are LOOKED_AT.
    `due`: soonest first, `in_seconds` until then; `open`: the newest incident first; `ended`: the newest first.
    Raises NotAvailable.
    """
    paused, mutes = controls.state(journal, now.timestamp())
    lately, quiet = _recent_endings(journal, DEFAULT_ENDINGS if limit == DEFAULT_ROWS else limit)
    opened = sorted((raw.decode() for raw in journal.command("hvals", OPEN)), key=_occurrence, reverse=True)
    return {
        "due": _scheduled(journal, now, limit),
        "due_total": journal.command("zcard", SCHEDULE),
        "open": _open_incidents(journal, opened[:limit]),
        "open_total": len(opened),
        "ended": lately,
        "quiet_sweeps": quiet,
        "paused": paused,
        "muted": {safe_line(name): format_timestamp(until) for name, until in mutes.items()},
        "allowance": safe_line(request_quota.describe(request_quota.read(journal, now), now)),
    }


# ---- what is due -----------------------------------------------------------------------------


def _scheduled(journal: JournalStore, now: datetime, limit: int | None) -> list[dict[str, Any]]:
    last = -1 if limit is None else limit - 1
    rows = journal.command("zrange", SCHEDULE, 0, last, False, True) if limit != 0 else []
    keys = [raw.decode() for raw, _ in rows]
    found = journal.columns(keys, LISTED_FIELDS)
    return [
        {
            "id": safe_line(key.removeprefix(PREFIX)),
            "stage": safe_line(field_text(fields, "stage")) or "gone",
            "in_seconds": round(max(0.0, due / 1000 - now.timestamp()), 1),
            "in_work": int(fields.get("lease", 0)) / 1000 > now.timestamp(),
            "why": safe_line("; ".join(_reasons(fields, now))),
        }
        for key, (_, due), fields in zip(keys, rows, found, strict=True)
    ]


def _due_in(one: dict[str, Any]) -> str:
    if one["in_work"]:
        return "in work"
    return f"in {format_duration(one['in_seconds'])}" if one["in_seconds"] > 0 else "now"


def _reasons(fields: Fields, now: datetime) -> list[str]:
    """Why it is not further: what it waits for, how often it failed and since when, who speaks for it."""
    said = [field_text(fields, "reason")]
    if tries := int(fields.get("attempts", 0)):
        since = int(fields.get("failing_since", 0)) / 1000
        times = f"failed {tries} time{'s'[: tries > 1]}"
        said.append(times + (f", for {format_duration(now.timestamp() - since)}" if since else ""))
    if deaths := int(fields.get("crashes", 0)):
        said.append(f"{deaths} death{'s'[: deaths > 1]}")
    joined = field_text(fields, "suppressed_by").removeprefix(PREFIX)
    if joined and joined not in said[0]:
        said.append(f"joined to {joined}")
    if over := field_text(fields, "group").removeprefix(PREFIX):
        said.append(f"under {over}")
    return [one for one in [*said, _awaited(fields)] if one]


def _awaited(fields: Fields) -> str:
    """Whom a round that is watched waits for."""
    if field_text(fields, "stage") != "watch":
        return ""
    pull, outcome = records.PULL.read(fields), records.OUTCOME.read(fields)
    if pull is not None and pull.state == "open":
        return f"waits for a person: {pull.url}"
    if pull is not None and pull.state == "merged":
        return f"#{pull.number} is merged: waits for its deployment"
    if outcome is not None and outcome.kind == "waiting":
        return "waits for a person: `mend`"
    return (
        f"waits for sweeps without it, {field_text(fields, 'clean_sweeps') or '0'} so far" if outcome else ""
    )


# ---- what is open, what ended ----------------------------------------------------------------


def _occurrence(key: str) -> str:
    return key.rpartition(":")[2]


def _open_incidents(journal: JournalStore, keys: list[str]) -> list[dict[str, Any]]:
    """What is sick, of which other incident it is a symptom, its pull request."""
    found = journal.columns(keys, ("r:incident", "r:seen", "r:pull", "suppressed_by", "stage"), batch=50)
    holders = {field_text(fields, "suppressed_by") for fields in found} - {""}
    causes = dict(zip(holders, journal.columns(list(holders), ("r:incident",), batch=50), strict=True))
    rows = []
    for key, fields in zip(keys, found, strict=True):
        incident, pull = records.INCIDENT.read(fields), records.PULL.read(fields)
        seen = records.SEEN.read(fields) or (incident.findings if incident else ())
        holder = field_text(fields, "suppressed_by")
        cause = records.INCIDENT.read(causes.get(holder, {}))
        rows.append({
            "id": safe_line(key.removeprefix(PREFIX)),
            "service": safe_line(incident.subject.name) if incident else "",
            "sentence": safe_line(seen[0].sentence) if seen else "its record cannot be read",
            "stage": safe_line(field_text(fields, "stage")),
            "suppressed_by": safe_line(cause.subject.name if cause else holder.removeprefix(PREFIX)),
            "pull": safe_line(pull.url) if pull else "",
        })  # fmt: skip
    return rows


def _render_incident(one: dict[str, Any]) -> str:
    joined = f"  suppressed by {one['suppressed_by']}" if one["suppressed_by"] else ""
    link = f"  {one['pull']}" if one["pull"] else ""
    return f"open: {one['service']}: {one['sentence']}{joined}{link}  ({one['id']})"


def _recent_endings(
    journal: JournalStore, most: int | None
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """The newest endings, and how many sweeps among them found nothing."""
    rows = journal.command("zrevrange", ENDED, 0, MAX_ENDINGS - 1, True)
    keys = [raw.decode() for raw, _ in rows]
    found = journal.columns(keys, ("ended", "ended_as", "outcome"))
    over = [(key, fields) for key, fields in zip(keys, found, strict=True) if "ended" in fields]
    quiet = [fields for _, fields in over if field_text(fields, "ended_as") == EndedAs.NO_FINDINGS]
    loud = [(key, fields) for key, fields in over if field_text(fields, "ended_as") != EndedAs.NO_FINDINGS]
    lines = [
        {
            "id": safe_line(key.removeprefix(PREFIX)),
            "ended": format_timestamp(int(fields["ended"]) / 1000),
            "outcome": safe_line(field_text(fields, "outcome")),
        }
        for key, fields in loud[:most]
    ]
    last = {"count": len(quiet), "last": format_timestamp(int(quiet[0]["ended"]) / 1000)} if quiet else None
    return lines, last


def _more(total: int, shown: int) -> list[str]:
    return [f"and {total - shown} more: --all"] if total > shown else []


def field_text(fields: Fields, name: str) -> str:
    """A plain field, '' where it is not set."""
    return fields.get(name, b"").decode(errors="replace")


# ---- mending on demand -----------------------------------------------------------------------


def request_fix(journal: JournalStore, name: str) -> list[str]:
    """Send an incident that was only told (or all of them) back to planning; a sentence for each.

    Of `all` those are passed over that are a symptom of another: mending its cause ends them.
    """
    if name != "all":
        key = find_journal(journal, name)
        fields = journal.fields(key)
        return [_request_one_fix(journal, key, fields) or _refuse_fix(key, fields)]
    keys = [raw.decode() for raw in journal.command("hvals", OPEN)]
    found = [(key, journal.fields(key)) for key in keys]
    said = [
        _request_one_fix(journal, key, fields)
        for key, fields in found
        if not field_text(fields, "suppressed_by")
    ]
    return [line for line in said if line]


def _refuse_fix(key: str, fields: dict[str, bytes]) -> NoReturn:
    """Raises Refused with why there is nothing to mend."""
    short, pull = key.removeprefix(PREFIX), records.PULL.read(fields)
    if pull is not None:
        raise Refused(f"{short} has a pull request: {safe_line(pull.url)}")
    if "ended" in fields:
        raise Refused(
            f"{short} has ended: {safe_line(field_text(fields, 'outcome'))}; `retry` takes it up again"
        )
    raise Refused(f"{short} is worked on by itself: it stands at {safe_line(field_text(fields, 'stage'))}")


def _request_one_fix(journal: JournalStore, key: str, fields: dict[str, bytes]) -> str:
    short = key.removeprefix(PREFIX)
    if not short.startswith("incident:"):
        raise Refused(f"{short} is no incident")
    proved = records.VERIFICATION.read(fields)
    # A patch that was proved and only not proposed is kept.
    kept = proved is not None and proved.decision in ("ready", "draft")
    stale = [] if kept else [record.field for record in (*PLAN.makes, *FIX.makes)]
    answer = journal.run(scripts.REQUEST_FIX, more=stale, journal=key)
    said = {1: f"{short}: sent to planning", 2: f"{short}: somebody works on it at this moment, try again"}
    return said.get(answer, "")
