"""The recorded facts judged again by today's rules, and where the verdict differs. Nothing is written, nobody is asked.

A sweep's survey is analysed again, an incident's evidence diagnosed again. What the agent answered and what the host
ran is not repeated: those are facts by now.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from workers import detection
from workers.cli.listing import clean_text
from workers.cli.lookup import find_journal
from workers.engine import records
from workers.engine.codec import VERSION, Record
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX
from workers.engine.stage_table import kind_of
from workers.history import summary_store
from workers.investigation import diagnosis
from workers.models import Finding, Model

SAME, DIFFERS, IMPOSSIBLE = 0, 1, 2

T = TypeVar("T")


class Replayed(NamedTuple):
    """`code`: 0 the same, 1 it differs, 2 it cannot be replayed; `lines` say so."""

    code: int
    lines: list[str]


class _Missing(Exception):
    """A record that is needed cannot be read; says which and why."""


def replay(journal: JournalStore, name: str, persist_minutes: float) -> Replayed:
    """Run the pure part of a sweep or an incident again over what it recorded. Raises Refused, NotAvailable.

    `persist_minutes` is how long a condition must hold, as set now.
    """
    key = find_journal(journal, name)
    short = key.removeprefix(PREFIX)
    how: dict[str, Callable[[], Replayed]] = {
        "sweep": lambda: _sweep(journal, key, persist_minutes),
        "incident": lambda: _incident(journal, key),
    }
    try:
        code, lines = how[kind_of(short)]() if kind_of(short) in how else _nothing_pure(short)
    except _Missing as error:
        code, lines = IMPOSSIBLE, [f"cannot be replayed: {error}"]
    return Replayed(
        code, [clean_text(f"{short}: {lines[0]}"), *(f"  {clean_text(line)}" for line in lines[1:])]
    )


def _nothing_pure(short: str) -> Replayed:
    return Replayed(IMPOSSIBLE, [f"cannot be replayed: {short.partition(':')[0]} judges nothing"])


def _sweep(journal: JournalStore, key: str, persist_minutes: float) -> Replayed:
    """The survey compared with the past as it is kept now: older windows may have been thinned out since."""
    survey, before = _need(journal, key, records.SURVEY), _need(journal, key, records.FINDINGS)
    start = survey.window.start
    known = summary_store.baseline_windows(summary_store.read(journal, survey.environment_id, start), start)
    now = detection.detect(survey, min_duration_minutes=persist_minutes, history=known)
    windows = max((len(every) for every in known.values()), default=0)
    note = (
        f"compared with a past of up to {windows} windows a service as it is kept now (the one of then is not "
        f"recorded), and TRACKWALKER_MIN_DURATION_MINUTES {persist_minutes:g} as set now"
    )
    return _said(f"{len(now)} findings", _findings_apart(before, now), [note])


def _incident(journal: JournalStore, key: str) -> Replayed:
    incident, evidence = _need(journal, key, records.INCIDENT), _need(journal, key, records.EVIDENCE)
    before = _need(journal, key, records.VERDICT)
    now = diagnosis.diagnose(incident, evidence)
    by_agent = (records.PLAN, records.FIX, records.VERIFICATION)
    later = [record.name for record in by_agent if journal.command("hexists", key, record.field)]
    notes = [f"not run again: {', '.join(later)}"] if later else []
    return _said(f"{now.category.value}: {now.summary}", _apart(before, now), notes)


def _said(what: str, differences: list[str], notes: list[str]) -> Replayed:
    if not differences:
        return Replayed(SAME, [f"same: {what}", *notes])
    return Replayed(DIFFERS, [f"differs: {what}", *differences, *notes])


def _need(journal: JournalStore, key: str, record: Record[T]) -> T:
    blob: bytes | None = journal.command("hget", key, record.field)
    if not blob:
        raise _Missing(f"it has no record {record.name}")
    value = record.unpack(blob)
    if value is None:
        why = "is of another version" if blob[:1] != VERSION else "cannot be read"
        raise _Missing(f"its record {record.name} {why}")
    return value


# ---- what is different -----------------------------------------------------------------------


def _findings_apart(before: list[Finding], now: list[Finding]) -> list[str]:
    """Findings are the same one where service and kind are."""
    old, new = _by_place(before), _by_place(now)
    lines = [f"only then: {_briefly(old[place])}" for place in old if place not in new]
    lines += [f"only now: {_briefly(new[place])}" for place in new if place not in old]
    for place in old:
        if place in new:
            lines += [f"{old[place].service}, {place[1]}: {line}" for line in _apart(old[place], new[place])]
    return lines


def _by_place(found: list[Finding]) -> dict[tuple[str, str, int], Finding]:
    placed: dict[tuple[str, str, int], Finding] = {}
    for one in found:
        number = sum(place[:2] == (one.service_id, one.kind) for place in placed)
        placed[one.service_id, one.kind, number] = one
    return placed


def _briefly(one: Finding) -> str:
    return f"{one.severity.value}: {one.named_sentence}"


def _apart(before: Model, now: Model) -> list[str]:
    """A line for each field that is not what it was."""
    then, today = before.model_dump(mode="json"), now.model_dump(mode="json")
    lines = []
    for field in then:
        if isinstance(then[field], list):
            lines += [f"{field}: no longer {one}" for one in then[field] if one not in today[field]]
            lines += [f"{field}: now also {one}" for one in today[field] if one not in then[field]]
            lines += [f"{field}: in another order"] if _only_moved(then[field], today[field]) else []
        elif then[field] != today[field]:
            lines.append(f"{field}: {then[field]} → {today[field]}")
    return lines


def _only_moved(before: list[Any], now: list[Any]) -> bool:
    return before != now and sorted(map(str, before)) == sorted(map(str, now))
