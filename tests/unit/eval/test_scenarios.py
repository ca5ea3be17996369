"""The scenarios with ground truth: reproducible, in the public format, and consistent with their declarations."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import pairwise
from typing import get_args

import pytest

from tests.eval import thresholds
from tests.eval.catalogue import CLASSES, FAILING, HEALTHY, typical_day
from tests.eval.detector import Line
from tests.eval.projects import VARIANTS, draw_project
from tests.eval.scenario import draw_window, moving_windows
from tests.eval.shared import in_public_format
from workers.models import Finding

STATUSES = ("2xx", "4xx", "5xx")
EVENTS = {"deployed", "crashed", "oom", "started", "failed"}
SUMMARY_FIELDS = {
    "cpu_mean", "memory_mean", "memory_low", "disk", "requests", "5xx", "ok", "p95_median", "p95_high",
    "cpu_high_minutes", "restarted",
}  # fmt: skip
WINDOW_FIELDS = {"service", "end", "step_seconds", "cpu", "memory", "http"}


def test_there_are_many_healthy_and_failing_classes_each_with_a_reason() -> None:
    reasons = [scenario.reason for scenario in CLASSES.values()]

    assert len(CLASSES) >= 55 and len(HEALTHY) >= 20 and len(FAILING) >= 20
    assert all(reasons) and len(set(reasons)) == len(reasons)
    assert all(name == scenario.name for name, scenario in CLASSES.items())


def test_a_failing_class_accepts_existing_kinds_and_a_healthy_class_none() -> None:
    kinds = set(get_args(Finding.model_fields["kind"].annotation))

    assert all(scenario.kinds <= kinds for scenario in CLASSES.values())
    assert all(scenario.kinds for scenario in FAILING.values())
    assert not any(scenario.kinds for scenario in HEALTHY.values())


def test_a_typical_day_consists_of_all_healthy_classes() -> None:
    day = typical_day()

    assert set(day) == set(HEALTHY)
    assert sum(day.values()) == pytest.approx(1.0) and min(day.values()) > 0


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_draws_reproducible_windows_in_the_public_format(name: str) -> None:
    first, again, other = (draw_window(CLASSES[name], seed) for seed in (7, 7, 8))

    assert first == again
    assert {**first.line, "service": "", "end": ""} != {**other.line, "service": "", "end": ""}
    for drawn in (first, other):
        line = json.loads(json.dumps(drawn.line, allow_nan=False))
        _check(line, CLASSES[name].minutes)
        assert all(set(entry) <= SUMMARY_FIELDS or set(entry) >= WINDOW_FIELDS for entry in line["past"])
        assert drawn.onset is None or (
            drawn.scenario.is_failing and 0 <= drawn.onset <= CLASSES[name].minutes
        )


def _check(line: Line, minutes: int) -> None:
    end, samples = datetime.fromisoformat(line["end"]), minutes * 60 // line["step_seconds"]
    assert len(line["cpu"]) == len(line["memory"]) == samples
    assert "disk" not in line or len(line["disk"]) == samples
    assert all(value is None or value >= 0 for name in ("cpu", "memory") for value in line[name])
    assert all(event["kind"] in EVENTS for event in line["events"])
    times = [datetime.fromisoformat(event["at"]) for event in line["events"]]
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


def test_some_windows_have_whole_windows_as_their_history() -> None:
    lines = [draw_window(CLASSES["flat"], seed).line for seed in range(60)]

    whole = [line for line in lines if "cpu" in line["past"][-1]]

    assert whole and len(whole) < len(lines) / 3
    for line in whole:
        ends = [datetime.fromisoformat(window["end"]) for window in line["past"]]
        assert ends == sorted(ends) and ends[-1] == datetime.fromisoformat(line["end"]) - timedelta(
            minutes=30
        )


def test_windows_that_move_over_the_onset_end_one_minute_apart() -> None:
    windows = list(moving_windows(CLASSES["sustained_5xx"], 3))

    assert [minute for minute, _ in windows] == list(range(1, len(windows) + 1))
    ends = [datetime.fromisoformat(line["end"]) for _, line in windows]
    assert {after - before for before, after in pairwise(ends)} == {timedelta(minutes=1)}
    for _, line in windows:
        _check(line, 30)
    failed = [sum(line["http"]["5xx"]) for _, line in windows]
    assert failed[0] < failed[-1]


def test_a_failure_without_an_onset_in_the_window_has_no_delay() -> None:
    assert not list(moving_windows(CLASSES["leak_slow"], 0))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_project_names_its_causes_and_its_callers_exist(variant: str) -> None:
    for seed in range(3):
        drawn_project = draw_project(variant, seed)
        names = [service["service"] for service in drawn_project.line["services"]]

        assert drawn_project == draw_project(variant, seed)
        assert 3 <= len(names) <= 12 and len(set(names)) == len(names)
        assert drawn_project.causes <= set(names) and not drawn_project.causes & drawn_project.symptoms
        assert bool(drawn_project.causes) == (variant != "no cause")
        assert ("calls" in drawn_project.line) == VARIANTS[variant][1]
        assert {name for call in drawn_project.line.get("calls", []) for name in call} <= set(names)


def test_a_symptom_calls_the_cause_directly_or_through_one_service() -> None:
    for seed in range(5):
        drawn_project = draw_project("calls known", seed)
        callees: dict[str, set[str]] = {}
        for caller, callee in drawn_project.line["calls"]:
            callees.setdefault(caller, set()).add(callee)

        for name in drawn_project.symptoms:
            direct = callees[name]
            below = direct.union(*(callees.get(callee, set()) for callee in direct))
            assert drawn_project.causes & below


def test_fixed_thresholds_compare_averages_and_maxima_with_the_limit_of_all_replicas() -> None:
    busy = {"cpu": [0.1] * 29 + [1.4], "cpu_limit": 1.0, "replicas": 2}

    assert thresholds.flags(busy) and not thresholds.flags(busy, critical_only=True)
    assert not thresholds.flags({**busy, "cpu_limit": None})
    assert not thresholds.flags({**busy, "replicas": 3})


def test_a_window_of_the_other_generator_is_converted_with_its_times() -> None:
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
