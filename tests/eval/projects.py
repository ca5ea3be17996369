"""Projects of services that call each other: one is the cause, its callers suffer, the rest is as on any day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from tests.eval.canvas import FIRST_END, Canvas
from tests.eval.catalogue import CLASSES, usual_day
from tests.eval.detector import Line
from tests.eval.scenario import Drawn, Scenario, draw

NAMES = (
    "web", "gateway", "checkout", "catalog", "search", "accounts",
    "mail", "billing", "images", "jobs", "postgres", "redis",
)  # fmt: skip
FAILING = ("sustained_5xx", "crash_loop", "upstream_outage", "oom_restarts", "outage_just_begun")
SLOWING = ("slow_db", "cpu_saturated", "slower_since_deploy")
FAINT = ("brownout", "slow_db_mild", "slower_since_deploy")
SILENT = (
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
    "cause without requests": (SILENT, True),
    "same, calls not known": (SILENT, False),
    "two causes": (FAILING + SLOWING, True),
    "no cause": ((), True),
}
"""What the cause may have, and whether it is told who calls whom."""


@dataclass(frozen=True)
class Project:
    """A project in the public format, and the services that are really the cause of what is seen in it."""

    variant: str
    line: Line
    causes: frozenset[str]
    suffering: frozenset[str]


def project(variant: str, seed: int) -> Project:
    """The project of that variant and seed: the same every time."""
    chance = Random(f"{variant} {seed}")
    names = chance.sample(NAMES, chance.randint(3, len(NAMES)))
    callers = _callers(chance, names)
    troubles, told = VARIANTS[variant]
    chosen: dict[str, tuple[Scenario, bool]] = {}
    causes = _causes(chance, names, callers, 0 if not troubles else 2 if variant == "two causes" else 1)
    for name in causes:
        trouble = CLASSES[chance.choice(troubles)]
        chosen[name] = trouble, troubles is SILENT
        begins = _begins(chance, draw(trouble, _seed(seed, names.index(name))))
        for caller, level in _above(name, callers).items():
            if caller not in causes and (level == 1 or chance.random() < 0.6):
                chosen[caller] = _suffers(trouble.name, begins, loud=troubles is FAINT, level=level), False
    services = _services(chance, names, chosen, seed)
    chance.shuffle(services)
    line: Line = {"services": services}
    if told:
        line["calls"] = [[caller, name] for name, above in callers.items() for caller in above]
    return Project(variant, line, frozenset(causes), frozenset(chosen) - frozenset(causes))


def _callers(chance: Random, names: list[str]) -> dict[str, list[str]]:
    """Who calls each service: one or two of those before it, so nobody calls himself in the end."""
    return {
        name: sorted(chance.sample(names[:place], min(place, chance.choice((1, 1, 2)))))
        for place, name in enumerate(names)
    }


def _causes(chance: Random, names: list[str], callers: dict[str, list[str]], count: int) -> list[str]:
    """So many services that are called by others and of which none calls the other, even through a third."""
    found: list[str] = []
    for name in chance.sample(names[1:], len(names) - 1):
        apart = all(name not in _above(one, callers) and one not in _above(name, callers) for one in found)
        if len(found) < count and apart:
            found.append(name)
    return found


def _above(name: str, callers: dict[str, list[str]]) -> dict[str, int]:
    """Who suffers with it: its callers at level 1, theirs at level 2."""
    direct = callers[name]
    return {above: 2 for one in direct for above in callers[one]} | dict.fromkeys(direct, 1)


def _begins(chance: Random, cause: Drawn) -> int:
    """The minute from which others suffer: none of them before the cause itself is sick."""
    end, minutes = datetime.fromisoformat(cause.line["end"]), cause.scenario.minutes
    times = [datetime.fromisoformat(one["at"]) for one in cause.line["events"]]
    if cause.onset:
        return cause.onset + chance.randint(0, 1)
    if times:
        return min(
            minutes - 6, minutes - int((end - min(times)).total_seconds() // 60) + chance.randint(0, 1)
        )
    return chance.randint(8, 14)


def _suffers(trouble: str, begins: int, *, loud: bool, level: int) -> Scenario:
    """What a caller shows: it fails or waits as whom it calls does, one level further up it is less."""
    share = (0.6 if loud else 0.25) / level
    slower = (30.0 if loud else 5.0) / level

    def paint(canvas: Canvas) -> None:
        enough = replace(canvas.usual, per_minute=max(40.0, canvas.usual.per_minute))
        canvas.settle(replace(enough, latency=max(60.0, enough.latency)))
        slows = trouble in SLOWING or trouble in FAINT[1:]
        change = _slows(slower) if slows else _fails(share * canvas.draw.uniform(0.6, 1.3))
        change(canvas, begins)

    return Scenario(
        f"suffers {trouble} {level}", frozenset({"server_errors", "latency"}), "It calls who is sick.", paint
    )


def _fails(share: float) -> Callable[[Canvas, int], None]:
    return lambda canvas, first: canvas.put(first, canvas.minutes, failing=min(1.0, share))


def _slows(factor: float) -> Callable[[Canvas, int], None]:
    return lambda canvas, first: canvas.bend(
        first, canvas.minutes, lambda _, level: replace(level, latency=level.latency * factor)
    )


def _services(
    chance: Random, names: list[str], chosen: dict[str, tuple[Scenario, bool]], seed: int
) -> list[Line]:
    end: datetime = FIRST_END + timedelta(minutes=chance.randrange(60 * 24 * 28))
    day = usual_day()
    rest = chance.choices(list(day), list(day.values()), k=len(names))
    lines = []
    for place, (name, usual) in enumerate(zip(names, rest, strict=True)):
        scenario, worker = chosen.get(name, (CLASSES[usual], False))
        lines.append(draw(scenario, _seed(seed, place), service=name, end=end, worker=worker).line)
    return lines


def _seed(project: int, place: int) -> int:
    return 100 * project + place
