"""One service minute by minute, which a class changes before it is rendered in the public format."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from tests.eval.chance import binomial, log_uniform, p95_of, poisson
from tests.eval.detector import Line

PLANS = ((1, 0.5), (2, 1), (4, 4), (8, 8), (24, 24))
"""vCPU and GB of one replica, from the trial to the largest plan of Railway."""
FIRST_END = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Level:
    """The state of a service at one time: shares of a replica's limit or of the requests, durations in milliseconds."""

    cpu: float
    memory: float
    requests_per_minute: float
    """0 for a worker."""
    latency: float
    """Median latency in milliseconds."""
    failed_share: float = 0.0
    rejected_share: float = 0.0
    disk: float | None = None
    cpu_high_minutes: float = 0.0
    restarted: bool = False
    slow_share: float = 0.0
    """Share of the requests that take `slow_ms`."""


@dataclass
class Canvas:
    """A window under construction. Lists have one entry per minute.

    `earlier` returns the level a number of windows ago; 1 is the last window.
    """

    random: Random
    minutes: int
    baseline: Level
    spread: float
    plan: tuple[float, float]
    step: int = 60
    replicas: int = 1
    is_worker: bool = False
    disk_limit: float = 5.0
    slow_ms: float = 10_000.0
    history_windows: int = 48
    has_whole_windows: bool = False
    missing_share: float = 0.0
    """The share of the numbers in the history that are unknown."""
    noise: tuple[float, float] = (0.1, 0.005)
    """Relative noise of CPU and memory."""
    levels: list[Level] = field(default_factory=list)
    extra_rejected: list[float] = field(default_factory=list)
    """Requests per minute on top of the level, all rejected with 4xx."""
    missing_minutes: set[int] = field(default_factory=set)
    """Minutes without samples."""
    events: list[tuple[str, float]] = field(default_factory=list)
    """Kind and minute of each event."""
    earlier: Callable[[int, Level], Level] = field(default=lambda _, level: level)
    onset: int | None = None
    """The minute in which the failure begins; None if it begins before the window."""

    def reset(self, baseline: Level | None = None) -> None:
        """Set every minute to the baseline level."""
        self.baseline = baseline or self.baseline
        self.levels = [self.baseline] * self.minutes
        self.extra_rejected = [0.0] * self.minutes

    def change(self, first: int, last: int, change: Callable[[int, Level], Level]) -> None:
        """Change the minutes from `first` to before `last`, as far as they lie in the window."""
        for minute in range(max(0, first), min(self.minutes, last)):
            self.levels[minute] = change(minute, self.levels[minute])

    def set_levels(self, first: int, last: int, **values: float) -> None:
        """Set fields of the level in the minutes from `first` to before `last`."""
        self.change(first, last, lambda _, level: replace(level, **values))  # type: ignore[arg-type]

    def start_failure(self, earliest: float, latest: float) -> int:
        """Draw and record an onset between these shares of the window."""
        self.onset = self.random.randint(round(earliest * self.minutes), round(latest * self.minutes))
        return self.onset

    def add_event(self, kind: str, minute: float) -> None:
        self.events.append((kind, max(0.0, min(minute, self.minutes - 0.01))))


def healthy_canvas(random: Random, minutes: int = 30) -> Canvas:
    """A web service with some traffic and one replica, far from its limits."""
    plan = random.choice(PLANS)
    roomy = plan[0] >= 8
    level = Level(
        cpu=random.uniform(0.01, 0.12) if roomy else random.uniform(0.05, 0.35),
        memory=random.uniform(0.15, 0.6),
        requests_per_minute=log_uniform(random, 15, 1500),
        latency=log_uniform(random, 12, 200),
        failed_share=random.choice((0.0, 0.0, 0.0005, 0.001)),
        rejected_share=random.uniform(0, 0.04),
        disk=random.uniform(0.1, 0.7) if random.random() < 0.2 else None,
    )
    canvas = Canvas(
        random, minutes, level, spread=random.uniform(0.35, 0.85), plan=plan,
        disk_limit=random.choice((0.5, 5.0, 50.0)), history_windows=random.choice((48, 48, 24, 12)),
        noise=(random.uniform(0.05, 0.2), random.uniform(0.002, 0.012)),
    )  # fmt: skip
    canvas.has_whole_windows = random.random() < 0.04
    swing, hour = random.uniform(0, 0.3), random.uniform(0, 2 * math.pi)
    canvas.earlier = lambda age, baseline: _daily_level(baseline, swing, hour, age * minutes / 1440)
    canvas.reset()
    return canvas


