"""Memory near its limit, memory that grows towards it, and slow leaks over many windows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.metrics import (
    T0,
    alerting_kinds,
    deployment,
    detected,
    history,
    live_service,
    severities,
    starts,
    traffic,
    usage,
    worker_history,
)
from workers.models import Finding, InstanceUsage, Severity, Summary


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.75, []),
        (0.85, [("memory", "notice")]),
        (0.92, [("memory", "warning")]),
        (0.97, [("memory", "critical")]),
    ],
)
def test_the_severity_of_high_memory_rises_with_its_level(
    share: float, expected: list[tuple[str, str]]
) -> None:
    assert severities(detected(live_service(usage=(usage(memory=[share] * 30),)))) == expected


def test_memory_that_grows_towards_its_limit_has_a_time_to_the_limit() -> None:
    growing = live_service(usage=(usage(memory=[0.3 + 0.012 * i for i in range(30)]),))

    [finding] = detected(growing)

    assert (finding.kind, finding.severity) == ("memory_growth", Severity.WARNING)
    assert finding.numbers["minutes_to_limit"] == pytest.approx(29.3, abs=1)
    assert finding.seconds_to_limit == pytest.approx(60 * finding.numbers["minutes_to_limit"], abs=1)


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(lambda i: 0.3 + 0.05 * (i % 8), id="garbage-collection sawtooth"),
        pytest.param(lambda i: 0.6 - 0.4 * 2.718 ** (-i / 5), id="cache warm-up"),
        pytest.param(lambda i: 0.5 + 0.001 * (i % 3), id="noise"),
        pytest.param(lambda i: 0.8 - 0.01 * i, id="falling"),
        pytest.param(lambda i: (0.5 if i < 12 else 0.62) + 0.0005 * i, id="step change"),
    ],
)
def test_memory_that_does_not_approach_its_limit_gives_no_finding(shape: Callable[[int], float]) -> None:
    assert detected(live_service(usage=(usage(memory=[shape(i) for i in range(30)]),))) == []


def test_growth_is_measured_from_the_last_restart() -> None:
    memory = [0.3 + 0.02 * i for i in range(22)] + [0.2] * 8

    assert detected(live_service(usage=(usage(memory=memory),), starts=starts(22))) == []


def test_restarts_at_the_memory_limit_are_found_although_no_sample_stays_there() -> None:
    memory = [0.3 + 0.07 * (i % 10) for i in range(30)]

    findings = detected(live_service(usage=(usage(memory=memory),), starts=starts(10, 20)))

    assert ("memory", "critical") in severities(findings)
    assert next(finding for finding in findings if finding.kind == "memory").numbers["restarts"] == 2


def test_memory_of_overlapping_containers_in_a_rollout_does_not_alert() -> None:
    new = deployment("new", minute=10)
    memory = [0.6] * 10 + [1.15] * 5 + [0.6] * 15
    ungrouped = InstanceUsage(instance_id="", memory=tuple((T0 + 60 * i, v) for i, v in enumerate(memory)))
    rolling = live_service(
        serving=new,
        latest=new,
        deployments=(new,),
        usage=(ungrouped,),
        starts=starts(10, deployment_id="new"),
    )

    assert alerting_kinds(detected(rolling, worker_history())) == []


def test_high_memory_that_matches_the_baseline_is_chronic_only_when_it_is_full() -> None:
    def constant(share: float) -> list[Finding]:
        summaries = worker_history(memory_mean=share, memory_low=share, memory_high=share)
        return detected(live_service(usage=(usage(memory=[share] * 30),)), summaries)

    assert severities(constant(0.93)) == [("memory", "notice")] and constant(0.93)[0].is_baseline
    assert severities(constant(0.99)) == [("memory", "warning")] and constant(0.99)[0].chronic


def test_a_rise_to_a_level_of_the_baseline_does_not_alert() -> None:
    rising = live_service(usage=(usage(memory=[0.4 + 0.01 * i for i in range(30)]),))

    assert alerting_kinds(detected(rising, worker_history(memory_high=0.75))) == []
    assert alerting_kinds(detected(rising, worker_history())) == ["memory_growth"]


# ---- slow leaks ------------------------------------------------------------------------------


def daily_load(age: int) -> float:
    """The load that many half-hour windows ago, 0.0 to 1.0: twelve hours up, twelve hours down."""
    return 1 - (age % 48) / 24 if age % 48 < 24 else (age % 48) / 24 - 1


def test_a_slow_leak_is_found_over_many_windows_with_a_time_to_the_limit() -> None:
    lows = [0.5 + 0.006 * i for i in range(48)]
    summaries = [
        summary.model_copy(update={"memory_low": low, "memory_mean": low, "memory_high": low + 0.003})
        for summary, low in zip(worker_history(), lows, strict=True)
    ]
    leaking = live_service(usage=(usage(memory=[0.79 + 0.0002 * i for i in range(30)]),))

    [finding] = detected(leaking, summaries)

    assert (finding.kind, finding.severity) == ("memory_growth", Severity.WARNING)
    assert finding.seconds_to_limit == pytest.approx(0.21 / 0.006 * 1800, rel=0.1)
    assert finding.numbers["hours_seen"] >= 20


def test_a_leak_is_not_measured_across_a_restart() -> None:
    lows = [0.5 + 0.008 * i for i in range(40)] + [0.3] * 8
    summaries = [
        summary.model_copy(update={"memory_low": low, "restarted": i == 40})
        for i, (summary, low) in enumerate(zip(worker_history(), lows, strict=True))
    ]

    assert detected(live_service(usage=(usage(memory=[0.3] * 30),)), summaries) == []


def test_memory_that_follows_the_daily_requests_is_no_leak() -> None:
    summaries = [
        summary.model_copy(
            update={
                "memory_low": 0.5 + 0.3 * daily_load(age), "memory_mean": 0.5 + 0.3 * daily_load(age),
                "memory_high": 0.51 + 0.3 * daily_load(age), "requests": 500 + 2000 * daily_load(age),
            }
        )
        for age, summary in zip(reversed(range(96)), history(96), strict=True)
    ]  # fmt: skip
    busy = live_service(usage=(usage(memory=[0.8] * 30),), traffic=traffic([0] * 30, requests=83))
    leaking = live_service(usage=(usage(memory=[0.95] * 30),), traffic=traffic([0] * 30, requests=83))

    assert alerting_kinds(detected(busy, summaries)) == []
    assert "memory" in alerting_kinds(detected(leaking, summaries))


def test_memory_that_grows_until_a_daily_restart_is_no_leak() -> None:
    def memory(hours_ago: float) -> float:
        """The process restarted twelve hours ago, as on every day, and grows until the next restart."""
        return 0.3 + 0.024 * ((12 - hours_ago) % 24)

    def days(count: int) -> list[Summary]:
        ages = [age / 2 for age in reversed(range(count))]
        return [
            summary.model_copy(
                update={"memory_low": memory(age), "memory_mean": memory(age), "restarted": age % 24 == 12}
            )
            for age, summary in zip(ages, worker_history(count), strict=True)
        ]

    growing = live_service(usage=(usage(memory=[0.6] * 30),))

    assert detected(growing, days(48 * 3)) == []
    assert alerting_kinds(detected(growing, days(23))) == ["memory_growth"]


def test_a_leak_is_found_if_the_same_number_of_requests_once_needed_less_memory() -> None:
    def memory(age: int) -> float:
        return 0.3 if age >= 20 else 0.65 - 0.017 * age

    summaries = [
        summary.model_copy(
            update={
                "memory_low": memory(age), "memory_mean": memory(age) + 0.01, "memory_high": memory(age) + 0.02,
                "requests": 500 + 2000 * daily_load(age), "restarted": age == 20,
            }
        )
        for age, summary in zip(reversed(range(96)), history(96), strict=True)
    ]  # fmt: skip
    leaking = live_service(usage=(usage(memory=[0.66] * 30),), traffic=traffic([0] * 30, requests=83))

    assert alerting_kinds(detected(leaking, summaries)) == ["memory_growth"]
