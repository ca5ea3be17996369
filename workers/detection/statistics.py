"""The few statistics the rules need: runs that hold, a robust slope, a rank correlation, a lower bound of a share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from workers.models import Point

GAP_STEPS = 2.5
"""Two samples further apart than this many steps have a gap between them: it is not known what happened there."""
FEWEST_SAMPLES = 2
"""A single sample is never a run, however long its step."""
MOST_FITTED = 240
"""A longer series is thinned before the slope of every pair is taken (quadratic)."""
Z95 = 1.96


@dataclass(frozen=True)
class Run:
    """A stretch in which a condition held: first and last sample's index, epoch seconds, and how long, in seconds."""

    first: int
    last: int
    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


def clean(points: Sequence[Point]) -> list[Point]:
    """The samples in order of time, one per instant, without values that are no numbers."""
    return sorted({at: value for at, value in points if math.isfinite(value)}.items())


def step_of(times: Sequence[float], default: float) -> float:
    """Seconds between samples as they really came; `default` when there are too few to tell."""
    gaps = [later - earlier for earlier, later in pairwise(times) if later > earlier]
    return median(gaps) if gaps else default


def runs(times: Sequence[float], holds: Sequence[bool], step: float) -> list[Run]:
    """Stretches of at least two holding samples, oldest first.

    One failing sample between two pairs of holding ones is bridged; a gap in the data ends a run. Each sample stands
    for one step, so four samples of a minute are four minutes.
    """
    bridged = [
        held or (2 <= i < len(holds) - 2 and all((holds[i - 2], holds[i - 1], holds[i + 1], holds[i + 2])))
        for i, held in enumerate(holds)
    ]
    found: list[Run] = []
    first: int | None = None
    for i in range(len(bridged) + 1):
        ended = i == len(bridged) or not bridged[i] or (i > 0 and times[i] - times[i - 1] > GAP_STEPS * step)
        if ended and first is not None:
            if i - first >= FEWEST_SAMPLES:
                found.append(Run(first, i - 1, times[first], times[i - 1] + step))
            first = None
        if i < len(bridged) and bridged[i] and first is None:
            first = i
    return found


def mostly(times: Sequence[float], holds: Sequence[bool], step: float, share: float) -> Run | None:
    """The longest-reaching stretch in which at least `share` of the samples hold (largest sum of a run, Kadane)."""
    best, best_sum, first, running = (0, -1), 0.0, 0, 0.0
    for i, held in enumerate(holds):
        if running <= 0:
            first, running = i, 0.0
        running += (1.0 if held else 0.0) - share
        if held and running > best_sum:
            best, best_sum = (first, i), running
    return Run(best[0], best[1], times[best[0]], times[best[1]] + step) if best[1] >= best[0] else None


def theil_sen(points: Sequence[Point]) -> float:
    """Median slope over all pairs, per second; 0.0 for fewer than two samples. Outliers do not move it."""
    thin = points[:: math.ceil(len(points) / MOST_FITTED)] if points else points
    slopes = [(b - a) / (t - s) for i, (s, a) in enumerate(thin) for t, b in thin[i + 1 :] if t > s]
    return median(slopes) if slopes else 0.0


def kendall_tau(values: Sequence[float]) -> float:
    """How steadily the values rise: 1 always, 0 no order, -1 always fall (tau-a over time)."""
    pairs = [(a, b) for i, a in enumerate(values) for b in values[i + 1 :]]
    return sum((b > a) - (b < a) for a, b in pairs) / len(pairs) if pairs else 0.0


def floors(points: Sequence[Point], parts: int) -> list[Point]:
    """The lowest sample of each of `parts` equal stretches of time: what a collector leaves behind."""
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
    """The value below which `part` (0.0 to 1.0) of the values lie, between neighbours by proportion; 0.0 of none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    place = part * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def wilson_low(hits: int, total: int) -> float:
    """Lower end of the 95 % Wilson score interval of a share, 0.0 to 1.0."""
    if total <= 0:
        return 0.0
    share = min(1.0, hits / total)
    centre = share + Z95**2 / (2 * total)
    spread = Z95 * math.sqrt(share * (1 - share) / total + Z95**2 / (4 * total**2))
    return max(0.0, (centre - spread) / (1 + Z95**2 / total))
