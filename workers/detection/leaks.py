"""Slow memory leaks: the lowest memory of each window rises over hours or days."""

from __future__ import annotations

from collections.abc import Sequence

from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import kendall_tau, quantile, theil_sen
from workers.models import Finding, Point, Severity

MAX_SECONDS_TO_LIMIT = 48 * 3600.0  # growth is extrapolated no further ahead than this
MIN_WINDOWS = 8  # windows: fewer may be a warm-up
MIN_SECONDS = 3 * 3600.0  # time that the windows must cover, for the same reason
MIN_RISE = 0.08  # share of the limit, over the covered time
# Share of MIN_RISE by which the median of the last third must exceed that of the first third.
MIN_MEDIAN_RISE = 0.6
RISING_TAU = 0.75  # Kendall's tau of the lowest memory over time
RESTART_FALL = 0.8  # lowest memory relative to the window before: below this, the process restarted
# Share of the present memory: this much at this hour of earlier days is the daily course.
SAME_HOUR_LEVEL = 0.97
TRAFFIC_TAU = 0.5  # Kendall's tau of the requests from which memory may follow them
TRAFFIC_RISE = 1.3  # highest requests of a window, relative to the lowest: less is no rise
KNOWN_DAY_SECONDS = 20 * 3600.0  # a history of this length shows the memory at the busy hour of a day
BELIEVED_FACTOR = (
    2.0  # multiple of the time that was seen, up to which growth is believed before a day is known
)
HALF_DAY_SECONDS = 11 * 3600.0  # growth over this time shows whether its slope changes
EVEN_FACTOR = 1.5  # slope of the steepest third, relative to the flattest one, up to which growth is even
MIN_LATE_SLOPE = 0.5  # slope of the later half, relative to the whole: less is slowing down


def detect_leak(window: ServiceWindow, limit: float) -> Finding | None:
    """A slow leak since the last restart of the process."""
    if window.restarts or window.rollouts or not window.baseline.is_known:
        return None
    lows = _lows(window)
    same_hour = window.baseline.same_hour("memory_mean")
    if not lows or (same_hour and quantile(same_hour, 0.5) >= SAME_HOUR_LEVEL * lows[-1][1]):
        return None  # memory is at this level at this hour of every day
    # A leak may have begun in the middle of the history, so its later parts are examined too.
    for first in (0, len(lows) // 2, 3 * len(lows) // 4):
        slope = _leak_slope(lows[first:], limit)
        if slope is None:
            continue
        seconds = max(0.0, limit - lows[-1][1]) / slope
        if seconds <= MAX_SECONDS_TO_LIMIT and not _follows_traffic(window, lows[first:]):
            return _finding(window, limit, lows[first:], slope, seconds)
    return None


def _leak_slope(lows: Sequence[Point], limit: float) -> float | None:
    """The slope in GB per second if the levels rise steadily and far enough; otherwise None."""
    if len(lows) <= MIN_WINDOWS:
        return None
    covered = lows[-1][0] - lows[0][0]
    values = [value for _, value in lows]
    third = max(2, len(values) // 3)
    rise = quantile(values[-third:], 0.5) - quantile(values[:third], 0.5)
    if covered < MIN_SECONDS or rise < MIN_MEDIAN_RISE * MIN_RISE * limit:
        return None
    slope = theil_sen(lows)
    if slope * covered < MIN_RISE * limit or kendall_tau(values) < RISING_TAU:
        return None
    return slope if theil_sen(lows[len(lows) // 2 :]) >= MIN_LATE_SLOPE * slope else None


def _lows(window: ServiceWindow) -> list[Point]:
    """The lowest memory of each window since the process started, this window last."""
    lows: list[Point] = []
    for age, summary in zip(window.baseline.ages, window.baseline.windows, strict=True):
        low = summary.memory_low if summary.memory_low is not None else summary.memory_mean
        if low is None:
            continue
        if summary.restarted or (lows and low < RESTART_FALL * lows[-1][1]):
            lows = []
        lows.append((int(window.start - age.end), low))
    values = [value for points in window.memory for _, value in points]
    if not values or (lows and min(values) < RESTART_FALL * lows[-1][1]):
        return []
    return [*lows, (int(window.end), min(values))]


def _follows_traffic(window: ServiceWindow, lows: Sequence[Point]) -> bool:
    """Whether the requests rose along with memory and explain it, so that memory will fall with them again.

    They explain it if as many requests once needed as much memory. While less than a day of history is known, they
    explain it if memory grew no faster than they did.
    """
    count, memory = len(lows) - 1, lows[-1][1]
    summaries = window.baseline.windows
    requests = [summary.requests for summary in summaries[-count:] if summary.requests is not None]
    if len(requests) < count:
        return False
    if max(requests, default=0.0) < TRAFFIC_RISE * max(1.0, min(requests, default=0.0)):
        return False
    if kendall_tau(requests) < TRAFFIC_TAU:
        return False
    if any(
        (summary.memory_mean or 0.0) >= 0.9 * memory and (summary.requests or 0.0) >= 0.5 * requests[-1]
        for summary in summaries[:-count]
    ):
        return True
    if max((age.end for age in window.baseline.ages), default=0.0) >= KNOWN_DAY_SECONDS:
        return False
    return memory / max(lows[0][1], 1e-9) <= requests[-1] / max(requests[0], 1.0)


def _is_believed(window: ServiceWindow, lows: Sequence[Point], seconds: float) -> bool:
    """Whether the growth is no daily course of the memory, which a history of less than a day may hide.

    It is believed for twice the time that it was seen, where requests are known that do not follow the same course, or
    where it was even for half a day: the slope of a wave changes.
    """
    covered = lows[-1][0] - lows[0][0]
    is_day_known = max((age.begin for age in window.baseline.ages), default=0.0) >= KNOWN_DAY_SECONDS
    if is_day_known or seconds <= BELIEVED_FACTOR * covered:
        return True
    recent = window.baseline.windows[1 - len(lows) :]
    if all(summary.requests for summary in recent):
        return True
    third = len(lows) // 3
    slopes = [theil_sen(part) for part in (lows[:third], lows[third:-third], lows[-third:])]
    return covered >= HALF_DAY_SECONDS and max(slopes) <= EVEN_FACTOR * min(slopes)


def _finding(
    window: ServiceWindow, limit: float, lows: Sequence[Point], slope: float, seconds: float
) -> Finding:
    covered, memory = lows[-1][0] - lows[0][0], lows[-1][1]
    severity = Severity.WARNING if _is_believed(window, lows, seconds) else Severity.NOTICE
    numbers = {
        "grown_gb": round(slope * covered, 4), "now_percent": round(100 * memory / limit, 1), "limit_gb": limit,
        "gb_per_hour": round(slope * 3600, 5), "minutes_to_limit": round(seconds / 60, 1),
        "hours_seen": round(covered / 3600, 2), "windows": float(len(lows)),
    }  # fmt: skip
    return window.make_finding(
        "memory_growth", severity, lows[0][0],
        numbers=numbers, confidence=0.7, seconds_to_limit=seconds,
    )  # fmt: skip
