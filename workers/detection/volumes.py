"""Volumes that are nearly full, and volumes that will be full soon at the present rate."""

from __future__ import annotations

from collections.abc import Sequence

from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import clean, floors, kendall_tau, theil_sen
from workers.models import Finding, Point, Severity, Volume

MB_PER_GB = 1000.0

# ---- levels, as shares of the volume's size
FULL = 0.95  # critical
NEARLY_FULL = 0.85  # a warning
STEADY_MARGIN = 0.03  # a volume this close to its lowest baseline level is not filling
CLEANED_FALL = 0.05  # a fall by this much between two samples is a cleanup

# ---- growth over the history
FILLING_LEVEL = 0.6  # growth below this level is not reported
MAX_SECONDS_TO_FULL = 48 * 3600.0  # growth is extrapolated no further ahead than this
CRITICAL_SECONDS_TO_FULL = 6 * 3600.0  # a nearly full volume that is full within this time is critical
MIN_SAMPLES = 6  # samples or windows: fewer give no slope
MAX_FITTED_SAMPLES = 60  # samples: a longer series is thinned
MIN_RISE = 0.002  # share of the size, over the samples
RISING_TAU = 0.8  # Kendall's tau of the samples
MIN_LATE_SLOPE = 0.3  # slope of the later half, relative to the whole: less is slowing down
# Parts of the history whose lowest levels are compared where a volume is cleaned up now and then.
FLOOR_PARTS = 6

# ---- growth without a baseline: the window shows too little to look further than half a day ahead
NO_BASELINE_LEVEL = 0.8
NO_BASELINE_SECONDS = 12 * 3600.0

# ---- growth that fills the volume within hours, for any baseline
RUSH_LEVEL = 0.3
RUSH_RISE = 0.02  # share of the size, within the window
RUSH_SECONDS = 4 * 3600.0


def detect_volumes(window: ServiceWindow) -> list[Finding]:
    """At most one finding per volume."""
    findings = [_detect(window, volume) for volume in window.service.volumes if volume.size_mb > 0]
    return [finding for finding in findings if finding is not None]


def _detect(window: ServiceWindow, volume: Volume) -> Finding | None:
    share, size = volume.used_mb / volume.size_mb, volume.size_mb / MB_PER_GB
    # Railway reports one series per service: with several volumes it is their sum and says nothing of one.
    levels, was_cleaned = _levels(window) if len(window.service.volumes) == 1 else ([], False)
    seconds = _seconds_to_full(window, levels, share, size)
    if seconds is None:
        seconds = _rising_floors(window, share, size) if was_cleaned else _rush(window, share, size)
    if seconds is not None and not (was_cleaned and share < NEARLY_FULL):
        is_soon = seconds <= CRITICAL_SECONDS_TO_FULL and share >= NEARLY_FULL
        severity = Severity.CRITICAL if is_soon or share >= FULL else Severity.WARNING
        return _finding(window, volume, severity, seconds)
    if share >= FULL:
        return _finding(window, volume, Severity.CRITICAL, chronic=_is_steady(window, share, size))
    if share < NEARLY_FULL:
        return None
    is_old = _is_steady(window, share, size) or was_cleaned
    is_chronic = is_old and window.baseline.has_lost_onset("volume")
    return _finding(
        window, volume, Severity.WARNING, is_baseline=is_old and not is_chronic, chronic=is_chronic
    )


def _is_steady(window: ServiceWindow, share: float, size: float) -> bool:
    """Whether the volume has been about as full for as long as the history reaches."""
    disk = window.baseline.values("disk", without=("volume",))
    return len(disk) >= MIN_SAMPLES and share - min(disk) / size < STEADY_MARGIN


def _history(window: ServiceWindow) -> list[Point]:
    """Used GB of the earlier windows, oldest first."""
    return [
        (int(window.start - age.end), summary.disk)
        for age, summary in zip(window.baseline.ages, window.baseline.windows, strict=True)
        if summary.disk is not None
    ]


