"""Memory on its way to the limit: within the window, and over many of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from workers.analysis.case import Case
from workers.analysis.statistics import floors, kendall_tau, quantile, theil_sen
from workers.analysis.usual import FEWEST_WINDOWS
from workers.analysis.words import clock, moment, since, span
from workers.models import Finding, InstanceUsage, Point, Severity

LIMIT_WITHIN_SECONDS = 3 * 3600.0
LIMIT_WITHIN_WINDOWS = 6.0
"""Growth is believed this far ahead: 3 h, and in a short look no further than six times what was seen."""
FEWEST_FITTED = 8
SHORTEST_FIT_WINDOWS = 0.4
"""Younger containers are still warming up."""
WARM_UP = 5.0
"""Times the persist time: after a process begins its memory fills for so long, whoever wrote it."""
LEAST_RISE = 0.05
"""Of the limit, over what was seen: less is drift that sample noise can make."""
RISING_TAU = 0.7
STILL_RISING = 0.5
"""The later half must rise at least this much as fast as the earlier one; a cache that fills does not."""
ONE_STEP = 0.6
"""Of the rise within a sixth of the time: a step up, as after more load, is no growth."""
FLAT, FLAT_STEPS = 0.2, 1
"""So little of the mean rise in more than one part: a cache that grows in stairs."""
FALLEN_BACK = 0.5
"""A fall by this share of the whole rise without a restart: somebody collects."""
AT_LIMIT = 0.9
CUT_BY_RESTART = 0.7
"""Memory below this share of what it was just before a container start: it was this container."""
OVERLAP = 0.75
"""Times the persist time: beside a deployment old and new containers are counted together; a start belongs to it."""
BEEN_THERE = 1.03
"""Memory below this share of what is usual is only on its way back there."""

LATE, LATE_WITHIN = 2.0, 5.0
"""Times the persist time: how long it must rise, and how soon be at the limit."""
LATE_LEVEL, LATE_FLAT, LATE_RISE = 0.65, 0.03, 0.15
LEAK_WITHIN_SECONDS = 48 * 3600.0
LEAK_FEWEST_WINDOWS = 8
LEAK_SHORTEST_SECONDS = 3 * 3600.0
LEAK_LEAST_RISE = 0.08
LEAK_TAU = 0.75
LEAK_CUT = 0.8
"""Lowest memory below this share of the window before: a new process, whoever began it."""
DAILY_LEVEL = 0.97
FOLLOWS_TRAFFIC_TAU = 0.5
KNOWN_DAY_SECONDS = 20 * 3600.0
"""So much of the past shows what memory does at the busy time of a day."""


def judge_growth(case: Case) -> Finding | None:
    """Memory that grows towards its limit, within the window or over many, or that was cut off at it."""
    limit = case.service.memory_limit
    if not limit or limit <= 0:
        return None
    return _within_window(case, limit) or _over_windows(case, limit)


def restarted_at_limit(case: Case) -> Finding | None:
    """Containers that began anew just when their memory was at the limit."""
    limit = case.service.memory_limit
    if not limit or limit <= 0 or case.service.cron:
        return None
    hits: list[float] = []
    peak = 0.0
    for usage, points in zip(case.service.usage, case.memory, strict=True):
        for start in _starts_of(case, usage):
            fell = _fell_at(points, start)
            if fell and fell[0] >= AT_LIMIT * limit:
                hits.append(start)
                peak = max(peak, fell[0])
    if not hits:
        return None
    onset, last = moment(min(hits)), max(hits)
    ongoing = case.end - last <= 0.5 * case.survey.window.seconds
    sentence = (
        f"{case.service.name} reached {100 * peak / limit:.0f} % of its {limit:g} GB of memory and was started again "
        f"{len(hits)} time{'s' if len(hits) > 1 else ''} "
        f"{since(onset, case.survey.window, case.survey.step_seconds)}"
    )
    numbers = {"peak_percent": round(100 * peak / limit, 1), "restarts": float(len(hits)), "limit_gb": limit}
    severity = Severity.CRITICAL if ongoing and len(hits) > 1 else Severity.WARNING
    return case.found("memory", severity, onset, sentence, ongoing=ongoing, numbers=numbers)


def _starts_of(case: Case, usage: InstanceUsage) -> list[float]:
    same = [
        one.at.timestamp() for one in case.service.starts if usage.deployment_id in (None, one.deployment_id)
    ]
    told = [one.at.timestamp() for one in case.service.events if one.kind in ("started", "crashed", "oom")]
    return [
        at
        for at in sorted({*same, *told})
        if not any(abs(at - one) <= OVERLAP * case.persist for one in case.rollouts)
    ]


def _fell_at(points: Sequence[Point], start: float) -> tuple[float, float] | None:
    """Memory just before and after a container start, when this container is the one that was started."""
    before = [value for at, value in points if at < start]
    after = [value for at, value in points if at >= start]
    if not before or not after or min(after[:2]) >= CUT_BY_RESTART * max(before[-2:]):
        return None
    return max(before[-2:]), min(after[:2])


# ---- within the window -----------------------------------------------------------------------


def _within_window(case: Case, limit: float) -> Finding | None:
    fits = []
    for usage, every in zip(case.service.usage, case.memory, strict=True):
        points, age = _since_restart(case, usage, every)
        ahead = None
        if age >= WARM_UP * case.persist:
            ahead = _seconds_to_limit(case, points, limit)
            if ahead is None and (late := _late(case, points, limit)) is not None:
                ahead, points = late
        if ahead is not None:
            fits.append((ahead, points))
    if not fits:
        return None
    ahead, points = min(fits, key=lambda fit: fit[0])
    seen = points[-1][0] - points[0][0]
    rise = theil_sen(points) * seen
    soon = ahead <= max(case.persist, case.survey.window.seconds)
    sentence = (
        f"{case.service.name}'s memory grew by {rise:.3g} GB to {100 * points[-1][1] / limit:.0f} % of its "
        f"{limit:g} GB within {span(seen)} without falling back; at this rate it is at the limit in {span(ahead)}"
    )
    numbers = {
        "grown_gb": round(rise, 4), "now_percent": round(100 * points[-1][1] / limit, 1), "limit_gb": limit,
        "gb_per_hour": round(rise / seen * 3600, 4), "minutes_to_limit": round(ahead / 60, 2),
    }  # fmt: skip
    severity = Severity.CRITICAL if soon and points[-1][1] >= AT_LIMIT * limit else Severity.WARNING
    return case.found(
        "memory_growth", severity, points[0][0], sentence,
        numbers=numbers, confidence=0.8, harm_in_seconds=round(ahead, 1),
    )  # fmt: skip


def _since_restart(case: Case, usage: InstanceUsage, points: list[Point]) -> tuple[list[Point], float]:
    """The samples since this container was started last, and its age in seconds, as far as that was told.

    Where containers cannot be told apart, the newest deployment counts.
    """
    alone = len(case.service.usage) == 1
    cuts = [start for start in _starts_of(case, usage) if alone or _fell_at(points, start)]
    if usage.deployment_id is None or alone:
        cuts += case.rollouts
    began = max(cuts, default=0.0)
    if not cuts and case.usual.windows and case.usual.windows[-1].restarted:
        began = case.start - case.usual.ages[-1] - 30 * (case.usual.windows[-1].minutes or case.usual.minutes)
    return [point for point in points if point[0] >= began], case.end - began


def _seconds_to_limit(case: Case, points: Sequence[Point], limit: float) -> float | None:
    """Seconds until the limit is reached at this rate; None where this is no steady growth towards it."""
    window = case.survey.window
    if len(points) < FEWEST_FITTED:
        return None
    seen = points[-1][0] - points[0][0]
    if seen < max(2 * case.persist, SHORTEST_FIT_WINDOWS * window.seconds):
        return None
    if case.end - points[-1][0] > 0.3 * window.seconds:
        return None  # the container is gone: nothing grows any more
    if max(value for _, value in points) - min(value for _, value in points) < LEAST_RISE * limit:
        return None
    slope = theil_sen(points)
    if slope * seen < LEAST_RISE * limit or not _steady(points, slope * seen):
        return None
    if points[-1][1] <= BEEN_THERE * _been(case):
        return None
    ahead = max(0.0, limit - points[-1][1]) / slope
    return ahead if ahead <= min(LIMIT_WITHIN_SECONDS, LIMIT_WITHIN_WINDOWS * window.seconds) else None


def _late(case: Case, points: list[Point], limit: float) -> tuple[float, list[Point]] | None:
    """Growth that has just begun, is faster than anything the past knows, and reaches the limit within minutes."""
    measured = all(one.memory_high is not None for one in case.usual.windows)
    if (
        len(points) < FEWEST_FITTED
        or points[-1][1] < LATE_LEVEL * limit
        or not (case.usual.known and measured)
    ):
        return None
    lowest = min(value for _, value in points)
    first = max(i for i, (_, value) in enumerate(points) if value <= lowest + LATE_FLAT * limit)
    rising = points[first:]
    if len(rising) < FEWEST_FITTED or rising[-1][0] - rising[0][0] < LATE * case.persist:
        return None
    rise = rising[-1][1] - rising[0][1]
    if rise < LATE_RISE * limit or rising[-1][1] <= BEEN_THERE * _been(case) or not _steady(rising, rise):
        return None
    ahead = max(0.0, limit - rising[-1][1]) / theil_sen(rising)
    return (ahead, rising) if ahead <= LATE_WITHIN * case.persist else None


def _been(case: Case) -> float:
    """The level that memory has had before without harm, in GB: a collector's teeth may be longer than the window."""
    highs = case.usual.values("memory_high", without="memory_growth")
    return max(highs) if len(highs) >= FEWEST_WINDOWS else 0.0


