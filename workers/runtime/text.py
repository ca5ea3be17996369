"""Formats values and untrusted text for people: messages, pull requests, the command line and log fields. Pure.

Every text that people read is cut, cleaned and counted here, so that a duration or a service name looks the same
in Slack, in a pull request and in a terminal.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from workers.runtime.characters import visible
from workers.runtime.redaction import redact

ELLIPSIS = "…"
MINUTE = 60
HOUR = 3600
DAY = 86_400

# ---- untrusted text ----


def one_line(text: str, limit: int | None = None) -> str:
    """The text on one line, without anything that a reader cannot see.

    Args:
        limit: longest result in characters, the ellipsis included; None does not truncate.
    """
    line = " ".join(visible(text).split())
    return line if limit is None else truncate(line, limit)


def safe_line(text: str, limit: int | None = None) -> str:
    """Untrusted text as one visible, redacted line.

    Hidden characters are dropped first, because a zero-width space inside a token would hide it from the redaction;
    truncation comes last, because half a token no longer has its shape.

    Args:
        limit: longest result in characters, the ellipsis included; None does not truncate.
    """
    return one_line(redact(visible(text)), limit)


def safe_row(text: str) -> str:
    """Untrusted text as one line that keeps its spaces, for a table on a terminal."""
    return redact(visible(text)).replace("\n", " ").expandtabs(1)


def safe_text(text: str) -> str:
    """Untrusted text as visible, redacted text on as many lines as it has."""
    return redact(visible(text))


def safe_value(value: Any) -> Any:
    """A value of JSON with every text in it, names included, as `safe_text`; other values as they are."""
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, dict):
        return {safe_value(name): safe_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [safe_value(item) for item in value]
    return safe_text(str(value)) if isinstance(value, Exception) else value


def escape_html(text: str) -> str:
    """Untrusted text for an HTML page, in element content or in a quoted attribute."""
    return html.escape(safe_line(text), quote=True)


def truncate(text: str, limit: int) -> str:
    """The beginning of the text in at most `limit` characters, an ellipsis included where something is cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def truncate_start(text: str, limit: int) -> str:
    """The end of the text in at most `limit` characters: command output has its error at the end."""
    return text if len(text) <= limit else ELLIPSIS + text[-(limit - 1) :]


# ---- values ----


def plural(count: int, noun: str, nouns: str = "") -> str:
    """`1 service`, `2 services`, `2,400 requests`.

    Args:
        nouns: the plural where it is not the noun and an `s`.
    """
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def join_names(names: Sequence[str], limit: int | None = None) -> str:
    """`web`, `web and api`, `web, api and db`, `web, api and 3 more`.

    Args:
        limit: number of names that are spelled out; None spells out all of them.
    """
    listed = list(names if limit is None else names[:limit])
    more = len(names) - len(listed)
    parts = [*listed, f"{more} more"] if more else listed
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def format_duration(seconds: float) -> str:
    """`40 s`, `12 min`, `2.5 h`, `3 days`. A unit starts at two of its kind: `100 s`, not `2 min`."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    return (
        f"{_short_number(seconds / HOUR)} h" if seconds < 2 * DAY else f"{_short_number(seconds / DAY)} days"
    )


def format_milliseconds(milliseconds: float) -> str:
    """`48 ms`, `3.4 s`, `12 s`."""
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    return f"{_short_number(milliseconds / 1000)} s"


def format_timestamp(seconds: float) -> str:
    """`2026-03-01 12:00:00 UTC` for seconds since the epoch."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _short_number(value: float) -> str:
    """One decimal below ten, none above; `2`, not `2.0`."""
    return f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{value:.0f}"
