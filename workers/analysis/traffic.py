"""What the public edge counted for one service: requests that failed and requests that were slow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from workers.analysis.statistics import runs, step_of, wilson_low
from workers.analysis.words import deployment_near, ending, moment, since, span
from workers.models import Finding, Service, Severity, Survey, TrafficMinute

FEWEST_FAILURES = 5
WARNING_SHARE, CRITICAL_SHARE = 0.01, 0.05
"""Of the requests, as the lower end of what the count allows (Wilson)."""
BURST_SHARE = 0.8
"""More than this share of all failures in one step is one burst."""
FAILING_STEPS_SHARE = 0.2
"""Of the steps with requests: two bursts far apart are no lasting trouble."""
OUTAGE_SHARE = 0.9
WARNING_MS, CRITICAL_MS = 1000.0, 3000.0
BELIEVED_REQUESTS, FEWEST_REQUESTS = 60, 20
"""A 95th percentile of fewer requests is one slow request; the few count when they are slow twice as long."""


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
        return [one for one in self.minutes if one.server_errors > 0]

    @property
    def seconds(self) -> float:
        return self.failing[-1].at - self.failing[0].at + self.step if self.failing else 0.0


def judge_traffic(service: Service, survey: Survey, persist: float) -> list[Finding]:
    """5xx and latency; `persist` in seconds."""
    minutes = sorted((one for one in service.traffic if one.requests > 0), key=lambda one: one.at)
    if not minutes:
        return []
    step = _step(service, survey)
    found = [
        _errors(service, survey, minutes, step, persist),
        _latency(service, survey, minutes, step, persist),
    ]
    return [finding for finding in found if finding is not None]


def _step(service: Service, survey: Survey) -> float:
    """Seconds per count, as the counts really came: empty steps are among them or not."""
    times = sorted({float(one.at) for one in service.traffic})
    known = float(service.traffic_step_seconds or survey.step_seconds)
    return min(known, step_of(times, known)) if known > 0 else step_of(times, 60.0)


def _errors(
    service: Service, survey: Survey, minutes: Sequence[TrafficMinute], step: float, persist: float
) -> Finding | None:
    for episode in (_outage(minutes, step), _densest(minutes, step)):
        low = wilson_low(episode.failures, episode.requests)
        if low > WARNING_SHARE and _lasts(episode, persist):
            return _say_errors(service, survey, episode, low, minutes)
    return None


def _outage(minutes: Sequence[TrafficMinute], step: float) -> Episode:
    """The newest steps as long as nearly everything in them failed."""
    first = len(minutes)
    while first > 0 and minutes[first - 1].server_errors >= OUTAGE_SHARE * minutes[first - 1].requests:
        first -= 1
    return Episode(minutes[first:], step)


def _densest(minutes: Sequence[TrafficMinute], step: float) -> Episode:
    """The stretch whose failures exceed the warning share by most (largest sum of a run, Kadane)."""
    best, best_sum, first, running = (0, 0), 0.0, 0, 0.0
    for i, one in enumerate(minutes):
        if running <= 0:
            first, running = i, 0.0
        running += one.server_errors - WARNING_SHARE * one.requests
        if running > best_sum:
            best, best_sum = (first, i + 1), running
    return Episode(minutes[best[0] : best[1]], step)


def _lasts(episode: Episode, persist: float) -> bool:
    """Enough failures over enough time, and not one burst."""
    failing = episode.failing
    if episode.failures < FEWEST_FAILURES or len(failing) < 2 or episode.seconds < persist:
        return False
    worst = max(one.server_errors for one in failing)
    spread = len(failing) >= FAILING_STEPS_SHARE * len(episode.minutes)
    return worst <= BURST_SHARE * episode.failures and spread


def _say_errors(
    service: Service, survey: Survey, episode: Episode, low: float, minutes: Sequence[TrafficMinute]
) -> Finding:
    onset, last = moment(episode.failing[0].at), moment(episode.failing[-1].at + episode.step)
    quiet = [one for one in minutes if one.at > episode.failing[-1].at]
    ongoing = len(quiet) <= 1 or sum(one.requests for one in quiet) * episode.failures < 3 * episode.requests
    share = 100 * episode.failures / episode.requests
    critical = low > CRITICAL_SHARE and ongoing
    sentence = (
        f"{service.name} answered {share:.2g} % of {episode.requests} requests with 5xx "
        f"{since(onset, survey.window, episode.step)}; {ending(ongoing, last, survey.window)}"
    )
    if share >= 99.5:
        sentence = sentence.replace(f"{share:.2g} %", "100 %" if share == 100 else f"{share:.1f} %", 1)
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
    return Finding(
        service_id=service.id, service=service.name, kind="server_errors",
        severity=Severity.CRITICAL if critical else Severity.WARNING,
        since=onset, ongoing=ongoing, numbers=numbers, sentence=sentence,
        deployment_id=deployment_near(service, onset, timedelta(seconds=2 * episode.step)),
    )  # fmt: skip


def _latency(
    service: Service, survey: Survey, minutes: Sequence[TrafficMinute], step: float, persist: float
) -> Finding | None:
    known = [(one, one.p95_ms) for one in minutes if one.p95_ms is not None]
    times = [float(one.at) for one, _ in known]
    for line, severity in ((CRITICAL_MS, Severity.CRITICAL), (WARNING_MS, Severity.WARNING)):
        found = []
        for run in runs(times, [p95 >= line for _, p95 in known], step):
            requests = sum(one.requests for one, _ in known[run.first : run.last + 1])
            needed = BELIEVED_REQUESTS if run.seconds < 2 * persist else FEWEST_REQUESTS
            if run.seconds >= persist and requests >= needed:
                found.append((run, requests))
        if found:
            run, requests = found[-1]
            slow = sorted(p95 for _, p95 in known[run.first : run.last + 1])
            ongoing = run.last >= len(known) - 2
            before = sorted(p95 for _, p95 in known[: run.first])
            usual = before[len(before) // 2] if before else None
            return _say_latency(
                service, survey, severity, ongoing, run.start, run.end, requests, slow, usual, step
            )
    return None


def _say_latency(
    service: Service, survey: Survey, severity: Severity, ongoing: bool, start: float, end: float,
    requests: int, slow: Sequence[float], usual: float | None, step: float,
) -> Finding:  # fmt: skip
    onset, typical = moment(start), slow[len(slow) // 2]
    was = f" ({usual:.0f} ms before)" if usual is not None else ""
    sentence = (
        f"{service.name} took {typical:.0f} ms for the slowest 5 % of {requests} requests{was} for "
        f"{span(end - start)} {since(onset, survey.window, step)}; {ending(ongoing, moment(end), survey.window)}"
    )
    numbers = {
        "p95_ms": round(typical, 1), "peak_ms": round(slow[-1], 1), "requests": float(requests),
        "minutes": round((end - start) / 60, 2),
    }  # fmt: skip
    if usual is not None:
        numbers["usual_ms"] = round(usual, 1)
    return Finding(
        service_id=service.id, service=service.name, kind="latency", since=onset, ongoing=ongoing,
        severity=severity if ongoing else Severity.WARNING, numbers=numbers, sentence=sentence,
        deployment_id=deployment_near(service, onset, timedelta(seconds=2 * step)),
    )  # fmt: skip
