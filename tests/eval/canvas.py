"""One service minute by minute, to be bent by a class and then shown in the public format."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from tests.eval.chance import arrivals, between, hits, slowest
from tests.eval.detector import Line

PLANS = ((1, 0.5), (2, 1), (4, 4), (8, 8), (24, 24))
"""vCPU and GB of one replica, from the trial to the largest plan."""
FIRST_END = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Level:
    """What a service is like for a while; shares are of one replica's limit or of the requests, times ms."""

    cpu: float
    memory: float
    per_minute: float
    """Requests a minute; 0 for a worker."""
    latency: float
    """The median."""
    failing: float = 0.0
    refused: float = 0.0
    disk: float | None = None
    cpu_high_minutes: float = 0.0
    restarted: bool = False
    slow: float = 0.0
    """Share of the requests that take `slow_ms`."""


@dataclass
class Canvas:
    """The lists have one entry a minute. `earlier` gives the level so many windows ago; 1 is the last one."""

    draw: Random
    minutes: int
    usual: Level
    spread: float
    plan: tuple[float, float]
    step: int = 60
    replicas: int = 1
    worker: bool = False
    disk_limit: float = 5.0
    slow_ms: float = 10_000.0
    past_windows: int = 48
    whole_past: bool = False
    forgotten: float = 0.0
    """The share of the numbers of the past that nobody knows."""
    wobble: tuple[float, float] = (0.1, 0.005)
    """Relative noise of CPU and memory."""
    now: list[Level] = field(default_factory=list)
    extra_refused: list[float] = field(default_factory=list)
    """Requests a minute on top of the usual ones, all answered with 4xx."""
    unseen: set[int] = field(default_factory=set)
    """Minutes without any sample."""
    events: list[tuple[str, float]] = field(default_factory=list)
    """Kind and minute."""
    earlier: Callable[[int, Level], Level] = field(default=lambda _, level: level)
    onset: int | None = None
    """The minute in which the trouble begins, where it begins in the window."""

    def settle(self, usual: Level | None = None) -> None:
        """Every minute as usual again."""
        self.usual = usual or self.usual
        self.now = [self.usual] * self.minutes
        self.extra_refused = [0.0] * self.minutes

    def bend(self, first: int, last: int, change: Callable[[int, Level], Level]) -> None:
        """Change the minutes from first to before last; what lies outside the window is let go."""
        for minute in range(max(0, first), min(self.minutes, last)):
            self.now[minute] = change(minute, self.now[minute])

    def put(self, first: int, last: int, **values: float) -> None:
        """Set these fields of the level in the minutes from first to before last."""
        self.bend(first, last, lambda _, level: replace(level, **values))  # type: ignore[arg-type]

    def begin(self, earliest: float, latest: float) -> int:
        """An onset between these shares of the window, remembered."""
        self.onset = self.draw.randint(round(earliest * self.minutes), round(latest * self.minutes))
        return self.onset

    def happen(self, kind: str, minute: float) -> None:
        self.events.append((kind, max(0.0, min(minute, self.minutes - 0.01))))


def blank(draw: Random, minutes: int = 30) -> Canvas:
    """A service as usual: web, some traffic, one replica, far from its limits."""
    plan = draw.choice(PLANS)
    roomy = plan[0] >= 8
    level = Level(
        cpu=draw.uniform(0.01, 0.12) if roomy else draw.uniform(0.05, 0.35),
        memory=draw.uniform(0.15, 0.6),
        per_minute=between(draw, 15, 1500),
        latency=between(draw, 12, 200),
        failing=draw.choice((0.0, 0.0, 0.0005, 0.001)),
        refused=draw.uniform(0, 0.04),
        disk=draw.uniform(0.1, 0.7) if draw.random() < 0.2 else None,
    )
    canvas = Canvas(
        draw, minutes, level, spread=draw.uniform(0.35, 0.85), plan=plan,
        disk_limit=draw.choice((0.5, 5.0, 50.0)), past_windows=draw.choice((48, 48, 24, 12)),
        wobble=(draw.uniform(0.05, 0.2), draw.uniform(0.002, 0.012)),
    )  # fmt: skip
    canvas.whole_past = draw.random() < 0.04
    swing, hour = draw.uniform(0, 0.3), draw.uniform(0, 2 * math.pi)
    canvas.earlier = lambda age, usual: _by_day(usual, swing, hour, age * minutes / 1440)
    canvas.settle()
    return canvas


