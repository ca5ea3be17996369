"""Prints the story of the demo, and measures what its visitors experience."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tests.demo.services import Fault
from tests.support.fakes.railway import Request

T = TypeVar("T")

SLOW_MS = 1000.0  # p95 above which a service counts as slow, as in the product's own rules
FAILING_SHARE = 0.05  # share of 5xx answers above which a service counts as failing
HEALTHY_SHARE = 0.005  # share of 5xx answers that a healthy service may have
POLL_SECONDS = 0.1
LINE_WIDTH = 100


@dataclass
class Story:
    """Prints events with the seconds since the start."""

    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def event(self, actor: str, text: str) -> None:
        """Print one event; further lines of the text are indented below the first."""
        first, *rest = text.splitlines() or [""]
        print(f"{self.seconds:6.1f} s  {actor:9} {first}", flush=True)
        for line in rest:
            print(f"{'':20}{line}", flush=True)

    def chapter(self, title: str) -> None:
        print(f"\n── {title} {'─' * max(0, LINE_WIDTH - len(title))}", flush=True)


def wait_for(condition: Callable[[], T | None], seconds: float) -> T | None:
    """The first truthy result of the condition; None after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result or time.monotonic() > deadline:
            return result or None
        time.sleep(POLL_SECONDS)


@dataclass(frozen=True)
class Measurement:
    """The requests of a period."""

    requests: int
    failed: float
    """Share that was answered with 5xx, 0 to 1."""
    p95_ms: float

    def __str__(self) -> str:
        return f"{self.requests} requests, {self.failed:.1%} failed (5xx), p95 latency {self.p95_ms:.0f} ms"


def measure(requests: Sequence[Request], since: float, until: float | None = None) -> Measurement:
    """The requests between two times, in seconds since the epoch, as the edge recorded them."""
    period = [
        request for request in requests if request.at >= since and (until is None or request.at < until)
    ]
    if not period:
        return Measurement(0, 0.0, 0.0)
    times = sorted(request.ms for request in period)
    failed = sum(request.status >= 500 for request in period)
    return Measurement(len(period), failed / len(period), times[min(len(times) - 1, int(len(times) * 0.95))])


def is_faulty(fault: Fault, measurement: Measurement) -> bool:
    """True if the fault shows in the measurement."""
    if fault.symptom == "5xx":
        return measurement.failed > FAILING_SHARE
    return measurement.p95_ms > SLOW_MS


def is_healthy(measurement: Measurement) -> bool:
    """True if there were requests, and nearly all were answered well and quickly."""
    return measurement.requests > 0 and measurement.failed <= HEALTHY_SHARE and measurement.p95_ms < SLOW_MS
