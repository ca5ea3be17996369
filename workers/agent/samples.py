"""Cuts the sample of a log pattern so that the lines that tell the cause stay. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from workers.models import LogPattern

MAX_LINE_CHARS = 400  # of one line of a sample; a longer one holds data
CUT = "…"
FIRST_LINE_RANK = 50  # of the first line of a sample, which often names the request
OTHER_RANK = 100  # of lines that nothing marks


def short_sample(pattern: LogPattern, limit: int) -> str:
    """The sample in at most `limit` characters: its exception, its own frames and their neighbours stay.

    Args:
        limit: characters of the result; the marks of cut lines are included.
    """
    if len(pattern.sample) <= limit:
        return pattern.sample
    lines = [line[:MAX_LINE_CHARS] for line in pattern.sample.split("\n")]
    ranks = _ranks(lines, pattern)
    chosen: set[int] = set()
    free = limit
    for number in sorted(range(len(lines)), key=lambda number: (ranks[number], number)):
        # A line may need the mark of a gap beside it.
        cost = len(lines[number]) + 1 + len(CUT) + 1
        if cost <= free:
            chosen.add(number)
            free -= cost
    return "\n".join(_with_gaps(lines, chosen))


def _ranks(lines: Sequence[str], pattern: LogPattern) -> list[float]:
    """How early each line is chosen: the exception, the own frames with their code, then their neighbours."""
    important: dict[int, float] = {0: FIRST_LINE_RANK}
    headline = pattern.headline[:MAX_LINE_CHARS].strip()
    named = [number for number, line in enumerate(lines) if headline and headline in line]
    important |= {number: float(rank) for rank, number in enumerate(reversed(named[-2:]))}
    for rank, location in enumerate(pattern.locations, start=2):
        for number in _lines_naming(lines, location):
            important[number] = min(important.get(number, rank), rank)
            if number + 1 < len(lines):
                important.setdefault(number + 1, rank + 0.5)
    return [
        important.get(number, OTHER_RANK + min(abs(number - near) for near in important))
        for number in range(len(lines))
    ]


def _lines_naming(lines: Sequence[str], location: str) -> list[int]:
    """The lines with the file and line of the location; without any, those with the file. Built code keeps its stem."""
    file, _, line = location.rpartition(":")
    stem = re.escape(PurePosixPath(file).stem)
    named = [number for number, text in enumerate(lines) if re.search(rf"(?<![\w-]){stem}\.\w", text)]
    exact = [number for number in named if re.search(rf"(?:[:(]|line |line=){line}\b", lines[number])]
    return (exact or named)[-2:]


def _with_gaps(lines: Sequence[str], chosen: set[int]) -> Iterator[str]:
    was_cut = False
    for number, line in enumerate(lines):
        if number in chosen:
            if was_cut:
                yield CUT
            yield line
        was_cut = number not in chosen
