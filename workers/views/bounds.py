"""Bounds of the views: how much of a hostile or huge record a page shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from workers.runtime.text import plural, safe_line, safe_text, truncate

T = TypeVar("T")

MAX_LINE = 400  # characters of a sentence, a name or a command
MAX_LABEL = 120  # characters of a name inside a sentence
MAX_ITEMS = 12  # entries of a list inside a record, such as the steps of a plan
MAX_TEXT = 8_000  # characters of a quoted text: a log record, the excerpt of a source
MAX_RAW = 200_000  # characters that are redacted before a text is cut; redaction takes about 10 ms for them


def line(text: str | None, limit: int = MAX_LINE) -> str:
    """One redacted line of at most `limit` characters."""
    return safe_line((text or "")[:MAX_RAW], limit)


def lines(texts: Iterable[str], limit: int = MAX_ITEMS) -> tuple[str, ...]:
    """The first lines of a list, and how many more there are."""
    cleaned = [text for text in texts if text]
    more = len(cleaned) - limit
    shown = tuple(line(text) for text in cleaned[:limit])
    return (*shown, f"… and {more:,} more") if more > 0 else shown


def first(items: Sequence[T], limit: int) -> tuple[tuple[T, ...], int]:
    """The first items, and the number of those that are left out."""
    return tuple(items[:limit]), max(0, len(items) - limit)


def text(value: str | None, limit: int = MAX_TEXT) -> str:
    """A redacted text on several lines; cut at the end of a line where that is near."""
    cleaned = safe_text((value or "")[:MAX_RAW])
    if len(cleaned) <= limit and len(value or "") <= MAX_RAW:
        return cleaned
    head = cleaned[:limit].rpartition("\n")[0] or cleaned[:limit]
    left_out = (value or "").count("\n") - head.count("\n")
    return (
        f"{head}\n… and {plural(left_out, 'more line', 'more lines')}"
        if left_out > 0
        else truncate(head, limit)
    )


def web_url(url: str | None) -> str:
    """The address if a page may link it: http or https without hidden characters; else ""."""
    address = url or ""
    allowed = address.startswith(("https://", "http://")) and address.isprintable() and " " not in address
    return address[:2_000] if allowed and len(address) <= 2_000 else ""
