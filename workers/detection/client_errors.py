"""Requests rejected with 4xx in place of successes, because a client or a deployment broke, or always."""

from __future__ import annotations

import math
from collections.abc import Sequence

from workers.detection.recurrence import MIN_WINDOWS, is_always
from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import Interval, intervals, quantile, wilson_low
from workers.models import Finding, Severity, TrafficMinute

REJECTED_SHARE = 0.25  # share of the requests of a step
MIN_REJECTED = 20
# Share of the baseline's successes above which the rejections are extra traffic, for example a vulnerability scan.
MAX_SUCCESS_SHARE = 0.65
REJECTED_DURATION = 1.5  # in minimum durations, or half of a short window
BEGINNING_STEPS = 4  # steps of the window that stand for the baseline's successes if there is none
SUCCESS_SIGMAS = 3.0  # standard deviations of a Poisson count by which successes must have fallen
# Right after a rollout a smaller loss counts, if the total did not grow: rejections then replaced successes.
ROLLOUT_DURATION = 2.5  # in minimum durations after the rollout
ROLLOUT_SUCCESS_SHARE = 0.85
SAME_TOTAL_FACTOR = 1.3  # multiple of the recent request rate up to which the total did not grow
REJECTED_FACTOR = 3.0  # multiple of the baseline's rejected share that is needed then

CONTINUED_SHARE = 0.5  # share of the rejections so far, as the lower bound, that continues them

# ---- a service that has always refused nearly everybody. Half may be callers without a valid token.
CHRONIC_SHARE = 0.9  # share of the requests, as the lower bound in this window
CHRONIC_REQUESTS = 60  # requests in the window: fewer may all be scans of a service that nobody uses

OTHER_TROUBLE = ("client_errors", "server_errors", "traffic_lost")
"""Kinds of findings whose windows do not show how many requests normally succeed."""


def detect_client_errors(
    window: ServiceWindow, minutes: Sequence[TrafficMinute], step: float
) -> Finding | None:
    """At most one finding about 4xx.

    Args:
        minutes: The steps with requests, oldest first.
        step: Seconds per step.
    """
    if sum(minute.client_errors for minute in minutes) < MIN_REJECTED:
        return None
    return _in_place_of_successes(window, minutes, step) or _continued(window, minutes, step)


def _in_place_of_successes(
    window: ServiceWindow, minutes: Sequence[TrafficMinute], step: float
) -> Finding | None:
    times = [float(minute.at) for minute in minutes]
    flags = [minute.client_errors >= REJECTED_SHARE * minute.requests for minute in minutes]
    half_window = 0.5 * window.survey.window.seconds
    min_seconds = max(window.min_duration, min(REJECTED_DURATION * window.min_duration, half_window))
    long = [interval for interval in intervals(times, flags, step) if interval.seconds >= min_seconds]
    for interval in sorted(long, key=lambda interval: -interval.seconds):
        part = minutes[interval.first : interval.last + 1]
        expected = _baseline_successes(window, minutes[: interval.first], step)
        successes = sum(minute.ok for minute in part) / interval.seconds
        if expected is None or not _is_significant_loss(interval, successes, expected):
            continue
        requests = sum(minute.requests for minute in part)
        rejected = sum(minute.client_errors for minute in part)
        if rejected < MIN_REJECTED or wilson_low(rejected, requests) <= REJECTED_SHARE / 2:
            continue
        if successes <= _max_success_share(window, interval, requests, rejected) * expected:
            ongoing = interval.last >= len(minutes) - 2
            return _rejected_finding(window, interval, part, successes, expected, ongoing)
    return None