def _steady(points: Sequence[Point], rise: float) -> bool:
    lowest = [value for _, value in floors(points, 6)]
    if kendall_tau(lowest) < RISING_TAU:
        return False
    steps, whole = [b - a for a, b in pairwise(lowest)], lowest[-1] - lowest[0]
    if max(steps) > ONE_STEP * whole or sum(step < FLAT * whole / len(steps) for step in steps) > FLAT_STEPS:
        return False
    top = fall = 0.0
    for _, value in points:
        top = max(top, value)
        fall = max(fall, top - value)
    half = len(points) // 2
    early, late = theil_sen(points[: half + 1]), theil_sen(points[half:])
    return fall < FALLEN_BACK * rise and late >= STILL_RISING * early


# ---- over many windows -----------------------------------------------------------------------


def _over_windows(case: Case, limit: float) -> Finding | None:
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
        if ahead <= LEAK_WITHIN_SECONDS and not _follows_traffic(case, lows[begin:]):
            return _say_leak(case, limit, lows[begin:], slope, ahead)
    return None


def _leaking(lows: Sequence[Point], limit: float) -> float | None:
    """GB a second where the levels rise steadily and far enough; they may have begun to only lately."""
    if len(lows) <= LEAK_FEWEST_WINDOWS:
        return None
    seen = lows[-1][0] - lows[0][0]
    values = [value for _, value in lows]
    third = max(2, len(values) // 3)
    rise = quantile(values[-third:], 0.5) - quantile(values[:third], 0.5)
    if seen < LEAK_SHORTEST_SECONDS or rise < 0.6 * LEAK_LEAST_RISE * limit:
        return None
    slope = theil_sen(lows)
    if slope * seen < LEAK_LEAST_RISE * limit or kendall_tau(values) < LEAK_TAU:
        return None
    return slope if theil_sen(lows[len(lows) // 2 :]) >= STILL_RISING * slope else None


def _lows(case: Case) -> list[Point]:
    """The lowest memory of each window since the process began, this one last; age in whole seconds as time."""
    found: list[Point] = []
    for age, one in zip(case.usual.ages, case.usual.windows, strict=True):
        low = one.memory_low if one.memory_low is not None else one.memory_mean
        if low is None:
            continue
        if one.restarted or (found and low < LEAK_CUT * found[-1][1]):
            found = []
        found.append((int(case.start - age), low))
    points = [value for every in case.memory for _, value in every]
    if not points or (found and min(points) < LEAK_CUT * found[-1][1]):
        return []
    return [*found, (int(case.end), min(points))]


def _follows_traffic(case: Case, lows: Sequence[Point]) -> bool:
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


def _say_leak(case: Case, limit: float, lows: Sequence[Point], slope: float, ahead: float) -> Finding:
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
