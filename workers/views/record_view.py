"""The view of one record as redacted, bounded text."""

from __future__ import annotations

from workers.engine.journal_store import JournalStore
from workers.engine.schema import journal_key
from workers.views.shapes import RecordView


def read(store: JournalStore, journal_id: str, record: str) -> RecordView | None:
    """The record, None if the journal or the record does not exist. Raises NotAvailable if Redis does not answer."""
    blob = store.command("hget", journal_key(journal_id), f"r:{record}")
    if blob is None:
        return None
    return RecordView(journal=journal_id, name=record, title=record, stored_bytes=len(blob))
