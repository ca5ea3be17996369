"""Records, pages of incidents, alerts and sweeps."""

from __future__ import annotations

from workers.models import (
    Model,
    Moment,
)
from workers.models.clean_text import Exact, Text
from workers.views.shapes.row_shapes import IncidentRow


class RecordView(Model):
    """One record of a journal as text."""

    journal: Exact
    name: Exact
    title: str
    stage: str = ""
    """The stage that makes it; "" if it was opened with it."""
    made_at: Moment | None = None
    stored_bytes: int = 0
    text: Text = ""
    """Redacted, at most 60,000 characters."""
    lines_left_out: int = 0
    readable: bool = True
    others: tuple[Exact, ...] = ()
    """Names of the journal's other records, in the order of the pipeline."""


class HistoryPage(Model):
    """A page of incidents that match a query, the newest first."""

    rows: tuple[IncidentRow, ...] = ()
    total: int = 0
    """Number of incidents that match."""
    page: int = 1
    pages: int = 1
    searched: int = 0
    """Number of incidents that were read."""
    services: tuple[str, ...] = ()
    """Names to filter by."""
    environments: tuple[str, ...] = ()


class JournalRow(Model):
    """An alert or a sweep in one line."""

    id: Exact
    kind: str
    """`alert` or `sweep`."""
    at: Moment | None = None
    """When it was opened."""
    ended_at: Moment | None = None
    state: str = ""
    """The stage that is due, or how it ended."""
    text: str = ""
    linked: tuple[Exact, ...] = ()
    """Journals that it belongs to: an alert's sweep, a sweep's alerts and incidents."""


class JournalPage(Model):
    """A page of alerts or sweeps, the newest first."""

    rows: tuple[JournalRow, ...] = ()
    total: int = 0
    page: int = 1
    pages: int = 1
