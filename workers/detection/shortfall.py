"""Less than usual: traffic far below its baseline, and a worker without HTTP traffic that no longer computes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from workers.detection.recurrence import MIN_WINDOWS
from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import quantile, step_of
from workers.models import Finding, GapPart, Severity, TrafficMinute

# ---- traffic
DROP_DURATION = 3.75  # in minimum durations: the last part of the window that is compared, 15 min at 4 min
AFTER_ROLLOUT_DURATION = 2.0  # the same after a rollout, once its first minutes are over
MIN_STEPS = 2  # steps of the traffic: a single one may be incomplete
SAME_HOUR_SECONDS = 2700.0
MIN_DAYS = 3  # days: fewer do not show how much the traffic of an hour varies
# Share of the quietest window of this hour of earlier days. Half of the traffic may end with a campaign.
DROP_SHARE = 0.4
ROLLOUT_SHARE = 0.65  # share of the traffic before a rollout: a route that vanished takes its requests along
CONTINUED_SHARE = 0.7  # share of the baseline below which a drop goes on
MIN_EXPECTED = 60.0  # requests that the baseline expects in the part: fewer vary too much
DROP_SIGMAS = 5.0  # standard deviations of a Poisson count by which the requests must have fallen

# ---- workers
IDLE_SHARE = 0.1  # share of the lowest CPU mean of the baseline
IDLE_DURATION = 2.0  # in minimum durations, until the end of the window
IDLE_MIN_WINDOWS = 24  # windows: half a day of half-hour windows in which the worker always computed
MIN_WORKING_VCPU = 0.02  # vCPU: below it, a process waits
# The silence alerts once it has lasted for this many windows and the history shows a weekend without such a silence.
IDLE_ALERT_WINDOWS = 2
KNOWN_WEEK_SECONDS = 6 * 86_400.0


# ---- traffic ---------------------------------------------------------------------------------


def detect_traffic_drop(
    window: ServiceWindow, minutes: Sequence[TrafficMinute], step: float
) -> Finding | None:
    """A notice about much less traffic than at this hour of earlier days, or than before a rollout.

    Args:
        minutes: The steps with requests, oldest first.
        step: Seconds per step.
    """
    service = window.service
    if service.sleeps or not service.public or not window.baseline.is_known:
        return None
    if any(gap.part is GapPart.TRAFFIC for gap in window.survey.gaps_for(service.name)):
        return None
    drop = _drop_by_hour(window, minutes, step) or _drop_after_rollout(window, minutes, step)
    if drop is None:
        return None
    rate, expected = drop
    onset = window.start
    for minute in reversed(minutes):
        if minute.requests >= CONTINUED_SHARE * expected * step:
            onset = minute.at + step
            break
    numbers = {
        "requests_per_minute": round(60 * rate, 2), "baseline_per_minute": round(60 * expected, 2),
    }  # fmt: skip
    return window.make_finding(
        "traffic_drop", Severity.NOTICE, onset, numbers=numbers, confidence=0.7, step=step
    )


def _drop_by_hour(
    window: ServiceWindow, minutes: Sequence[TrafficMinute], step: float
) -> tuple[float, float] | None:
    """Requests per second in the last part of the window, and those expected, if they are far fewer."""
    steps = max(MIN_STEPS, math.ceil(DROP_DURATION * window.min_duration / step))
    seconds = min(window.survey.window.seconds, steps * step)
    baseline, goes_on = window.baseline, window.baseline.may_last("traffic_drop")
    lows = baseline.daily_lows("requests_per_second", ("traffic_drop", "traffic_lost"), SAME_HOUR_SECONDS)
    if len(lows) >= MIN_DAYS:
        return _far_fewer(window, minutes, seconds, min(lows), CONTINUED_SHARE if goes_on else DROP_SHARE)
    recent = baseline.recent("requests_per_second", without=("traffic_drop", "traffic_lost"))
    if not goes_on or recent is None:
        return None
    return _far_fewer(window, minutes, seconds, min(lows, default=recent), CONTINUED_SHARE)


def _drop_after_rollout(
    window: ServiceWindow, minutes: Sequence[TrafficMinute], step: float
) -> tuple[float, float] | None:
    windows = window.baseline.windows
    if not window.rollouts and not (windows and windows[-1].restarted):
        return None
    rollout = window.rollouts[-1] if window.rollouts else window.start
    seconds = window.end - max(window.start, rollout + 0.5 * window.min_duration)
    seconds = step * (seconds // step)  # a step that began before would count in part
    recent = window.baseline.recent("requests_per_second", without=("traffic_drop", "traffic_lost"))
    if recent is None or seconds < max(MIN_STEPS * step, AFTER_ROLLOUT_DURATION * window.min_duration):
        return None
    lows = window.baseline.daily_lows("requests_per_second", ("traffic_drop",), SAME_HOUR_SECONDS)
    return _far_fewer(window, minutes, seconds, min([recent, *lows]), ROLLOUT_SHARE)


def _far_fewer(
    window: ServiceWindow, minutes: Sequence[TrafficMinute], seconds: float, expected: float, share: float
) -> tuple[float, float] | None:
    """Requests per second in the last `seconds` and those expected, if they are below that share of them."""
    count = sum(minute.requests for minute in minutes if minute.at >= window.end - seconds)
    normal = expected * seconds
    if normal < MIN_EXPECTED or count > share * normal:
        return None
    return (count / seconds, expected) if normal - count >= DROP_SIGMAS * math.sqrt(normal) else None


# ---- workers ---------------------------------------------------------------------------------


def detect_idle_worker(window: ServiceWindow) -> Finding | None:
    """A service without HTTP traffic whose CPU fell to nearly nothing, although it has always computed."""
    service, baseline = window.service, window.baseline
    if service.cron or service.sleeps or service.traffic or any(baseline.values("requests")):
        return None
    means = baseline.values("cpu_mean", without=("worker_idle",))
    needed = MIN_WINDOWS if baseline.may_last("worker_idle") else IDLE_MIN_WINDOWS
    if len(means) < needed or min(means) < MIN_WORKING_VCPU:
        return None
    threshold = IDLE_SHARE * min(means)
    onsets = [_silent_since(points, threshold, window.survey.step_seconds) for points in window.cpu if points]
    if not onsets or any(onset is None for onset in onsets):
        return None  # a replica computes
    onset = max(onset for onset in onsets if onset is not None)
    if window.end - onset < IDLE_DURATION * window.min_duration or window.is_startup(onset, window.end):
        return None
    lasts = sum(baseline.failing("worker_idle")[-IDLE_ALERT_WINDOWS:]) >= IDLE_ALERT_WINDOWS
    knows_weekend = max(age.begin for age in baseline.ages) >= KNOWN_WEEK_SECONDS
    last = [value for points in window.cpu for at, value in points if at >= onset]
    numbers = {
        "vcpu": round(sum(last) / len(last), 4), "baseline_vcpu": round(quantile(means, 0.5), 3),
        "baseline_low_vcpu": round(min(means), 3), "minutes": round((window.end - onset) / 60, 2),
    }  # fmt: skip
    severity = Severity.WARNING if lasts and knows_weekend else Severity.NOTICE
    return window.make_finding("worker_idle", severity, onset, numbers=numbers, confidence=0.7)


def _silent_since(points: Sequence[tuple[int, float]], threshold: float, step: float) -> float | None:
    """Epoch seconds since which all samples are below the threshold; None if the last one is not."""
    silent = [at for at, value in points if value > threshold]
    first = silent[-1] + step_of([float(at) for at, _ in points], step) if silent else points[0][0]
    return first if first <= points[-1][0] else None
