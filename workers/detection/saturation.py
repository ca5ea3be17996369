"""CPU and memory near the limit of a replica for minutes, and CPU far above what is usual below it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from workers.detection.sentences import ending, moment, since, span
from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import Run, mostly, quantile, runs, step_of
from workers.detection.summaries import HIGH_CPU
from workers.models import Finding, Point, Severity

CPU_CRITICAL, FLAT_CPU = 0.9, 0.97
"""Of the limit. Flat at it from the beginning of the window is believed without a past, a little below is not."""
SHORT, LONG = 0.75, 1.5
"""Times the persist time: enough where CPU did harm, or was never high before; needed where it is over and did none."""
MOSTLY_SHARE, MOSTLY = 0.66, 2.5
"""A level too noisy to hold without a break is believed when most samples of so many persist times are above."""
UNHEARD_TIMES = 2.0
"""Times the highest usual mean."""
HARMED_TIMES = 1.6
"""Times the usual 95th percentile: answers suffered while CPU was high."""
FEWEST_ANSWERS = 20
"""Fewer requests cannot show whether answers suffered."""
MEMORY_LINES = ((0.95, Severity.CRITICAL), (0.9, Severity.WARNING), (0.8, Severity.NOTICE))
"""Memory of 72 to 89 % that stays there is common and harmless (caches, collectors), so 80 % is only evidence."""
FULL_MEMORY = 0.98
"""However usual: there is nothing left."""
STEADY_MEMORY = 0.04
"""Of the limit: memory this close to its usual level has not changed."""
HABIT_TIMES, HABIT_SLACK = 1.5, 0.4
UNKNOWN_PAST, STILL_UNKNOWN = 4.0, 1.5
"""Times the persist time. Without a past, high CPU that ended sooner may be any job."""
RUNAWAY_TIMES, RUNAWAY_VCPU, RUNAWAY_SHARE, RUNAWAY = 1.7, 0.5, 0.4, 2.0
"""A busy loop: so many times the highest usual mean and so many vCPU or so much of the limit more, for so
many persist times."""
TRAFFIC_EXPLAINS, MANY_TIMES = 0.5, 4.0
"""Of the growth of CPU: as much growth of requests makes it work, not a loop."""


@dataclass(frozen=True)
class Held:
    """A stretch in which one replica was above a line."""

    run: Run
    points: Sequence[Point]
    last: bool
    """Whether it still holds at the end of the window."""

    @property
    def values(self) -> list[float]:
        return [value for _, value in self.points[self.run.first : self.run.last + 1]]


def judge_saturation(case: ServiceWindow) -> list[Finding]:
    """At most one finding about CPU and one about memory near the limit."""
    near = _cpu(case)
    if near is None or (near.severity is Severity.NOTICE and not near.is_baseline):
        near = _runaway(case) or near
    return [one for one in (near, _memory(case)) if one is not None]


def held_above(
    case: ServiceWindow, series: Sequence[Sequence[Point]], line: float, least: float
) -> list[Held]:
    """Stretches of at least `least` seconds at or above the line, one per replica: the last one, else the longest."""
    found = []
    for points in series:
        if not points or max(value for _, value in points) < line:
            continue
        times = [float(at) for at, _ in points]
        step = step_of(times, case.survey.step_seconds)
        above = [value >= line for _, value in points]
        found_runs = [run for run in runs(times, above, step) if run.seconds >= least]
        longest = max((run.seconds for run in found_runs), default=0.0)
        long = MOSTLY * case.persist
        if longest < long and sum(above) >= max(5, MOSTLY_SHARE * long / step):
            noisy = mostly(times, above, step, MOSTLY_SHARE)
            found_runs = [noisy] if noisy and noisy.seconds >= max(least, long) else found_runs
        held = [Held(run, points, _is_last(case, run, points, step)) for run in found_runs]
        if held:
            found.append(max(held, key=lambda one: (one.last, one.run.seconds)))
    return sorted(found, key=lambda one: (not one.last, -one.run.seconds))


def _is_last(case: ServiceWindow, run: Run, points: Sequence[Point], step: float) -> bool:
    """Whether it holds at the end of the window: no sample after it, and the samples did not end long before."""
    fresh = case.end - run.end <= max(3 * step, 0.1 * case.survey.window.seconds)
    return run.last >= len(points) - 2 and fresh


# ---- CPU -------------------------------------------------------------------------------------


def _cpu(case: ServiceWindow) -> Finding | None:
    limit = case.service.cpu_limit
    if not limit or limit <= 0:
        return None
    held = held_above(case, case.cpu, HIGH_CPU * limit, SHORT * case.persist)
    if not held:
        return None
    worst, seconds = held[0], held[0].run.seconds
    harmed = _harmed(case, worst)
    habit = case.usual.habit_minutes * 60
    if habit and seconds <= HABIT_TIMES * habit + HABIT_SLACK * case.persist:
        return _say_near(case, "cpu", Severity.NOTICE, limit, held, usual=True)
    if case.starting_up(worst.run.start, worst.run.end):
        return _say_near(case, "cpu", Severity.NOTICE, limit, held)
    broken = seconds < case.persist and min(worst.values) < HIGH_CPU * limit
    if broken or seconds < _believed_seconds(case, worst, harmed, HIGH_CPU * limit):
        return _say_near(case, "cpu", Severity.NOTICE, limit, held) if seconds >= case.persist else None
    critical = worst.last and quantile(worst.values, 0.5) >= CPU_CRITICAL * limit
    return _say_near(case, "cpu", Severity.CRITICAL if critical else Severity.WARNING, limit, held)


def _believed_seconds(case: ServiceWindow, held: Held, harmed: bool | None, line: float) -> float:
    """How long CPU must be high before it is an alarm: less where it did harm, or where it never happens."""
    if harmed:
        return SHORT * case.persist
    if not case.usual.known:
        return _believed_blindly(case, held, harmed, line / HIGH_CPU)
    if harmed is None and _unheard_of(case, line):
        return SHORT * case.persist
    return case.persist * (1.0 if held.last or harmed is None else LONG)


def _believed_blindly(case: ServiceWindow, held: Held, harmed: bool | None, limit: float) -> float:
    """The same without a past, where it may be a job, or busy by nature."""
    typical = quantile(held.values, 0.5)
    if harmed is False and (not held.last or typical < CPU_CRITICAL * limit):
        return math.inf
    if held.run.first == 0 and typical < FLAT_CPU * limit:
        return math.inf  # nothing changed within the window
    return case.persist * (STILL_UNKNOWN if held.last else UNKNOWN_PAST)


def _unheard_of(case: ServiceWindow, line: float) -> bool:
    """Whether the past is known, and nothing in it comes near the line."""
    ran = case.usual.values("cpu_high_minutes")
    highest = case.usual.level("cpu_mean", 0.95)
    if highest is None or UNHEARD_TIMES * highest > line:
        return False
    return not ran or quantile(ran, 0.9) < SHORT * case.persist / 60


def _harmed(case: ServiceWindow, held: Held) -> bool | None:
    """Whether answers were slow or failed meanwhile; None where too few were seen to know."""
    run = held.run
    during = [one for one in case.service.traffic if run.start - 60 < one.at < run.end]
    requests = sum(one.requests for one in during)
    if requests < FEWEST_ANSWERS:
        return None
    slow = [one.p95_ms for one in during if one.p95_ms is not None]
    usual = case.usual.level("p95_median")
    if usual is None:
        others = [one.p95_ms for one in case.service.traffic if one.p95_ms is not None and one not in during]
        usual = quantile(others, 0.5) if others else None
    if usual and slow and quantile(slow, 0.5) >= HARMED_TIMES * usual:
        return True
    return sum(one.server_errors for one in during) >= 0.01 * requests


def _runaway(case: ServiceWindow) -> Finding | None:
    """CPU far above anything usual, though far below the limit, and requests do not explain it."""
    highest = case.usual.level("cpu_mean", 0.95, without="cpu")
    if highest is None:
        return None
    peak = case.usual.level("cpu_peak", 0.9, without="cpu") or 0.0
    highest = max([highest, peak, *case.usual.same_hour("cpu_mean"), *case.usual.same_hour("cpu_peak")])
    more = min(RUNAWAY_VCPU, RUNAWAY_SHARE * (case.service.cpu_limit or math.inf))
    line = max(RUNAWAY_TIMES * highest, highest + more)
    least = max(case.persist, min(RUNAWAY * case.persist, 0.5 * case.survey.window.seconds))
    held = [one for one in held_above(case, case.cpu, line, least) if one.last]
    if not held or case.starting_up(held[0].run.start, held[0].run.end):
        return None
    now = quantile(held[0].values, 0.5)
    requests = case.usual.level("requests")
    came = sum(one.requests for one in case.service.traffic)
    more = came / max(1.0, requests) - 1 if requests is not None else 0.0
    if more >= TRAFFIC_EXPLAINS * (now / max(highest, 1e-9) - 1) or more >= MANY_TIMES:
        return None
    onset, seconds = held[0].run.start, held[0].run.seconds
    sentence = (
        f"{case.service.name} used {now:.3g} vCPU for {span(seconds)} "
        f"{since(moment(onset), case.survey.window, case.survey.step_seconds)}, where {highest:.2g} is the most "
        f"that is usual; {ending(True, moment(held[0].run.end), case.survey.window)}"
    )
    numbers = {
        "vcpu": round(now, 3), "usual_vcpu": round(highest, 3), "minutes": round(seconds / 60, 2),
        "peak_vcpu": round(max(held[0].values), 3), "replicas": float(len(held)),
    }  # fmt: skip
    if case.service.cpu_limit:
        numbers |= {
            "mean_percent": round(100 * now / case.service.cpu_limit, 1),
            "limit_vcpu": case.service.cpu_limit,
            "usual_percent": round(100 * highest / case.service.cpu_limit, 1),
        }
    return case.found("cpu", Severity.WARNING, onset, sentence, numbers=numbers, confidence=0.8)


# ---- memory ----------------------------------------------------------------------------------


def _memory(case: ServiceWindow) -> Finding | None:
    limit = case.service.memory_limit
    if not limit or limit <= 0:
        return None
    held: list[Held] = []
    severity = Severity.NOTICE
    for line, worst_case in MEMORY_LINES:
        found = held_above(case, case.memory, line * limit, case.persist)
        if found and (not held or found[0].last):
            held, severity = found, worst_case
        if held and held[0].last:
            break
    if not held:
        return None
    worst = held[0]
    if not worst.last or case.starting_up(worst.run.start, worst.run.end):
        severity = Severity.NOTICE  # it fell again by itself; a kill at the limit is told as a restart
    level = case.usual.level("memory_mean")
    mean = sum(value for _, value in worst.points) / len(worst.points)
    steady = level is not None and mean <= level + STEADY_MEMORY * limit
    known = steady and severity is not Severity.NOTICE and quantile(worst.values, 0.5) < FULL_MEMORY * limit
    return _say_near(case, "memory", severity, limit, held, usual=known)


def _say_near(
    case: ServiceWindow,
    kind: str,
    severity: Severity,
    limit: float,
    held: Sequence[Held],
    *,
    usual: bool = False,
) -> Finding:
    worst, window = held[0], case.survey.window
    values = worst.values
    mean, seconds, onset = sum(values) / len(values), worst.run.seconds, moment(worst.run.start)
    unit, name = ("vCPU", "CPU") if kind == "cpu" else ("GB", "memory")
    count = len(case.service.usage)
    of_replicas = f" on {len(held)} of {count} replicas" if count > 1 else ""
    sentence = (
        f"{case.service.name} used {mean:.3g} of {limit:g} {unit} of {name} ({100 * mean / limit:.0f} % of its limit)"
        f"{of_replicas} for {span(seconds)} {since(onset, window, case.survey.step_seconds)}; "
        f"{ending(worst.last, moment(worst.run.end), window)}"
    )
    numbers = {
        "mean_percent": round(100 * mean / limit, 1), "peak_percent": round(100 * max(values) / limit, 1),
        "minutes": round(seconds / 60, 2), "replicas": float(len(held)),
        f"limit_{unit.lower()}": limit, f"peak_{unit.lower()}": round(max(values), 4),
    }  # fmt: skip
    return case.found(
        "cpu" if kind == "cpu" else "memory", severity, onset, sentence,
        ongoing=worst.last, numbers=numbers, usual=usual,
    )  # fmt: skip
