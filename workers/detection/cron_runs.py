"""Cron services: runs that did not start, that last until the next one is due, and that take longer than before.

Railway reports no failure of any of these: a run that is due while the previous one still runs is skipped, and one that
never starts leaves no trace. The schedule (UTC) is compared with the starts of containers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from workers.detection.cron_schedule import CronSchedule, due_times, parse_schedule
from workers.detection.recurrence import MIN_WINDOWS
from workers.detection.service_window import ServiceWindow, utc_time
from workers.detection.statistics import quantile
from workers.models import Finding, GapPart, Severity

SLACK = timedelta(minutes=5)  # Railway starts a run up to some minutes late
EARLY = timedelta(minutes=1)
LOOK_BACK = timedelta(days=7)
FAR_AHEAD = timedelta(days=62)
MAX_DUE_TIMES = 48
# Of a schedule with a shorter interval than this, two runs in a row must be missed.
SHORT_INTERVAL = timedelta(minutes=30)
FULL_WINDOW = 0.9  # share of a window with samples from which a run filled it

# ---- runs that take longer
SLOWER_FACTOR = 2.0  # multiple of the median of the earlier runs
SLOWER_MINUTES = 5.0  # and this much longer
LONG_SHARE = 0.5  # share of the interval from which a slower run alerts: soon it reaches the next one


class Run(NamedTuple):
    """One due time: whether a run started (None if unknown), and whether the previous run still ran."""

    due: datetime
    until: datetime
    """The next due time."""
    started: bool | None
    still_running: bool


class Span(NamedTuple):
    """One known window: its begin and end, whether a container started in it, and minutes with samples."""

    begin: datetime
    end: datetime
    started: bool | None
    minutes: float | None

    @property
    def is_full(self) -> bool:
        length = (self.end - self.begin).total_seconds() / 60
        return self.minutes is not None and self.minutes >= FULL_WINDOW * length


def detect_cron(window: ServiceWindow) -> list[Finding]:
    """At most one finding about runs that were missed or overlap, and one about slower runs."""
    schedule = parse_schedule(window.service.cron or "")
    end = window.survey.window.end
    hidden = {GapPart.STARTS, GapPart.USAGE} & {
        gap.part for gap in window.survey.gaps_for(window.service.name)
    }
    if schedule is None or hidden:
        return []
    past = due_times(schedule, end - LOOK_BACK, end - SLACK)[-MAX_DUE_TIMES:]
    runs = [_run(window, due, until) for due, until in pairwise([*past, _next_due(schedule, end - SLACK)])]
    observed = [run for run in runs if run.started is not None]
    if not observed:
        return []
    findings = [_overlap(window, observed) or _missed(window, observed), _slower(window, runs)]
    return [finding for finding in findings if finding is not None]


def _next_due(schedule: CronSchedule, after: datetime) -> datetime:
    """The first due time after `after`; far ahead if there is none within two months."""
    for ahead in (timedelta(days=1), FAR_AHEAD):
        times = due_times(schedule, after + timedelta(minutes=1), after + ahead)
        if times:
            return times[0]
    return after + FAR_AHEAD


# ---- what is known of a run ------------------------------------------------------------------


def _spans(window: ServiceWindow) -> list[Span]:
    """The earlier windows, oldest first."""
    return [
        Span(
            utc_time(window.start - age.begin), utc_time(window.start - age.end), summary.restarted,
            summary.run_minutes,
        )
        for age, summary in zip(window.baseline.ages, window.baseline.windows, strict=True)
    ]  # fmt: skip


def _starts(window: ServiceWindow) -> list[datetime]:
    """The starts of containers in the window and since shortly before it."""
    service = window.service
    first = window.survey.window.start - SLACK
    times = [start.at for start in service.starts]
    times += [event.at for event in service.events if event.kind in ("started", "crashed", "oom")]
    return sorted(at for at in times if at >= first)


def _run(window: ServiceWindow, due: datetime, until: datetime) -> Run:
    start = window.survey.window.start
    deployed = any(
        due - EARLY <= deployment.created_at <= due + SLACK for deployment in window.service.deployments
    )
    spans = _spans(window)
    # A run may start a little early, in the window before.
    started_early = bool(spans) and spans[-1].started and start <= due < start + EARLY
    if deployed or started_early or any(due - EARLY <= at < until - EARLY for at in _starts(window)):
        return Run(due, until, started=True, still_running=False)
    if due >= start:
        running = _runs_at(window, due)
        # A container that is measured for the first time after the due time shows a start that no line reports.
        appeared = any(due.timestamp() <= at < until.timestamp() for at in _sample_times(window))
        return Run(due, until, started=appeared and not running, still_running=running)
    beside = [span for span in spans if span.end > due - EARLY and span.begin < due + SLACK]
    has_run = any(span.minutes and not span.is_full for span in beside)
    if has_run or any(span.started for span in beside):
        return Run(due, until, started=True, still_running=False)
    covers = any(span.begin <= due < span.end for span in beside)
    is_known = covers and all(span.started is False for span in beside)
    is_full = bool(beside) and all(span.is_full for span in beside)
    return Run(due, until, started=False if is_known else None, still_running=is_full)


def _sample_times(window: ServiceWindow) -> list[float]:
    """Epoch seconds at which a container of the service was measured."""
    return sorted({float(at) for points in window.memory for at, value in points if value > 0})


def _runs_at(window: ServiceWindow, due: datetime) -> bool:
    """Whether a container was measured before and after the due time, when no run started."""
    at, times = due.timestamp(), _sample_times(window)
    step = window.survey.step_seconds
    before = any(at - 3 * step <= time <= at for time in times)
    return before and any(at + step <= time <= at + SLACK.total_seconds() for time in times)


# ---- findings --------------------------------------------------------------------------------


def _missed(window: ServiceWindow, observed: Sequence[Run]) -> Finding | None:
    missed: list[Run] = []
    for run in reversed(observed):
        if run.started or run.still_running:
            break
        missed.insert(0, run)
    if not missed:
        return None
    is_short = missed[-1].until - missed[-1].due < SHORT_INTERVAL
    has_worked = any(run.started for run in observed)
    if len(missed) < (2 if is_short or not has_worked else 1):
        return None
    total = sum(not run.started and not run.still_running for run in observed)
    # A run of some seconds may leave neither a sample nor a line.
    severity = Severity.WARNING if has_worked else Severity.NOTICE
    return window.make_finding(
        "cron_missed", severity, missed[0].due, confidence=0.8,
        numbers={"missed": float(total), "expected": float(len(observed))},
        labels={"schedule": window.service.cron or ""},
    )  # fmt: skip


def _overlap(window: ServiceWindow, observed: Sequence[Run]) -> Finding | None:
    """The last due run was skipped, because the previous one still ran."""
    last = observed[-1]
    if not last.still_running:
        return None
    skipped = [run for run in observed if run.still_running]
    interval = last.until - last.due
    begins = [at for at in _starts(window) if at < last.due]
    begin = begins[-1] if begins else last.due - interval
    times = _sample_times(window)
    ran_until = utc_time(times[-1]) if times else last.due
    numbers = {
        "run_seconds": max(0.0, (ran_until - begin).total_seconds()),
        "interval_seconds": interval.total_seconds(), "skipped": float(len(skipped)),
    }  # fmt: skip
    return window.make_finding(
        "cron_overlap", Severity.WARNING, last.due, numbers=numbers, confidence=0.7,
        labels={"schedule": window.service.cron or ""},
    )  # fmt: skip


def _slower(window: ServiceWindow, runs: Sequence[Run]) -> Finding | None:
    """The last run takes much longer than the runs before it."""
    current = Span(
        window.survey.window.start, window.survey.window.end, started=None, minutes=run_minutes(window)
    )
    spans = [*_spans(window), current]
    started = [run for run in runs if run.started]
    lengths = [(run, _length(spans, run)) for run in started]
    measured = [(run, minutes) for run, minutes in lengths if minutes is not None and minutes > 0]
    if len(measured) <= MIN_WINDOWS or measured[-1][0] is not runs[-1]:
        return None
    (last, length), usual = measured[-1], quantile([minutes for _, minutes in measured[:-1]], 0.5)
    if length < max(SLOWER_FACTOR * usual, usual + SLOWER_MINUTES):
        return None
    is_long = length >= LONG_SHARE * (last.until - last.due).total_seconds() / 60
    numbers = {"run_seconds": 60 * length, "baseline_seconds": round(60 * usual, 1)}
    return window.make_finding(
        "cron_slower", Severity.WARNING if is_long else Severity.NOTICE, last.due, numbers=numbers,
        confidence=0.6, labels={"schedule": window.service.cron or ""},
    )  # fmt: skip


def run_minutes(window: ServiceWindow) -> float:
    """The minutes of the window in which a container of the service was measured."""
    return len(_sample_times(window)) * window.survey.step_seconds / 60


def _length(spans: Sequence[Span], run: Run) -> float | None:
    """The minutes that the run took; None if one of its windows is unknown or if others ran in them too."""
    first = next((i for i, span in enumerate(spans) if span.begin <= run.due < span.end), None)
    if first is None or run.until < spans[first].end:
        return None
    total = 0.0
    for i in range(first, len(spans)):
        span = spans[i]
        if span.minutes is None or (i > first and span.begin - spans[i - 1].end > EARLY):
            return None
        total += span.minutes
        room = (span.end - max(span.begin, run.due)).total_seconds() / 60
        if span.minutes < FULL_WINDOW * room:
            return total
    return total
