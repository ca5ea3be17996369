"""HTTP traffic at the public edge: failed, slow and rejected requests, surges, and requests that no longer arrive."""

from __future__ import annotations

import math
from collections.abc import Sequence

from workers.detection.baseline import MIN_WINDOWS
from workers.detection.latency import detect_latency
from workers.detection.server_errors import detect_server_errors
from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import Interval, intervals, quantile, step_of, wilson_low
from workers.models import Finding, GapPart, Severity, TrafficMinute

# ---- rejected requests (4xx)
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

# ---- surges
SURGE_FACTOR = 2.0  # multiple of the baseline's highest rate (95th percentile)
MIN_SURGE_REQUESTS = 60

# ---- requests that no longer arrive
LOST_DURATION = 2.0  # in minimum durations
MIN_LOST_REQUESTS = 50.0  # requests that the quietest earlier window would have had in the silence
MIN_WINDOW_REQUESTS = 30.0  # requests in the quietest earlier window: less may stop without a reason
# Share of the quietest earlier window that may still arrive in a silence. Nights and weekends leave more.
LOST_SHARE = 0.05
RECENT_SHARE = 0.7  # share of the recent rate that replaces the quietest window if it is higher
LOST_NOISE = 2.0  # multiple of the allowed rate that a single silent step may have


def detect_traffic(window: ServiceWindow) -> list[Finding]:
    """5xx, latency, 4xx in place of successes, a surge (a notice only), and traffic that stopped."""
    minutes = sorted(
        (minute for minute in window.service.traffic if minute.requests > 0), key=lambda minute: minute.at
    )
    step = _step(window)
    findings: list[Finding | None] = [_lost(window, minutes, step)]
    if minutes:
        findings += [
            detect_server_errors(window, minutes, step), detect_latency(window, minutes, step),
            _rejected(window, minutes, step), _surge(window, minutes, step),
        ]  # fmt: skip
    return [finding for finding in findings if finding is not None]


def _step(window: ServiceWindow) -> float:
    """Seconds per step of the traffic; Railway may or may not list steps without requests."""
    times = sorted({float(minute.at) for minute in window.service.traffic})
    declared = float(window.service.traffic_step_seconds or window.survey.step_seconds)
    return min(declared, step_of(times, declared)) if declared > 0 else step_of(times, 60.0)


# ---- rejected requests (4xx) -----------------------------------------------------------------


def _rejected(window: ServiceWindow, minutes: Sequence[TrafficMinute], step: float) -> Finding | None:
    """Requests rejected in place of successes, because a client or a deployment broke."""
    if sum(minute.client_errors for minute in minutes) < MIN_REJECTED:
        return None
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


def _is_significant_loss(interval: Interval, successes: float, expected: float) -> bool:
    """Whether the loss of successes (both per second) exceeds the noise of a Poisson count."""
    expected_count = expected * interval.seconds
    loss = expected_count - successes * interval.seconds
    return loss >= SUCCESS_SIGMAS * math.sqrt(max(1.0, expected_count))


def _max_success_share(window: ServiceWindow, interval: Interval, requests: int, rejected: int) -> float:
    """The share of the baseline's successes up to which the rejections replaced successes."""
    baseline = window.baseline.level("rejected_share")
    total = window.baseline.recent("requests_per_second")
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
    recent = window.baseline.recent("ok_per_second")
    if recent is not None:
        same_hour = window.baseline.same_hour("ok_per_second")
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


# ---- number of requests ----------------------------------------------------------------------


def _surge(window: ServiceWindow, minutes: Sequence[TrafficMinute], step: float) -> Finding | None:
    """Many more requests than in the baseline: harmless by itself, but it explains other findings."""
    baseline = window.baseline.level("requests_per_second", 0.95)
    if not baseline:
        return None
    times = [float(minute.at) for minute in minutes]
    flags = [minute.requests >= SURGE_FACTOR * baseline * step for minute in minutes]
    surges = [
        interval for interval in intervals(times, flags, step) if interval.seconds >= window.min_duration
    ]
    if not surges:
        return None
    interval = surges[-1]
    requests = sum(minute.requests for minute in minutes[interval.first : interval.last + 1])
    if requests < MIN_SURGE_REQUESTS:
        return None
    numbers = {
        "requests_per_minute": round(60 * requests / interval.seconds, 2),
        "baseline_per_minute": round(60 * baseline, 2),
    }
    return window.make_finding(
        "traffic_surge", Severity.NOTICE, interval.start, last_seen=interval.end,
        ongoing=interval.last >= len(minutes) - 2, numbers=numbers, step=step,
    )  # fmt: skip


def _lost(window: ServiceWindow, minutes: Sequence[TrafficMinute], step: float) -> Finding | None:
    """Hardly any request at the end of the window, although every earlier window had many."""
    service, baseline = window.service, window.baseline
    if service.sleeps or not service.public or not baseline.is_known:
        return None
    # Traffic that could not be read looks like traffic that stopped.
    if any(gap.part is GapPart.TRAFFIC for gap in window.survey.gaps_for(service.name)):
        return None
    rates = baseline.values("requests_per_second")
    if len(rates) < len(baseline.windows) or min(rates) * baseline.minutes * 60 < MIN_WINDOW_REQUESTS:
        return None
    recent = RECENT_SHARE * (baseline.recent("requests_per_second") or 0.0)
    allowed = LOST_SHARE * max(min(rates), recent) * step
    onset, requests = window.start, 0
    for minute in reversed(minutes):
        if minute.requests > LOST_NOISE * allowed:
            onset = minute.at + step
            break
        requests += minute.requests
    silence = window.end - onset
    if requests * step > allowed * silence or silence < LOST_DURATION * window.min_duration:
        return None
    if silence * min(rates) < MIN_LOST_REQUESTS:
        return None
    numbers = {
        "silent_minutes": round(silence / 60, 2), "baseline_per_minute": round(60 * quantile(rates, 0.5), 2),
        "requests": float(requests),
    }  # fmt: skip
    return window.make_finding(
        "traffic_lost", Severity.WARNING, onset, numbers=numbers, confidence=0.8, step=step
    )