def _by_day(usual: Level, swing: float, hour: float, days: float) -> Level:
    """Traffic and CPU so many days ago, where they swing over the day."""
    factor = (1 + swing * math.cos(hour - 2 * math.pi * days)) / (1 + swing * math.cos(hour))
    return replace(usual, per_minute=usual.per_minute * factor, cpu=min(0.75, usual.cpu * factor))


def show(canvas: Canvas, service: str, end: datetime | None = None) -> Line:
    """The window in the public format, without its past."""
    end = end or FIRST_END + timedelta(minutes=canvas.draw.randrange(60 * 24 * 28))
    line: Line = {
        "service": service, "end": end.isoformat(), "step_seconds": canvas.step, "replicas": canvas.replicas,
        "cpu": _samples(canvas, [one.cpu for one in canvas.now], canvas.wobble[0], 1.02, canvas.plan[0]),
        "cpu_limit": canvas.plan[0],
        "memory": _samples(canvas, [one.memory for one in canvas.now], canvas.wobble[1], 1.0, canvas.plan[1]),
        "memory_limit": canvas.plan[1],
        "http": None if canvas.worker else _traffic(canvas),
        "events": [
            {"kind": kind, "at": (end - timedelta(minutes=canvas.minutes - at)).isoformat()}
            for kind, at in sorted(canvas.events, key=lambda event: event[1])
        ],
    }  # fmt: skip
    if all(one.disk is not None for one in canvas.now):
        shares = [one.disk or 0.0 for one in canvas.now]
        line["disk"] = [
            round(share * canvas.disk_limit, 5) for share in shares for _ in range(_per_minute(canvas))
        ]
        line["disk_limit"] = canvas.disk_limit
    return line


def _per_minute(canvas: Canvas) -> int:
    return max(1, 60 // canvas.step)


def _samples(
    canvas: Canvas, shares: list[float], noise: float, top: float, limit: float
) -> list[float | None]:
    """Summed over the replicas, as they arrive; a level above the top is kept, noise alone does not pass it."""
    values: list[float | None] = []
    for minute, share in enumerate(shares):
        for _ in range(_per_minute(canvas)):
            noisy = min(share * (1 + canvas.draw.gauss(0, noise)), max(top, share))
            seen = minute not in canvas.unseen
            values.append(round(max(0.0002, noisy) * limit * canvas.replicas, 5) if seen else None)
    return values


def _traffic(canvas: Canvas) -> Line:
    rows = [_minute(canvas, one, extra) for one, extra in zip(canvas.now, canvas.extra_refused, strict=True)]
    names = ("requests", "2xx", "4xx", "5xx", "p95")
    return {"step_seconds": 60, **{name: [row[i] for row in rows] for i, name in enumerate(names)}}


def _minute(canvas: Canvas, level: Level, extra: float) -> tuple[int, int, int, int, float | None]:
    """Requests, by status, and the 95th percentile in ms."""
    draw = canvas.draw
    usual, scans = arrivals(draw, level.per_minute), arrivals(draw, extra)
    failed = hits(draw, usual, level.failing)
    refused = hits(draw, usual - failed, level.refused) + scans
    total = usual + scans
    p95 = slowest(draw, total, level.latency, canvas.spread)
    if p95 is not None and hits(draw, total, level.slow) > 0.05 * total:
        p95 = canvas.slow_ms * draw.uniform(0.97, 1.03)
    return total, total - failed - refused, refused, failed, None if p95 is None else round(p95, 1)
