"""Memory near the limit of a replica for minutes."""

from __future__ import annotations

from workers.detection.exceedance import Exceedance, exceedances, measurements
from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import quantile
from workers.models import Finding, Severity

# Shares of the limit with their severities, highest first. Memory that stays at 72 to 89 % is common and harmless
# (caches, garbage collectors), so 80 % is evidence only.
MEMORY_THRESHOLDS = ((0.95, Severity.CRITICAL), (0.9, Severity.WARNING), (0.8, Severity.NOTICE))
FULL_MEMORY = 0.98  # share of the limit from which memory that matches the baseline is chronic trouble
STEADY_MARGIN = 0.04  # share of the limit: memory this close to its baseline has not changed


def detect_memory(window: ServiceWindow) -> Finding | None:
    """Memory at or above the highest threshold that it reached for the minimum duration."""
    limit = window.service.memory_limit
    if not limit or limit <= 0:
        return None
    above, severity = _highest_exceedances(window, limit)
    if not above:
        return None
    worst = above[0]
    if not worst.is_last or window.is_startup(worst.interval.start, worst.interval.end):
        severity = Severity.NOTICE  # it fell again by itself; a kill at the limit is reported as a restart
    level = window.baseline.level("memory_mean", without=("memory",))
    mean = sum(value for _, value in worst.points) / len(worst.points)
    is_steady = level is not None and mean <= level + STEADY_MARGIN * limit
    is_full = quantile(worst.values, 0.5) >= FULL_MEMORY * limit
    is_bad = is_full or window.baseline.has_lost_onset("memory")
    numbers = measurements(window, above, limit, "gb")
    return window.make_finding(
        "memory", severity, worst.interval.start, last_seen=worst.interval.end, ongoing=worst.is_last,
        numbers=numbers, is_baseline=is_steady and severity is not Severity.NOTICE and not is_bad,
        chronic=is_steady and is_bad,
    )  # fmt: skip


def _highest_exceedances(window: ServiceWindow, limit: float) -> tuple[list[Exceedance], Severity]:
    """The exceedances of the highest threshold with its severity; an ongoing one of a lower threshold wins."""
    result: list[Exceedance] = []
    severity = Severity.NOTICE
    for share, threshold_severity in MEMORY_THRESHOLDS:
        above = exceedances(window, window.memory, share * limit, window.min_duration)
        if above and (not result or above[0].is_last):
            result, severity = above, threshold_severity
        if result and result[0].is_last:
            break
    return result, severity
