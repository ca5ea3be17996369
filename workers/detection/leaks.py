"""Slow leaks: what memory is left with at the lowest moment of each window rises for hours or days."""

from __future__ import annotations

from collections.abc import Sequence

from workers.detection.sentences import clock, moment, span
from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import kendall_tau, quantile, theil_sen
from workers.models import Finding, Point, Severity

WITHIN_SECONDS = 48 * 3600.0
"""How far ahead growth over many windows is believed."""
FEWEST_WINDOWS, SHORTEST_SECONDS = 8, 3 * 3600.0
"""Of less it may be a warm-up."""
LEAST_RISE, RISING_TAU = 0.08, 0.75
"""Of the limit, over what was seen; and how steadily (Kendall)."""
CUT = 0.8
"""Lowest memory below this share of the window before: a new process, whoever began it."""
DAILY_LEVEL = 0.97
"""Of the memory now: so much at this hour of other days is the course of the day."""
FOLLOWS_TRAFFIC_TAU = 0.5
"""How steadily requests must rise along (Kendall)."""
KNOWN_DAY_SECONDS = 20 * 3600.0
"""So much of the past shows what memory does at the busy time of a day."""
STILL_RISING = 0.5
"""The later half must rise at least this much as fast as the whole."""


def judge_leak(case: ServiceWindow, limit: float) -> Finding | None:
    """A slow leak: what is left at the lowest moment of each window rises for hours, since the last restart."""
    if case.restarts or case.rollouts or not case.usual.known:
        return None
    lows = _lows(case)
    daily = case.usual.same_hour("memory_mean")
    if not lows or (daily and quantile(daily, 0.5) >= DAILY_LEVEL * lows[-1][1]):
        return None  # at this hour it is always there
    for begin in (0, len(lows) // 2, 3 * len(lows) // 4):
        slope = _leaking(lows[begin:], limit)
        if slope is None:
            continue
        ahead = max(0.0, limit - lows[-1][1]) / slope
        if ahead <= WITHIN_SECONDS and not _follows_traffic(case, lows[begin:]):
            return _say_leak(case, limit, lows[begin:], slope, ahead)
    return None


def _leaking(lows: Sequence[Point], limit: float) -> float | None:
    """GB a second where the levels rise steadily and far enough; they may have begun to only lately."""
    if len(lows) <= FEWEST_WINDOWS:
        return None
    seen = lows[-1][0] - lows[0][0]
    values = [value for _, value in lows]
    third = max(2, len(values) // 3)
    rise = quantile(values[-third:], 0.5) - quantile(values[:third], 0.5)
    if seen < SHORTEST_SECONDS or rise < 0.6 * LEAST_RISE * limit:
        return None
    slope = theil_sen(lows)
    if slope * seen < LEAST_RISE * limit or kendall_tau(values) < RISING_TAU:
        return None
    return slope if theil_sen(lows[len(lows) // 2 :]) >= STILL_RISING * slope else None


def _lows(case: ServiceWindow) -> list[Point]:
    """The lowest memory of each window since the process began, this one last; age in whole seconds as time."""
    found: list[Point] = []
    for age, one in zip(case.usual.ages, case.usual.windows, strict=True):
        low = one.memory_low if one.memory_low is not None else one.memory_mean
        if low is None:
            continue
        if one.restarted or (found and low < CUT * found[-1][1]):
            found = []
        found.append((int(case.start - age), low))
    points = [value for every in case.memory for _, value in every]
    if not points or (found and min(points) < CUT * found[-1][1]):
        return []
    return [*found, (int(case.end), min(points))]


def _follows_traffic(case: ServiceWindow, lows: Sequence[Point]) -> bool:
    """Whether requests rose along and explain it: then memory falls with them again.

    They do where so many once took as much memory; where less than a day is known, if memory grew no faster than they.
    """
    windows, now = len(lows) - 1, lows[-1][1]
    came = [one.requests for one in case.usual.windows[-windows:] if one.requests is not None]
    if len(came) < windows or max(came, default=0.0) < 1.3 * max(1.0, min(came, default=0.0)):
        return False
    if kendall_tau(came) < FOLLOWS_TRAFFIC_TAU:
        return False
    if any(
        (one.memory_mean or 0.0) >= 0.9 * now and (one.requests or 0.0) >= 0.5 * came[-1]
        for one in case.usual.windows[:-windows]
    ):
        return True
    known_day = max(case.usual.ages, default=0.0) >= KNOWN_DAY_SECONDS
    return not known_day and now / max(lows[0][1], 1e-9) <= came[-1] / max(came[0], 1.0)


def _say_leak(
    case: ServiceWindow, limit: float, lows: Sequence[Point], slope: float, ahead: float
) -> Finding:
    seen, now = lows[-1][0] - lows[0][0], lows[-1][1]
    onset = moment(lows[0][0])
    sentence = (
        f"{case.service.name}'s memory has grown by {slope * seen:.3g} GB to {100 * now / limit:.0f} % of its "
        f"{limit:g} GB within {span(seen)}, since {clock(onset, case.survey.window)} or earlier, and never falls "
        f"back; at this rate it is at the limit in {span(ahead)}"
    )
    numbers = {
        "grown_gb": round(slope * seen, 4), "now_percent": round(100 * now / limit, 1), "limit_gb": limit,
        "gb_per_hour": round(slope * 3600, 5), "minutes_to_limit": round(ahead / 60, 1),
        "hours_seen": round(seen / 3600, 2), "windows": float(len(lows)),
    }  # fmt: skip
    return case.found(
        "memory_growth", Severity.WARNING, onset, sentence,
        numbers=numbers, confidence=0.7, harm_in_seconds=round(ahead, 1),
    )  # fmt: skip
