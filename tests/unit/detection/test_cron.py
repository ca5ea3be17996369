"""Cron services: due times, and runs that were missed, overlap or take longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.builders import START
from tests.support.metrics import detected, event, live_service, points, severities, starts
from workers.detection.cron_schedule import due_times, parse_schedule
from workers.models import Finding, Gap, GapPart, InstanceUsage, Service, Summary

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
"""A Monday."""


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("*/15 * * * *", 96),
        ("0 3 * * *", 1),
        ("5,35 8-17/3 * * *", 8),
        ("0 0 * * MON-FRI", 1),
        ("0 0 * * 7", 0),
        ("0 0 1 * *", 0),
        ("0 0 1 * 1", 1),
        ("0 0 23 nov *", 1),
        ("@hourly", 24),
        ("10/20 0 * * ?", 3),
    ],
)
def test_a_schedule_is_due_at_its_times_of_the_day(schedule: str, expected: int) -> None:
    parsed = parse_schedule(schedule)

    assert parsed and len(due_times(parsed, MIDNIGHT, MIDNIGHT + timedelta(hours=24, seconds=-1))) == expected


@pytest.mark.parametrize(
    "schedule",
    ["", "* * * *", "60 * * * *", "* * * * FOO", "*/0 * * * *", "5-1 * * * *", "L * * * *", "x" * 300],
)
def test_text_that_is_no_schedule_is_not_read(schedule: str) -> None:
    assert parse_schedule(schedule) is None


def cron_service(
    schedule: str, running: list[bool], started: tuple[float, ...] = (), **fields: Any
) -> Service:
    """A cron service whose container runs in these minutes of the window."""
    memory = tuple(point for point, runs in zip(points([0.3] * len(running)), running, strict=True) if runs)
    own = (InstanceUsage(instance_id="i1", deployment_id="live", memory=memory),) if memory else ()
    return live_service(cron=schedule, public=False, usage=own, starts=starts(*started), **fields)


def past(windows: int, minutes: dict[int, float]) -> list[Summary]:
    """The windows before START; `minutes` of the run that began in the window of that age, 1 being the last."""
    return [
        Summary(
            at=START - timedelta(minutes=30 * (age - 1)), minutes=30, restarted=age in minutes,
            run_minutes=minutes.get(age, 0.0),
        )
        for age in range(windows, 0, -1)
    ]  # fmt: skip


def every_day(days: int, minutes: float) -> dict[int, float]:
    """A run at the time of the window's begin on each earlier day."""
    return {48 * day: minutes for day in range(1, days + 1)}


DAILY = f"{START.minute} {START.hour} * * *"
OFF = [False] * 30


def test_a_daily_run_that_does_not_start_is_missed() -> None:
    [finding] = detected(cron_service(DAILY, OFF), past(7 * 48, every_day(6, 10)))

    assert severities([finding]) == [("cron_missed", "warning")]
    assert (finding.since, finding.numbers["missed"], finding.ongoing) == (START, 1, True)
    assert DAILY in finding.sentence


def test_a_missed_run_is_still_reported_hours_later_and_not_after_the_next_one() -> None:
    runs = {age + 8: minutes for age, minutes in every_day(6, 10).items()}
    at = START - timedelta(hours=4)
    schedule = f"{at.minute} {at.hour} * * *"

    later = detected(cron_service(schedule, OFF), past(7 * 48, runs))
    late_start = detected(cron_service(schedule, [True] * 30, (2,)), past(7 * 48, runs))

    assert severities(later) == [("cron_missed", "warning")]
    assert late_start == []


def test_a_run_that_fired_on_one_day_of_seven_is_missed_six_times() -> None:
    [finding] = detected(cron_service(DAILY, OFF), past(7 * 48 - 1, {48 * 4: 10.0}))

    assert (finding.kind, finding.numbers["missed"], finding.numbers["expected"]) == ("cron_missed", 6, 7)


def test_a_run_that_starts_some_minutes_late_is_not_missed() -> None:
    assert (
        detected(
            cron_service(DAILY, [False] * 4 + [True] * 10 + [False] * 16, (4,)), past(336, every_day(6, 10))
        )
        == []
    )


def test_a_run_that_is_due_in_the_last_minutes_may_still_start() -> None:
    at = START + timedelta(minutes=27)

    assert detected(cron_service(f"{at.minute} {at.hour} * * *", OFF), past(336, every_day(6, 10))) == []


def test_a_run_that_lasts_beyond_the_next_one_overlaps() -> None:
    quarter = "*/10 * * * *"
    [finding] = detected(
        cron_service(quarter, [True] * 30, (0.2,)), past(48, dict.fromkeys(range(1, 49), 9.0))
    )

    assert severities([finding]) == [("cron_overlap", "warning")]
    assert (finding.numbers["run_seconds"], finding.numbers["interval_seconds"]) == (1728, 600)


def test_runs_of_a_frequent_schedule_give_no_finding() -> None:
    running = [i % 10 < 4 for i in range(30)]
    summaries = past(48, dict.fromkeys(range(1, 49), 12.0))

    assert detected(cron_service("*/10 * * * *", running, (0.2, 10.2, 20.4)), summaries) == []
    assert detected(cron_service("*/10 * * * *", running, (0.2, 20.4)), summaries) == []


def test_a_run_that_takes_twice_as_long_as_before_is_a_notice() -> None:
    [finding] = detected(cron_service(DAILY, [True] * 25 + [False] * 5, (0.5,)), past(336, every_day(6, 10)))

    assert severities([finding]) == [("cron_slower", "notice")]
    assert (finding.numbers["run_seconds"], finding.numbers["baseline_seconds"]) == (1500, 600)


def test_a_slower_run_that_nears_the_next_one_alerts() -> None:
    hourly = f"{START.minute} * * * *"
    summaries = past(48, dict.fromkeys(range(2, 49, 2), 10.0))

    findings = detected(cron_service(hourly, [True] * 30, (0.5,)), summaries)

    assert severities(findings) == [("cron_slower", "warning")]


def test_without_a_known_start_and_with_unread_starts_there_is_no_finding() -> None:
    unread = (Gap(part=GapPart.STARTS, subject="api", reason="Railway answered 503"),)

    assert detected(cron_service(DAILY, OFF)) == []
    assert detected(cron_service(DAILY, OFF), past(336, every_day(6, 10)), failed_reads=unread) == []


def test_crashes_of_runs_are_judged_and_starts_are_not() -> None:
    crashing = cron_service(
        "*/10 * * * *", OFF, events=(event("crashed", 1), event("crashed", 11), event("crashed", 21))
    )

    findings: list[Finding] = detected(crashing, past(48, dict.fromkeys(range(1, 49), 12.0)))

    assert ("restart_loop", "critical") in severities(findings)


def test_a_schedule_without_any_sign_of_a_run_is_a_notice() -> None:
    assert severities(detected(cron_service("0 * * * *", OFF), past(48, {}))) == [("cron_missed", "notice")]


def test_samples_show_a_run_that_no_line_reports() -> None:
    hourly = f"{START.minute} * * * *"
    summaries = [
        summary.model_copy(update={"restarted": False})
        for summary in past(48, dict.fromkeys(range(2, 49, 2), 10.0))
    ]

    assert detected(cron_service(hourly, [False] + [True] * 10 + [False] * 19), summaries) == []
