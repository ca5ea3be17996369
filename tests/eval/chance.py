"""Seeded random counts and percentiles with the noise of a real service."""

from __future__ import annotations

import math
from random import Random

P95 = 1.645
"""The 95 % quantile of the standard normal distribution."""
P95_SPREAD = 2.11
"""Standard error of a 95th percentile, in standard deviations divided by the root of the count."""
MAX_EXACT = 25


def log_uniform(random: Random, low: float, high: float) -> float:
    """A number between `low` and `high`, uniform on a logarithmic scale."""
    return math.exp(random.uniform(math.log(low), math.log(high)))


def poisson(random: Random, mean: float) -> int:
    """A Poisson count; its normal approximation above MAX_EXACT."""
    if mean <= 0:
        return 0
    if mean > MAX_EXACT:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    count, elapsed = 0, random.expovariate(mean)
    while elapsed < 1:
        count, elapsed = count + 1, elapsed + random.expovariate(mean)
    return count


def binomial(random: Random, count: int, share: float) -> int:
    """A binomial count, approximated above MAX_EXACT."""
    if share <= 0 or count <= 0:
        return 0
    if share > 0.5:
        return count - binomial(random, count, 1 - share)
    mean = count * share
    if mean > MAX_EXACT:
        return min(count, max(0, round(random.gauss(mean, math.sqrt(mean * (1 - share))))))
    if share < 0.1:
        return min(count, poisson(random, mean))
    return sum(random.random() < share for _ in range(count))


def p95_of(random: Random, count: int, median: float, spread: float) -> float | None:
    """The 95th percentile of `count` log-normal durations, in the unit of the median; None for none."""
    if count <= 0:
        return None
    if count > MAX_EXACT:
        return median * math.exp(spread * (P95 + random.gauss(0, P95_SPREAD / math.sqrt(count))))
    durations = sorted(median * math.exp(random.gauss(0, spread)) for _ in range(count))
    return durations[math.ceil(0.95 * count) - 1]
