"""Positions in the source of built JavaScript, by its source map (ECMA-426, version 3). Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

DIGITS = {letter: value for value, letter in enumerate(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)}  # fmt: skip
CONTINUES = 32  # bit of a digit that says that the number goes on
MAX_SHIFT = 60  # bits of a number; longer ones are no positions


@dataclass(frozen=True)
class Original:
    """A position in a source of a source map."""

    source: str
    """As the map names it, relative to the map."""
    line: int
    name: str
    """Name of the function or variable at the position; empty if the map has none."""


def original_position(source_map: str, line: int, column: int) -> Original | None:
    """The source of a position in built code; None if the map is damaged or does not cover the line.

    Args:
        line: 1 for the first line, as in traces.
        column: 1 for the first character, as in traces; 0 if it is unknown.
    """
    try:
        content = json.loads(source_map)
        sources, names = list(content["sources"]), list(content.get("names", []))
        root = str(content.get("sourceRoot") or "")
        segment = _nearest(str(content["mappings"]), line, column)
        if segment is None:
            return None
        source, name = str(sources[segment[1]]), names[segment[4]] if segment[4] >= 0 else ""
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
    return Original(f"{root.rstrip('/')}/{source}" if root else source, segment[2] + 1, str(name))


def _nearest(mappings: str, line: int, column: int) -> tuple[int, int, int, int, int] | None:
    """The last segment of the line at or before the column: its column, source, line, column and name."""
    nearest = None
    for segment_line, segment in _segments(mappings, line):
        if segment_line == line and (nearest is None or segment[0] <= max(column - 1, 0)):
            nearest = segment
    return nearest


def _segments(mappings: str, last_line: int) -> Iterator[tuple[int, tuple[int, int, int, int, int]]]:
    source = source_line = source_column = name = 0
    for line, text in enumerate(mappings.split(";")[:last_line], start=1):
        column = 0
        for piece in text.split(","):
            numbers = list(_numbers(piece))
            column += numbers[0] if numbers else 0
            if len(numbers) < 4:
                continue
            source, source_line = source + numbers[1], source_line + numbers[2]
            source_column += numbers[3]
            name += numbers[4] if len(numbers) > 4 else 0
            yield line, (column, source, source_line, source_column, name if len(numbers) > 4 else -1)


def _numbers(piece: str) -> Iterator[int]:
    """The numbers of a segment, in base 64 with variable length."""
    value = shift = 0
    for letter in piece:
        digit = DIGITS[letter]
        value += (digit & ~CONTINUES) << shift
        shift += 5
        if shift > MAX_SHIFT:
            raise ValueError("number too long")
        if not digit & CONTINUES:
            yield -(value >> 1) if value & 1 else value >> 1
            value = shift = 0
