"""The overview: every watched service at a glance, open incidents, and what keeps Trackwalker from working."""

from __future__ import annotations

from datetime import datetime

from workers.engine.journal_store import JournalStore
from workers.runtime.settings import Settings
from workers.views.shapes import Overview


def read(store: JournalStore, settings: Settings, now: datetime) -> Overview:
    """The present state of everything that is watched. Raises NotAvailable if Redis does not answer."""
    store.ping()
    return Overview(at=now, mode=settings.mode)
