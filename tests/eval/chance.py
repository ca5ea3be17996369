"""Seeded counts and percentiles as a real service shows them: few requests, much noise."""

from __future__ import annotations

import math
from random import Random

P95 = 1.645
"""Standard deviations of a normal distribution below which 95 % lie."""
P95_SPREAD = 2.11
"""The standard error of a 95th percentile, in standard deviations over the root of the count."""
EXACT = 25


def between(draw: Random, low: float, high: float) -> float:
    """A number of that order of magnitude: even on a logarithmic scale."""
    return math.exp(draw.uniform(math.log(low), math.log(high)))


def arrivals(draw: Random, mean: float) -> int:
    """How many came in a minute in which so many come on average."""
    if mean <= 0:
        return 0
    if mean > EXACT:
        return max(0, round(draw.gauss(mean, math.sqrt(mean))))
    count, waited = 0, draw.expovariate(mean)
    while waited < 1:
        count, waited = count + 1, waited + draw.expovariate(mean)
    return count


def hits(draw: Random, count: int, share: float) -> int:
    """How many of them it struck, each with that chance."""
    if share <= 0 or count <= 0:
        return 0
    if share > 0.5:
        return count - hits(draw, count, 1 - share)
    mean = count * share
    if mean > EXACT:
        return min(count, max(0, round(draw.gauss(mean, math.sqrt(mean * (1 - share))))))
    if share < 0.1:
        return min(count, arrivals(draw, mean))
    return sum(draw.random() < share for _ in range(count))


def slowest(draw: Random, count: int, typical: float, spread: float) -> float | None:
    """The 95th percentile of so many log-normal durations with that median, in its unit; None of none."""
    if count <= 0:
        return None
    if count > EXACT:
        return typical * math.exp(spread * (P95 + draw.gauss(0, P95_SPREAD / math.sqrt(count))))
    durations = sorted(typical * math.exp(draw.gauss(0, spread)) for _ in range(count))
    return durations[math.ceil(0.95 * count) - 1]
