"""Slow requests: the 95th percentile against the baseline, or against the beginning of the window without one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from workers.detection.recurrence import MIN_WINDOWS
from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import Interval, densest_interval, intervals, quantile
from workers.models import Finding, Severity, TrafficMinute

# ---- thresholds against the baseline's median p95
WARNING_FACTOR = 2.25
# For a shift that lasts. Real latency faults are often 1.5 to 2.3 times the baseline (PetShop), and on quiet days
# hardly any shift of that size lasts. A lower factor alerts on the latency of a harmless surge of traffic.
LASTING_FACTOR = 1.5
LASTING_DURATION = 2.5  # in minimum durations, and still on
SURGE_FACTOR = 2.0  # multiple of the busiest earlier windows' requests that explains such a shift
NOTICE_FACTOR = 1.35
HIGH_FACTOR = 1.2  # multiple of the baseline's high p95 (90th percentile of the steps), for a warning
WARNING_MS = 200.0  # a lower latency bothers no client, even at a large factor
WARNING_RISE_MS = 100.0  # above the baseline
NOTICE_RISE_MS = 60.0  # above the baseline
CRITICAL_MS = 3000.0  # from this median on, an ongoing warning is critical

# ---- this hour of earlier days
SAME_HOUR_SECONDS = 2700.0  # a nightly job of half an hour fills one or two windows within this distance
MIN_DAYS = 2  # days: a single one may have had a failure at this hour

LOST_ONSET_SHARE = 0.7  # share of the earlier windows' p95 that continues a failure older than the history

# ---- without a baseline
SATURATED_MS = 10_000.0  # no service is built to answer this slowly, so it needs no comparison
NO_BASELINE_FACTOR = 3.0  # multiple of the p95 at the beginning of the window
NO_BASELINE_NOTICE_MS = 1000.0
# In minimum durations: the beginning of the window that stands for the baseline ...
BEGINNING_DURATION = 0.75
BEGINNING_REQUESTS = 40  # ... and at least as long as it takes for this many requests

# ---- a baseline of much less traffic says nothing of this window
BUSY_FACTOR = 10.0  # multiple of the requests of a busy earlier window from which it does not apply
THIN_FACTOR = 3.0  # the same where the busy earlier window had fewer than THIN_REQUESTS requests
THIN_REQUESTS = 100

# ---- how many requests prove that a step is slow
MIN_REQUESTS = 20
MIN_SLOW_REQUESTS = 4  # a p95 says that one request in twenty was slow, and at least one per step

# ---- noise around the warning threshold
CONTINUE_SHARE = 0.85  # share of the threshold at which a slow step still continues an interval
NOISY_SHARE = 0.66  # share of slow steps that makes an interval with gaps ...
NOISY_DURATION = 2.5  # ... in minimum durations ...
MIN_NOISY_STEPS = 5  # ... and slow steps

Step = tuple[TrafficMinute, float]
"""One step of the traffic with its p95 in milliseconds."""


class Line(NamedTuple):
    """A threshold in milliseconds with the severity of an interval that is slower for `seconds`."""

    threshold: float
    severity: Severity
    seconds: float
    must_last: bool = False
    """Whether the interval must be ongoing."""


class Thresholds(NamedTuple):
    """p95 thresholds in milliseconds, and the baseline that they derive from, if there is one."""

    warning: float
    lasting: float
    notice: float
    baseline: float | None
    chronic: bool = False


def detect_latency(window: ServiceWindow, minutes: Sequence[TrafficMinute], step: float) -> Finding | None:
    """At most one finding about slow requests.

    Args:
        minutes: The steps with requests, oldest first.
        step: Seconds per step.
    """
    steps = [(minute, minute.p95_ms) for minute in minutes if minute.p95_ms is not None]
    if not steps:
        return None
    thresholds = _thresholds(window, steps)
    slowest = max(p95 for _, p95 in steps)
    for line in _lines(thresholds, window.min_duration):
        if slowest < line.threshold:
            continue
        slow = [
            (interval, requests)
            for interval, requests in _slow_intervals(window, steps, step, line)
            if not line.must_last or _lasts(window, steps, step, interval)
        ]
        if slow:
            interval, requests = max(slow, key=lambda pair: (pair[0].end, pair[0].seconds))
            return _finding(window, steps, step, interval, requests, line, thresholds)
    return None


def _lines(thresholds: Thresholds, min_duration: float) -> tuple[Line, ...]:
    return (
        Line(thresholds.warning, Severity.WARNING, min_duration),
        Line(thresholds.lasting, Severity.WARNING, LASTING_DURATION * min_duration, must_last=True),
        Line(thresholds.notice, Severity.NOTICE, min_duration),
    )


def _lasts(window: ServiceWindow, steps: Sequence[Step], step: float, interval: Interval) -> bool:
    """Whether the interval is ongoing, and no surge of requests explains that they are somewhat slower."""
    requests = sum(minute.requests for minute, _ in steps[interval.first : interval.last + 1])
    busy = window.baseline.level("requests_per_second", 0.95)
    is_surge = (
        busy is not None and requests >= SURGE_FACTOR * busy * (interval.last - interval.first + 1) * step
    )
    return interval.last >= len(steps) - 2 and not is_surge


# ---- thresholds ------------------------------------------------------------------------------


def _thresholds(window: ServiceWindow, steps: Sequence[Step]) -> Thresholds:
    if window.baseline.has_lost_onset("latency"):
        slow = LOST_ONSET_SHARE * (window.baseline.level("p95_median") or math.inf)
        return Thresholds(slow, slow, slow, None, chronic=True)
    baseline = window.baseline.level("p95_median", without=("latency",))
    if baseline is None or _has_outgrown_baseline(window, sum(minute.requests for minute, _ in steps)):
        return _thresholds_of_beginning(steps, window.min_duration)
    high = window.baseline.level("p95_high", 0.75, without=("latency",)) or baseline
    baseline, high = _with_same_hour(window, baseline, high)
    least = max(HIGH_FACTOR * high, baseline + WARNING_RISE_MS, WARNING_MS)
    return Thresholds(
        max(WARNING_FACTOR * baseline, least),
        max(LASTING_FACTOR * baseline, least),
        max(NOTICE_FACTOR * baseline, high, baseline + NOTICE_RISE_MS),
        baseline,
    )


def _with_same_hour(window: ServiceWindow, baseline: float, high: float) -> tuple[float, float]:
    """The baseline and its high, raised to what is usual at this hour: of each earlier day the slowest window."""
    medians = window.baseline.daily_highs("p95_median", ("latency",), SAME_HOUR_SECONDS)
    if len(medians) < MIN_DAYS:
        return baseline, high
    # Of two days the faster one, of more the median.
    usual = quantile(medians, 0.5) if len(medians) >= MIN_WINDOWS else min(medians)
    return max(baseline, usual), high


def _has_outgrown_baseline(window: ServiceWindow, requests: int) -> bool:
    busy = window.baseline.level("requests", 0.9)
    if busy is None:
        return False
    return requests > (BUSY_FACTOR if busy >= THIN_REQUESTS else THIN_FACTOR) * busy


def _thresholds_of_beginning(steps: Sequence[Step], min_duration: float) -> Thresholds:
    """Thresholds against the beginning of the window; absolute ones if the window hardly has more than that."""
    first, requests, beginning = steps[0][0].at, 0, []
    for minute, p95 in steps:
        if minute.at - first >= BEGINNING_DURATION * min_duration and requests >= BEGINNING_REQUESTS:
            break
        beginning.append(p95)
        requests += minute.requests
    before = quantile(beginning, 0.5)
    if 2 * len(beginning) > len(steps):
        return Thresholds(SATURATED_MS, SATURATED_MS, NO_BASELINE_NOTICE_MS, None)
    shifted = max(NO_BASELINE_FACTOR * before, WARNING_MS, before + WARNING_RISE_MS)
    shifted = min(shifted, SATURATED_MS)
    return Thresholds(shifted, shifted, max(NO_BASELINE_NOTICE_MS, 2 * before), before)


# ---- slow intervals --------------------------------------------------------------------------


def _slow_intervals(
    window: ServiceWindow, steps: Sequence[Step], step: float, line: Line
) -> Iterator[tuple[Interval, int]]:
    """Intervals at or above the threshold with their numbers of requests, if those prove that it is slow."""
    threshold, is_warning = line.threshold, line.severity is Severity.WARNING
    times = [float(minute.at) for minute, _ in steps]
    # A step just below the threshold does not end an interval whose median is above it.
    above = [p95 >= (CONTINUE_SHARE * threshold if is_warning else threshold) for _, p95 in steps]
    candidates = intervals(times, above, step)
    if is_warning and sum(above) >= MIN_NOISY_STEPS:
        noisy = densest_interval(times, above, step, NOISY_SHARE)
        if noisy and noisy.seconds >= NOISY_DURATION * window.min_duration:
            candidates.append(noisy)
    for interval in candidates:
        counts = [minute.requests for minute, _ in steps[interval.first : interval.last + 1]]
        requests, slow_requests = sum(counts), sum(max(1, count // 20) for count in counts)
        is_enough = requests >= MIN_REQUESTS and slow_requests >= MIN_SLOW_REQUESTS
        typical = quantile([p95 for _, p95 in steps[interval.first : interval.last + 1]], 0.5)
        if interval.seconds >= line.seconds and is_enough and typical >= threshold:
            yield interval, requests


def _finding(
    window: ServiceWindow, steps: Sequence[Step], step: float, interval: Interval, requests: int,
    line: Line, thresholds: Thresholds,
) -> Finding:  # fmt: skip
    slow = sorted(p95 for _, p95 in steps[interval.first : interval.last + 1])
    ongoing, typical = interval.last >= len(steps) - 2, quantile(slow, 0.5)
    severity, baseline = line.severity, thresholds.baseline
    if severity is Severity.WARNING and typical >= CRITICAL_MS and ongoing:
        severity = Severity.CRITICAL
    is_short = not ongoing and interval.seconds < 2 * window.min_duration
    if window.is_startup(interval.start, interval.end) or is_short:
        severity = Severity.NOTICE  # it ended before a person could act
    numbers = {
        "p95_ms": round(typical, 1), "peak_ms": round(slow[-1], 1), "requests": float(requests),
        "minutes": round(interval.seconds / 60, 2),
    }  # fmt: skip
    if baseline is not None:
        numbers["baseline_ms"] = round(baseline, 1)
    return window.make_finding(
        "latency", severity, interval.start, last_seen=interval.end, ongoing=ongoing,
        numbers=numbers, step=step, chronic=thresholds.chronic,
    )  # fmt: skip
