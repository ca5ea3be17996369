"""The timeline of an incident: every event that its journals know, in the order of time. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from workers.engine import records
from workers.engine.schema import journal_id
from workers.engine.stage_times import read_moment, read_times
from workers.models import Alert, Transcript
from workers.runtime.text import format_duration, plural
from workers.views.bounds import MAX_LABEL, line, web_url
from workers.views.charts import commit_label
from workers.views.follow_up_views import follow_up_text
from workers.views.incident_source import IncidentSource, unreadable, worst_first
from workers.views.post_views import post_rows
from workers.views.rollback_views import rollback_view
from workers.views.shapes import RecordLink, RowKind, TimelineRow
from workers.views.stage_rows import stage_rows

MAX_ROWS = 200


def timeline(source: IncidentSource) -> tuple[tuple[TimelineRow, ...], int]:
    """The events, and the number of those that are left out: the oldest ones stay, and the newest."""
    rows = [row for part in PARTS for row in part(source)]
    # The order of the parts, which is that of the pipeline, decides between events of the same moment.
    rows.sort(key=lambda row: (row.at is None, row.at or datetime.max.replace(tzinfo=source.at.tzinfo)))
    left_out = len(rows) - MAX_ROWS
    if left_out > 0:
        half = MAX_ROWS // 2
        rows = [*rows[:half], *rows[-half:]]
    return tuple(rows), max(0, left_out)


def _onset(source: IncidentSource) -> Iterator[TimelineRow]:
    incident = source.incident
    if incident is None:
        return
    suspect = source.evidence.suspect
    if suspect is not None:
        label = commit_label(suspect.commit, suspect.message, suspect.author) or suspect.deployment_id
        text = line(f"Deployed {label}")
        yield TimelineRow(
            at=suspect.at, kind=RowKind.DEPLOYMENT, text=text, record=_record(source, "evidence")
        )
    finding = worst_first(incident.findings)[0]
    if not finding.chronic:
        text = line(finding.named_sentence)
        yield TimelineRow(at=finding.since, kind=RowKind.ONSET, text=text, record=_record(source, "incident"))


def _alerts(source: IncidentSource) -> Iterator[TimelineRow]:
    for journal, alert in source.alerts.items():
        record = RecordLink(journal=journal, name=records.ALERT.name)
        yield TimelineRow(at=alert.received_at, kind=RowKind.ALERT, text=alert_text(alert), record=record)


ALERT_SOURCES = {
    "railway": "Railway's webhook",
    "slack": "Forwarded message",
    "ping": "Periodic check",
    "command": "Check by hand",
}


def alert_text(alert: Alert) -> str:
    """`Railway's webhook: monitor.triggered, checkout`."""
    name = ALERT_SOURCES.get(alert.source, alert.source)
    if alert.source == "ping":
        return name
    about = alert.service_name or alert.service_id or ""
    what = alert.kind if alert.source != "slack" else alert.message.partition("\n")[0]
    return line(f"{name}: {line(what, 200)}{f', {about}' if about and about not in what else ''}")


def _sweeps(source: IncidentSource) -> Iterator[TimelineRow]:
    incident, checks = source.incident, source.number("firings")
    if incident is not None:
        minutes = format_duration(incident.window.seconds)
        text = f"Check of the last {minutes} found it"
        record = _sweep_record(source, source.found_by) if checks <= 1 else _record(source, "incident")
        yield TimelineRow(
            at=source.moment("opened") or incident.opened_at, kind=RowKind.SWEEP, text=text, record=record
        )
    last = source.sweeps.get(source.found_by, {})
    if checks > 1:
        at = read_moment(last, "ended") or read_moment(last, "opened") or source.moment("found_at")
        text = f"Last of {plural(checks, 'check')} that found it"
        yield TimelineRow(at=at, kind=RowKind.SWEEP, text=text, record=_sweep_record(source, source.found_by))
    clean = journal_id(source.text("recovered_by"))
    if clean:
        fields = source.sweeps.get(clean, {})
        count = source.number("clean_sweeps")
        text = (
            f"{plural(count, 'check')} in a row without the problem" if count else "A check did not find it"
        )
        at = read_moment(fields, "ended") or read_moment(fields, "opened")
        yield TimelineRow(at=at, kind=RowKind.SWEEP, text=text, record=_sweep_record(source, clean))


def _sweep_record(source: IncidentSource, sweep: str) -> RecordLink | None:
    has_survey = records.SURVEY.field in source.sweeps.get(sweep, {})
    return RecordLink(journal=sweep, name=records.SURVEY.name) if has_survey else None


def _record(source: IncidentSource, name: str) -> RecordLink | None:
    return RecordLink(journal=source.id, name=name) if f"r:{name}" in source.fields else None


def _model_calls(source: IncidentSource) -> Iterator[TimelineRow]:
    for role, record in records.CALLS.items():
        blob = source.fields.get(record.field)
        if not blob:
            continue
        transcript, times = record.unpack(blob), read_times(source.fields, record.name)
        at = times[0] if times else None
        if transcript is None:
            text = f"Model calls of the {role}: {unreadable(blob)}"
            yield TimelineRow(at=at, kind=RowKind.MODEL_CALLS, text=text, readable=False)
            continue
        yield TimelineRow(
            at=at,
            kind=RowKind.MODEL_CALLS,
            text=_calls_text(role, transcript),
            seconds=(times[1] - times[0]).total_seconds() if times else None,
            tokens=sum(call.tokens for call in transcript.calls),
            cost_usd=sum(call.cost_usd for call in transcript.calls),
            record=_record(source, record.name),
        )


def _calls_text(role: str, transcript: Transcript) -> str:
    count = len(transcript.calls) + transcript.dropped
    failed = sum(not call.is_complete for call in transcript.calls)
    failures = f", {failed} without an answer" if failed else ""
    model = f" to {line(transcript.model, MAX_LABEL)}" if transcript.model else ""
    return f"{plural(count, 'call')}{model} ({role}){failures}"


def _pull(source: IncidentSource) -> Iterator[TimelineRow]:
    pull, times = source.get(records.PULL), read_times(source.fields, records.PULL.name)
    if pull is not None:
        draft = "Draft pull request" if pull.draft else "Pull request"
        text = line(f"{draft} #{pull.number} opened: {pull.title}".rstrip(": "))
        at = times[0] if times else None
        yield TimelineRow(
            at=at, kind=RowKind.PULL_REQUEST, text=text, record=_record(source, "pull"), url=web_url(pull.url)
        )
    merged_at = source.get(records.MERGED_AT) or (pull.merged_at if pull else None)
    if merged_at is not None:
        progress = source.get(records.MERGE_PROGRESS)
        name = (pull.merged_by if pull else "") or (progress.merged_by if progress else "")
        by = f" by {line(name, MAX_LABEL)}" if name else ""
        number = f"#{pull.number}" if pull else "The pull request"
        yield TimelineRow(at=_aware(source, merged_at), kind=RowKind.MERGE, text=f"{number} merged{by}")


def _aware(source: IncidentSource, at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=source.at.tzinfo)


def _merged_deployment(source: IncidentSource) -> Iterator[TimelineRow]:
    progress, follow_up = source.get(records.MERGE_PROGRESS), source.get(records.FOLLOW_UP)
    deployed_at = (progress.deployed_at if progress else None) or (
        follow_up.deployed_at if follow_up else None
    )
    if deployed_at is not None:
        yield TimelineRow(
            at=deployed_at,
            kind=RowKind.DEPLOYMENT,
            text="The fix is deployed",
            record=_record(source, records.SURVEY_AFTER_MERGE.name) or _record(source, "merge_progress"),
        )
    if follow_up is not None:
        times = read_times(source.fields, records.FOLLOW_UP.name)
        at = times[1] if times else source.moment("ended")
        yield TimelineRow(
            at=at, kind=RowKind.FOLLOW_UP, text=follow_up_text(follow_up), record=_record(source, "follow_up")
        )


def _outcomes(source: IncidentSource) -> Iterator[TimelineRow]:
    for record in (records.INTERIM, records.OUTCOME, records.CANCELLED):
        outcome = source.get(record)
        if outcome is None:
            continue
        times = read_times(source.fields, record.name)
        at = times[1] if times else source.moment("ended") if record is records.CANCELLED else None
        text = line(outcome.headline)
        yield TimelineRow(
            at=at,
            kind=RowKind.OUTCOME,
            text=text,
            record=_record(source, record.name),
            url=web_url(outcome.link),
        )


def _people(source: IncidentSource) -> Iterator[TimelineRow]:
    for entry in source.audit:
        action = entry.action
        text = f"{action.person.name} ({action.person.via}): {action.kind.value.replace('_', ' ')}"
        text += f" “{action.reason}”" if action.reason else ""
        text += f": {entry.result.text}" if entry.result.text else ""
        yield TimelineRow(at=action.at, kind=RowKind.PERSON, text=line(text))


def _rollback(source: IncidentSource) -> Iterator[TimelineRow]:
    last, view = source.get(records.ROLLBACK), rollback_view(source)
    if last is not None and view is not None:
        yield TimelineRow(
            at=last.done_at or last.at,
            kind=RowKind.ROLLBACK,
            text=view.detail,
            record=_record(source, "rollback"),
        )


def _end(source: IncidentSource) -> Iterator[TimelineRow]:
    ended = source.moment("ended")
    if ended is not None:
        outcome = line(source.text("outcome"))
        yield TimelineRow(at=ended, kind=RowKind.END, text=f"Ended: {outcome}" if outcome else "Ended")


def _damaged(source: IncidentSource) -> Iterator[TimelineRow]:
    """Records that no part shows because they cannot be read."""
    for record in (records.PULL, records.ACKNOWLEDGED, records.DECISION, records.CANCELLED):
        blob = source.fields.get(record.field)
        if blob and record.unpack(blob) is None:
            times = read_times(source.fields, record.name)
            text = f"Record {record.name}: {unreadable(blob)}"
            yield TimelineRow(at=times[0] if times else None, kind=RowKind.STAGE, text=text, readable=False)


PARTS = (
    _onset, _alerts, _sweeps, stage_rows, _model_calls, _outcomes, _pull, _merged_deployment, post_rows, _people,
    _rollback, _damaged, _end,
)  # fmt: skip
