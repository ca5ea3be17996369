"""A service's own past: earlier windows in a few numbers, kept so that each service is judged against itself.

One Redis hash an environment: a service's id → its summaries as columns (version, JSON, zlib), oldest first. Windows
never overlap; all of the last `NEWEST` are kept, of older ones one per half hour, none longer than seven days.
`python -m tests.bench.past` prints the bytes a service takes and what reading and adding cost.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from workers import detection
from workers.engine import scripts
from workers.engine.journal_store import JournalStore
from workers.engine.schema import history_key
from workers.models import Finding, GapPart, History, Service, Severity, Summary, Survey

RETENTION = timedelta(days=7, hours=2)
"""A week and what lies about its end, so that a weekly job is known."""
MAX_RECENT_WINDOWS = 48
"""A day of half-hour windows: all of them are kept."""
SLOT_SECONDS = 1800
"""Of older windows one per slot: with `NEWEST` never more than 384 a service, at half-hour windows 336."""
TTL_SECONDS = 14 * 86_400
OVERLAP_TOLERANCE = timedelta(seconds=60)
"""A sweep may begin a little early: so much of a window may overlap the one before (at most a tenth of it)."""
SIGNIFICANT_DIGITS = 4
VERSION = b"1"
DAY = timedelta(days=1)
SAME_HOUR_TOLERANCE = timedelta(hours=1)
MAX_BASELINE_WINDOWS = 100
"""Summaries with which one window is compared: judging stays cheap."""
PROGRESS_FIELD = ":note"
"""The field of the hash that is no service: how far the backfill has come."""

FIELDS_HIDDEN_BY_GAP: dict[GapPart, tuple[str, ...]] = {
    GapPart.USAGE: (
        "cpu_mean",
        "cpu_peak",
        "cpu_high_minutes",
        "memory_mean",
        "memory_low",
        "memory_high",
        "disk",
    ),
    GapPart.LIMITS: ("cpu_high_minutes",),
    GapPart.TRAFFIC: ("requests", "server_errors", "ok", "p95_median", "p95_high"),
    GapPart.STARTS: ("restarted",),
    GapPart.DEPLOYMENTS: ("restarted",),
    GapPart.EVENTS: ("restarted",),
    GapPart.DISK: ("disk",),
    GapPart.VOLUMES: ("disk",),
    GapPart.ERROR_LINES: ("error_lines",),
}
"""Fields of a summary that are unknown if a part of the survey could not be read."""
MEASURED_FIELDS = ("cpu_mean", "memory_mean", "requests", "disk")


def read(journal: JournalStore, environment_id: str, now: datetime) -> History:
    """Earlier windows by service id, oldest first; what cannot be read is no past. Raises NotAvailable."""
    fields = journal.fields(history_key(environment_id))
    return {
        name: [
            one
            for one in _rows(_columns(blob))
            if one.at and now - RETENTION <= one.at <= now + OVERLAP_TOLERANCE
        ]
        for name, blob in fields.items()
        if name != PROGRESS_FIELD
    }


def baseline_windows(history: History, at: datetime) -> History:
    """What a window that begins at `at` is compared with: the day before it, and that time of the earlier days (±1 h).

    At most `MOST_USUAL` a service, the newest; windows that reach beyond `at` are left out.
    """
    return {
        service: [one for one in every if one.at and _is_usual(at - one.at)][-MAX_BASELINE_WINDOWS:]
        for service, every in history.items()
    }


def _is_usual(age: timedelta) -> bool:
    if age < -OVERLAP_TOLERANCE:
        return False
    beside = age % DAY
    return age <= DAY or min(beside, DAY - beside) <= SAME_HOUR_TOLERANCE


def add_sweep(journal: JournalStore, survey: Survey, findings: Sequence[Finding]) -> None:
    """Keep the window of a sweep, once however often it is added. Raises NotAvailable.

    Sweeps of one environment come one after the other: whoever lost its claim meanwhile adds the same again.
    """
    windows = {name: [one] for name, one in summarise_survey(survey, findings).items()}
    store(journal, survey.environment_id, windows, survey.window.end)


def summarise_survey(survey: Survey, findings: Iterable[Finding]) -> dict[str, Summary]:
    """The window by service id, marked with what was sick; what was not seen is not known."""
    sick: dict[str, list[str]] = {}
    for one in findings:
        if one.severity is not Severity.NOTICE:
            sick.setdefault(one.service_id, []).append(one.kind)
    made = {one.id: _summary(one, survey, sick.get(one.id, [])) for one in survey.services}
    return {name: one for name, one in made.items() if _says_something(one)}


def _summary(service: Service, survey: Survey, sick: list[str]) -> Summary:
    unknown = {
        name: None for gap in survey.gaps_for(service.name) for name in FIELDS_HIDDEN_BY_GAP.get(gap.part, ())
    }
    marks = {
        "at": survey.window.end,
        "minutes": survey.window.minutes,
        "alerting_kinds": tuple(dict.fromkeys(sick)),
    }
    return _short(detection.summarise(service, survey).model_copy(update={**unknown, **marks}))


def _says_something(one: Summary) -> bool:
    return any(getattr(one, name) is not None for name in MEASURED_FIELDS)


def store(
    journal: JournalStore,
    environment_id: str,
    windows: Mapping[str, Sequence[Summary]],
    now: datetime,
    progress: str = "",
) -> None:
    """Put windows to those kept, drop services whose last window is older than a week; with a note if there is one.

    Raises NotAvailable.
    """
    key = history_key(environment_id)
    fields = journal.fields(key)
    written: list[bytes | str] = [PROGRESS_FIELD, progress] if progress else []
    for name, every in windows.items():
        columns = _columns(fields.get(name))
        if len(every) == 1 and _overlaps_the_newest(every[0], columns):
            continue
        known = _rows(columns)
        kept = merge(known, every, now)
        if kept != known:
            written += [name, _packed(kept)]
    gone = [name for name, blob in fields.items() if name not in windows and _is_gone(name, blob, now)]
    if written or gone:
        journal.run(
            scripts.STORE_HISTORY,
            more=[*gone, *written],
            history=key,
            ttl_seconds=TTL_SECONDS,
            removed=len(gone),
        )


def _is_gone(name: str, blob: bytes, now: datetime) -> bool:
    """Whether the service has no window of the last week any more, or none that can be read."""
    return name != PROGRESS_FIELD and _newest(_columns(blob)) < (now - RETENTION).timestamp()


def read_progress(journal: JournalStore, environment_id: str) -> str:
    """What `store` noted last, '' for nothing. Raises NotAvailable."""
    found: bytes | None = journal.command("hget", history_key(environment_id), PROGRESS_FIELD)
    return (found or b"").decode(errors="replace")


def merge(known: Sequence[Summary], more: Sequence[Summary], now: datetime) -> list[Summary]:
    """Both, oldest first, without those that overlap an earlier known one, and within bounds."""
    kept = list(known)
    for one in more:
        if all(_apart(one, other) for other in kept):
            kept.append(one)
    kept.sort(key=lambda one: one.at or now)
    kept = [one for one in kept if one.at and now - RETENTION <= one.at]
    return [*_one_per_slot(kept[:-MAX_RECENT_WINDOWS]), *kept[-MAX_RECENT_WINDOWS:]]


def _apart(one: Summary, other: Summary) -> bool:
    """Whether two windows overlap by no more than the tolerance."""
    if one.at is None or other.at is None or one.at == other.at:
        return False
    later = one if one.at > other.at else other
    length = timedelta(minutes=later.minutes or 0)
    return abs(one.at - other.at) >= length - min(OVERLAP_TOLERANCE, length / 10)


def _one_per_slot(older: Sequence[Summary]) -> list[Summary]:
    slots: dict[int, Summary] = {}
    for one in older:
        if one.at:
            slots.setdefault(int(one.at.timestamp() // SLOT_SECONDS), one)
    return list(slots.values())


# ---- how it is written -----------------------------------------------------------------------

_Columns = dict[str, list[Any]]
_ROWS = TypeAdapter(list[Summary])


def _short(one: Summary) -> Summary:
    """With numbers of `DIGITS` digits, and no fraction of a second."""
    numbers = {
        name: float(f"{value:.{SIGNIFICANT_DIGITS}g}") for name, value in one if isinstance(value, float)
    }  # fmt: skip
    return one.model_copy(update={**numbers, "at": one.at and one.at.replace(microsecond=0)})


def _packed(every: Sequence[Summary]) -> bytes:
    """Columns by field name; a field that no window knows is left out."""
    columns: _Columns = {name: [getattr(one, name) for one in every] for name in Summary.model_fields}
    columns["at"] = [int(at.timestamp()) for at in columns["at"]]
    columns["alerting_kinds"] = [sick or None for sick in columns["alerting_kinds"]]
    known = {name: values for name, values in columns.items() if any(value is not None for value in values)}
    return VERSION + zlib.compress(json.dumps(known, separators=(",", ":")).encode())


def _columns(blob: bytes | None) -> _Columns:
    """As they are stored; {} where that cannot be read: then it is gathered again."""
    if not blob or blob[:1] != VERSION:
        return {}
    try:
        columns = json.loads(zlib.decompress(blob[1:]))
    except (zlib.error, ValueError):
        return {}
    lists = isinstance(columns, dict) and all(isinstance(one, list) for one in columns.values())
    times = columns.get("at", []) if lists else []
    whole = lists and {len(times)} == {len(one) for one in columns.values()}
    return cast(_Columns, columns) if whole and all(type(at) is int for at in times) else {}


def _rows(columns: _Columns) -> list[Summary]:
    names, values = list(columns), zip(*columns.values(), strict=True)
    rows = [{name: one for name, one in zip(names, row, strict=True) if one is not None} for row in values]
    try:
        return _ROWS.validate_python(rows)
    except ValidationError:
        return []


def _overlaps_the_newest(one: Summary, columns: _Columns) -> bool:
    """Two sweeps of three: nothing else needs to be looked at then."""
    if one.at is None:
        return False
    length = 60 * (one.minutes or 0)
    return (
        0
        <= one.at.timestamp() - _newest(columns)
        < length - min(OVERLAP_TOLERANCE.total_seconds(), length / 10)
    )


def _newest(columns: _Columns) -> int:
    """Epoch seconds of the end of the last window, 0 without one."""
    return int(max(columns.get("at", ()), default=0))
