"""The messages of an incident, and why people were told. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from workers.engine import records
from workers.engine.schema import journal_id
from workers.engine.stage_times import read_moment, read_times
from workers.models import Severity, SlackMessage
from workers.runtime.text import format_duration, plural
from workers.views.bounds import MAX_LABEL, first, line, lines, text
from workers.views.incident_source import Fields, IncidentSource, unreadable
from workers.views.shapes import FoldedRow, PostView, RecordLink, RowKind, TimelineRow

MAX_POSTS = 30
MAX_FOLDED = 20
NAMES = {
    "ack": "First message",
    "outcome": "Outcome",
    "interim": "Cause, while the fix waits",
    "watch": "Follow-up",
    "cancelled": "Cancellation",
    "suppressed": "Reference to the cause",
    "reminder": "Reminder",
}
"""Titles of messages by the first part of their record's name: `watch-2` is a second follow-up."""
NOT_POSTS = (records.INCIDENT.field, records.ALERT.field)


def post_views(source: IncidentSource) -> tuple[PostView, ...]:
    """The messages of the incident's notification, oldest first."""
    posts = [view for name in _names(source.notification) if (view := _post(source, name))]
    dated = sorted(posts, key=lambda view: (view.at is None, view.at or source.at, view.name))
    return first(dated, MAX_POSTS)[0]


def post_rows(source: IncidentSource) -> Iterator[TimelineRow]:
    """The messages as rows of the timeline."""
    for view in post_views(source):
        title = NAMES.get(view.name.partition("-")[0], view.name.replace("_", " ").capitalize())
        done = "posted" if not view.text else "not posted (no Slack, or shadow mode)"
        edited = ", edited since" if view.edited_at is not None and view.name == "ack" else ""
        yield TimelineRow(
            at=view.at, kind=RowKind.POST, text=line(f"{title} {done}{edited}"), record=view.record
        )
    for name in _names(source.notification):
        blob = source.notification[f"r:{name}"]
        if blob and records.ACK.unpack(blob) is None:
            text = f"Message {line(name, MAX_LABEL)}: {unreadable(blob)}"
            yield TimelineRow(kind=RowKind.POST, text=text, readable=False)


def _names(notification: Fields) -> list[str]:
    return sorted(name[2:] for name in notification if name.startswith("r:") and name not in NOT_POSTS)


def _post(source: IncidentSource, name: str) -> PostView | None:
    message = records.slack_message(name).read(source.notification)
    if message is None:
        return None
    times = read_times(source.notification, name)
    at = _posted_at(message) or (times[0] if times else None)
    edited = times[1] if times and times[1] > times[0] else None
    return PostView(
        name=name[:60],
        at=at,
        edited_at=edited,
        where=line(
            f"{message.channel} {message.ts}".strip() or ("" if message.text else "incoming webhook"),
            MAX_LABEL,
        ),
        text=text(message.text),
        record=RecordLink(journal=f"notification:{source.id}", name=name),
    )


def _posted_at(message: SlackMessage) -> datetime | None:
    """Slack's own time of a message: its id is epoch seconds with a fraction."""
    try:
        return datetime.fromtimestamp(float(message.ts), UTC) if message.ts else None
    except (ValueError, OverflowError, OSError):
        return None


# ---- why people were told ----------------------------------------------------------------------


def why_told(source: IncidentSource) -> tuple[str, ...]:
    """Why people were told and when, or why not, each in a sentence."""
    incident, notification = source.incident, source.notification
    if incident is None:
        return ()
    reasons = [_severity_reason(source)]
    if incident.is_chronic:
        reasons.append(
            "It has been so for as long as the history reaches: it is reported once, and never as critical."
        )
    if "forwarded" in notification:
        reasons.append(
            "A forwarded alert stood in the channel already and took the place of the first message."
        )
    if group := journal_id(source.text("group")):
        reasons.append(
            f"Several incidents began at once: {group} announces them together, and fixes need approval."
        )
    if cause := journal_id(source.text("suppressed_by")):
        reasons.append(
            f"It is a symptom of {cause}, which reports it; it has no messages of its own from then on."
        )
    if incident.relapse is not None:
        number = f" (#{incident.relapse.pull_number})" if incident.relapse.pull_number else ""
        reasons.append(f"The same trouble ended lately{number} and came back.")
    checks = source.number("firings")
    if checks > 1:
        reasons.append(f"{plural(checks, 'check')} found it; only the first was reported.")
    return lines(reasons)


def _severity_reason(source: IncidentSource) -> str:
    incident = source.incident
    opened, due = source.moment("opened"), read_moment(source.notification, "ack_due_at")
    if incident is None:
        return ""
    if incident.severity is Severity.CRITICAL:
        return "It is critical, so the first message was due at once."
    if opened is None or due is None:
        return f"It is a {incident.severity.value}."
    delay = format_duration(max(0.0, (due - opened).total_seconds()))
    return f"It is a {incident.severity.value}: the first message was due {delay} later, unless the outcome came first."


def waiting_reason(source: IncidentSource) -> str:
    """Why the next message is not posted yet; "" if none waits."""
    if "ended" in source.notification:
        return ""
    return line(source.notification.get("reason", b"").decode(errors="replace"))


# ---- folded ------------------------------------------------------------------------------------


def folded_rows(source: IncidentSource) -> tuple[tuple[FoldedRow, ...], int]:
    """The trouble that this incident reports besides its own, or that reports this one; and how many are left out."""
    return first(list(_folded(source)), MAX_FOLDED)


def _folded(source: IncidentSource) -> Iterator[FoldedRow]:
    if cause := journal_id(source.text("suppressed_by")):
        incident = records.INCIDENT.read(source.related.get(cause, {}))
        name = incident.subject.name if incident else "another incident"
        yield FoldedRow(how="suppressed by", text=line(f"A symptom of {name}"), journal=cause)
    for finding in source.incident.symptoms if source.incident else ():
        yield FoldedRow(how="symptom", text=line(finding.named_sentence))
    for name, fields in source.related.items():
        if journal_id(fields.get("suppressed_by", b"").decode(errors="replace")) == source.id:
            incident = records.INCIDENT.read(fields)
            yield FoldedRow(how="suppressed", text=incident.subject.name if incident else name, journal=name)
    for name in source.notification:
        if name.startswith("merge_from:"):
            alert = journal_id(name.removeprefix("merge_from:")).removeprefix("notification:")
            yield FoldedRow(
                how="merged alert", text="The answer to an alert became this incident", journal=alert
            )
    for name in source.group:
        if name.startswith("m:") and (member := journal_id(name.removeprefix("m:"))) != source.id:
            yield FoldedRow(how="group", text="Announced together", journal=member)
