"""Statistics for the detection rules: intervals, robust slopes, rank correlation, and a lower bound for a share.

The module uses the standard library only. At 30 to 120 samples per series a numeric library would cost seconds of
import time and about 100 MB of memory per worker and would not be faster.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from workers.models import Point

# In sample steps: two samples further apart have a gap between them, and a gap ends an interval.
GAP_STEPS = 2.5
MIN_SAMPLES = 2  # samples per interval: a single sample is never an interval, however long its step
MAX_FITTED_SAMPLES = 240  # samples: a longer series is thinned, because theil_sen compares every pair
Z95 = 1.96  # standard normal quantile of a two-sided 95 % interval


@dataclass(frozen=True)
class Interval:
    """A period during which a condition held.

    `first` and `last` are the indices of its first and last sample; `start` and `end` are epoch seconds.
    """

    first: int
    last: int
    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


def clean(points: Sequence[Point]) -> list[Point]:
    """The finite samples in order of time, one per instant."""
    return sorted({at: value for at, value in points if math.isfinite(value)}.items())


def step_of(times: Sequence[float], default: float) -> float:
    """Median distance between samples, in seconds; `default` if there are fewer than two samples."""
    gaps = [later - earlier for earlier, later in pairwise(times) if later > earlier]
    return median(gaps) if gaps else default


def intervals(times: Sequence[float], flags: Sequence[bool], step: float) -> list[Interval]:
    """The intervals of at least `MIN_SAMPLES` consecutive flagged samples, oldest first.

    Args:
        times: Epoch seconds of the samples, ascending.
        flags: Whether the condition holds at each sample.
        step: Seconds per sample. Each sample counts for one step, so four samples of a minute last four minutes.
    """
    # One unflagged sample between two flagged pairs is noise, not the end of a condition.
    bridged = [
        flag or (2 <= i < len(flags) - 2 and all((flags[i - 2], flags[i - 1], flags[i + 1], flags[i + 2])))
        for i, flag in enumerate(flags)
    ]
    result: list[Interval] = []
    first: int | None = None
    for i in range(len(bridged) + 1):
        ended = i == len(bridged) or not bridged[i] or (i > 0 and times[i] - times[i - 1] > GAP_STEPS * step)
        if ended and first is not None:
            if i - first >= MIN_SAMPLES:
                result.append(Interval(first, i - 1, times[first], times[i - 1] + step))
            first = None
        if i < len(bridged) and bridged[i] and first is None:
            first = i
    return result


def densest_interval(
    times: Sequence[float], flags: Sequence[bool], step: float, share: float
) -> Interval | None:
    """The interval in which the flagged samples exceed `share` by most, or None if no sample is flagged.

    It is the maximum-sum subarray (Kadane's algorithm) of +(1 - share) per flagged and -share per other sample.
    """
    best, best_sum, first, running = (0, -1), 0.0, 0, 0.0
    for i, flag in enumerate(flags):
        if running <= 0:
            first, running = i, 0.0
        running += (1.0 if flag else 0.0) - share
        if flag and running > best_sum:
            best, best_sum = (first, i), running
    return Interval(best[0], best[1], times[best[0]], times[best[1]] + step) if best[1] >= best[0] else None


def theil_sen(points: Sequence[Point]) -> float:
    """Median slope over all pairs, per second; 0.0 for fewer than two samples.

    Unlike least squares, the estimate tolerates outliers in up to 29 % of the samples (Sen 1968).
    """
    thinned = points[:: math.ceil(len(points) / MAX_FITTED_SAMPLES)] if points else points
    slopes = [(b - a) / (t - s) for i, (s, a) in enumerate(thinned) for t, b in thinned[i + 1 :] if t > s]
    return median(slopes) if slopes else 0.0


def kendall_tau(values: Sequence[float]) -> float:
    """Kendall's tau-a of the values over time: 1 if they always rise, 0 without order, -1 if they always fall."""
    pairs = [(a, b) for i, a in enumerate(values) for b in values[i + 1 :]]
    return sum((b > a) - (b < a) for a, b in pairs) / len(pairs) if pairs else 0.0


def floors(points: Sequence[Point], parts: int) -> list[Point]:
    """The lowest sample of each of `parts` equal periods: the level that garbage collection returns to."""
    if not points:
        return []
    start, width = points[0][0], max(1e-9, (points[-1][0] - points[0][0] + 1e-6) / parts)
    lowest: dict[int, Point] = {}
    for at, value in points:
        part = int((at - start) / width)
        if part not in lowest or value < lowest[part][1]:
            lowest[part] = (at, value)
    return [lowest[part] for part in sorted(lowest)]


def quantile(values: Sequence[float], part: float) -> float:
    """The `part` quantile (0.0 to 1.0) with linear interpolation; 0.0 for an empty sequence."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    place = part * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def wilson_low(hits: int, total: int) -> float:
    """Lower end of the 95 % Wilson score interval of `hits / total`, 0.0 to 1.0; 0.0 if `total` is 0."""
    if total <= 0:
        return 0.0
    share = min(1.0, hits / total)
    centre = share + Z95**2 / (2 * total)
    spread = Z95 * math.sqrt(share * (1 - share) / total + Z95**2 / (4 * total**2))
    return max(0.0, (centre - spread) / (1 + Z95**2 / total))
