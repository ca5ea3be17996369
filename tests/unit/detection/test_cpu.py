"""CPU near its limit for minutes, and CPU far above its baseline."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.builders import START, survey
from tests.support.metrics import (
    T0,
    alerting_kinds,
    deployment,
    detected,
    history,
    live_service,
    severities,
    traffic,
    usage,
    worker_history,
)
from workers.detection import detect
from workers.models import InstanceUsage, Severity

JOB = live_service(usage=(usage([1.9] * 20 + [0.2] * 10),))


def test_an_idle_service_has_no_findings() -> None:
    idle = live_service(usage=(usage([0.2] * 30, [0.4] * 30),), traffic=traffic([0] * 30))

    assert detected(idle) == []


def test_cpu_near_its_limit_for_minutes_is_critical_while_it_lasts() -> None:
    findings = detected(live_service(usage=(usage([0.2] * 20 + [1.9] * 10),)))

    assert severities(findings) == [("cpu", "critical")]
    assert (findings[0].since, findings[0].ongoing) == (START + timedelta(minutes=20), True)
    assert (findings[0].numbers["mean_percent"], findings[0].numbers["limit_vcpu"]) == (95, 2)


def test_cpu_that_has_recovered_is_a_warning_with_its_end() -> None:
    findings = detected(live_service(usage=(usage([0.2] * 8 + [1.9] * 17 + [0.2] * 5),)))

    assert severities(findings) == [("cpu", "warning")]
    assert (findings[0].ongoing, findings[0].last_seen) == (False, START + timedelta(minutes=25))


@pytest.mark.parametrize("spikes", [[5], [5, 15], [5, 6, 20, 21, 28]])
def test_spikes_of_one_or_two_minutes_give_no_finding(spikes: list[int]) -> None:
    cpu = [2.0 if i in spikes else 0.2 for i in range(30)]

    assert detected(live_service(usage=(usage(cpu),))) == []


def test_one_low_sample_is_bridged_and_a_gap_in_the_data_is_not() -> None:
    with_low_sample = usage([0.2] * 20 + [1.9, 1.9, 0.5, 1.9, 1.9] + [0.2] * 5)
    times = (0, 60, 600, 660, 1200, 1260)
    with_gaps = InstanceUsage(instance_id="i1", cpu=tuple((T0 + seconds, 1.9) for seconds in times))

    assert severities(detected(live_service(usage=(with_low_sample,)))) == [("cpu", "notice")]
    assert detected(live_service(usage=(with_gaps,))) == []


def test_a_single_sample_gives_no_finding_even_if_its_step_is_long() -> None:
    busy = live_service(usage=(usage([2.0], step=600),))

    assert detect(survey(busy, step_seconds=600), min_duration_minutes=4) == []


def test_each_replica_is_compared_with_the_limit_of_one() -> None:
    three = tuple(usage([1.2] * 30, [0.5] * 30, instance=f"i{n}") for n in range(3))
    four = (*three, usage([1.95] * 30, [0.5] * 30, instance="hot"))

    assert detected(live_service(usage=three, replicas=3)) == []
    [finding] = detected(live_service(usage=four, replicas=4))
    assert (finding.numbers["replicas"], finding.numbers["replicas_measured"]) == (1, 4)


def test_a_busy_loop_far_below_the_limit_is_found_against_the_baseline() -> None:
    looping = live_service(cpu_limit=8.0, usage=(usage([0.2] * 10 + [1.3] * 20),), traffic=traffic([0] * 30))

    [finding] = detected(looping, history())

    assert (finding.kind, finding.severity) == ("cpu", Severity.WARNING)
    assert finding.numbers["baseline_vcpu"] == 0.25
    assert detected(looping) == []


def test_cpu_that_more_requests_explain_is_no_busy_loop() -> None:
    working = live_service(cpu_limit=8.0, usage=(usage([1.3] * 30),), traffic=traffic([0] * 30, requests=400))

    assert alerting_kinds(detected(working, history())) == []


def test_a_job_with_high_cpu_in_every_window_matches_the_baseline() -> None:
    job = live_service(usage=(usage([0.2] * 10 + [1.9] * 12 + [0.2] * 8),))

    recurring = detected(job, worker_history(cpu_high_minutes=11))
    new = detected(job, worker_history())

    assert severities(recurring) == [("cpu", "notice")] and recurring[0].is_baseline
    assert alerting_kinds(new) == ["cpu"]


@pytest.mark.parametrize(("window_of_day", "alerts"), [(0, []), (20, ["cpu"])])
def test_a_nightly_job_matches_the_baseline_at_its_hour_only(window_of_day: int, alerts: list[str]) -> None:
    nights = [
        summary.model_copy(update={"cpu_high_minutes": 20.0}) if i % 48 == window_of_day else summary
        for i, summary in enumerate(worker_history(48 * 3))
    ]

    assert alerting_kinds(detected(JOB, nights)) == alerts


def test_a_weekly_job_matches_the_window_of_a_week_ago() -> None:
    first, *rest = worker_history(48 * 7)
    weekly = [first.model_copy(update={"cpu_high_minutes": 20.0}), *rest]

    assert alerting_kinds(detected(JOB, weekly)) == []


def test_three_minutes_of_cpu_alert_only_if_requests_suffered() -> None:
    cpu = usage([0.2] * 15 + [1.9] * 3 + [0.2] * 12)
    slowed = live_service(usage=(cpu,), traffic=traffic([0] * 30, p95=[40] * 15 + [400] * 3 + [40] * 12))
    unaffected = live_service(usage=(cpu,), traffic=traffic([0] * 30))

    assert alerting_kinds(detected(slowed, history())) == ["cpu"]
    assert detected(unaffected, history()) == []


def test_without_history_constant_high_cpu_alerts_only_when_it_is_flat_at_the_limit() -> None:
    busy, saturated = (live_service(usage=(usage([level] * 30),)) for level in (1.85, 1.98))

    assert severities(detected(busy)) == [("cpu", "notice")]
    assert severities(detected(saturated)) == [("cpu", "critical")]


def test_high_cpu_in_the_first_minutes_of_a_deployment_does_not_alert() -> None:
    new = deployment("new", minute=10)
    starting = live_service(
        serving=new, latest=new, deployments=(new,), usage=(usage([0.2] * 10 + [1.95] * 7 + [0.2] * 13),)
    )

    assert alerting_kinds(detected(starting, worker_history())) == []
