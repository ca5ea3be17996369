"""Fixed limits on averages and maxima of the window: what everything is held against.

CPU and memory: mean and maximum against 70 and 90 % of the limit. 5xx: 1 and 5 % of the requests. 4xx: 10 and 25 %.
p95: 1000 and 3000 ms. No past, no fewest sample, nothing of restarts or volumes; what reaches a line is an alarm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.eval.detector import Line

OF_LIMIT = (0.70, 0.90)
FAILED = (0.01, 0.05)
REFUSED = (0.10, 0.25)
SLOW_MS = (1000.0, 3000.0)
NAMES = ("warning", "critical")


def flags(line: Line, *, critical_only: bool = False) -> bool:
    """Whether a fixed limit is reached in the window."""
    reached = set(_reached(line))
    return "critical" in reached if critical_only else bool(reached)


def _reached(line: Line) -> Iterator[str]:
    for name in ("cpu", "memory"):
        samples = [value for value in line.get(name) or [] if value is not None]
        limit = (line.get(f"{name}_limit") or 0.0) * (line.get("replicas") or 1)
        if samples and limit:
            yield from _grade(sum(samples) / len(samples) / limit, OF_LIMIT)
            yield from _grade(max(samples) / limit, OF_LIMIT)
    http = line.get("http")
    total = sum(http["requests"]) if http else 0
    if http and total:
        yield from _grade(sum(http["5xx"]) / total, FAILED)
        yield from _grade(sum(http["4xx"]) / total, REFUSED)
        yield from _grade(_slowest(http["p95"], http["requests"]), SLOW_MS)


def _grade(value: float, limits: tuple[float, float]) -> Iterator[str]:
    yield from (name for name, limit in zip(NAMES, limits, strict=True) if value >= limit)


def _slowest(p95: Sequence[float | None], requests: Sequence[int]) -> float:
    """The p95 of the window, of the steps' p95: a twentieth of the requests in slow steps makes it slow."""
    known = sorted((value, count) for value, count in zip(p95, requests, strict=True) if value is not None)
    left = 0.95 * sum(count for _, count in known)
    for value, count in known:
        left -= count
        if left <= 0:
            return value
    return 0.0
