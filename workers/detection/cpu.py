"""CPU near the limit of a replica for minutes, and CPU far above its baseline although below the limit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from workers.detection.exceedance import Exceedance, exceedances, measurements
from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import quantile
from workers.detection.summaries import HIGH_CPU
from workers.models import Finding, Severity, TrafficMinute

# ---- near the limit: durations are multiples of the minimum duration, levels are shares of the limit
CPU_CRITICAL = 0.9  # from this median on, ongoing CPU is critical
# Without a baseline, CPU that is high from the start of the window is believed only from this level on. A service that
# is busy by nature stays a little below its limit; a saturated one is flat at it.
SATURATED_CPU = 0.97
SHORT_DURATION = 0.75  # long enough if requests suffered meanwhile, or if the baseline never has high CPU
LONG_DURATION = 1.5  # needed if CPU has fallen again and no request suffered
NO_BASELINE_DURATION = 4.0  # needed without a baseline if CPU has fallen again: a shorter one may be any job
NO_BASELINE_ONGOING = 1.5  # needed without a baseline while CPU is still high
# CPU is never high in the baseline if this multiple of its highest mean stays below the threshold.
NEVER_HIGH_FACTOR = 2.0
SLOW_FACTOR = 1.6  # multiple of the baseline's p95 latency from which requests suffered
FAILED_SHARE = 0.01  # share of failed requests from which requests suffered
MIN_REQUESTS = 20  # requests: fewer cannot show whether requests suffered
# Harm of CPU that has always been at the limit: p95 latency in milliseconds, and share of failed requests.
HARMFUL_MS = 3000.0
HARMFUL_SHARE = 0.05
# A CPU interval matches the baseline up to this multiple of the baseline's high-CPU time ...
BASELINE_FACTOR = 1.5
BASELINE_SLACK = 0.4  # ... plus this many minimum durations

# ---- far above the baseline (a busy loop)
RUNAWAY_FACTOR = 1.7  # multiple of the highest CPU mean of the baseline
RUNAWAY_VCPU = 0.5  # vCPU above that mean
RUNAWAY_SHARE = 0.4  # share of the limit above that mean, for replicas with a limit below 1.25 vCPU
RUNAWAY_DURATION = 2.0  # in minimum durations
LOST_ONSET_SHARE = 0.7  # share of the earlier windows' CPU that continues a failure older than the history
TRAFFIC_SHARE = 0.5  # requests explain the CPU if they grew by at least this share of its growth
TRAFFIC_FACTOR = 4.0  # requests explain any CPU if they grew by this many times their baseline


def detect_cpu(window: ServiceWindow) -> Finding | None:
    """CPU near the limit, otherwise CPU far above the baseline."""
    near_limit = _near_limit(window)
    if near_limit is None or (near_limit.severity is Severity.NOTICE and not near_limit.is_baseline):
        return _runaway(window) or near_limit
    return near_limit


# ---- near the limit --------------------------------------------------------------------------


def _near_limit(window: ServiceWindow) -> Finding | None:
    limit = window.service.cpu_limit
    if not limit or limit <= 0:
        return None
    threshold = HIGH_CPU * limit
    above = exceedances(window, window.cpu, threshold, SHORT_DURATION * window.min_duration)
    if not above:
        return None
    worst = above[0]
    severity, is_baseline = _near_limit_severity(window, worst, limit)
    is_chronic = is_baseline and _is_chronic(window, worst, limit)
    if is_chronic:
        severity, is_baseline = Severity.WARNING, False
    # A notice needs the minimum duration too, unless the baseline explains it.
    is_too_short = worst.interval.seconds < window.min_duration
    if severity is Severity.NOTICE and is_too_short and not is_baseline and not _is_startup(window, worst):
        return None
    numbers = measurements(window, above, limit, "vcpu")
    return window.make_finding(
        "cpu", severity, worst.interval.start, last_seen=worst.interval.end,
        ongoing=worst.is_last, numbers=numbers, is_baseline=is_baseline, chronic=is_chronic,
    )  # fmt: skip


def _near_limit_severity(window: ServiceWindow, worst: Exceedance, limit: float) -> tuple[Severity, bool]:
    """The severity of CPU near the limit, and whether it matches the baseline."""
    seconds = worst.interval.seconds
    baseline = 60 * window.baseline.high_cpu_minutes(SHORT_DURATION * window.min_duration / 60)
    if baseline and seconds <= BASELINE_FACTOR * baseline + BASELINE_SLACK * window.min_duration:
        return Severity.NOTICE, True
    if _is_startup(window, worst):
        return Severity.NOTICE, False
    # A short interval that was bridged over a sample below the threshold is no evidence.
    is_broken = seconds < window.min_duration and min(worst.values) < HIGH_CPU * limit
    if is_broken or seconds < _needed_seconds(window, worst, limit):
        return Severity.NOTICE, False
    is_critical = worst.is_last and quantile(worst.values, 0.5) >= CPU_CRITICAL * limit
    return Severity.CRITICAL if is_critical else Severity.WARNING, False


def _is_chronic(window: ServiceWindow, worst: Exceedance, limit: float) -> bool:
    """Whether CPU that matches the baseline is trouble: it harms requests, or began before the history."""
    if window.baseline.has_lost_onset("cpu"):
        return True
    during = _during(window, worst)
    requests = sum(minute.requests for minute in during)
    is_flat = quantile(worst.values, 0.5) >= SATURATED_CPU * limit and worst.is_last
    if not is_flat or requests < MIN_REQUESTS:
        return False
    latencies = [minute.p95_ms for minute in during if minute.p95_ms is not None]
    is_slow = bool(latencies) and quantile(latencies, 0.5) >= HARMFUL_MS
    return is_slow or sum(minute.server_errors for minute in during) >= HARMFUL_SHARE * requests


def _during(window: ServiceWindow, exceedance: Exceedance) -> list[TrafficMinute]:
    interval = exceedance.interval
    return [minute for minute in window.service.traffic if interval.start - 60 < minute.at < interval.end]


def _is_startup(window: ServiceWindow, exceedance: Exceedance) -> bool:
    return window.is_startup(exceedance.interval.start, exceedance.interval.end)


def _needed_seconds(window: ServiceWindow, exceedance: Exceedance, limit: float) -> float:
    """The time in seconds for which CPU must be high before it is an alert.

    Less is needed if requests suffered or if the baseline never has high CPU.
    """
    suffered = _requests_suffered(window, exceedance)
    if suffered:
        return SHORT_DURATION * window.min_duration
    if not window.baseline.is_known:
        return _needed_without_baseline(window, exceedance, suffered, limit)
    if suffered is None and _is_never_high(window, HIGH_CPU * limit):
        return SHORT_DURATION * window.min_duration
    return window.min_duration * (1.0 if exceedance.is_last or suffered is None else LONG_DURATION)


def _needed_without_baseline(
    window: ServiceWindow, exceedance: Exceedance, suffered: bool | None, limit: float
) -> float:
    """The needed time in seconds without a baseline, where high CPU may be a job or the normal load."""
    typical = quantile(exceedance.values, 0.5)
    if suffered is False and (not exceedance.is_last or typical < CPU_CRITICAL * limit):
        return math.inf
    if exceedance.interval.first == 0 and typical < SATURATED_CPU * limit:
        return math.inf  # nothing changed within the window
    return window.min_duration * (NO_BASELINE_ONGOING if exceedance.is_last else NO_BASELINE_DURATION)


def _is_never_high(window: ServiceWindow, threshold: float) -> bool:
    """Whether the baseline is known and its CPU stays far below the threshold."""
    high_minutes = window.baseline.values("cpu_high_minutes", without=("cpu",))
    highest = window.baseline.level("cpu_mean", 0.95, without=("cpu",))
    if highest is None or NEVER_HIGH_FACTOR * highest > threshold:
        return False
    return not high_minutes or quantile(high_minutes, 0.9) < SHORT_DURATION * window.min_duration / 60


def _requests_suffered(window: ServiceWindow, exceedance: Exceedance) -> bool | None:
    """Whether requests were slow or failed during the exceedance; None with fewer than MIN_REQUESTS requests."""
    traffic, during = window.service.traffic, _during(window, exceedance)
    requests = sum(minute.requests for minute in during)
    if requests < MIN_REQUESTS:
        return None
    latencies = [minute.p95_ms for minute in during if minute.p95_ms is not None]
    baseline = window.baseline.level("p95_median", without=("cpu", "latency"))
    if baseline is None:
        others = [minute.p95_ms for minute in traffic if minute.p95_ms is not None and minute not in during]
        baseline = quantile(others, 0.5) if others else None
    if baseline and latencies and quantile(latencies, 0.5) >= SLOW_FACTOR * baseline:
        return True
    return sum(minute.server_errors for minute in during) >= FAILED_SHARE * requests


# ---- far above the baseline ------------------------------------------------------------------


def _runaway(window: ServiceWindow) -> Finding | None:
    """Ongoing CPU far above the baseline, below the limit, that requests do not explain."""
    if window.baseline.has_lost_onset("cpu"):
        return _lost_onset(window)
    highest = _highest_baseline(window)
    if highest is None:
        return None
    limit = window.service.cpu_limit
    margin = min(RUNAWAY_VCPU, RUNAWAY_SHARE * (limit or math.inf))
    threshold = max(RUNAWAY_FACTOR * highest, highest + margin)
    # Half of the window is enough where the window is short, as for a test environment.
    longest = min(RUNAWAY_DURATION * window.min_duration, 0.5 * window.survey.window.seconds)
    above = exceedances(window, window.cpu, threshold, max(window.min_duration, longest))
    ongoing = [exceedance for exceedance in above if exceedance.is_last]
    if not ongoing or _is_startup(window, ongoing[0]):
        return None
    level = quantile(ongoing[0].values, 0.5)
    if _traffic_explains(window, level / max(highest, 1e-9) - 1):
        return None
    return _runaway_finding(window, ongoing, level, highest)


def _lost_onset(window: ServiceWindow) -> Finding | None:
    """CPU that is still about as high as in all earlier windows, all of which had an alert about it."""
    before = window.baseline.level("cpu_mean") or math.inf
    above = exceedances(window, window.cpu, LOST_ONSET_SHARE * before, window.min_duration)
    ongoing = [exceedance for exceedance in above if exceedance.is_last]
    if not ongoing:
        return None
    return _runaway_finding(window, ongoing, quantile(ongoing[0].values, 0.5), before)


def _highest_baseline(window: ServiceWindow) -> float | None:
    """The highest CPU in vCPU that the baseline has had, also at this hour of earlier days."""
    baseline = window.baseline
    highest = baseline.level("cpu_mean", 0.95, without=("cpu",))
    if highest is None:
        return None
    peak = baseline.level("cpu_peak", 0.9, without=("cpu",)) or 0.0
    return max(
        [highest, peak, *baseline.same_hour("cpu_mean", ("cpu",)), *baseline.same_hour("cpu_peak", ("cpu",))]
    )


def _traffic_explains(window: ServiceWindow, cpu_growth: float) -> bool:
    """Whether requests grew enough to explain the CPU; growth of 1.0 is a doubling."""
    baseline = window.baseline.level("requests")
    requests = sum(minute.requests for minute in window.service.traffic)
    growth = requests / max(1.0, baseline) - 1 if baseline is not None else 0.0
    return growth >= TRAFFIC_SHARE * cpu_growth or growth >= TRAFFIC_FACTOR


def _runaway_finding(
    window: ServiceWindow, ongoing: Sequence[Exceedance], level: float, highest: float
) -> Finding:
    worst, limit = ongoing[0], window.service.cpu_limit
    is_chronic = window.baseline.has_lost_onset("cpu")
    numbers = {
        "vcpu": round(level, 3), "baseline_vcpu": round(highest, 3),
        "minutes": round(worst.interval.seconds / 60, 2),
        "peak_vcpu": round(max(worst.values), 3), "replicas": float(len(ongoing)),
    }  # fmt: skip
    if limit:
        numbers |= {
            "mean_percent": round(100 * level / limit, 1), "limit_vcpu": limit,
            "baseline_percent": round(100 * highest / limit, 1),
        }  # fmt: skip
    return window.make_finding(
        "cpu", Severity.WARNING, worst.interval.start, last_seen=worst.interval.end,
        numbers=numbers, confidence=0.8, chronic=is_chronic,
    )  # fmt: skip
