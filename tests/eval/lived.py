"""Services that live window by window with the detector's own summaries: `python -m tests.eval.lived`.

A class describes days of history and some hours that count. It is right if the hours hold no alert (healthy), an alert
(failing), or at least a notice (evidence).

python -m tests.eval.lived [--seeds 0:30] [--classes nightly_backup,…] [--list-wrong]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from inspect import getdoc
from random import Random
from statistics import median

from tests.eval.canvas import FIRST_END, Canvas, Level, healthy_canvas, to_line
from tests.eval.tables import aligned
from workers.cli.window_format import ServiceInput, to_survey
from workers.detection import detect
from workers.history.summary_store import summarise_survey
from workers.models import Finding, Summary, alerting_findings

WINDOW_MINUTES = 30
DAY = 1440
"""Minutes."""
DEFAULT_SEEDS = "0:30"
GOAL = 0.9


class Expected(StrEnum):
    """The finding that the hours that count must hold."""

    NO_ALERT = "no alert"
    ALERT = "alert"
    NOTICE = "notice"


@dataclass
class Life:
    """One service over time. Minute 0 is the first of the hours that count; the history has negative minutes."""

    random: Random
    canvas: Canvas
    days: float
    hours: float
    start: datetime
    level: Callable[[int], Level] = field(init=False)
    extra_rejected: Callable[[int], float] = lambda _: 0.0
    events: list[tuple[str, int]] = field(default_factory=list)
    """Kind and minute of each event."""
    is_missing: Callable[[int], bool] = lambda _: False
    replicas: Callable[[int], int] = lambda _: 1
    detected_days: float = 99.0
    """Days of the history that are evaluated; the ones before are only summarised, to save time."""

    def __post_init__(self) -> None:
        self.level = lambda _: self.canvas.baseline

    @property
    def base(self) -> Level:
        return self.canvas.baseline

    def hour_of_day(self, minute: int) -> float:
        at = self.start + timedelta(minutes=minute)
        return at.hour + at.minute / 60


Paint = Callable[[Life], None]


@dataclass(frozen=True)
class LivedClass:
    """A class of lives; `reason` says what happens to the service."""

    name: str
    expected: Expected
    days: float
    hours: float
    paint: Paint
    reason: str


def lived(expected: Expected, *, days: float = 3.0, hours: float = 4.0) -> Callable[[Paint], LivedClass]:
    """Declare a class with the name of the function."""

    def declare(paint: Paint) -> LivedClass:
        name = getattr(paint, "__name__", "")
        return LivedClass(name, expected, days, hours, paint, (getdoc(paint) or "").strip())

    return declare


def draw_life(lived_class: LivedClass, seed: int) -> Life:
    """The life of this class and seed; the same for the same seed."""
    dice = Random(f"lived {lived_class.name} {seed}")
    start = FIRST_END + timedelta(minutes=dice.randrange(28 * DAY))
    life = Life(dice, healthy_canvas(dice), lived_class.days, lived_class.hours, start)
    life.canvas.has_whole_windows = False
    lived_class.paint(life)
    return life


def windows(life: Life) -> Iterator[tuple[int, list[Finding]]]:
    """The findings of each window with the minute of its end, from minute 0 on."""
    history: list[Summary] = []
    first = -round(life.days * DAY / WINDOW_MINUTES) * WINDOW_MINUTES
    for begin in range(first, round(60 * life.hours), WINDOW_MINUTES):
        survey = to_survey([_input(life, begin)])
        service = survey.services[0]
        findings: list[Finding] = []
        if begin >= -life.detected_days * DAY:
            findings = detect(survey, min_duration_minutes=4, history={service.id: history})
        history += summarise_survey(survey, findings).values()
        if begin >= 0:
            yield begin + WINDOW_MINUTES, findings


def _input(life: Life, begin: int) -> ServiceInput:
    canvas, minutes = life.canvas, range(begin, begin + WINDOW_MINUTES)
    canvas.levels = [life.level(minute) for minute in minutes]
    canvas.extra_rejected = [life.extra_rejected(minute) for minute in minutes]
    canvas.missing_minutes = {minute - begin for minute in minutes if life.is_missing(minute)}
    canvas.events = [(kind, at - begin) for kind, at in life.events if at in minutes]
    canvas.replicas = life.replicas(begin)
    return ServiceInput.model_validate(
        to_line(canvas, "service", life.start + timedelta(minutes=begin + WINDOW_MINUTES))
    )


# ---- scores ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """The result of one life: whether it is right, the minutes until the finding, and the findings as text."""

    is_right: bool
    alerts: int
    notices: int
    minutes: int | None
    text: str


def judge(lived_class: LivedClass, seed: int) -> Outcome:
    """Evaluate one life."""
    alerts = notices = 0
    first: int | None = None
    lines = []
    for end, findings in windows(draw_life(lived_class, seed)):
        alerting = alerting_findings(findings)
        alerts += bool(alerting)
        notices += bool(findings)
        wanted = alerting if lived_class.expected is Expected.ALERT else findings
        if wanted and first is None:
            first = end
        lines += [f"{end} min {finding.severity} {finding.kind}: {finding.sentence}" for finding in findings]
    right = {Expected.NO_ALERT: alerts == 0, Expected.ALERT: alerts > 0, Expected.NOTICE: notices > 0}
    return Outcome(right[lived_class.expected], alerts, notices, first, "; ".join(lines) or "nothing")


def judge_class(name: str, seeds: range) -> list[Outcome]:
    """Evaluate all seeds of a class."""
    from tests.eval.lived_classes import LIVED

    return [judge(LIVED[name], seed) for seed in seeds]


def main(arguments: list[str]) -> int:
    """Print the classes and the share of right ones; the exit code is 1 below GOAL."""
    from tests.eval.lived_classes import LIVED

    parser = argparse.ArgumentParser("python -m tests.eval.lived", description=__doc__)
    parser.add_argument("--seeds", default=DEFAULT_SEEDS, help=f"FIRST:END (default: {DEFAULT_SEEDS})")
    parser.add_argument("--classes", default=",".join(LIVED), help="comma-separated names (default: all)")
    parser.add_argument("--list-wrong", action="store_true", help="print the findings of each wrong life")
    options = parser.parse_args(arguments)
    first, _, end = options.seeds.partition(":")
    seeds, names = range(int(first), int(end)), options.classes.split(",")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1), mp_context=context) as pool:
        outcomes = dict(zip(names, pool.map(judge_class, names, [seeds] * len(names)), strict=True))
    rows: list[tuple[str, ...]] = [
        ("class", "expected", "right", "with an alert", "with a finding", "median minutes")
    ]
    rows += [_row(LIVED[name], outcomes[name]) for name in names]
    print(*aligned(rows), sep="\n")
    if options.list_wrong:
        for name in names:
            for seed, outcome in zip(seeds, outcomes[name], strict=True):
                if not outcome.is_right:
                    print(f"{name}-{seed}: {outcome.text}")
    right = sum(outcome.is_right for group in outcomes.values() for outcome in group)
    total = len(names) * len(seeds)
    print(f"right: {right} of {total} ({100 * right / total:.1f} %)")
    return int(right < GOAL * total)


def _row(lived_class: LivedClass, outcomes: list[Outcome]) -> tuple[str, ...]:
    delays = [outcome.minutes for outcome in outcomes if outcome.minutes is not None]
    is_failing = lived_class.expected is not Expected.NO_ALERT
    return (
        lived_class.name, lived_class.expected, f"{sum(each.is_right for each in outcomes)}/{len(outcomes)}",
        str(sum(each.alerts > 0 for each in outcomes)), str(sum(each.notices > 0 for each in outcomes)),
        f"{median(delays):g}" if delays and is_failing else "",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
