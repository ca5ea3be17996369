"""A class of windows: its name, its ground truth, and the function that builds one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from inspect import getdoc
from random import Random

from tests.eval.canvas import Canvas, healthy_canvas, to_line
from tests.eval.detector import Line
from tests.eval.history import earlier_windows

Paint = Callable[[Canvas], None]


@dataclass(frozen=True)
class Scenario:
    """`kinds` are the acceptable kinds of the finding that names the failure; empty for a healthy class."""

    name: str
    kinds: frozenset[str]
    reason: str
    paint: Paint
    minutes: int = 30
    chronic: bool = False
    """Whether the finding must be marked as chronic."""

    @property
    def is_failing(self) -> bool:
        return bool(self.kinds)


@dataclass(frozen=True)
class DrawnWindow:
    """One window of a class. `onset` is the minute in which the failure begins, None if it began before."""

    scenario: Scenario
    line: Line
    onset: int | None


def healthy(*, minutes: int = 30) -> Callable[[Paint], Scenario]:
    """Declare a healthy class with the name of the function; its docstring says why it is healthy."""
    return lambda paint: _scenario(paint, (), minutes, chronic=False)


def failing(*kinds: str, minutes: int = 30, chronic: bool = False) -> Callable[[Paint], Scenario]:
    """Declare a failing class with its acceptable kinds; the docstring says what fails."""
    return lambda paint: _scenario(paint, kinds, minutes, chronic=chronic)


def _scenario(paint: Paint, kinds: tuple[str, ...], minutes: int, *, chronic: bool) -> Scenario:
    name = getattr(paint, "__name__", "")
    return Scenario(name, frozenset(kinds), (getdoc(paint) or "").strip(), paint, minutes, chronic)


def draw_window(
    scenario: Scenario,
    seed: int,
    *,
    service: str | None = None,
    end: datetime | None = None,
    worker: bool = False,
) -> DrawnWindow:
    """The window of this class and seed with its history; the same for the same seed.

    Args:
        worker: Leave out HTTP traffic.
    """
    service = service or f"{scenario.name}-{seed}"
    canvas = _painted(scenario, seed)
    canvas.is_worker = canvas.is_worker or worker
    line = to_line(canvas, service, end)
    line["past"] = earlier_windows(canvas, service, datetime.fromisoformat(line["end"]))
    return DrawnWindow(scenario, line, canvas.onset)


def _painted(scenario: Scenario, seed: int) -> Canvas:
    canvas = healthy_canvas(Random(f"{scenario.name} {seed}"), scenario.minutes)
    scenario.paint(canvas)
    return canvas


def moving_windows(scenario: Scenario, seed: int) -> Iterator[tuple[int, Line]]:
    """Windows that move over the onset minute by minute: minutes since the onset, and the window that ends then.

    Yields nothing if the failure has no onset in the window. Before the window, the level is the baseline.
    """
    canvas = _painted(scenario, seed)
    if canvas.onset is None:
        return
    length = canvas.minutes
    canvas.levels = [canvas.baseline] * length + canvas.levels
    canvas.extra_rejected = [0.0] * length + canvas.extra_rejected
    canvas.missing_minutes = {minute + length for minute in canvas.missing_minutes}
    canvas.events = [(kind, at + length) for kind, at in canvas.events]
    canvas.minutes = 2 * length
    service = f"{scenario.name}-{seed}"
    whole = to_line(canvas, service)
    canvas.minutes = length
    past = earlier_windows(canvas, service, datetime.fromisoformat(whole["end"]))[:-1]
    for last in range(canvas.onset + 1, length + 1):
        yield last - canvas.onset, {**_slice(whole, last, last + length), "past": past}


def _slice(line: Line, first: int, last: int) -> Line:
    """The minutes from `first` to before `last` of a longer window."""
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
    part["events"] = [
        event for event in line["events"] if start <= datetime.fromisoformat(event["at"]) <= end
    ]
    return part
