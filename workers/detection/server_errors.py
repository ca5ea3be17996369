"""Requests that failed with 5xx: by count, by spread over time, and by the lower bound of their share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import wilson_low
from workers.models import Finding, Severity, Summary, TrafficMinute

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

# ---- failures that have always been there: mild ones match the baseline, bad ones are chronic, until they get worse
CHRONIC_SHARE = (
    0.2  # share of the requests, as the lower bound, from which failures are bad however old they are
)
BASELINE_SHARE = 0.005  # high share of failed requests from which recurring failures are part of the baseline
BASELINE_FACTOR = 1.5  # multiple of that share up to which a window matches the baseline
WORSE_FACTOR = 2.5  # multiple of the baseline's share from which failures have got worse
WORSE_MARGIN = 0.05  # share of the requests by which they must have got worse as well
CONTINUED_SHARE = (
    0.5  # share of the failures so far that continues them where requests are too few for a proof
)

# ---- outages that are too short to last, but come again
REPEATED_SHARE = 0.03  # share of the window's requests, as the lower bound
REPEATED_FAILURES = 20
REPEATED_WINDOWS = 6  # earlier windows: three hours of half-hour windows ...
REPEATED_OUTAGES = 2  # ... of which this many had such an outage too

ONGOING_EXPECTED_FAILURES = 3  # failures that must be missing after an episode before it counts as over


class Grade(NamedTuple):
    """How bad failures are, compared with the baseline."""

    severity: Severity
    is_baseline: bool = False
    chronic: bool = False


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
    return (
        _continued(window, minutes, step)
        or _short_outage(window, minutes, step)
        or _faint(window, minutes, step)
    )


def _faint(window: ServiceWindow, minutes: Sequence[TrafficMinute], step: float) -> Finding | None:
    """A notice about a few failures of a service that hardly ever fails."""
    baseline = window.baseline.error_share
    if baseline is None or baseline >= NOTICE_SHARE:
        return None
    faint = _densest(minutes, step, max(NOTICE_SHARE, 2 * baseline))
    if faint.share_low > NOTICE_SHARE and _lasts(faint, window.min_duration):
        return _finding(window, faint, minutes)
    return None


def _short_outage(window: ServiceWindow, minutes: Sequence[TrafficMinute], step: float) -> Finding | None:
    """An outage that is over sooner than the minimum duration: a notice, or an alert if it comes again and again."""
    whole = Episode(minutes, step)
    if window.rollouts or whole.failures < REPEATED_FAILURES or whole.share_low < REPEATED_SHARE:
        return None
    episode = _densest(minutes, step, WARNING_SHARE)
    recent = window.baseline.windows[-REPEATED_WINDOWS:]
    outages = sum(_had_outage(summary) for summary in recent)
    grade = Grade(Severity.WARNING if outages >= REPEATED_OUTAGES else Severity.NOTICE)
    if _is_recurring(window):
        grade = _grade_of_old(window, whole.share_low)
    finding = _finding(window, episode, minutes, grade)
    if outages < REPEATED_OUTAGES:
        return finding
    numbers = {**finding.numbers, "outages": outages + 1.0, "windows": len(recent) + 1.0}
    # It is over for now and will come again.
    return window.reworded(finding, numbers=numbers, ongoing=True, step=step)


def _had_outage(summary: Summary) -> bool:
    failures, requests = summary.server_errors or 0.0, summary.requests or 0.0
    is_outage = failures >= REPEATED_FAILURES and failures >= REPEATED_SHARE * requests
    return is_outage and not summary.restarted


def _continued(window: ServiceWindow, minutes: Sequence[TrafficMinute], step: float) -> Finding | None:
    """Failures that go on while there are too few requests to prove them by this window alone."""
    whole = Episode(minutes, step)
    failures, requests = whole.failures, whole.requests
    baseline = window.baseline
    is_chronic = baseline.always_fails
    before = baseline.error_share if is_chronic else baseline.share_so_far("failed_share", "server_errors")
    if before is None or before < CHRONIC_SHARE or requests >= FEW_REQUESTS:
        return None
    if failures < CONTINUED_SHARE * before * requests:
        return None
    return _finding(window, whole, minutes, Grade(Severity.WARNING, chronic=is_chronic))


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


def _grade(window: ServiceWindow, low: float, ongoing: bool) -> Grade:
    """The severity by the lower bound of the failed share, and whether the failures are as old as the history."""
    baseline = window.baseline.error_share or 0.0
    is_same = low <= max(WORSE_FACTOR * baseline, baseline + WORSE_MARGIN)
    if _is_recurring(window):
        return _grade_of_old(window, Episode(window.service.traffic, 0.0).share_low, low)
    if window.baseline.always_fails and is_same:
        return _grade_of_old(window, low)
    if low <= WARNING_SHARE:
        return Grade(Severity.NOTICE)
    return Grade(Severity.CRITICAL if low > CRITICAL_SHARE and ongoing else Severity.WARNING)


def _grade_of_old(window: ServiceWindow, share: float, low: float | None = None) -> Grade:
    """The grade of failures that are as old as the history.

    Args:
        share: The lower bound of the share that decides whether they are bad.
        low: That of the episode, if it is another one.
    """
    if share > CHRONIC_SHARE:
        return Grade(Severity.WARNING, chronic=True)
    is_alert = (share if low is None else low) > WARNING_SHARE
    if is_alert and window.baseline.has_lost_onset("server_errors"):
        return Grade(Severity.WARNING, chronic=True)
    return Grade(Severity.NOTICE, is_baseline=is_alert)


def _is_recurring(window: ServiceWindow) -> bool:
    """Whether the window as a whole fails no more than many earlier windows, for example once every hour."""
    baseline = window.baseline.recurring_error_share
    if baseline < BASELINE_SHARE:
        return False
    requests = sum(minute.requests for minute in window.service.traffic)
    failures = sum(minute.server_errors for minute in window.service.traffic)
    return failures <= BASELINE_FACTOR * baseline * requests


def _finding(
    window: ServiceWindow, episode: Episode, minutes: Sequence[TrafficMinute], grade: Grade | None = None
) -> Finding:
    low, first, last = episode.share_low, episode.failing[0].at, episode.failing[-1].at
    ongoing = _is_ongoing(episode, [minute for minute in minutes if minute.at > last])
    severity, is_baseline, chronic = grade or _grade(window, low, ongoing)
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
        numbers=numbers, is_baseline=is_baseline, chronic=chronic, step=episode.step,
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