def _levels(window: ServiceWindow) -> tuple[list[Point], bool]:
    """Used GB over time since the last cleanup, oldest first, and whether there was a cleanup."""
    size = window.service.volumes[0].size_mb / MB_PER_GB
    levels: list[Point] = []
    was_cleaned = False
    for point in (*_history(window), *clean(window.service.disk)):
        if levels and point[1] < levels[-1][1] - CLEANED_FALL * size:
            levels, was_cleaned = [], True
        levels.append(point)
    return levels, was_cleaned


def _slope(levels: Sequence[Point], min_late: float | None = None) -> float | None:
    """GB per second if the levels rise steadily; otherwise None.

    Args:
        min_late: The slope of the later half that is needed, relative to the whole.
    """
    thinned = levels[:: max(1, len(levels) // MAX_FITTED_SAMPLES)]
    slope = theil_sen(thinned)
    if slope <= 0 or kendall_tau([value for _, value in thinned]) < RISING_TAU:
        return None
    if min_late is not None and theil_sen(thinned[len(thinned) // 2 :]) < min_late * slope:
        return None
    return slope


def _extrapolated(share: float, size: float, slope: float, max_seconds: float) -> float | None:
    """Seconds until the volume is full at this rate; None if that is more than `max_seconds` ahead."""
    seconds = max(0.0, 1 - share) * size / slope
    return seconds if seconds <= max_seconds else None


def _seconds_to_full(
    window: ServiceWindow, levels: Sequence[Point], share: float, size: float
) -> float | None:
    """Seconds until the volume is full by its growth since the last cleanup; None without steady growth."""
    is_known = window.baseline.is_known and len(window.baseline.values("disk")) >= MIN_SAMPLES
    if len(levels) < MIN_SAMPLES or share < (FILLING_LEVEL if is_known else NO_BASELINE_LEVEL):
        return None
    covered, rise = levels[-1][0] - levels[0][0], levels[-1][1] - levels[0][1]
    if rise < MIN_RISE * size or covered <= 0:
        return None
    slope = _slope(levels, MIN_LATE_SLOPE)
    if slope is None:
        return None
    return _extrapolated(share, size, slope, MAX_SECONDS_TO_FULL if is_known else NO_BASELINE_SECONDS)


def _rising_floors(window: ServiceWindow, share: float, size: float) -> float | None:
    """Seconds until a volume is full whose cleanups never reach the level of the cleanup before."""
    history = _history(window)
    points = history + clean(window.service.disk)
    if len(history) < 2 * FLOOR_PARTS or share < FILLING_LEVEL:
        return None
    lowest = floors(points, FLOOR_PARTS)
    slope = theil_sen(lowest)
    if slope * (lowest[-1][0] - lowest[0][0]) < CLEANED_FALL * size:
        return None
    if kendall_tau([value for _, value in lowest]) < RISING_TAU:
        return None
    return _extrapolated(share, size, slope, MAX_SECONDS_TO_FULL)


def _rush(window: ServiceWindow, share: float, size: float) -> float | None:
    """Seconds until the volume is full, if the window alone shows that it will be within hours."""
    levels = clean(window.service.disk) if len(window.service.volumes) == 1 else []
    if len(levels) < MIN_SAMPLES or share < RUSH_LEVEL:
        return None
    if levels[-1][1] - levels[0][1] < RUSH_RISE * size:
        return None
    slope = _slope(levels)
    return None if slope is None else _extrapolated(share, size, slope, RUSH_SECONDS)


def _finding(
    window: ServiceWindow,
    volume: Volume,
    severity: Severity,
    seconds: float | None = None,
    *,
    is_baseline: bool = False,
    chronic: bool = False,
) -> Finding:
    percent = 100 * volume.used_mb / volume.size_mb
    numbers = {"used_percent": round(percent, 1), "used_mb": volume.used_mb, "size_mb": volume.size_mb}
    if seconds is not None:
        numbers["minutes_to_full"] = round(seconds / 60, 1)
    labels = {"volume": volume.name, "mount_path": volume.mount_path}
    return window.make_finding(
        "volume", severity, window.survey.window.end,
        numbers=numbers, labels=labels, seconds_to_limit=seconds, is_baseline=is_baseline,
        chronic=chronic,
    )  # fmt: skip
