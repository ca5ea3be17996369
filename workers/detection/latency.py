"""Slow answers: against what is usual for the service; where that is not known, the window's own beginning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from workers.detection.sentences import ending, moment, since, span
from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import mostly, quantile, runs
from workers.models import Finding, Severity, TrafficMinute

WARNING_TIMES, NOTICE_TIMES = 2.25, 1.35
"""Times the usual 95th percentile."""
ABOVE_HIGH = 1.2
"""Times what is usual in one minute of ten."""
WARNING_MS, WARNING_RISE_MS = 200.0, 100.0
"""Below this nobody waits, however much slower it got."""
NOTICE_RISE_MS = 60.0
CRITICAL_MS = 3000.0
ENDLESS_MS = 10_000.0
"""Without a past and from the beginning of the window: nobody builds a service like this."""
FEWEST_REQUESTS, FEWEST_SLOW = 20, 4
"""A step's 95th percentile says that at least one request of it, or every twentieth, was slow: so many must be."""
STILL = 0.85
"""Of the line: a step in between does not end it, where the middle one is above."""
MOSTLY_SHARE, MOSTLY, MOSTLY_STEPS = 0.66, 2.5, 5
"""Where steps are missing or few came, slow is what most steps of so many persist times are."""
BEFORE, BEFORE_REQUESTS = 0.75, 40
"""Times the persist time, and requests: of the window's beginning, taken for usual where the past is not known."""
UNKNOWN_PAST_TIMES = 3.0
NEW_TIMES, THIN_TIMES, THIN_REQUESTS = 10.0, 3.0, 100
"""Times the requests of a busy window of the past, of a thin one less: what so few took says nothing of so many."""

Step = tuple[TrafficMinute, float]


class Lines(NamedTuple):
    """From where on slow is slow, in ms; and what it is compared with, if anything."""

    warning: float
    notice: float
    usual: float | None


def judge_latency(case: ServiceWindow, minutes: Sequence[TrafficMinute], step: float) -> Finding | None:
    """At most one finding; `minutes` are the steps with requests, oldest first."""
    known = [(one, one.p95_ms) for one in minutes if one.p95_ms is not None]
    if not known:
        return None
    lines = _lines(case, known)
    slowest = max(p95 for _, p95 in known)
    for line, severity in ((lines.warning, Severity.WARNING), (lines.notice, Severity.NOTICE)):
        if slowest >= line and (found := _above(case, known, step, line, severity, lines)) is not None:
            return found
    return None


def _lines(case: ServiceWindow, known: Sequence[Step]) -> Lines:
    usual = case.usual.level("p95_median", without="latency")
    busy, now = case.usual.level("requests", 0.9), sum(one.requests for one, _ in known)
    if usual is None or (
        busy is not None and now > (NEW_TIMES if busy >= THIN_REQUESTS else THIN_TIMES) * busy
    ):
        return _lines_of_the_beginning(known, case.persist)
    high = case.usual.level("p95_high", 0.75, without="latency") or usual
    daily = case.usual.same_hour("p95_median")
    if len(daily) >= 3:
        usual = max(usual, quantile(daily, 0.5))
    return Lines(
        max(WARNING_TIMES * usual, ABOVE_HIGH * high, usual + WARNING_RISE_MS, WARNING_MS),
        max(NOTICE_TIMES * usual, high, usual + NOTICE_RISE_MS),
        usual,
    )


def _lines_of_the_beginning(known: Sequence[Step], persist: float) -> Lines:
    first, requests, early = known[0][0].at, 0, []
    for one, p95 in known:
        if one.at - first >= BEFORE * persist and requests >= BEFORE_REQUESTS:
            break
        early.append(p95)
        requests += one.requests
    before = quantile(early, 0.5)
    if 2 * len(early) > len(known):
        return Lines(ENDLESS_MS, WARNING_MS * 5, None)
    shifted = max(UNKNOWN_PAST_TIMES * before, WARNING_MS, before + WARNING_RISE_MS)
    return Lines(min(shifted, ENDLESS_MS), max(WARNING_MS * 5, 2 * before), before)


def _above(
    case: ServiceWindow, known: Sequence[Step], step: float, line: float, severity: Severity, lines: Lines
) -> Finding | None:
    found = []
    times = [float(one.at) for one, _ in known]
    loud = severity is Severity.WARNING
    above = [p95 >= (STILL * line if loud else line) for _, p95 in known]
    noisy = mostly(times, above, step, MOSTLY_SHARE) if loud and sum(above) >= MOSTLY_STEPS else None
    long = [noisy] if noisy and noisy.seconds >= MOSTLY * case.persist else []
    for run in [*runs(times, above, step), *long]:
        counts = [one.requests for one, _ in known[run.first : run.last + 1]]
        requests, slow_ones = sum(counts), sum(max(1, count // 20) for count in counts)
        typical = quantile([p95 for _, p95 in known[run.first : run.last + 1]], 0.5)
        enough = requests >= FEWEST_REQUESTS and slow_ones >= FEWEST_SLOW
        if run.seconds >= case.persist and enough and typical >= line:
            found.append((run, requests))
    if not found:
        return None
    run, requests = max(found, key=lambda one: (one[0].end, one[0].seconds))
    slow = sorted(p95 for _, p95 in known[run.first : run.last + 1])
    ongoing, typical, onset = run.last >= len(known) - 2, quantile(slow, 0.5), moment(run.start)
    if severity is Severity.WARNING and typical >= CRITICAL_MS and ongoing:
        severity = Severity.CRITICAL
    if case.starting_up(run.start, run.end) or (not ongoing and run.seconds < 2 * case.persist):
        severity = Severity.NOTICE  # over before anybody could act
    was = f" (usual: {lines.usual:.0f} ms)" if lines.usual is not None else ""
    window = case.survey.window
    sentence = (
        f"{case.service.name} took {typical:.0f} ms for the slowest 5 % of {requests} requests{was} for "
        f"{span(run.seconds)} {since(onset, window, step)}; {ending(ongoing, moment(run.end), window)}"
    )
    numbers = {
        "p95_ms": round(typical, 1), "peak_ms": round(slow[-1], 1), "requests": float(requests),
        "minutes": round(run.seconds / 60, 2),
    }  # fmt: skip
    if lines.usual is not None:
        numbers["usual_ms"] = round(lines.usual, 1)
    return case.found("latency", severity, onset, sentence, ongoing=ongoing, numbers=numbers)
