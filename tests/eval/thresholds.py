"""Fixed thresholds on averages and maxima of the window: the reference for every score.

CPU and memory: mean and maximum against 70 and 90 % of the limit. 5xx: 1 and 5 % of the requests. 4xx: 10 and 25 %.
p95: 1000 and 3000 ms. They use no history and no minimum number of samples, and ignore restarts and volumes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.eval.detector import Line

LIMIT_SHARES = (0.70, 0.90)
FAILED_SHARES = (0.01, 0.05)
REJECTED_SHARES = (0.10, 0.25)
LATENCY_MS = (1000.0, 3000.0)
NAMES = ("warning", "critical")


def flags(line: Line, *, critical_only: bool = False) -> bool:
    """Whether the window reaches a fixed threshold."""
    reached = set(_reached(line))
    return "critical" in reached if critical_only else bool(reached)


def _reached(line: Line) -> Iterator[str]:
    for name in ("cpu", "memory"):
        samples = [value for value in line.get(name) or [] if value is not None]
        limit = (line.get(f"{name}_limit") or 0.0) * (line.get("replicas") or 1)
        if samples and limit:
            yield from _grade(sum(samples) / len(samples) / limit, LIMIT_SHARES)
            yield from _grade(max(samples) / limit, LIMIT_SHARES)
    http = line.get("http")
    total = sum(http["requests"]) if http else 0
    if http and total:
        yield from _grade(sum(http["5xx"]) / total, FAILED_SHARES)
        yield from _grade(sum(http["4xx"]) / total, REJECTED_SHARES)
        yield from _grade(_slowest(http["p95"], http["requests"]), LATENCY_MS)


def _grade(value: float, limits: tuple[float, float]) -> Iterator[str]:
    yield from (name for name, limit in zip(NAMES, limits, strict=True) if value >= limit)


def _slowest(p95: Sequence[float | None], requests: Sequence[int]) -> float:
    """The p95 of the window, estimated from the p95 of its steps weighted by their requests."""
    measured = sorted((value, count) for value, count in zip(p95, requests, strict=True) if value is not None)
    remaining = 0.95 * sum(count for _, count in measured)
    for value, count in measured:
        remaining -= count
        if remaining <= 0:
            return value
    return 0.0
