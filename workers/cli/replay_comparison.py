"""Runs the rules of today on recorded data and compares the result with the recorded one.

Detection runs again on the survey of a sweep, diagnosis on the evidence of an incident. Nothing is written and no
other service is contacted. Answers of the agent and results of commands are recorded facts: they are not repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from workers import detection
from workers.actions.lookup import find_journal
from workers.engine import records
from workers.engine.codec import VERSION, Record
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX
from workers.engine.stage_table import kind_of
from workers.history import summary_store
from workers.investigation import diagnosis
from workers.models import Finding, Model
from workers.runtime.text import plural, safe_line

# Exit codes of the command, documented in its help.
SAME = 0
DIFFERENT = 1
IMPOSSIBLE = 2

T = TypeVar("T")
FindingKey = tuple[str, str, int]
"""Service id, kind, and a running number among the findings that share both."""


class ReplayResult(NamedTuple):
    """The exit code of the command, and its output."""

    exit_code: int
    lines: list[str]


class _RecordUnreadable(Exception):
    """A record that the replay needs is missing or cannot be read. The message says which one and why."""


def replay(store: JournalStore, name: str, min_duration_minutes: float) -> ReplayResult:
    """The comparison for a sweep or an incident.

    Args:
        name: id of the journal, or a part of it that is unique.
        min_duration_minutes: the present setting; the one of the recorded sweep is not recorded.

    Raises:
        Refused: no journal, or more than one, has this name.
        NotAvailable: Redis cannot be reached.
    """
    key = find_journal(store, name)
    short_key = key.removeprefix(PREFIX)
    kind = kind_of(short_key)
    replays: dict[str, Callable[[], ReplayResult]] = {
        "sweep": lambda: _replay_sweep(store, key, min_duration_minutes),
        "incident": lambda: _replay_incident(store, key),
    }
    try:
        exit_code, lines = replays[kind]() if kind in replays else _without_rules(kind)
    except _RecordUnreadable as error:
        exit_code, lines = IMPOSSIBLE, [f"cannot be replayed: {error}"]
    indented = (f"  {safe_line(line)}" for line in lines[1:])
    return ReplayResult(exit_code, [safe_line(f"{short_key}: {lines[0]}"), *indented])


def _without_rules(kind: str) -> ReplayResult:
    return ReplayResult(IMPOSSIBLE, [f"cannot be replayed: no rules run for a journal of kind {kind}"])


def _replay_sweep(store: JournalStore, key: str, min_duration_minutes: float) -> ReplayResult:
    survey, before = _read(store, key, records.SURVEY), _read(store, key, records.FINDINGS)
    start = survey.window.start
    history = summary_store.baseline_windows(summary_store.read(store, survey.environment_id, start), start)
    now = detection.detect(survey, min_duration_minutes=min_duration_minutes, history=history)
    windows = max((len(service_windows) for service_windows in history.values()), default=0)
    # Old windows are thinned out, so that a difference may come from the history and not from the rules.
    note = (
        f"compared with the present history, up to {plural(windows, 'window')} per service (the history of that time "
        f"is not recorded), and the present TRACKWALKER_MIN_DURATION_MINUTES={min_duration_minutes:g}"
    )
    return _result(plural(len(now), "finding"), _compare_findings(before, now), [note])


def _replay_incident(store: JournalStore, key: str) -> ReplayResult:
    incident, evidence = _read(store, key, records.INCIDENT), _read(store, key, records.EVIDENCE)
    before = _read(store, key, records.VERDICT)
    now = diagnosis.diagnose(incident, evidence)
    later_records = (records.PLAN, records.FIX, records.VERIFICATION)
    present = [record.name for record in later_records if store.command("hexists", key, record.field)]
    notes = [f"not repeated: {', '.join(present)}"] if present else []
    return _result(f"{now.category.value}: {now.summary}", compare_fields(before, now), notes)


def _result(outcome: str, differences: list[str], notes: list[str]) -> ReplayResult:
    if not differences:
        return ReplayResult(SAME, [f"same: {outcome}", *notes])
    return ReplayResult(DIFFERENT, [f"different: {outcome}", *differences, *notes])


def _read(store: JournalStore, key: str, record: Record[T]) -> T:
    blob: bytes | None = store.command("hget", key, record.field)
    if not blob:
        raise _RecordUnreadable(f"record {record.name} is missing")
    value = record.unpack(blob)
    if value is None:
        # The first byte is the version of the format.
        reason = "has another version" if blob[:1] != VERSION else "cannot be read"
        raise _RecordUnreadable(f"record {record.name} {reason}")
    return value


# ---- differences ----


def _compare_findings(before: list[Finding], now: list[Finding]) -> list[str]:
    old, new = _by_key(before), _by_key(now)
    lines = [f"only recorded: {_describe(old[key])}" for key in old if key not in new]
    lines += [f"only now: {_describe(new[key])}" for key in new if key not in old]
    for key in old:
        if key in new:
            differences = compare_fields(old[key], new[key])
            lines += [f"{old[key].service}, {old[key].kind}: {line}" for line in differences]
    return lines


def _by_key(findings: list[Finding]) -> dict[FindingKey, Finding]:
    by_key: dict[FindingKey, Finding] = {}
    for finding in findings:
        number = sum(key[:2] == (finding.service_id, finding.kind) for key in by_key)
        by_key[finding.service_id, finding.kind, number] = finding
    return by_key


def _describe(finding: Finding) -> str:
    return f"{finding.severity.value}: {finding.named_sentence}"


def compare_fields(before: Model, now: Model) -> list[str]:
    """A line for each field that differs; lists are compared element by element."""
    old_values, new_values = before.model_dump(mode="json"), now.model_dump(mode="json")
    lines = []
    for field, old in old_values.items():
        new = new_values[field]
        if isinstance(old, list):
            lines += _compare_lists(field, old, new)
        elif old != new:
            lines.append(f"{field}: {old} → {new}")
    return lines


def _compare_lists(field: str, old: list[Any], new: list[Any]) -> list[str]:
    lines = [f"{field}: no longer {element}" for element in old if element not in new]
    lines += [f"{field}: now also {element}" for element in new if element not in old]
    reordered = old != new and sorted(map(str, old)) == sorted(map(str, new))
    return [*lines, f"{field}: in another order"] if reordered else lines
