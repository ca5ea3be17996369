"""Cuts a record to a size so that the exception, the innermost frames and the first line stay. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from workers.investigation.logs.headlines import CAUSE, Naming, find_naming

FAR_SIDE = (
    4  # lines on the side of an exception where its outer frames stand count as so many times farther away
)
OTHER_NAMING = 3  # lines at the other exceptions of a chain count as so many times farther away
CUT = "… {} lines cut …"
CUT_CHARS = 40  # of the limit are left for marks of cuts
SHARE = 4  # parts of the limit, of which a line may use one


def shorten_lines(lines: Sequence[str], limit: int) -> list[str]:
    """The lines in at most `limit` characters: the first, the exception, and the frames next to where it was raised."""
    if sum(map(len, lines)) + len(lines) <= limit:
        return list(lines)
    if len(lines) == 1:
        return [truncate_middle(lines[0], limit)]
    distance = _distances(lines, find_naming(lines))
    short = [truncate_middle(line, limit // SHARE) for line in lines]
    kept: set[int] = set()
    left = limit - CUT_CHARS
    for number in sorted(range(len(short)), key=lambda number: (distance[number], number)):
        left -= len(short[number]) + 1
        if left < 0:
            break
        kept.add(number)
    return _with_cuts(short, kept)


def truncate_middle(text: str, limit: int) -> str:
    """The text in at most `limit` characters: its beginning and, twice as long, its end."""
    if len(text) <= limit:
        return text
    head = limit // 3
    return f"{text[:head]} … cut … {text[-(limit - head - 9) :]}"


def _distances(lines: Sequence[str], naming: Naming | None) -> list[int]:
    """How far each line is from what matters: the first line, and exceptions on the side of their inner frames."""
    count = len(lines)
    if naming is None:
        return [min(number * 2, count - number) for number in range(count)]
    # Distances grow by one from line to line, so two passes find the nearest exception of every line.
    near = [count * OTHER_NAMING * FAR_SIDE] * count
    for number in _other_namings(lines, naming):
        near[number] = OTHER_NAMING
    near[naming.number], near[0] = 0, 0
    above, below = (1, FAR_SIDE) if naming.frames_above else (FAR_SIDE, 1)
    for number in range(count - 2, -1, -1):
        near[number] = min(near[number], near[number + 1] + above)
    for number in range(1, count):
        near[number] = min(
            near[number], near[number - 1] + (below if number != 1 else FAR_SIDE * OTHER_NAMING)
        )
    return near


def _other_namings(lines: Sequence[str], naming: Naming) -> list[int]:
    if naming.frames_above:
        marks = ("During handling of the above", "The above exception was")
        ends = [number for number, line in enumerate(lines) if line.startswith(marks)]
        return [max(0, number - 2) for number in ends]
    causes = [number for number, line in enumerate(lines) if CAUSE.match(line)]
    return [number for number in causes if number != naming.number]


def _with_cuts(lines: Sequence[str], kept: set[int]) -> list[str]:
    result: list[str] = []
    missing = 0
    for number, line in enumerate(lines):
        if number in kept:
            if missing:
                result.append(CUT.format(missing))
            result.append(line)
            missing = 0
        else:
            missing += 1
    return [*result, CUT.format(missing)] if missing else result
