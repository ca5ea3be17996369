"""Memory that grows towards its limit within the window, and containers that restarted when memory reached it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from workers.detection.leaks import detect_leak
from workers.detection.recurrence import MIN_WINDOWS
from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import floors, kendall_tau, theil_sen
from workers.models import Finding, InstanceUsage, Point, Severity

# ---- how far ahead growth is extrapolated
MAX_SECONDS_TO_LIMIT = 3 * 3600.0  # growth over 30 min says nothing of a time further ahead
MAX_WINDOWS_TO_LIMIT = 6.0  # in window lengths: a short window is extrapolated no further than this

# ---- what counts as growth
MIN_FITTED_SAMPLES = 8  # samples: fewer give no reliable slope
MIN_FITTED_WINDOWS = 0.4  # share of the window that the samples must cover
WARM_UP = 5.0  # in minimum durations: memory fills for this long after any process starts
MIN_RISE = 0.05  # share of the limit, over the samples: a smaller rise can be sample noise
RISING_TAU = 0.7  # Kendall's tau of the floors of six parts: less is no steady rise
FLOOR_PARTS = 6  # parts of the samples whose lowest values are compared
# The slope of the later half, relative to the earlier half. A cache that fills slows down; a leak does not.
MIN_LATE_SLOPE = 0.5
# Share of the rise in one of the parts: more is a single step, as after a change of load.
MAX_STEP_SHARE = 0.6
FLAT_SHARE = 0.2  # a part is flat if it rises by less than this share of the mean rise
MAX_FLAT_PARTS = 1  # more flat parts are a cache that grows in stairs
MAX_FALL = 0.5  # share of the rise: a fall by this much without a restart is garbage collection
# Multiple of the highest baseline memory: below it, memory only returns to a level it has had.
KNOWN_LEVEL = 1.03

# ---- restarts
AT_LIMIT = 0.9  # share of the limit: memory just before a restart that counts as a restart at the limit
RESTART_FALL = 0.7  # memory after a start, relative to before it: below this, the container itself restarted
# In minimum durations around a rollout. Old and new containers overlap then and are counted together, so a start
# belongs to the rollout.
ROLLOUT_OVERLAP = 0.75

# ---- growth that has just begun, accepted only against a measured baseline
LATE_DURATION = 2.0  # in minimum durations: how long memory must rise
LATE_SECONDS_TO_LIMIT = 5.0  # in minimum durations: how soon it must reach the limit
LATE_LEVEL = 0.65  # share of the limit that it must have reached
LATE_FLAT = 0.03  # share of the limit: samples this close to the lowest one precede the growth
LATE_RISE = 0.15  # share of the limit by which it must have risen


def detect_growth(window: ServiceWindow) -> Finding | None:
    """Memory that grows towards its limit, within the window or over many windows."""
    limit = window.service.memory_limit
    if not limit or limit <= 0:
        return None
    return _within_window(window, limit) or detect_leak(window, limit)


def detect_restart_at_limit(window: ServiceWindow) -> Finding | None:
    """Containers that restarted while their memory was at the limit, although no sample stayed there."""
    limit = window.service.memory_limit
    if not limit or limit <= 0:
        return None
    restarts: list[float] = []
    peak = 0.0
    for usage, points in zip(window.service.usage, window.memory, strict=True):
        for start in _starts(window, usage):
            before = _memory_before_restart(points, start)
            if before is not None and before >= AT_LIMIT * limit:
                restarts.append(start)
                peak = max(peak, before)
    if not restarts:
        return None
    last = max(restarts)
    ongoing = window.end - last <= 0.5 * window.survey.window.seconds
    numbers = {
        "peak_percent": round(100 * peak / limit, 1), "restarts": float(len(restarts)), "limit_gb": limit,
    }  # fmt: skip
    severity = Severity.CRITICAL if ongoing and len(restarts) > 1 else Severity.WARNING
    return window.make_finding(
        "memory", severity, min(restarts), last_seen=last, ongoing=ongoing, numbers=numbers
    )


def _starts(window: ServiceWindow, usage: InstanceUsage) -> list[float]:
    """Epoch seconds of container starts that may be those of this container and belong to no rollout."""
    logged = [
        start.at.timestamp()
        for start in window.service.starts
        if usage.deployment_id in (None, start.deployment_id)
    ]
    reported = [
        event.at.timestamp() for event in window.service.events if event.kind in ("started", "crashed", "oom")
    ]
    return [
        at
        for at in sorted({*logged, *reported})
        if not any(abs(at - rollout) <= ROLLOUT_OVERLAP * window.min_duration for rollout in window.rollouts)
    ]


def _memory_before_restart(points: Sequence[Point], start: float) -> float | None:
    """Memory in GB just before the start, if the fall shows that this container restarted; otherwise None."""
    before = [value for at, value in points if at < start]
    after = [value for at, value in points if at >= start]
    if not before or not after or min(after[:2]) >= RESTART_FALL * max(before[-2:]):
        return None
    return max(before[-2:])


# ---- within the window -----------------------------------------------------------------------


def _within_window(window: ServiceWindow, limit: float) -> Finding | None:
    fits = []
    for usage, series in zip(window.service.usage, window.memory, strict=True):
        points, age = _since_restart(window, usage, series)
        if age < WARM_UP * window.min_duration:
            continue
        seconds = _seconds_to_limit(window, points, limit)
        if seconds is not None:
            fits.append((seconds, points))
        elif (late := _late_growth(window, points, limit)) is not None:
            fits.append(late)
    if not fits:
        return None
    seconds, points = min(fits, key=lambda fit: fit[0])
    covered = points[-1][0] - points[0][0]
    rise = theil_sen(points) * covered
    is_soon = seconds <= max(window.min_duration, window.survey.window.seconds)
    numbers = {
        "grown_gb": round(rise, 4), "now_percent": round(100 * points[-1][1] / limit, 1), "limit_gb": limit,
        "gb_per_hour": round(rise / covered * 3600, 4), "minutes_to_limit": round(seconds / 60, 2),
        "minutes_seen": round(covered / 60, 2),
    }  # fmt: skip
    severity = Severity.CRITICAL if is_soon and points[-1][1] >= AT_LIMIT * limit else Severity.WARNING
    return window.make_finding(
        "memory_growth", severity, points[0][0], numbers=numbers, confidence=0.8, seconds_to_limit=seconds
    )


def _since_restart(
    window: ServiceWindow, usage: InstanceUsage, points: list[Point]
) -> tuple[list[Point], float]:
    """The samples since the last known start of this container, and its age in seconds.

    If the series does not name its deployment, the newest rollout counts as a start.
    """
    is_only = len(window.service.usage) == 1
    starts = [
        start
        for start in _starts(window, usage)
        if is_only or _memory_before_restart(points, start) is not None
    ]
    if usage.deployment_id is None or is_only:
        starts += window.rollouts
    began = max(starts, default=0.0)
    baseline = window.baseline
    if not starts and baseline.windows and baseline.windows[-1].restarted:
        # The summary does not say when in its window the process restarted: assume the middle.
        began = window.start - baseline.ages[-1].end - 30 * (baseline.windows[-1].minutes or baseline.minutes)
    return [point for point in points if point[0] >= began], window.end - began


def _seconds_to_limit(window: ServiceWindow, points: Sequence[Point], limit: float) -> float | None:
    """Seconds until memory reaches the limit at the present rate; None if it does not grow steadily towards it."""
    length = window.survey.window.seconds
    if len(points) < MIN_FITTED_SAMPLES:
        return None
    covered = points[-1][0] - points[0][0]
    if covered < max(2 * window.min_duration, MIN_FITTED_WINDOWS * length):
        return None
    if window.end - points[-1][0] > 0.3 * length:
        return None  # the container is gone, so nothing grows any more
    if max(value for _, value in points) - min(value for _, value in points) < MIN_RISE * limit:
        return None
    slope = theil_sen(points)
    if slope * covered < MIN_RISE * limit or not _is_steady(points, slope * covered):
        return None
    if points[-1][1] <= KNOWN_LEVEL * _highest_baseline(window):
        return None
    seconds = max(0.0, limit - points[-1][1]) / slope
    return seconds if seconds <= min(MAX_SECONDS_TO_LIMIT, MAX_WINDOWS_TO_LIMIT * length) else None


def _late_growth(
    window: ServiceWindow, points: list[Point], limit: float
) -> tuple[float, list[Point]] | None:
    """Growth that began late in the window, exceeds the baseline and reaches the limit within minutes.

    Returns:
        The seconds to the limit and the samples since the growth began; None without such growth.
    """
    if len(points) < MIN_FITTED_SAMPLES or points[-1][1] < LATE_LEVEL * limit:
        return None
    has_peaks = all(summary.memory_high is not None for summary in window.baseline.windows)
    if not (window.baseline.is_known and has_peaks):
        return None
    lowest = min(value for _, value in points)
    first = max(i for i, (_, value) in enumerate(points) if value <= lowest + LATE_FLAT * limit)
    rising = points[first:]
    if len(rising) < MIN_FITTED_SAMPLES or rising[-1][0] - rising[0][0] < LATE_DURATION * window.min_duration:
        return None
    rise = rising[-1][1] - rising[0][1]
    is_known = rising[-1][1] <= KNOWN_LEVEL * _highest_baseline(window)
    if rise < LATE_RISE * limit or is_known or not _is_steady(rising, rise):
        return None
    seconds = max(0.0, limit - rising[-1][1]) / theil_sen(rising)
    return (seconds, rising) if seconds <= LATE_SECONDS_TO_LIMIT * window.min_duration else None


def _highest_baseline(window: ServiceWindow) -> float:
    """The highest memory in GB that the service has had without harm; 0.0 without a baseline.

    A garbage collector may let memory rise for longer than one window, to a level that it has had before.
    """
    highs = window.baseline.values("memory_high", without=("memory_growth",))
    return max(highs) if len(highs) >= MIN_WINDOWS else 0.0


def _is_steady(points: Sequence[Point], rise: float) -> bool:
    """Whether the samples rise evenly: no step, no stairs, no large fall, and no slowing down."""
    lowest = [value for _, value in floors(points, FLOOR_PARTS)]
    if kendall_tau(lowest) < RISING_TAU:
        return False
    steps, total = [b - a for a, b in pairwise(lowest)], lowest[-1] - lowest[0]
    flat_parts = sum(step < FLAT_SHARE * total / len(steps) for step in steps)
    if max(steps) > MAX_STEP_SHARE * total or flat_parts > MAX_FLAT_PARTS:
        return False
    top = fall = 0.0
    for _, value in points:
        top = max(top, value)
        fall = max(fall, top - value)
    half = len(points) // 2
    early, late = theil_sen(points[: half + 1]), theil_sen(points[half:])
    return fall < MAX_FALL * rise and late >= MIN_LATE_SLOPE * early
