"""Lists of alerts and sweeps."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil
from typing import Literal

from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import ENDED, PREFIX, SCHEDULE, journal_id
from workers.engine.stage_times import read_moment
from workers.models import Alert
from workers.views.bounds import line
from workers.views.incident_source import Fields
from workers.views.shapes import JournalPage, JournalRow
from workers.views.timeline import alert_text

PAGE_SIZE = 50
MAX_ALERTS = 2_000  # alerts that are read: keys of a busy month
LIST_FIELDS = ("opened", "ended", "stage", "ended_as", "outcome", "reason", "sweep")

JournalKind = Literal["alert", "sweep"]


def read(store: JournalStore, kind: JournalKind, page: int = 1) -> JournalPage:
    """A page of the journals of a kind, newest first. Raises NotAvailable if Redis does not answer."""
    keys = _sweeps(store) if kind == "sweep" else _alerts(store)
    pages = max(1, ceil(len(keys) / PAGE_SIZE))
    number = min(max(page, 1), pages)
    shown = keys[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    names = (*LIST_FIELDS, records.ALERT.field)
    columns = zip(shown, store.columns(shown, names), strict=True)
    rows = tuple(_row(kind, key, fields) for key, fields in columns if fields)
    return JournalPage(rows=rows, total=len(keys), page=number, pages=pages)


def _sweeps(store: JournalStore) -> list[str]:
    """The scheduled sweeps, then those that ended, newest first."""
    scheduled = [raw.decode() for raw in store.command("zrange", SCHEDULE, 0, -1) if b":sweep:" in raw]
    ended = [raw.decode() for raw in store.command("zrevrange", ENDED, 0, -1)]
    return list(dict.fromkeys([*(key for key in scheduled if key.startswith(f"{PREFIX}sweep:")), *ended]))


def _alerts(store: JournalStore) -> list[str]:
    """The newest alerts. There is no list of them, so their opening is read from each."""
    keys = [raw.decode() for raw in store.scan(f"{PREFIX}alert:*")][:MAX_ALERTS]
    opened = [read_moment(fields, "opened") for fields in store.columns(keys, ("opened",))]
    oldest = datetime.fromtimestamp(0, UTC)
    pairs = sorted(
        zip(opened, keys, strict=True), key=lambda pair: (pair[0] or oldest, pair[1]), reverse=True
    )
    return [key for _, key in pairs]


def _row(kind: JournalKind, key: str, fields: Fields) -> JournalRow:
    alert = records.ALERT.read(fields)
    return JournalRow(
        id=journal_id(key),
        kind=kind,
        at=read_moment(fields, "opened"),
        ended_at=read_moment(fields, "ended"),
        state=line(_text(fields, "ended_as").replace("_", " ") or f"in stage {_text(fields, 'stage')}", 60),
        text=_describe(fields, alert),
        linked=_linked(fields),
    )


def _describe(fields: Fields, alert: Alert | None) -> str:
    if alert is not None:
        return alert_text(alert)
    return line(_text(fields, "outcome") or _text(fields, "reason"))


def _linked(fields: Fields) -> tuple[str, ...]:
    sweep = journal_id(_text(fields, "sweep"))
    return (sweep,) if sweep else ()


def _text(fields: Fields, name: str) -> str:
    return fields.get(name, b"").decode(errors="replace")
