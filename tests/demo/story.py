"""The story as it unfolds: what is said to the person who watches, and the numbers behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tests.demo.services import Sickness
from tests.support.fakes.railway import Request

T = TypeVar("T")

SLOW_MS = 1000.0
"""Above this p95 a service counts as slow, as in the product's own rules."""
FAILING_SHARE = 0.05
CLEAN_SHARE = 0.005


@dataclass
class Story:
    """Prints lines with the seconds since the beginning."""

    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def say(self, who: str, text: str) -> None:
        """One event; further lines of the text stand indented below the first."""
        first, *rest = text.splitlines() or [""]
        print(f"{self.seconds:6.1f} s  {who:9} {first}", flush=True)
        for line in rest:
            print(f"{'':20}{line}", flush=True)

    def head(self, text: str) -> None:
        print(f"\n── {text} {'─' * max(0, 100 - len(text))}", flush=True)


def await_(condition: Callable[[], T | None], seconds: float) -> T | None:
    """The first truthy answer; None when there was none in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer or time.monotonic() > deadline:
            return answer or None
        time.sleep(0.1)


@dataclass(frozen=True)
class Measure:
    """Requests of a stretch of time: how many, share of 5xx (0 … 1), 95th percentile in milliseconds."""

    requests: int
    failed: float
    p95_ms: float

    def __str__(self) -> str:
        return f"{self.requests} requests, {self.failed:.1%} answered 5xx, p95 {self.p95_ms:.0f} ms"


def measure(requests: Sequence[Request], since: float, until: float | None = None) -> Measure:
    """What callers met between two moments (epoch seconds), as the edge noted it."""
    met = [one for one in requests if one.at >= since and (until is None or one.at < until)]
    if not met:
        return Measure(0, 0.0, 0.0)
    times = sorted(one.ms for one in met)
    failed = sum(one.status >= 500 for one in met)
    return Measure(len(met), failed / len(met), times[min(len(times) - 1, int(len(times) * 0.95))])


def is_sick(sickness: Sickness, seen: Measure) -> bool:
    return seen.failed > FAILING_SHARE if sickness.symptom == "5xx" else seen.p95_ms > SLOW_MS


def is_well(seen: Measure) -> bool:
    return seen.requests > 0 and seen.failed <= CLEAN_SHARE and seen.p95_ms < SLOW_MS
