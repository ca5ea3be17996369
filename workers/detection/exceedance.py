"""Intervals in which a resource of a replica was at or above a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import Interval, densest_interval, intervals, step_of
from workers.models import Point

# A noisy level that keeps dipping below the threshold is accepted if at least this share of its samples is above it
# for NOISY_DURATION.
NOISY_SHARE = 0.66
NOISY_DURATION = 2.5  # in minimum durations: 10 min at 4 min
MIN_NOISY_SAMPLES = 5  # samples above the threshold: fewer show no level


@dataclass(frozen=True)
class Exceedance:
    """An interval in which one replica was at or above a threshold.

    `points` is the whole series of the replica; `is_last` is true if the exceedance lasts until the window ends.
    """

    interval: Interval
    points: Sequence[Point]
    is_last: bool

    @property
    def values(self) -> list[float]:
        return [value for _, value in self.points[self.interval.first : self.interval.last + 1]]


def exceedances(
    window: ServiceWindow, series: Sequence[Sequence[Point]], threshold: float, min_seconds: float
) -> list[Exceedance]:
    """At most one exceedance of at least `min_seconds` per replica: the ongoing one, otherwise the longest.

    Args:
        series: The samples of each replica, in order of time.

    Returns:
        The exceedances, ongoing ones first, then by length.
    """
    result = []
    for points in series:
        if not points or max(value for _, value in points) < threshold:
            continue
        times = [float(at) for at, _ in points]
        step = step_of(times, window.survey.step_seconds)
        above = [value >= threshold for _, value in points]
        candidates = [
            Exceedance(interval, points, _is_last(window, interval, points, step))
            for interval in _long_intervals(
                times, above, step, min_seconds, NOISY_DURATION * window.min_duration
            )
        ]
        if candidates:
            result.append(max(candidates, key=lambda each: (each.is_last, each.interval.seconds)))
    return sorted(result, key=lambda each: (not each.is_last, -each.interval.seconds))


def measurements(
    window: ServiceWindow, above: Sequence[Exceedance], limit: float, unit: str
) -> dict[str, float]:
    """The numbers of a finding about a resource near its limit; the first exceedance is the measured one.

    Args:
        above: the exceedances of all replicas, at least one.
        limit: the limit of one replica.
        unit: ends the names of the absolute numbers: `vcpu`, `gb`.
    """
    worst = above[0]
    values = worst.values
    return {
        "mean_percent": round(100 * sum(values) / len(values) / limit, 1),
        "peak_percent": round(100 * max(values) / limit, 1),
        "minutes": round(worst.interval.seconds / 60, 2),
        "replicas": float(len(above)),
        "replicas_measured": float(len(window.service.usage)),
        f"limit_{unit}": limit,
        f"peak_{unit}": round(max(values), 4),
    }


def _long_intervals(
    times: Sequence[float], above: Sequence[bool], step: float, min_seconds: float, noisy_seconds: float
) -> list[Interval]:
    """The unbroken intervals, or the densest one if it is long enough to be trusted in spite of its gaps."""
    unbroken = [interval for interval in intervals(times, above, step) if interval.seconds >= min_seconds]
    longest = max((interval.seconds for interval in unbroken), default=0.0)
    needed = max(MIN_NOISY_SAMPLES, NOISY_SHARE * noisy_seconds / step)
    if longest >= noisy_seconds or sum(above) < needed:
        return unbroken
    noisy = densest_interval(times, above, step, NOISY_SHARE)
    return [noisy] if noisy and noisy.seconds >= max(min_seconds, noisy_seconds) else unbroken


def _is_last(window: ServiceWindow, interval: Interval, points: Sequence[Point], step: float) -> bool:
    """Whether the interval lasts until the window ends: at most one sample follows, and the samples are recent."""
    is_recent = window.end - interval.end <= max(3 * step, 0.1 * window.survey.window.seconds)
    return interval.last >= len(points) - 2 and is_recent
