"""Latency of dependencies with one sample per hour: `python -m tests.eval.hourly [--seeds 0:10] [--list]`.

A stand-in for a data set that may not be passed on: 20 series of four weeks per seed, seen in windows of six hours
with the detector's own summaries. An event is a rise to 200 ms or more over at least two samples. Every series also
has what no person wants to be told about: single slow samples, rises below 200 ms, and, in some, a daily peak.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

from tests.eval.canvas import FIRST_END
from tests.eval.chance import log_uniform, poisson
from workers.cli.window_format import ServiceInput, to_survey
from workers.detection import detect
from workers.history.summary_store import summarise_survey
from workers.models import Severity, Summary

HOURS = 28 * 24
WINDOW_HOURS = 6
SERIES = 20  # per seed
EVENT_MS = 200.0
DEFAULT_SEEDS = "0:10"
WARM_UP_HOURS = 48  # the first two days have no history that shows the hours of a day


@dataclass
class Series:
    """Hourly p95 in milliseconds and requests, with the first and the last hour of each event."""

    p95: list[float]
    requests: list[int]
    events: list[tuple[int, int]]


@dataclass
class Score:
    """Events, how many of them had an alert or any finding, and windows without an event that had one."""

    events: int = 0
    alerted: int = 0
    noticed: int = 0
    windows: int = 0
    false_alerts: int = 0
    false_notices: int = 0


def draw_series(seed: int, number: int) -> Series:
    """One series; the same for the same seed and number."""
    dice = Random(f"hourly {seed} {number}")
    base, spread = log_uniform(dice, 30, 140), dice.uniform(0.05, 0.15)
    wave, peak = dice.uniform(0.0, 0.25), dice.uniform(0, 24)
    rate = log_uniform(dice, 100, 20_000)
    has_daily_peak, peak_factor = dice.random() < 0.15, dice.uniform(2, 3)
    p95 = []
    for hour in range(HOURS):
        level = base * (1 + wave * math.cos(2 * math.pi * (hour - peak) / 24))
        if has_daily_peak and hour % 24 == round(peak) % 24:
            level *= peak_factor
        p95.append(level * math.exp(dice.gauss(0, spread)))
    series = Series(p95, [poisson(dice, rate) for _ in range(HOURS)], [])
    _add_disturbances(dice, series, base)
    return series


def _add_disturbances(dice: Random, series: Series, base: float) -> None:
    """Single slow samples, small rises, and up to two events, apart from each other."""
    hours = sorted(dice.sample(range(WARM_UP_HOURS // 12, HOURS // 12 - 2), 6))
    kinds = ["spike", "spike", "small", "small", *(["event"] * dice.choice((0, 1, 1, 2)))]
    dice.shuffle(kinds)
    for place, kind in zip(hours, kinds, strict=False):
        first = 12 * place + dice.randrange(6)
        if kind == "spike":
            series.p95[first] *= dice.uniform(3, 8)
            continue
        length = dice.randint(2, 9)
        factor = dice.uniform(1.9, 5) if kind == "event" else dice.uniform(1.15, 1.35)
        factor = max(factor, 1.05 * EVENT_MS / base) if kind == "event" else factor
        for hour in range(first, first + length):
            series.p95[hour] *= factor
        slow = [value >= EVENT_MS for value in series.p95[first : first + length]]
        if kind == "event" and any(pair == (True, True) for pair in pairwise(slow)):
            series.events.append((first, first + length - 1))


def score_series(score: Score, series: Series, *, listing: list[str] | None = None) -> None:
    """Evaluate all windows of the series after the warm-up."""
    history: list[Summary] = []
    alerted: set[int] = set()
    noticed: set[int] = set()
    for first in range(0, HOURS, WINDOW_HOURS):
        survey = to_survey([_input(series, first)])
        findings = detect(survey, min_duration_minutes=4, history={"dependency": history})
        history += summarise_survey(survey, findings).values()
        touched = {
            number
            for number, (begin, end) in enumerate(series.events)
            if begin < first + WINDOW_HOURS and end >= first
        }
        alerts = [finding for finding in findings if finding.severity is not Severity.NOTICE]
        alerted |= touched if alerts else set()
        noticed |= touched if findings else set()
        if not touched and first >= WARM_UP_HOURS:
            score.windows += 1
            score.false_alerts += bool(alerts)
            score.false_notices += bool(findings) and not alerts
            if listing is not None and alerts:
                listing.append(
                    f"FALSE {first}: {alerts[0].sentence} {_rounded(series.p95[first : first + 6])}"
                )
    score.events += len(series.events)
    score.alerted += len(alerted)
    score.noticed += len(noticed)
    if listing is not None:
        listing += [
            f"MISSED {_rounded(series.p95[begin - 2 : end + 3])}"
            for number, (begin, end) in enumerate(series.events)
            if number not in alerted
        ]


def _rounded(values: Sequence[float]) -> list[int]:
    return [round(value) for value in values]


def _input(series: Series, first: int) -> ServiceInput:
    end: datetime = FIRST_END + timedelta(hours=first + WINDOW_HOURS)
    hours = slice(first, first + WINDOW_HOURS)
    return ServiceInput.model_validate(
        {
            "service": "dependency", "end": end, "step_seconds": 3600,
            "http": {
                "step_seconds": 3600, "requests": series.requests[hours], "p95": series.p95[hours],
            },
        }
    )  # fmt: skip


def main(arguments: list[str]) -> int:
    """Print the events that were found and the false findings per service-day."""
    parser = argparse.ArgumentParser("python -m tests.eval.hourly", description=__doc__)
    parser.add_argument("--seeds", default=DEFAULT_SEEDS, help=f"FIRST:END (default: {DEFAULT_SEEDS})")
    parser.add_argument("--list", action="store_true", help="print missed events and false alerts")
    options = parser.parse_args(arguments)
    first, _, end = options.seeds.partition(":")
    score = Score()
    listing: list[str] | None = [] if options.list else None
    for seed in range(int(first), int(end)):
        for number in range(SERIES):
            score_series(score, draw_series(seed, number), listing=listing)
    days = score.windows * WINDOW_HOURS / 24
    print(*(listing or ()), sep="\n")
    print(
        f"hourly latency: {score.alerted} of {score.events} events with an alert, {score.noticed} with a finding; "
        f"{score.false_alerts / days:.3f} false alerts per service-day, "
        f"{score.false_notices / days:.3f} windows with notices alone"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
