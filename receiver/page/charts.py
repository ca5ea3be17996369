"""The geometry of a finding's chart. Pure: colours come from classes, text is escaped by the template."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.views.shapes import Chart

WIDTH = 360  # units of the view box; on a phone about one pixel each
HEIGHT = 190  # units of the view box
LEFT = 44  # margin for the labels of the value axis
RIGHT = 8  # margin for half a label of the time axis
TOP = 22  # margin for the labels of onset and deployments
BOTTOM = 24  # margin for the time axis
MAX_POINTS = 120  # of a drawn line: more cannot be told apart at this width
MAX_TABLE_ROWS = 24  # of the table that stands in for the picture
HEADROOM = 1.08  # of the axis above the largest value
NICE = (1, 2, 2.5, 5, 10)  # steps of the axis, times a power of ten
TICKS = 4  # labels of the value axis, at most
GAP_FACTOR = 3.0  # times the usual distance: points further apart are not joined


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A vertical line: the onset or a deployment."""

    x: float
    number: int
    label: str
    anchor: str
    """`start` or `end`: the side on which its label has room."""


@dataclass(frozen=True)
class Drawing:
    """A chart in the coordinates of its view box."""

    lines: tuple[str, ...]
    """Points of polylines."""
    dots: tuple[tuple[float, float], ...]
    """Points without a neighbour."""
    values: tuple[Tick, ...]
    times: tuple[Tick, ...]
    limit: float | None
    band: tuple[float, float] | None
    """Upper edge and height of the usual band."""
    onset: Mark | None
    deployments: tuple[Mark, ...]
    table: tuple[tuple[datetime, float], ...]
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def draw(chart: Chart, zone: tzinfo) -> Drawing:
    """The drawing of a chart whose times are shown in a zone."""
    start, end = chart.start.timestamp(), max(chart.end.timestamp(), chart.start.timestamp() + 1)
    points = [(at, value) for at, value in chart.points if start <= at <= end and math.isfinite(value)]
    top = _axis_top([value for _, value in points], (chart.limit, chart.usual_high))

    def x(at: float) -> float:
        return round(LEFT + (at - start) / (end - start) * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - max(0.0, min(value / top, 1.0)) * (HEIGHT - BOTTOM - TOP), 1)

    segments = _segments(_thin(points, MAX_POINTS))
    return Drawing(
        lines=tuple(
            " ".join(f"{x(at):g},{y(value):g}" for at, value in part) for part in segments if len(part) > 1
        ),
        dots=tuple((x(part[0][0]), y(part[0][1])) for part in segments if len(part) == 1),
        values=tuple(Tick(y(value), _label(value)) for value in _steps(top)),
        times=tuple(Tick(x(at), f"{datetime.fromtimestamp(at, zone):%H:%M}") for at in (start, (start + end) / 2, end)),
        limit=None if chart.limit is None or chart.limit > top else y(chart.limit),
        band=_band(chart, y),
        onset=_mark(chart.onset, 0, "", start, end, x),
        deployments=tuple(
            mark
            for number, item in enumerate(chart.deployments, 1)
            if (mark := _mark(item.at, number, item.label, start, end, x))
        ),
        table=tuple((datetime.fromtimestamp(at, UTC), value) for at, value in _thin(points, MAX_TABLE_ROWS)),
    )  # fmt: skip


def _axis_top(values: Sequence[float], others: Sequence[float | None]) -> float:
    """The end of the value axis. A limit far above all values would flatten the line, so it is left out."""
    highest = max(values, default=0.0)
    finite = [other for other in others if other is not None and math.isfinite(other)]
    near = [other for other in finite if not values or other <= 4 * max(highest, 1e-9)]
    top = max([highest, *near], default=0.0)
    return top * HEADROOM if top > 0 else 1.0


def _steps(top: float) -> list[float]:
    power = 10.0 ** math.floor(math.log10(top / TICKS))
    step = next(power * nice for nice in NICE if power * nice * TICKS >= top)
    return [step * number for number in range(TICKS + 1) if step * number <= top]


def _label(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:.3g}" if value < 1000 else f"{value:g}"


def _thin(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most so many points, the largest of each group: a peak must not vanish."""
    size = math.ceil(len(points) / most) or 1
    groups = (points[start : start + size] for start in range(0, len(points), size))
    return [max(group, key=lambda point: point[1]) for group in groups]


def _segments(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Runs of points without a gap: a line across missing data would claim what nobody measured."""
    distances = sorted(later[0] - earlier[0] for earlier, later in pairwise(points))
    longest = distances[len(distances) // 2] * GAP_FACTOR if distances else 0
    runs: list[list[tuple[float, float]]] = []
    for point in points:
        if runs and point[0] - runs[-1][-1][0] <= longest:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _band(chart: Chart, y: Callable[[float], float]) -> tuple[float, float] | None:
    if chart.usual_high is None:
        return None
    upper, lower = y(chart.usual_high), y(chart.usual_low or 0.0)
    return upper, max(round(lower - upper, 1), 1.0)


def _mark(
    at: datetime | None, number: int, label: str, start: float, end: float, x: Callable[[float], float]
) -> Mark | None:
    if at is None or not start <= at.timestamp() <= end:
        return None
    place = x(at.timestamp())
    # A deployment is written to the left and the onset, which follows it, to the right, where there is room.
    if number:
        return Mark(place, number, label, "end" if place > WIDTH * 0.3 else "start")
    return Mark(place, number, label, "start" if place < WIDTH * 0.75 else "end")
