"""The view of one record as redacted, bounded text: its JSON, or its own text where it is a text."""

from __future__ import annotations

import json
from typing import Any

from workers.engine.codec import is_newer, json_text
from workers.engine.journal_store import JournalStore
from workers.engine.schema import journal_key
from workers.engine.stage_table import INCIDENT, STAGES, kind_of, maker_of
from workers.engine.stage_times import read_moment, read_times
from workers.runtime.text import safe_text, safe_value
from workers.views.bounds import line
from workers.views.incident_source import DAMAGED, NEWER, Fields
from workers.views.shapes import RecordView

MAX_CHARS = 60_000  # of the text: a page with more is slow to open on a phone
MAX_ITEMS = 60  # of one list, such as the points of a series
MAX_DEPTH = 12
MAX_OTHERS = 60


def read(store: JournalStore, journal_id: str, record: str) -> RecordView | None:
    """The record, None if the journal or the record does not exist. Raises NotAvailable if Redis does not answer.

    Args:
        journal_id: the whole id of an incident, a sweep, an alert, a notification or a rollback.
        record: its name, without the prefix of its field.
    """
    fields = store.fields(journal_key(journal_id)) if _is_journal(journal_id) else {}
    if "stage" not in fields or f"r:{record}" not in fields:
        return None
    return build(journal_id, record, fields)


def _is_journal(journal_id: str) -> bool:
    # The other keys of the store are no journals: their hashes hold budgets, history and decisions.
    return bool(kind_of(journal_id)) or journal_id.startswith("rollback:")


def build(journal_id: str, record: str, fields: Fields) -> RecordView:
    """The view of a record from its journal's fields. Pure."""
    blob, maker = fields[f"r:{record}"], maker_of(record)
    times = read_times(fields, record)
    text, left_out = _render(blob)
    return RecordView(
        journal=journal_id,
        name=record[:60],
        title=line(record.replace("_", " ").capitalize(), 60),
        stage=maker.name if maker else "",
        made_at=times[1] if times else read_moment(fields, "opened"),
        stored_bytes=len(blob),
        text=text or (NEWER if is_newer(blob) else DAMAGED),
        lines_left_out=left_out,
        readable=bool(text),
        others=tuple(_others(fields, record))[:MAX_OTHERS],
    )


def _others(fields: Fields, record: str) -> list[str]:
    """The journal's other records, in the order of the pipeline."""
    names = {name[2:] for name in fields if name.startswith("r:")} - {record}
    made = [made.name for stage in STAGES.values() if stage.kind == INCIDENT for made in stage.makes]
    return [*(name for name in made if name in names), *sorted(names - set(made))]


def _render(blob: bytes) -> tuple[str, int]:
    """The record's text, "" if it cannot be read, and the number of lines that are left out."""
    raw = json_text(blob)
    if raw is None:
        return "", 0
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return "", 0
    shortened = _shorten(value, 0)
    # A text is shown as it is, everything else as JSON; both are redacted before they are cut.
    text = safe_text(shortened) if isinstance(shortened, str) else _dump(shortened)
    if len(text) <= MAX_CHARS:
        return text, 0
    head = text[:MAX_CHARS].rpartition("\n")[0] or text[:MAX_CHARS]
    return head, text.count("\n") - head.count("\n")


def _dump(value: Any) -> str:
    return json.dumps(safe_value(value), indent=2, ensure_ascii=False)


def _shorten(value: Any, depth: int) -> Any:
    """The value without the middle of long lists and the end of long texts."""
    if isinstance(value, str):
        return value if len(value) <= 2 * MAX_CHARS else value[: 2 * MAX_CHARS] + "…"
    if depth >= MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        return {str(name)[:200]: _shorten(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        items = [_shorten(item, depth + 1) for item in value[:MAX_ITEMS]]
        more = len(value) - MAX_ITEMS
        return [*items, f"… and {more:,} more"] if more > 0 else items
    return value
