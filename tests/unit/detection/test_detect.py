"""Detection as a whole: windows of any length, any input, and the same result each time."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from tests.support.builders import START, survey
from tests.support.metrics import T0, deployment, live_service, severities, starts, usage
from workers.detection import detect, group_by_cause
from workers.models import InstanceUsage, Point, Service, Survey, TrafficMinute, Window, affected_services


def test_a_window_of_one_minute_is_evaluated_with_a_short_minimum_duration() -> None:
    window = Window(start=START, end=START + timedelta(seconds=60))
    failing = tuple(
        TrafficMinute(at=T0 + 2 * i, requests=5, ok=3, client_errors=0, server_errors=2 * (i > 15), p95_ms=9)
        for i in range(30)
    )
    leaking = usage(memory=[0.3 + 0.012 * i for i in range(30)], step=2)
    service = live_service(traffic=failing, traffic_step_seconds=2, usage=(leaking,))

    findings = detect(survey(service, window=window, step_seconds=2), min_duration_minutes=0.1)

    assert severities(findings) == [("memory_growth", "warning"), ("server_errors", "critical")]
    errors = next(finding for finding in findings if finding.kind == "server_errors")
    assert errors.since == START + timedelta(seconds=32)
    assert "11:30:32 UTC" in errors.sentence


def random_series(dice: random.Random) -> tuple[Point, ...]:
    odd = (0.0, -1.0, 1e12, float("nan"), float("inf"))
    times = [T0 + dice.randrange(-500, 4000) for _ in range(dice.randrange(0, 60))]
    return tuple((at, dice.choice((*odd, dice.random(), dice.random()))) for at in times)


def random_traffic(dice: random.Random) -> tuple[TrafficMinute, ...]:
    return tuple(
        TrafficMinute(
            at=T0 + dice.randrange(0, 1800), requests=(total := dice.randrange(0, 9)), ok=0, client_errors=0,
            server_errors=dice.randrange(0, total + 1), p95_ms=dice.choice((None, 0.0, dice.random() * 9000)),
        )
        for _ in range(dice.randrange(0, 40))
    )  # fmt: skip


def random_service(dice: random.Random, name: str) -> Service:
    statuses = ("SUCCESS", "FAILED", "CRASHED", "SLEEPING", "REMOVED", "NEW_STATUS")
    deployments = [
        deployment(f"d{i}", dice.choice(statuses), dice.randrange(-9000, 40), stopped=dice.random() < 0.2)
        for i in range(dice.randrange(0, 4))
    ]
    replicas = [
        InstanceUsage(
            instance_id=f"i{i}", deployment_id=dice.choice((None, "d0")),
            cpu=random_series(dice), memory=random_series(dice),
        )
        for i in range(dice.randrange(0, 4))
    ]  # fmt: skip
    minutes = [dice.randrange(0, 30) for _ in range(dice.randrange(0, 8))]
    return live_service(
        name, serving=dice.choice([None, *deployments]), latest=dice.choice([None, *deployments]),
        deployments=tuple(deployments), usage=tuple(replicas), traffic=random_traffic(dice),
        starts=tuple(start for i, minute in enumerate(minutes) for start in starts(minute, deployment_id=f"d{i % 3}")),
        cpu_limit=dice.choice((None, 0.0, 0.5)), memory_limit=dice.choice((None, 0.0, 0.5)),
        traffic_step_seconds=dice.choice((1, 60, 3600)), replicas=dice.randrange(0, 4),
    )  # fmt: skip


def random_survey(seed: int) -> Survey:
    """Gaps, disorder, missing limits, wrong steps, and values that are not numbers."""
    dice = random.Random(seed)
    services = [random_service(dice, f"n{n}") for n in range(dice.randrange(0, 4))]
    incident = dice.choice((None, "an outage"))
    return survey(*services, step_seconds=dice.choice((1, 60, 3600)), platform_incident=incident)


@pytest.mark.parametrize("seed", range(60))
def test_any_survey_is_evaluated_without_an_error_and_with_the_same_result(seed: int) -> None:
    environment = random_survey(seed)

    findings = detect(environment, min_duration_minutes=4)
    groups = group_by_cause(findings, environment)

    assert findings == detect(random_survey(seed), min_duration_minutes=4)
    assert all(finding.sentence and "nan" not in finding.sentence for finding in findings)
    failing = affected_services(findings)
    assert {finding.service_id for group in groups for finding in group.findings} == failing