def _daily_level(baseline: Level, swing: float, hour: float, days: float) -> Level:
    """The level a number of days ago, with a daily swing of traffic and CPU."""
    factor = (1 + swing * math.cos(hour - 2 * math.pi * days)) / (1 + swing * math.cos(hour))
    return replace(
        baseline,
        requests_per_minute=baseline.requests_per_minute * factor,
        cpu=min(0.75, baseline.cpu * factor),
    )


def to_line(canvas: Canvas, service: str, end: datetime | None = None) -> Line:
    """The window in the public format, without its history."""
    end = end or FIRST_END + timedelta(minutes=canvas.random.randrange(60 * 24 * 28))
    line: Line = {
        "service": service, "end": end.isoformat(), "step_seconds": canvas.step, "replicas": canvas.replicas,
        "cpu": _samples(canvas, [level.cpu for level in canvas.levels], canvas.noise[0], 1.02, canvas.plan[0]),
        "cpu_limit": canvas.plan[0],
        "memory": _samples(canvas, [level.memory for level in canvas.levels], canvas.noise[1], 1.0, canvas.plan[1]),
        "memory_limit": canvas.plan[1],
        "http": None if canvas.is_worker else _traffic(canvas),
        "events": [
            {"kind": kind, "at": (end - timedelta(minutes=canvas.minutes - at)).isoformat()}
            for kind, at in sorted(canvas.events, key=lambda event: event[1])
        ],
    }  # fmt: skip
    if all(level.disk is not None for level in canvas.levels):
        shares = [level.disk or 0.0 for level in canvas.levels]
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
    """Noisy samples, summed over the replicas. Noise alone does not exceed `top`; a higher level does."""
    values: list[float | None] = []
    for minute, share in enumerate(shares):
        for _ in range(_per_minute(canvas)):
            noisy = min(share * (1 + canvas.random.gauss(0, noise)), max(top, share))
            is_recorded = minute not in canvas.missing_minutes
            values.append(round(max(0.0002, noisy) * limit * canvas.replicas, 5) if is_recorded else None)
    return values


def _traffic(canvas: Canvas) -> Line:
    rows = [
        _minute(canvas, level, extra)
        for level, extra in zip(canvas.levels, canvas.extra_rejected, strict=True)
    ]
    names = ("requests", "2xx", "4xx", "5xx", "p95")
    return {"step_seconds": 60, **{name: [row[i] for row in rows] for i, name in enumerate(names)}}


def _minute(canvas: Canvas, level: Level, extra: float) -> tuple[int, int, int, int, float | None]:
    """Requests in total, successes, 4xx, 5xx, and the p95 in milliseconds."""
    random = canvas.random
    ordinary, scans = poisson(random, level.requests_per_minute), poisson(random, extra)
    failed = binomial(random, ordinary, level.failed_share)
    refused = binomial(random, ordinary - failed, level.rejected_share) + scans
    total = ordinary + scans
    p95 = p95_of(random, total, level.latency, canvas.spread)
    if p95 is not None and binomial(random, total, level.slow_share) > 0.05 * total:
        p95 = canvas.slow_ms * random.uniform(0.97, 1.03)
    return total, total - failed - refused, refused, failed, None if p95 is None else round(p95, 1)
