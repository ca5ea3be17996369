"""The overview of all journals: scheduled journals, open incidents, recent endings.

Much of the text is untrusted, so every line is cleaned before it reaches a terminal. The number of journals that are
read is bounded, however many exist.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from workers.engine import records
from workers.engine.journal_store import JournalStore, field_text
from workers.engine.schema import ENDED, ENDED_INCIDENTS, OPEN, PREFIX, SCHEDULE, EndedAs, journal_id
from workers.incidents import controls, request_quota
from workers.incidents.recovery import required_quiet_ms, required_sweeps
from workers.models import alerting_findings
from workers.runtime.text import format_duration, format_timestamp, plural, safe_line

DEFAULT_ROWS = 50  # rows of scheduled journals and of open incidents
DEFAULT_ENDINGS = 20  # rows of recent endings
MAX_ENDINGS = 300  # newest endings that are read; sweeps without findings count but are not listed
RECORDS_BATCH = 50  # journals per round trip: their records are up to a megabyte each
LISTED_FIELDS = (
    "stage", "lease", "reason", "attempts", "failing_since", "crashes", "suppressed_by", "group", "clean_sweeps",
    "relapse_ms", "recovery", "ended", "r:pull", "r:outcome", "r:cancelled", "r:incident", "r:latest_findings",
)  # fmt: skip

Fields = dict[str, bytes]


def render_overview(store: JournalStore, now: datetime, limit: int | None = DEFAULT_ROWS) -> list[str]:
    """The lines of `list` for a person; see `collect`."""
    overview = collect(store, now, limit)
    scheduled = [
        f"{row['id']:60} {row['stage']:9} {_due_in(row):>11}  {row['why']}".rstrip()
        for row in overview["due"]
    ]  # fmt: skip
    lines = [f"{'JOURNAL':60} {'STAGE':9} {'DUE':>11}  WHY", *scheduled] if scheduled else []
    lines += [] if overview["due_total"] else ["nothing is scheduled"]
    lines += _more(overview["due_total"], len(scheduled))
    lines += [_render_incident(row) for row in overview["open"]]
    lines += _more(overview["open_total"], len(overview["open"]))
    lines += [f"ended {row['ended']}: {row['id']}: {row['outcome']}" for row in overview["ended"]]
    if quiet := overview["quiet_sweeps"]:
        lines.append(
            f"{plural(quiet['count'], 'sweep')} without findings, the last one ended {quiet['last']}"
        )
    lines += ["paused until `trackwalker resume`"] if overview["paused"] else []
    lines += [f"muted: {name} until {until}" for name, until in overview["muted"].items()]
    return [*lines, overview["allowance"]] if overview["allowance"] else lines


def collect(store: JournalStore, now: datetime, limit: int | None = DEFAULT_ROWS) -> dict[str, Any]:
    """The overview as plain values for `list --json`, with text from outside cleaned.

    `due` has the soonest journal first (`in_seconds` until then), `open` and `ended` the newest first.

    Args:
        limit: rows of each kind, None for all. With the default there are DEFAULT_ENDINGS endings; never more than
            MAX_ENDINGS are read.

    Raises:
        NotAvailable: Redis does not answer.
    """
    paused, mutes = controls.state(store, now.timestamp())
    endings, quiet = _recent_endings(store, DEFAULT_ENDINGS if limit == DEFAULT_ROWS else limit)
    opened = sorted((raw.decode() for raw in store.command("hvals", OPEN)), key=_occurrence, reverse=True)
    return {
        "due": _scheduled(store, now, limit),
        "due_total": store.command("zcard", SCHEDULE),
        "open": _open_incidents(store, opened[:limit]),
        "open_total": len(opened),
        "ended": endings,
        "quiet_sweeps": quiet,
        "paused": paused,
        "muted": {safe_line(name): format_timestamp(until) for name, until in mutes.items()},
        "allowance": safe_line(request_quota.describe(request_quota.read(store, now), now)),
    }


# ---- scheduled journals ----------------------------------------------------------------------


def _scheduled(store: JournalStore, now: datetime, limit: int | None) -> list[dict[str, Any]]:
    last = -1 if limit is None else limit - 1
    entries = store.command("zrange", SCHEDULE, 0, last, False, True) if limit != 0 else []
    keys = [raw.decode() for raw, _ in entries]
    return [
        {
            "id": safe_line(journal_id(key)),
            "stage": safe_line(field_text(fields, "stage")) or "gone",
            "in_seconds": round(max(0.0, due / 1000 - now.timestamp()), 1),
            "running": int(fields.get("lease", 0)) / 1000 > now.timestamp(),
            "why": safe_line("; ".join(_reasons(fields, now))),
        }
        for key, (_, due), fields in zip(keys, entries, store.columns(keys, LISTED_FIELDS), strict=True)
    ]


def _due_in(row: dict[str, Any]) -> str:
    if row["running"]:
        return "running"
    return f"in {format_duration(row['in_seconds'])}" if row["in_seconds"] > 0 else "now"


def _reasons(fields: Fields, now: datetime) -> list[str]:
    """Why the journal has not advanced: its last error and failures, its suppression, the event that it waits for."""
    reason = field_text(fields, "reason")
    reasons = [reason]
    if attempts := int(fields.get("attempts", 0)):
        since = int(fields.get("failing_since", 0)) / 1000
        duration = f" in {format_duration(now.timestamp() - since)}" if since else ""
        reasons.append(f"failed {plural(attempts, 'time')}{duration}")
    if crashes := int(fields.get("crashes", 0)):
        reasons.append(plural(crashes, "crash", "crashes"))
    # The reason of a suppressed incident may name its cause already.
    cause = field_text(fields, "suppressed_by").removeprefix(PREFIX)
    if cause and cause not in reason:
        reasons.append(f"suppressed by {cause}")
    if group := field_text(fields, "group").removeprefix(PREFIX):
        reasons.append(f"in incident group {group}")
    return [text for text in [*reasons, _awaited(fields)] if text]


def _awaited(fields: Fields) -> str:
    """The event that an incident in stage `watch` waits for; "" for other journals."""
    if field_text(fields, "stage") != "watch":
        return ""
    pull, outcome = records.PULL.read(fields), records.OUTCOME.read(fields)
    if pull is not None and pull.state == "open":
        return f"waiting for review: {pull.url}"
    if pull is not None and pull.state == "merged":
        return f"#{pull.number} is merged; waiting for its deployment"
    if outcome is not None and outcome.kind == "waiting":
        return "waiting for approval: `fix`"
    # `recovery` decides the number: Railway's answers may be incomplete, so a removed service needs more checks.
    checks = plural(required_sweeps(field_text(fields, "recovery")), "consecutive check")
    count = field_text(fields, "clean_sweeps") or "0"
    if outcome is None:
        return ""
    if int(count) >= required_sweeps(field_text(fields, "recovery")) and (quiet := _required_quiet(fields)):
        return f"resolves after {format_duration(quiet)} without the problem, because it comes back"
    return f"resolves after {checks} without a problem ({count} so far)"


def _required_quiet(fields: Fields) -> float:
    """Seconds without the problem that the incident waits for."""
    incident, newest = records.INCIDENT.read(fields), records.LATEST_FINDINGS.read(fields) or []
    trouble = alerting_findings((*(incident.findings if incident else ()), *newest))
    return required_quiet_ms(trouble, int(float(field_text(fields, "relapse_ms") or 0))) / 1000


# ---- open incidents and endings --------------------------------------------------------------


def _occurrence(key: str) -> str:
    return key.rpartition(":")[2]


def _open_incidents(store: JournalStore, keys: list[str]) -> list[dict[str, Any]]:
    """The open incidents: finding, the incident that suppresses it, pull request."""
    names = ("r:incident", "r:latest_findings", "r:pull", "suppressed_by", "stage")
    columns = store.columns(keys, names, batch=RECORDS_BATCH)
    # The cause may have ended and be missing from the open incidents, so its record is read by key.
    suppressors = list({field_text(fields, "suppressed_by") for fields in columns} - {""})
    suppressor_columns = store.columns(suppressors, ("r:incident",), batch=RECORDS_BATCH)
    causes = dict(zip(suppressors, suppressor_columns, strict=True))
    rows = []
    for key, fields in zip(keys, columns, strict=True):
        incident, pull = records.INCIDENT.read(fields), records.PULL.read(fields)
        findings = records.LATEST_FINDINGS.read(fields) or (incident.findings if incident else ())
        suppressor = field_text(fields, "suppressed_by")
        cause = records.INCIDENT.read(causes.get(suppressor, {}))
        rows.append({
            "id": safe_line(journal_id(key)),
            "service": safe_line(incident.subject.name) if incident else "",
            "sentence": safe_line(findings[0].sentence) if findings else "its record cannot be read",
            "stage": safe_line(field_text(fields, "stage")),
            "suppressed_by": safe_line(cause.subject.name if cause else journal_id(suppressor)),
            "pull": safe_line(pull.url) if pull else "",
        })  # fmt: skip
    return rows


def _render_incident(row: dict[str, Any]) -> str:
    cause = f"  suppressed by {row['suppressed_by']}" if row["suppressed_by"] else ""
    link = f"  {row['pull']}" if row["pull"] else ""
    return f"open: {row['service']}: {row['sentence']}{cause}{link}  ({row['id']})"


def _recent_endings(
    store: JournalStore, limit: int | None
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """The newest endings, and the number of sweeps without findings among them."""
    entries = [
        entry
        for ended in (ENDED, ENDED_INCIDENTS)
        for entry in store.command("zrevrange", ended, 0, MAX_ENDINGS - 1, True)
    ]
    newest = sorted(entries, key=lambda entry: entry[1], reverse=True)
    keys = [raw.decode() for raw, _ in newest[:MAX_ENDINGS]]
    columns = store.columns(keys, ("ended", "ended_as", "outcome"))
    endings = [(key, fields) for key, fields in zip(keys, columns, strict=True) if "ended" in fields]
    quiet = [fields for _, fields in endings if field_text(fields, "ended_as") == EndedAs.NO_FINDINGS]
    rows = [
        {
            "id": safe_line(journal_id(key)),
            "ended": format_timestamp(int(fields["ended"]) / 1000),
            "outcome": safe_line(field_text(fields, "outcome")),
        }
        for key, fields in endings
        if field_text(fields, "ended_as") != EndedAs.NO_FINDINGS
    ]
    last = {"count": len(quiet), "last": format_timestamp(int(quiet[0]["ended"]) / 1000)} if quiet else None
    return rows[:limit], last


def _more(total: int, shown: int) -> list[str]:
    return [f"and {total - shown:,} more (--all lists them)"] if total > shown else []