def _continued(window: ServiceWindow, minutes: Sequence[TrafficMinute], step: float) -> Finding | None:
    """Rejections that go on, or that have been nearly all responses for as long as the history reaches.

    The number of successes is no measure of them: it changes with the hour.
    """
    baseline = window.baseline
    requests = sum(minute.requests for minute in minutes)
    low = wilson_low(sum(minute.client_errors for minute in minutes), requests)
    so_far = baseline.share_so_far("rejected_share", "client_errors")
    goes_on = so_far is not None and low >= max(CONTINUED_SHARE * so_far, REJECTED_SHARE / 2)
    is_old = is_always(baseline.values("rejected_share"), CHRONIC_SHARE)
    is_chronic = is_old and requests >= CHRONIC_REQUESTS and low >= CHRONIC_SHARE
    if not (goes_on or is_chronic):
        return None
    interval = Interval(0, len(minutes) - 1, minutes[0].at, minutes[-1].at + step)
    successes = sum(minute.ok for minute in minutes) / interval.seconds
    before = baseline.level("ok_per_second", without=("client_errors",)) or 0.0
    finding = _rejected_finding(window, interval, minutes, successes, before, ongoing=True)
    return (
        window.as_chronic(finding, step)
        if is_chronic or baseline.has_lost_onset("client_errors")
        else finding
    )


def _is_significant_loss(interval: Interval, successes: float, expected: float) -> bool:
    """Whether the loss of successes (both per second) exceeds the noise of a Poisson count."""
    expected_count = expected * interval.seconds
    loss = expected_count - successes * interval.seconds
    return loss >= SUCCESS_SIGMAS * math.sqrt(max(1.0, expected_count))


def _max_success_share(window: ServiceWindow, interval: Interval, requests: int, rejected: int) -> float:
    """The share of the baseline's successes up to which the rejections replaced successes."""
    baseline = window.baseline.level("rejected_share", without=("client_errors",))
    total = window.baseline.recent("requests_per_second", without=OTHER_TROUBLE)
    min_age, max_age = -window.min_duration, ROLLOUT_DURATION * window.min_duration
    follows_rollout = any(min_age <= interval.start - rollout <= max_age for rollout in window.rollouts)
    if baseline is None or not total or not follows_rollout:
        return MAX_SUCCESS_SHARE
    same_total = requests / interval.seconds <= SAME_TOTAL_FACTOR * total
    needed = max(REJECTED_FACTOR * baseline, baseline + REJECTED_SHARE / 2)
    has_risen = wilson_low(rejected, requests) >= needed
    return ROLLOUT_SUCCESS_SHARE if same_total and has_risen else MAX_SUCCESS_SHARE


def _baseline_successes(window: ServiceWindow, before: Sequence[TrafficMinute], step: float) -> float | None:
    """Successes per second in the recent windows, otherwise in the steps before the interval."""
    recent = window.baseline.recent("ok_per_second", without=OTHER_TROUBLE)
    if recent is not None:
        same_hour = window.baseline.same_hour("ok_per_second", without=OTHER_TROUBLE)
        return min(recent, quantile(same_hour, 0.5)) if len(same_hour) >= MIN_WINDOWS else recent
    if len(before) < BEGINNING_STEPS:
        return None
    return sum(minute.ok for minute in before) / (len(before) * step)


def _rejected_finding(
    window: ServiceWindow, interval: Interval, part: Sequence[TrafficMinute],
    successes: float, expected: float, ongoing: bool,
) -> Finding:  # fmt: skip
    requests = sum(minute.requests for minute in part)
    rejected = sum(minute.client_errors for minute in part)
    numbers = {
        "refused": float(rejected), "requests": float(requests),
        "refused_percent": round(100 * rejected / requests, 2),
        "minutes": round(interval.seconds / 60, 2), "successes_per_minute": round(60 * successes, 3),
        "baseline_successes_per_minute": round(60 * expected, 3),
    }  # fmt: skip
    is_long = ongoing or interval.seconds >= 2 * window.min_duration
    return window.make_finding(
        "client_errors", Severity.WARNING if is_long else Severity.NOTICE, interval.start,
        last_seen=interval.end, ongoing=ongoing, numbers=numbers, confidence=0.8,
        step=interval.seconds / len(part),
    )  # fmt: skip
