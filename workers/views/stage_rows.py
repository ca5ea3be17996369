"""The stages of an incident as rows of its timeline: when each ran, how long, and what came of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from workers.engine import records
from workers.engine.codec import Record
from workers.engine.stage_table import DIAGNOSE, ENRICH, FIX, INCIDENT, PLAN, PROPOSE, STAGES, WATCH, Stage
from workers.engine.stage_times import read_runs, read_times
from workers.models import Evidence, Fix, Plan, Verdict, Verification
from workers.runtime.text import plural
from workers.views.bounds import line
from workers.views.incident_source import IncidentSource, unreadable
from workers.views.shapes import RecordLink, RowKind, TimelineRow

TITLES = {
    ENRICH.name: "Evidence",
    DIAGNOSE.name: "Diagnosis",
    PLAN.name: "Plan",
    FIX.name: "Fix",
    PROPOSE.name: "Pull request",
    WATCH.name: "Follow-up",
}
MAIN_RECORDS: dict[str, tuple[Record[Any], ...]] = {
    ENRICH.name: (records.EVIDENCE,),
    DIAGNOSE.name: (records.VERDICT,),
    PLAN.name: (records.PLAN,),
    FIX.name: (records.FIX, records.VERIFICATION),
    PROPOSE.name: (records.BRANCH, records.WOULD_PROPOSE),
    WATCH.name: (),
}
"""The records of a stage that get a row; the first one is the row of the stage itself."""


def stage_rows(source: IncidentSource) -> Iterator[TimelineRow]:
    """A row for each stage that ran or left a record, and one for each further record."""
    for stage in STAGES.values():
        if stage.kind != INCIDENT:
            continue
        main_records = MAIN_RECORDS.get(stage.name, ())
        row = _stage_row(source, stage, main_records[0] if main_records else None)
        if row is not None:
            yield row
        for record in main_records[1:]:
            if source.fields.get(record.field):
                yield _record_row(source, stage, record)


def _stage_row(source: IncidentSource, stage: Stage, main: Record[Any] | None) -> TimelineRow | None:
    runs = read_runs(source.fields, stage.name)
    blob = source.fields.get(main.field) if main else None
    is_running = source.is_running and source.text("stage") == stage.name
    if runs is None and not blob and not is_running:
        return None
    times = read_times(source.fields, main.name) if main and blob else None
    text, readable = _result(stage, main, blob)
    if is_running:
        text = f"{text}; running now" if text else "running now"
    at = (
        runs.started
        if runs
        else (source.moment("claimed") if is_running else None) or (times[0] if times else None)
    )
    return TimelineRow(
        at=at,
        kind=RowKind.STAGE,
        text=line(f"{TITLES.get(stage.name, stage.name)}: {text or _no_record(runs is not None)}"),
        seconds=runs.seconds if runs else None,
        attempts=runs.failures if runs else 0,
        record=RecordLink(journal=source.id, name=main.name) if main and blob else None,
        readable=readable,
    )


def _no_record(ran: bool) -> str:
    return "ran" if ran else "not started"


def _record_row(source: IncidentSource, stage: Stage, record: Record[Any]) -> TimelineRow:
    blob = source.fields[record.field]
    times = read_times(source.fields, record.name)
    text, readable = _result(stage, record, blob)
    return TimelineRow(
        at=times[0] if times else None,
        kind=RowKind.STAGE,
        text=line(f"{record.name.replace('_', ' ').capitalize()}: {text}"),
        record=RecordLink(journal=source.id, name=record.name),
        readable=readable,
    )


def _result(stage: Stage, record: Record[Any] | None, blob: bytes | None) -> tuple[str, bool]:
    """The record in a few words, and whether it can be read."""
    if record is None or not blob:
        return ("", True)
    value = record.unpack(blob)
    if value is None:
        return unreadable(blob), False
    describe = DESCRIPTIONS.get(record.name)
    return (describe(value) if describe else stage.name, True)


def _evidence(evidence: Evidence) -> str:
    gaps = len(evidence.failed_reads)
    return plural(len(evidence.facts), "fact") + (f", {plural(gaps, 'read')} failed" if gaps else "")


def _verdict(verdict: Verdict) -> str:
    return f"{verdict.category.value}: {verdict.summary}"


def _plan(plan: Plan) -> str:
    return f"{plan.cause.summary} ({plural(len(plan.change), 'step')})"


def _fix(fix: Fix) -> str:
    return f"patch of {plural(len(fix.files), 'file')}"


def _verification(verification: Verification) -> str:
    return f"{verification.decision}, {plural(len(verification.runs), 'run')}"


DESCRIPTIONS: dict[str, Callable[[Any], str]] = {
    records.EVIDENCE.name: _evidence,
    records.VERDICT.name: _verdict,
    records.PLAN.name: _plan,
    records.FIX.name: _fix,
    records.VERIFICATION.name: _verification,
    records.BRANCH.name: lambda commit: f"pushed {commit[:12]}",
    records.WOULD_PROPOSE.name: lambda _text: "not opened, because the mode does not allow it",
}
"""The result of a record in a few words."""
