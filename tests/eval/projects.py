"""Projects of services that call each other: one is the root cause, its callers show symptoms, the rest is healthy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from tests.eval.canvas import FIRST_END, Canvas
from tests.eval.catalogue import CLASSES, typical_day
from tests.eval.detector import Line
from tests.eval.scenario import DrawnWindow, Scenario, draw_window

NAMES = (
    "web", "gateway", "checkout", "catalog", "search", "accounts",
    "mail", "billing", "images", "jobs", "postgres", "redis",
)  # fmt: skip
FAILING = ("sustained_5xx", "crash_loop", "upstream_outage", "oom_restarts", "outage_just_begun")
SLOWING = ("slow_db", "cpu_saturated", "slower_since_deploy")
FAINT = ("brownout", "slow_db_mild", "slower_since_deploy")
WITHOUT_TRAFFIC = (
    "cpu_saturated",
    "memory_at_limit",
    "volume_filling_fast",
    "oom_restarts",
    "crash_loop_worker",
    "cpu_throttled",
)
VARIANTS = {
    "calls known": (FAILING + SLOWING, True),
    "calls not known": (FAILING + SLOWING, False),
    "symptom louder than cause": (FAINT, True),
    "cause without requests": (WITHOUT_TRAFFIC, True),
    "same, calls not known": (WITHOUT_TRAFFIC, False),
    "two causes": (FAILING + SLOWING, True),
    "no cause": ((), True),
}
"""The failures that the root cause may have, and whether the call graph is known."""


@dataclass(frozen=True)
class Project:
    """A project in the public format with its true root causes and symptoms."""

    variant: str
    line: Line
    causes: frozenset[str]
    symptoms: frozenset[str]


def draw_project(variant: str, seed: int) -> Project:
    """The project of this variant and seed; the same for the same seed."""
    chance = Random(f"{variant} {seed}")
    names = chance.sample(NAMES, chance.randint(3, len(NAMES)))
    callers = _callers(chance, names)
    candidates, calls_known = VARIANTS[variant]
    chosen: dict[str, tuple[Scenario, bool]] = {}
    causes = _causes(chance, names, callers, 0 if not candidates else 2 if variant == "two causes" else 1)
    for name in causes:
        failure = CLASSES[chance.choice(candidates)]
        chosen[name] = failure, candidates is WITHOUT_TRAFFIC
        onset = _symptom_onset(chance, draw_window(failure, _seed(seed, names.index(name))))
        for caller, level in _affected_callers(name, callers).items():
            if caller not in causes and (level == 1 or chance.random() < 0.6):
                chosen[caller] = (
                    _symptom_scenario(failure.name, onset, is_severe=candidates is FAINT, level=level),
                    False,
                )
    services = _services(chance, names, chosen, seed)
    chance.shuffle(services)
    line: Line = {"services": services}
    if calls_known:
        line["calls"] = [[caller, name] for name, above in callers.items() for caller in above]
    return Project(variant, line, frozenset(causes), frozenset(chosen) - frozenset(causes))


def _callers(chance: Random, names: list[str]) -> dict[str, list[str]]:
    """The callers of each service: one or two of the services before it, so that there is no circle."""
    return {
        name: sorted(chance.sample(names[:place], min(place, chance.choice((1, 1, 2)))))
        for place, name in enumerate(names)
    }


def _causes(chance: Random, names: list[str], callers: dict[str, list[str]], count: int) -> list[str]:
    """`count` services with callers, none of which calls another one directly or through a third."""
    causes: list[str] = []
    for name in chance.sample(names[1:], len(names) - 1):
        apart = all(
            name not in _affected_callers(other, callers) and other not in _affected_callers(name, callers)
            for other in causes
        )
        if len(causes) < count and apart:
            causes.append(name)
    return causes


def _affected_callers(name: str, callers: dict[str, list[str]]) -> dict[str, int]:
    """The services affected by a failure of `name`: its callers at level 1, theirs at level 2."""
    direct = callers[name]
    return {above: 2 for caller in direct for above in callers[caller]} | dict.fromkeys(direct, 1)


def _symptom_onset(chance: Random, cause: DrawnWindow) -> int:
    """The minute in which symptoms begin, not before the root cause fails."""
    end, minutes = datetime.fromisoformat(cause.line["end"]), cause.scenario.minutes
    times = [datetime.fromisoformat(event["at"]) for event in cause.line["events"]]
    if cause.onset:
        return cause.onset + chance.randint(0, 1)
    if times:
        return min(
            minutes - 6, minutes - int((end - min(times)).total_seconds() // 60) + chance.randint(0, 1)
        )
    return chance.randint(8, 14)


def _symptom_scenario(cause: str, onset: int, *, is_severe: bool, level: int) -> Scenario:
    """A caller that fails or waits as its callee does, less so at the second level."""
    share = (0.6 if is_severe else 0.25) / level
    slower = (30.0 if is_severe else 5.0) / level

    def paint(canvas: Canvas) -> None:
        enough = replace(canvas.baseline, requests_per_minute=max(40.0, canvas.baseline.requests_per_minute))
        canvas.reset(replace(enough, latency=max(60.0, enough.latency)))
        is_slow = cause in SLOWING or cause in FAINT[1:]
        change = (
            _slow_requests(slower) if is_slow else _failing_requests(share * canvas.random.uniform(0.6, 1.3))
        )
        change(canvas, onset)

    # The name is a seed: another name would draw other windows and make scores incomparable.
    name = f"suffers {cause} {level}"
    return Scenario(name, frozenset({"server_errors", "latency"}), "A caller of a failing service.", paint)


def _failing_requests(share: float) -> Callable[[Canvas, int], None]:
    return lambda canvas, first: canvas.set_levels(first, canvas.minutes, failed_share=min(1.0, share))


def _slow_requests(factor: float) -> Callable[[Canvas, int], None]:
    return lambda canvas, first: canvas.change(
        first, canvas.minutes, lambda _, level: replace(level, latency=level.latency * factor)
    )


def _services(
    chance: Random, names: list[str], chosen: dict[str, tuple[Scenario, bool]], seed: int
) -> list[Line]:
    end: datetime = FIRST_END + timedelta(minutes=chance.randrange(60 * 24 * 28))
    day = typical_day()
    rest = chance.choices(list(day), list(day.values()), k=len(names))
    lines = []
    for place, (name, baseline) in enumerate(zip(names, rest, strict=True)):
        scenario, worker = chosen.get(name, (CLASSES[baseline], False))
        lines.append(draw_window(scenario, _seed(seed, place), service=name, end=end, worker=worker).line)
    return lines


def _seed(project: int, place: int) -> int:
    return 100 * project + place
