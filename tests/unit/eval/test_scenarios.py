"""The scenarios with ground truth: the same every time, in the public format, true to what they say of themselves."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import pairwise
from typing import get_args

import pytest

from tests.eval import thresholds
from tests.eval.catalogue import CLASSES, QUIET, SICK, usual_day
from tests.eval.detector import Line
from tests.eval.projects import VARIANTS, project
from tests.eval.scenario import draw, passing
from tests.eval.shared import in_public_format
from workers.models import Finding

STATUSES = ("2xx", "4xx", "5xx")
EVENTS = {"deployed", "crashed", "oom", "started", "failed"}
PAST = {
    "cpu_mean", "memory_mean", "memory_low", "disk", "requests", "5xx", "ok", "p95_median", "p95_high",
    "cpu_high_minutes", "restarted",
}  # fmt: skip
WHOLE = {"service", "end", "step_seconds", "cpu", "memory", "http"}


def test_there_are_many_classes_of_both_kinds_and_each_says_why() -> None:
    whys = [one.why for one in CLASSES.values()]

    assert len(CLASSES) >= 55 and len(QUIET) >= 20 and len(SICK) >= 20
    assert all(whys) and len(set(whys)) == len(whys)
    assert all(name == one.name for name, one in CLASSES.items())


def test_a_sick_class_names_kinds_that_exist_and_a_healthy_one_none() -> None:
    kinds = set(get_args(Finding.model_fields["kind"].annotation))

    assert all(one.kinds <= kinds for one in CLASSES.values())
    assert all(one.kinds for one in SICK.values()) and not any(one.kinds for one in QUIET.values())


def test_a_usual_day_holds_every_healthy_class_and_nothing_else() -> None:
    day = usual_day()

    assert set(day) == set(QUIET)
    assert sum(day.values()) == pytest.approx(1.0) and min(day.values()) > 0


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_is_in_the_public_format_and_the_same_seed_gives_the_same_window(name: str) -> None:
    first, again, other = (draw(CLASSES[name], seed) for seed in (7, 7, 8))

    assert first == again
    assert {**first.line, "service": "", "end": ""} != {**other.line, "service": "", "end": ""}
    for drawn in (first, other):
        line = json.loads(json.dumps(drawn.line, allow_nan=False))
        _check(line, CLASSES[name].minutes)
        assert all(set(one) <= PAST or set(one) >= WHOLE for one in line["past"])
        assert drawn.onset is None or (drawn.scenario.sick and 0 <= drawn.onset <= CLASSES[name].minutes)


def _check(line: Line, minutes: int) -> None:
    end, samples = datetime.fromisoformat(line["end"]), minutes * 60 // line["step_seconds"]
    assert len(line["cpu"]) == len(line["memory"]) == samples
    assert "disk" not in line or len(line["disk"]) == samples
    assert all(value is None or value >= 0 for name in ("cpu", "memory") for value in line[name])
    assert all(one["kind"] in EVENTS for one in line["events"])
    times = [datetime.fromisoformat(one["at"]) for one in line["events"]]
    assert times == sorted(times) and all(end - timedelta(minutes=minutes) <= at <= end for at in times)
    if line["http"]:
        http = line["http"]
        assert http["requests"] == [
            sum(counts) for counts in zip(*(http[name] for name in STATUSES), strict=True)
        ]
        assert len(http["p95"]) == len(http["requests"]) == minutes
        assert all(
            (p95 is None) == (count == 0) for p95, count in zip(http["p95"], http["requests"], strict=True)
        )


def test_some_windows_have_whole_windows_as_their_past_and_they_end_before_it() -> None:
    lines = [draw(CLASSES["flat"], seed).line for seed in range(60)]

    whole = [line for line in lines if "cpu" in line["past"][-1]]

    assert whole and len(whole) < len(lines) / 3
    for line in whole:
        ends = [datetime.fromisoformat(one["end"]) for one in line["past"]]
        assert ends == sorted(ends) and ends[-1] == datetime.fromisoformat(line["end"]) - timedelta(
            minutes=30
        )


def test_a_window_that_moves_over_the_onset_ends_a_minute_later_each_time() -> None:
    seen = list(passing(CLASSES["sustained_5xx"], 3))

    assert [minute for minute, _ in seen] == list(range(1, len(seen) + 1))
    ends = [datetime.fromisoformat(line["end"]) for _, line in seen]
    assert {after - before for before, after in pairwise(ends)} == {timedelta(minutes=1)}
    for _, line in seen:
        _check(line, 30)
    failed = [sum(line["http"]["5xx"]) for _, line in seen]
    assert failed[0] < failed[-1]


def test_a_trouble_without_an_onset_in_the_window_has_no_delay() -> None:
    assert not list(passing(CLASSES["leak_slow"], 0))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_project_names_its_causes_and_its_callers_exist(variant: str) -> None:
    for seed in range(3):
        made = project(variant, seed)
        names = [one["service"] for one in made.line["services"]]

        assert made == project(variant, seed)
        assert 3 <= len(names) <= 12 and len(set(names)) == len(names)
        assert made.causes <= set(names) and not made.causes & made.suffering
        assert bool(made.causes) == (variant != "no cause")
        assert ("calls" in made.line) == VARIANTS[variant][1]
        assert {name for call in made.line.get("calls", []) for name in call} <= set(names)


def test_who_suffers_calls_the_cause_or_one_that_does() -> None:
    for seed in range(5):
        made = project("calls known", seed)
        callees: dict[str, set[str]] = {}
        for caller, callee in made.line["calls"]:
            callees.setdefault(caller, set()).add(callee)

        for name in made.suffering:
            direct = callees[name]
            below = direct.union(*(callees.get(one, set()) for one in direct))
            assert made.causes & below


def test_fixed_limits_see_averages_and_maxima_against_the_limit_of_all_replicas() -> None:
    used = {"cpu": [0.1] * 29 + [1.4], "cpu_limit": 1.0, "replicas": 2}

    assert thresholds.flags(used) and not thresholds.flags(used, critical_only=True)
    assert not thresholds.flags({**used, "cpu_limit": None})
    assert not thresholds.flags({**used, "replicas": 3})


def test_a_window_of_the_other_generator_keeps_its_minutes() -> None:
    window = {
        "minutes": 2, "step": 60, "http_step": 60, "cpu": [1.0, 2.0], "cpu_limit": 2, "mem": [0.1, 0.2], "mem_limit": 1,
        "disk": None, "disk_limit": None, "http": None, "events": [("deploy", 1)], "service": "one",
        "history": [{"cpu": 1.0, "s5": None, "p95_hi": 30.0, "reset": False}],
    }  # fmt: skip

    line = in_public_format(window)

    (event,) = line["events"]
    assert event["kind"] == "deployed"
    assert datetime.fromisoformat(line["end"]) - datetime.fromisoformat(event["at"]) == timedelta(minutes=1)
    assert line["past"] == [{"cpu_mean": 1.0, "p95_high": 30.0, "restarted": False}]
