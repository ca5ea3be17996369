"""Requests that the service failed to answer: by count, by spread, by what the count allows, against its own usual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workers.detection.sentences import ending, moment, since
from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import wilson_low
from workers.models import Finding, Severity, TrafficMinute

FEWEST_FAILURES = 5
NOTICE_SHARE, WARNING_SHARE, CRITICAL_SHARE = 0.002, 0.01, 0.05
"""Of the requests, as the lower end of what the count allows (Wilson)."""
STRAY_SHARE = 0.05
"""Of the failures of the worst step."""
BURST_SHARE = 0.8
"""More than this share of all failures within half the time that a condition must hold is one burst."""
FAILING_STEPS_SHARE = 0.2
"""Of the steps with requests: two bursts far apart are no lasting trouble."""
OUTAGE_SHARE = 0.75
SURE_OUTAGE_STEPS, SURE_OUTAGE_FAILURES = 2, 20
"""Nearly everything fails in so many last steps: that fires at once."""
FEW_REQUESTS, FEW_FAIL_SHARE = 20, 0.3
"""Of so few requests many must fail (Wilson): a stretch that was chosen for its failures always looks bad."""
BLIP_BEFORE, BLIP_AFTER = 0.25, 0.5
"""Times the persist time, around each of several deployments: what fails only there is the price of deploying."""
CHRONIC_SHARE, CHRONIC_WINDOWS = 0.01, 0.5
"""Failing so much in so many earlier windows is known."""
HABIT_SHARE, HABIT_TIMES = 0.005, 1.5
WORSE_TIMES, WORSE_POINTS = 2.5, 0.05
"""What makes chronic trouble worse than it was, as a factor and as a share of the requests."""


@dataclass(frozen=True)
class Episode:
    """The stretch of the traffic in which failures gather."""

    minutes: Sequence[TrafficMinute]
    step: float

    @property
    def requests(self) -> int:
        return sum(one.requests for one in self.minutes)

    @property
    def failures(self) -> int:
        return sum(one.server_errors for one in self.minutes)

    @property
    def failing(self) -> list[TrafficMinute]:
        """The steps that make it; a stray failure beside many neither begins nor prolongs it."""
        worst = max((one.server_errors for one in self.minutes), default=0)
        return [one for one in self.minutes if one.server_errors > STRAY_SHARE * worst]

    @property
    def seconds(self) -> float:
        return self.failing[-1].at - self.failing[0].at + self.step if self.failing else 0.0


def judge_errors(case: ServiceWindow, minutes: Sequence[TrafficMinute], step: float) -> Finding | None:
    """At most one finding; `minutes` are the steps with requests, oldest first."""
    if len(case.rollouts) > 1:
        minutes = [one for one in minutes if not _at_a_rollout(case, one.at)]
    if not any(one.server_errors for one in minutes):
        return None
    outage = _outage(minutes, step)
    if _is_sure(case, outage):
        return _say(case, outage, minutes)
    for episode in (outage, _densest(minutes, step, WARNING_SHARE)):
        if wilson_low(episode.failures, episode.requests) > WARNING_SHARE and _lasts(episode, case.persist):
            return _say(case, episode, minutes)
    usual = case.usual.error_share
    if usual is None or usual >= NOTICE_SHARE:
        return None
    faint = _densest(minutes, step, max(NOTICE_SHARE, 2 * usual))
    if wilson_low(faint.failures, faint.requests) > NOTICE_SHARE and _lasts(faint, case.persist):
        return _say(case, faint, minutes)
    return None


def _at_a_rollout(case: ServiceWindow, at: float) -> bool:
    before, after = BLIP_BEFORE * case.persist, BLIP_AFTER * case.persist
    return any(-before <= at - one <= after for one in case.rollouts)


def _outage(minutes: Sequence[TrafficMinute], step: float) -> Episode:
    """The newest steps as long as nearly everything in them failed."""
    first = len(minutes)
    while first > 0 and minutes[first - 1].server_errors >= OUTAGE_SHARE * minutes[first - 1].requests:
        first -= 1
    return Episode(minutes[first:], step)


def _is_sure(case: ServiceWindow, outage: Episode) -> bool:
    """Nothing is answered any more, and no rollout that has just begun explains it."""
    if len(outage.failing) < SURE_OUTAGE_STEPS or outage.failures < SURE_OUTAGE_FAILURES:
        return False
    return not case.starting_up(outage.failing[0].at, outage.failing[-1].at) or _lasts(outage, case.persist)


def _densest(minutes: Sequence[TrafficMinute], step: float, share: float) -> Episode:
    """The stretch whose failures exceed the share by most (largest sum of a run, Kadane)."""
    best, best_sum, first, running = (0, 0), 0.0, 0, 0.0
    for i, one in enumerate(minutes):
        if running <= 0:
            first, running = i, 0.0
        running += one.server_errors - share * one.requests
        if running > best_sum:
            best, best_sum = (first, i + 1), running
    return Episode(minutes[best[0] : best[1]], step)


def _lasts(episode: Episode, persist: float) -> bool:
    """Enough failures over enough time, and not one burst."""
    failing = episode.failing
    if episode.failures < FEWEST_FAILURES or len(failing) < 2 or episode.seconds < persist:
        return False
    if episode.requests < FEW_REQUESTS and wilson_low(episode.failures, episode.requests) < FEW_FAIL_SHARE:
        return False
    burst = max(1, round(0.5 * persist / episode.step))
    worst = sum(sorted((one.server_errors for one in failing), reverse=True)[:burst])
    spread = len(failing) >= FAILING_STEPS_SHARE * len(episode.minutes)
    return worst <= BURST_SHARE * episode.failures and spread


def _severity(case: ServiceWindow, low: float, ongoing: bool) -> tuple[Severity, bool]:
    """How bad it is, and whether it has long been so."""
    usual = case.usual.error_share or 0.0
    chronic = usual >= CHRONIC_SHARE and case.usual.often_failing >= CHRONIC_WINDOWS
    if _is_habit(case):
        return Severity.NOTICE, low > WARNING_SHARE
    if chronic and low <= max(WORSE_TIMES * usual, usual + WORSE_POINTS):
        return Severity.NOTICE, low > WARNING_SHARE
    if low <= WARNING_SHARE:
        return Severity.NOTICE, False
    return (Severity.CRITICAL if low > CRITICAL_SHARE and ongoing else Severity.WARNING), False


def _is_habit(case: ServiceWindow) -> bool:
    """Whether the window as a whole fails no more than many windows do, as where something breaks every hour."""
    habit = case.usual.failing_habit
    if habit < HABIT_SHARE:
        return False
    came = sum(one.requests for one in case.service.traffic)
    failed = sum(one.server_errors for one in case.service.traffic)
    return failed <= HABIT_TIMES * habit * came


def _say(case: ServiceWindow, episode: Episode, minutes: Sequence[TrafficMinute]) -> Finding:
    window = case.survey.window
    low = wilson_low(episode.failures, episode.requests)
    onset, last = moment(episode.failing[0].at), moment(episode.failing[-1].at + episode.step)
    quiet = [one for one in minutes if one.at > episode.failing[-1].at]
    ongoing = len(quiet) <= 1 or sum(one.requests for one in quiet) * episode.failures < 3 * episode.requests
    share = 100 * episode.failures / episode.requests
    shown = "100 %" if share == 100 else f"{share:.1f} %" if share >= 99.5 else f"{share:.2g} %"
    sentence = (
        f"{case.service.name} answered {shown} of {episode.requests} requests with 5xx "
        f"{since(onset, window, episode.step)}; {ending(ongoing, last, window)}"
    )
    before = [one for one in minutes if one.at < episode.failing[0].at]
    numbers = {
        "failed": float(episode.failures), "requests": float(episode.requests),
        "failed_percent": round(share, 2), "failed_percent_at_least": round(100 * low, 2),
        "minutes": round(episode.seconds / 60, 2),
    }  # fmt: skip
    if before:
        rate = sum(one.requests for one in before) / (len(before) * episode.step / 60)
        now = episode.requests / (len(episode.minutes) * episode.step / 60)
        numbers |= {"requests_per_minute_before": round(rate, 2), "requests_per_minute": round(now, 2)}
    if case.usual.error_share is not None:
        numbers["usual_percent"] = round(100 * case.usual.error_share, 3)
    severity, usual = _severity(case, low, ongoing)
    return case.found(
        "server_errors", severity, onset, sentence, ongoing=ongoing, numbers=numbers, usual=usual
    )
