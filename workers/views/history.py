"""Search of open and ended incidents."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from workers.engine.journal_store import JournalStore
from workers.models import Category
from workers.views.shapes import HistoryPage, IncidentState

PAGE_SIZE = 25  # incidents of one page
MAX_PAGE_SIZE = 100


class HistoryQuery(BaseModel):
    """The filters of a search; an empty one matches everything. All that are given must match."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field("", max_length=200)
    """Words that all occur in the incident's line, in any case."""
    service: str = Field("", max_length=200)
    """Name or id."""
    environment: str = Field("", max_length=200)
    """Name, `project/environment` or id."""
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
    store.ping()
    return HistoryPage(page=query.page)
