"""HTTP traffic at the public edge: failed, slow and rejected requests, surges, and requests that no longer arrive."""

from __future__ import annotations

from collections.abc import Sequence

from workers.detection.client_errors import detect_client_errors
from workers.detection.latency import detect_latency
from workers.detection.recurrence import MIN_WINDOWS
from workers.detection.server_errors import detect_server_errors
from workers.detection.service_window import ServiceWindow
from workers.detection.shortfall import detect_traffic_drop
from workers.detection.statistics import intervals, quantile, step_of
from workers.models import Finding, GapPart, Severity, TrafficMinute

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
    findings: list[Finding | None] = [
        _lost(window, minutes, step) or detect_traffic_drop(window, minutes, step)
    ]
    if minutes:
        findings += [
            detect_server_errors(window, minutes, step), detect_latency(window, minutes, step),
            detect_client_errors(window, minutes, step), _surge(window, minutes, step),
        ]  # fmt: skip
    return [finding for finding in findings if finding is not None]


def _step(window: ServiceWindow) -> float:
    """Seconds per step of the traffic; Railway may or may not list steps without requests."""
    times = sorted({float(minute.at) for minute in window.service.traffic})
    declared = float(window.service.traffic_step_seconds or window.survey.step_seconds)
    return min(declared, step_of(times, declared)) if declared > 0 else step_of(times, 60.0)


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
    if baseline.has_lost_onset("traffic_lost"):
        return _lost_onset(window, minutes, step)
    rates = _rates_before(window)
    if not rates or min(rates) * baseline.minutes * 60 < MIN_WINDOW_REQUESTS:
        return None
    recent = RECENT_SHARE * (baseline.recent("requests_per_second", without=("traffic_lost",)) or 0.0)
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
        "requests": float(requests), "silent_windows": float(baseline.windows_so_far("traffic_lost")),
    }  # fmt: skip
    return window.make_finding(
        "traffic_lost", Severity.WARNING, onset, numbers=numbers, confidence=0.8, step=step
    )


def _rates_before(window: ServiceWindow) -> list[float]:
    """Requests per second of the earlier windows with all of their traffic; [] if they are not all known."""
    lost = window.baseline.failing("traffic_lost")
    # Traffic stops and returns in the middle of a window: those beside a loss have less than usual too.
    beside = [any(lost[max(0, i - 1) : i + 2]) for i in range(len(lost))]
    column = window.baseline.column("requests_per_second")
    rates = [rate for is_beside, rate in zip(beside, column, strict=True) if not is_beside]
    measured = [rate for rate in rates if rate is not None]
    return measured if len(measured) == len(rates) >= MIN_WINDOWS else []


def _lost_onset(window: ServiceWindow, minutes: Sequence[TrafficMinute], step: float) -> Finding | None:
    """Traffic that is still away, as in all earlier windows, all of which had an alert about it."""
    requests = sum(minute.requests for minute in minutes)
    if requests >= MIN_WINDOW_REQUESTS:
        return None
    numbers = {
        "silent_minutes": round(window.survey.window.minutes, 2), "baseline_per_minute": 0.0,
        "requests": float(requests),
    }  # fmt: skip
    return window.make_finding(
        "traffic_lost",
        Severity.WARNING,
        window.start,
        numbers=numbers,
        confidence=0.8,
        step=step,
        chronic=True,
    )
