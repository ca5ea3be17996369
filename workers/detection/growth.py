"""Memory on its way to the limit: within the window, and over many of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from workers.detection.baseline import FEWEST_WINDOWS
from workers.detection.leaks import judge_leak
from workers.detection.sentences import moment, since, span
from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import floors, kendall_tau, theil_sen
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


def judge_growth(case: ServiceWindow) -> Finding | None:
    """Memory that grows towards its limit, within the window or over many, or that was cut off at it."""
    limit = case.service.memory_limit
    if not limit or limit <= 0:
        return None
    return _within_window(case, limit) or judge_leak(case, limit)


def restarted_at_limit(case: ServiceWindow) -> Finding | None:
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


def _starts_of(case: ServiceWindow, usage: InstanceUsage) -> list[float]:
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


def _within_window(case: ServiceWindow, limit: float) -> Finding | None:
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


def _since_restart(
    case: ServiceWindow, usage: InstanceUsage, points: list[Point]
) -> tuple[list[Point], float]:
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


def _seconds_to_limit(case: ServiceWindow, points: Sequence[Point], limit: float) -> float | None:
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


def _late(case: ServiceWindow, points: list[Point], limit: float) -> tuple[float, list[Point]] | None:
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


def _been(case: ServiceWindow) -> float:
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
