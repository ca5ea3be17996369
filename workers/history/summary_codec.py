"""The stored form of a service's summaries: columns by field name, as a version byte and zlib-compressed JSON.

Columns keep a week of a service at 6 to 8 KB (`python -m tests.benchmarks.history`): similar numbers stand next to
each other, and a field that is None in every window is left out.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from workers.models import Summary

VERSION = b"1"  # first byte of a stored value; a value of another version is discarded and gathered again
SIGNIFICANT_DIGITS = 4  # digits of a stored number: detection compares factors, never the fifth digit

Columns = dict[str, list[Any]]
"""Values by field name, one per window, oldest first. `at` is in epoch seconds."""

_SUMMARIES = TypeAdapter(list[Summary])


def rounded(summary: Summary) -> Summary:
    """The summary with SIGNIFICANT_DIGITS digits per number and its time in whole seconds."""
    numbers = {
        name: float(f"{value:.{SIGNIFICANT_DIGITS}g}") for name, value in summary if isinstance(value, float)
    }
    at = summary.at and summary.at.replace(microsecond=0)
    return summary.model_copy(update={**numbers, "at": at})


def encode(summaries: Sequence[Summary]) -> bytes:
    """The summaries, oldest first, as they are stored."""
    columns: Columns = {name: [getattr(each, name) for each in summaries] for name in Summary.model_fields}
    columns["at"] = [int(at.timestamp()) for at in columns["at"]]
    for name in ("alerting_kinds", "notice_kinds"):
        columns[name] = [kinds or None for kinds in columns[name]]
    present = {name: values for name, values in columns.items() if any(value is not None for value in values)}
    return VERSION + zlib.compress(json.dumps(present, separators=(",", ":")).encode())


def decode_columns(blob: bytes | None) -> Columns:
    """The stored columns; {} for a missing, damaged or older value, which a later sweep replaces."""
    if not blob or blob[:1] != VERSION:
        return {}
    try:
        columns = json.loads(zlib.decompress(blob[1:]))
    except (zlib.error, ValueError):
        return {}
    is_table = isinstance(columns, dict) and all(isinstance(column, list) for column in columns.values())
    times = columns.get("at", []) if is_table else []
    is_complete = is_table and {len(times)} == {len(column) for column in columns.values()}
    has_times = all(type(at) is int for at in times)
    return cast(Columns, columns) if is_complete and has_times else {}


def decode_summaries(columns: Columns) -> list[Summary]:
    """The summaries, oldest first; [] if a value is invalid."""
    names, rows = list(columns), zip(*columns.values(), strict=True)
    fields = [
        {name: value for name, value in zip(names, row, strict=True) if value is not None} for row in rows
    ]
    try:
        return _SUMMARIES.validate_python(fields)
    except ValidationError:
        return []


def last_end(columns: Columns) -> int:
    """Epoch seconds of the end of the last window; 0 without one."""
    return int(max(columns.get("at", ()), default=0))
