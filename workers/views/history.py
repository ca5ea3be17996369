"""Search of open and ended incidents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from math import ceil

from pydantic import BaseModel, ConfigDict, Field

from workers.engine.journal_store import JournalStore
from workers.engine.schema import ENDED_INCIDENTS, OPEN
from workers.models import Category
from workers.views.incident_rows import read_rows
from workers.views.shapes import HistoryPage, IncidentRow, IncidentState

PAGE_SIZE = 25  # incidents of one page
MAX_PAGE_SIZE = 100
MAX_SEARCHED = 500  # newest incidents that are read: about two seconds of work
MAX_NAMES = 200  # services and environments to filter by


class HistoryQuery(BaseModel):
    """The filters of a search; an empty one matches everything. All that are given must match."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field("", max_length=200)
    """Words that all occur in the incident's line, in any case."""
    service: str = Field("", max_length=200)
    """Name or id."""
    environment: str = Field("", max_length=200)
    """Name, or `project/environment`."""
    category: Category | None = None
    state: IncidentState | None = None
    is_open: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    """The incident was open at some time between the two."""
    page: int = Field(1, ge=1, le=1000)
    page_size: int = Field(PAGE_SIZE, ge=1, le=MAX_PAGE_SIZE)


def search(store: JournalStore, query: HistoryQuery) -> HistoryPage:
    """The incidents that match, newest first. Raises NotAvailable if Redis does not answer."""
    seconds, microseconds = store.command("time")
    at = datetime.fromtimestamp(seconds + microseconds / 1_000_000, UTC)
    opened = sorted((raw.decode() for raw in store.command("hvals", OPEN)), key=_occurrence, reverse=True)
    ended = [raw.decode() for raw in store.command("zrevrange", ENDED_INCIDENTS, 0, MAX_SEARCHED - 1)]
    keys = list(dict.fromkeys([*opened, *ended]))[:MAX_SEARCHED]
    return find(read_rows(store, keys, at), query)


def find(rows: Sequence[IncidentRow], query: HistoryQuery) -> HistoryPage:
    """The page of the rows that match. Pure."""
    newest = sorted(rows, key=lambda row: (row.opened_at is not None, row.opened_at, row.id), reverse=True)
    matching = [row for row in newest if matches(row, query)]
    pages = max(1, ceil(len(matching) / query.page_size))
    start = (query.page - 1) * query.page_size
    return HistoryPage(
        rows=tuple(matching[start : start + query.page_size]),
        total=len(matching),
        page=query.page,
        pages=pages,
        searched=len(rows),
        services=tuple(sorted({row.service for row in rows}))[:MAX_NAMES],
        environments=tuple(sorted({row.environment for row in rows if row.environment}))[:MAX_NAMES],
    )


def matches(row: IncidentRow, query: HistoryQuery) -> bool:
    """True if the incident has everything that the query names."""
    return (
        _is_name(query.service, row.service, row.service_id)
        and _is_name(query.environment, row.environment, row.environment.rpartition("/")[2])
        and query.category in (None, row.category)
        and query.state in (None, row.state)
        and query.is_open in (None, row.ended_at is None)
        and _overlaps(row, query)
        and _has_words(row, query.text)
    )


def _is_name(wanted: str, *names: str) -> bool:
    return not wanted or wanted.casefold() in {name.casefold() for name in names}


def _overlaps(row: IncidentRow, query: HistoryQuery) -> bool:
    since, until = _utc(query.since), _utc(query.until)
    begins_too_late = until is not None and row.opened_at is not None and row.opened_at > until
    ends_too_early = since is not None and row.ended_at is not None and row.ended_at < since
    return not begins_too_late and not ends_too_early


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _has_words(row: IncidentRow, text: str) -> bool:
    pull = f"#{row.pull.number} {row.pull.title}" if row.pull else ""
    parts = [row.id, row.service, row.environment, row.trouble, row.cause, row.outcome, row.state.value, pull]
    folded = " ".join(parts).casefold()
    return all(word in folded for word in text.casefold().split())


def _occurrence(key: str) -> str:
    return key.rpartition(":")[2]
