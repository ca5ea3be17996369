"""Requests that failed with 5xx: by count, by spread over time, and by the lower bound of their share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import wilson_low
from workers.models import Finding, Severity, TrafficMinute

# ---- shares of the requests, as the lower end of the Wilson interval, so that a few failures of few requests prove
# nothing
NOTICE_SHARE = 0.002
WARNING_SHARE = 0.01
CRITICAL_SHARE = 0.05

# ---- count and spread
MIN_FAILURES = 5
# Share of the failures of the worst step: a step with no more than this neither begins nor prolongs an episode.
STRAY_SHARE = 0.05
# If more than this share of the failures falls into half the minimum duration, they are one burst.
BURST_SHARE = 0.8
# Share of the steps with requests that must contain failures: two bursts far apart are no lasting failure.
FAILING_STEPS_SHARE = 0.2
# With fewer requests than this, the lower bound must reach MIN_SHARE_OF_FEW. An episode is chosen for its failures, so
# a short one always looks bad.
FEW_REQUESTS = 20
MIN_SHARE_OF_FEW = 0.3

# ---- an outage that is reported before the minimum duration has passed
OUTAGE_SHARE = 0.75  # share of the requests of a step that must fail
OUTAGE_STEPS = 2  # failing steps, up to the end of the window
OUTAGE_FAILURES = 20  # failures in these steps

# ---- several rollouts in one window: failures only around them are the cost of deploying
ROLLOUT_BEFORE = 0.25  # in minimum durations
ROLLOUT_AFTER = 0.5  # in minimum durations

# ---- chronic failures: reported as a notice that matches the baseline, until they get worse
CHRONIC_SHARE = 0.01  # median share of failed requests in the baseline
CHRONIC_WINDOWS = 0.5  # share of the earlier windows that failed
BASELINE_SHARE = 0.005  # high share of failed requests from which recurring failures are part of the baseline
BASELINE_FACTOR = 1.5  # multiple of that share up to which a window matches the baseline
WORSE_FACTOR = 2.5  # multiple of the chronic share from which failures have got worse
WORSE_MARGIN = 0.05  # share of the requests by which they must have got worse as well

ONGOING_EXPECTED_FAILURES = 3  # failures that must be missing after an episode before it counts as over


@dataclass(frozen=True)
class Episode:
    """Consecutive steps of the traffic in which failures concentrate; `step` is their length in seconds."""

    minutes: Sequence[TrafficMinute]
    step: float

    @property
    def requests(self) -> int:
        return sum(minute.requests for minute in self.minutes)

    @property
    def failures(self) -> int:
        return sum(minute.server_errors for minute in self.minutes)

    @property
    def failing(self) -> list[TrafficMinute]:
        """The steps with more than stray failures."""
        worst = max((minute.server_errors for minute in self.minutes), default=0)
        return [minute for minute in self.minutes if minute.server_errors > STRAY_SHARE * worst]

    @property
    def seconds(self) -> float:
        return self.failing[-1].at - self.failing[0].at + self.step if self.failing else 0.0

    @property
    def share_low(self) -> float:
        """The lower end of the 95 % Wilson interval of the failed share."""
        return wilson_low(self.failures, self.requests)


def detect_server_errors(
    window: ServiceWindow, minutes: Sequence[TrafficMinute], step: float
) -> Finding | None:
    """At most one finding about 5xx.

    Args:
        minutes: The steps with requests, oldest first.
        step: Seconds per step.
    """
    if len(window.rollouts) > 1:
        minutes = [minute for minute in minutes if not _is_at_rollout(window, minute.at)]
    if not any(minute.server_errors for minute in minutes):
        return None
    outage = _outage(minutes, step)
    if _is_certain(window, outage):
        return _finding(window, outage, minutes)
    for episode in (outage, _densest(minutes, step, WARNING_SHARE)):
        if episode.share_low > WARNING_SHARE and _lasts(episode, window.min_duration):
            return _finding(window, episode, minutes)
    baseline = window.baseline.error_share
    if baseline is None or baseline >= NOTICE_SHARE:
        return None
    faint = _densest(minutes, step, max(NOTICE_SHARE, 2 * baseline))
    if faint.share_low > NOTICE_SHARE and _lasts(faint, window.min_duration):
        return _finding(window, faint, minutes)
    return None


def _is_at_rollout(window: ServiceWindow, at: float) -> bool:
    before, after = ROLLOUT_BEFORE * window.min_duration, ROLLOUT_AFTER * window.min_duration
    return any(-before <= at - rollout <= after for rollout in window.rollouts)


def _outage(minutes: Sequence[TrafficMinute], step: float) -> Episode:
    """The last steps as far back as nearly all of their requests failed."""
    first = len(minutes)
    while first > 0 and minutes[first - 1].server_errors >= OUTAGE_SHARE * minutes[first - 1].requests:
        first -= 1
    return Episode(minutes[first:], step)


def _is_certain(window: ServiceWindow, outage: Episode) -> bool:
    """Whether the service answers nothing any more and no rollout that has just begun explains it."""
    if len(outage.failing) < OUTAGE_STEPS or outage.failures < OUTAGE_FAILURES:
        return False
    is_startup = window.is_startup(outage.failing[0].at, outage.failing[-1].at)
    return not is_startup or _lasts(outage, window.min_duration)


def _densest(minutes: Sequence[TrafficMinute], step: float, share: float) -> Episode:
    """The episode whose failures exceed `share` of its requests by most (maximum-sum subarray, Kadane)."""
    best, best_sum, first, running = (0, 0), 0.0, 0, 0.0
    for i, minute in enumerate(minutes):
        if running <= 0:
            first, running = i, 0.0
        running += minute.server_errors - share * minute.requests
        if running > best_sum:
            best, best_sum = (first, i + 1), running
    return Episode(minutes[best[0] : best[1]], step)


def _lasts(episode: Episode, min_duration: float) -> bool:
    """Whether there are enough failures over enough time, and not in one burst."""
    failing = episode.failing
    if episode.failures < MIN_FAILURES or len(failing) < 2 or episode.seconds < min_duration:
        return False
    if episode.requests < FEW_REQUESTS and episode.share_low < MIN_SHARE_OF_FEW:
        return False
    burst_steps = max(1, round(0.5 * min_duration / episode.step))
    burst = sum(sorted((minute.server_errors for minute in failing), reverse=True)[:burst_steps])
    is_spread = len(failing) >= FAILING_STEPS_SHARE * len(episode.minutes)
    return burst <= BURST_SHARE * episode.failures and is_spread


def _severity(window: ServiceWindow, low: float, ongoing: bool) -> tuple[Severity, bool]:
    """The severity, and whether the failures match the baseline; `low` is the lower bound of the failed share."""
    baseline = window.baseline.error_share or 0.0
    is_chronic = baseline >= CHRONIC_SHARE and window.baseline.failing_window_share >= CHRONIC_WINDOWS
    if _is_recurring(window):
        return Severity.NOTICE, low > WARNING_SHARE
    if is_chronic and low <= max(WORSE_FACTOR * baseline, baseline + WORSE_MARGIN):
        return Severity.NOTICE, low > WARNING_SHARE
    if low <= WARNING_SHARE:
        return Severity.NOTICE, False
    return (Severity.CRITICAL if low > CRITICAL_SHARE and ongoing else Severity.WARNING), False


def _is_recurring(window: ServiceWindow) -> bool:
    """Whether the window as a whole fails no more than many earlier windows, for example once every hour."""
    baseline = window.baseline.recurring_error_share
    if baseline < BASELINE_SHARE:
        return False
    requests = sum(minute.requests for minute in window.service.traffic)
    failures = sum(minute.server_errors for minute in window.service.traffic)
    return failures <= BASELINE_FACTOR * baseline * requests


def _finding(window: ServiceWindow, episode: Episode, minutes: Sequence[TrafficMinute]) -> Finding:
    low, first, last = episode.share_low, episode.failing[0].at, episode.failing[-1].at
    ongoing = _is_ongoing(episode, [minute for minute in minutes if minute.at > last])
    severity, is_baseline = _severity(window, low, ongoing)
    numbers = {
        "failed": float(episode.failures), "requests": float(episode.requests),
        "failed_percent": round(100 * episode.failures / episode.requests, 2),
        "failed_percent_at_least": round(100 * low, 2), "minutes": round(episode.seconds / 60, 2),
        **_request_rates(episode, [minute for minute in minutes if minute.at < first]),
    }  # fmt: skip
    if window.baseline.error_share is not None:
        numbers["baseline_percent"] = round(100 * window.baseline.error_share, 3)
    return window.make_finding(
        "server_errors", severity, first, last_seen=last + episode.step, ongoing=ongoing,
        numbers=numbers, is_baseline=is_baseline, step=episode.step,
    )  # fmt: skip


def _is_ongoing(episode: Episode, after: Sequence[TrafficMinute]) -> bool:
    """Whether the steps after the episode are too few, or have too few requests, to show that it is over."""
    expected = sum(minute.requests for minute in after) * episode.failures
    return len(after) <= 1 or expected < ONGOING_EXPECTED_FAILURES * episode.requests


def _request_rates(episode: Episode, before: Sequence[TrafficMinute]) -> dict[str, float]:
    """Requests per minute before and during the episode: fewer requests during it are lost ones."""
    if not before:
        return {}
    rate_before = sum(minute.requests for minute in before) / (len(before) * episode.step / 60)
    rate = episode.requests / (len(episode.minutes) * episode.step / 60)
    return {"requests_per_minute_before": round(rate_before, 2), "requests_per_minute": round(rate, 2)}
