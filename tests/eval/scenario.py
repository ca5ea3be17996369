"""A class of windows: what it is called, what is true of it, and how one of it is painted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from inspect import getdoc
from random import Random

from tests.eval.canvas import Canvas, blank, show
from tests.eval.detector import Line
from tests.eval.past import earlier_windows

Paint = Callable[[Canvas], None]


@dataclass(frozen=True)
class Scenario:
    """`kinds` are the findings of which one says rightly what is wrong; empty for a healthy class."""

    name: str
    kinds: frozenset[str]
    why: str
    paint: Paint
    minutes: int = 30

    @property
    def sick(self) -> bool:
        return bool(self.kinds)


@dataclass(frozen=True)
class Drawn:
    """One window of a class. `onset` is the minute in which the trouble begins, None where it began before."""

    scenario: Scenario
    line: Line
    onset: int | None


def quiet(*, minutes: int = 30) -> Callable[[Paint], Scenario]:
    """A healthy class, named like its function; the docstring says why it is healthy."""
    return lambda paint: _scenario(paint, (), minutes)


def sick(*kinds: str, minutes: int = 30) -> Callable[[Paint], Scenario]:
    """A sick class and the kinds of which one must be found; the docstring says why it is sick."""
    return lambda paint: _scenario(paint, kinds, minutes)


def _scenario(paint: Paint, kinds: tuple[str, ...], minutes: int) -> Scenario:
    name = getattr(paint, "__name__", "")
    return Scenario(name, frozenset(kinds), (getdoc(paint) or "").strip(), paint, minutes)


def draw(
    scenario: Scenario,
    seed: int,
    *,
    service: str | None = None,
    end: datetime | None = None,
    worker: bool = False,
) -> Drawn:
    """The window of that class and seed with its past: the same every time. A `worker` has no requests."""
    service = service or f"{scenario.name}-{seed}"
    canvas = _painted(scenario, seed)
    canvas.worker = canvas.worker or worker
    line = show(canvas, service, end)
    line["past"] = earlier_windows(canvas, service, datetime.fromisoformat(line["end"]))
    return Drawn(scenario, line, canvas.onset)


def _painted(scenario: Scenario, seed: int) -> Canvas:
    canvas = blank(Random(f"{scenario.name} {seed}"), scenario.minutes)
    scenario.paint(canvas)
    return canvas


def passing(scenario: Scenario, seed: int) -> Iterator[tuple[int, Line]]:
    """Whole windows that move over the onset minute by minute: minutes since the onset, and what was seen then.

    Nothing where the trouble has no onset within the window. Before the window all was as usual.
    """
    canvas = _painted(scenario, seed)
    if canvas.onset is None:
        return
    length = canvas.minutes
    canvas.now = [canvas.usual] * length + canvas.now
    canvas.extra_refused = [0.0] * length + canvas.extra_refused
    canvas.unseen = {minute + length for minute in canvas.unseen}
    canvas.events = [(kind, at + length) for kind, at in canvas.events]
    canvas.minutes = 2 * length
    service = f"{scenario.name}-{seed}"
    whole = show(canvas, service)
    canvas.minutes = length
    past = earlier_windows(canvas, service, datetime.fromisoformat(whole["end"]))[:-1]
    for last in range(canvas.onset + 1, length + 1):
        yield last - canvas.onset, {**_cut(whole, last, last + length), "past": past}


def _cut(line: Line, first: int, last: int) -> Line:
    """The minutes from first to before last of a longer window."""
    minutes, step = len(line["cpu"]) * int(line["step_seconds"]) // 60, 60 // int(line["step_seconds"])
    end = datetime.fromisoformat(line["end"]) - timedelta(minutes=minutes - last)
    start = end - timedelta(minutes=last - first)
    part = {**line, "end": end.isoformat()}
    for name in ("cpu", "memory", "disk"):
        if name in line:
            part[name] = line[name][first * step : last * step]
    if line["http"]:
        part["http"] = {
            name: values[first:last] if isinstance(values, list) else values
            for name, values in line["http"].items()
        }
    part["events"] = [one for one in line["events"] if start <= datetime.fromisoformat(one["at"]) <= end]
    return part
