"""5xx: by count, by spread over time, and by the lower bound of their share."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from tests.support.builders import START
from tests.support.metrics import (
    alerting_kinds,
    deployment,
    detected,
    history,
    live_service,
    severities,
    traffic,
)
from workers.models import Severity


def test_lasting_5xx_are_found_with_share_count_and_onset() -> None:
    [finding] = detected(live_service(traffic=traffic([0] * 10 + [17] * 20)))

    assert (finding.kind, finding.severity) == ("server_errors", Severity.CRITICAL)
    assert (finding.since, finding.ongoing) == (START + timedelta(minutes=10), True)
    assert (finding.numbers["failed"], finding.numbers["requests"]) == (340, 1000)


def test_a_few_lasting_5xx_are_a_warning() -> None:
    assert severities(detected(live_service(traffic=traffic([2, 1] * 15)))) == [("server_errors", "warning")]


@pytest.mark.parametrize(
    "failed",
    [
        pytest.param([0] * 14 + [20] + [0] * 15, id="one burst"),
        pytest.param([0] * 5 + [12] + [0] * 18 + [12] + [0] * 5, id="two bursts far apart"),
        pytest.param([1] + [0] * 14 + [1] + [0] * 13 + [1], id="rare failures"),
        pytest.param([0] * 28 + [0, 4], id="four failures"),
    ],
)
def test_bursts_and_single_failures_give_no_finding(failed: list[int]) -> None:
    assert detected(live_service(traffic=traffic(failed))) == []


def test_a_total_outage_in_the_last_minutes_alerts_at_once() -> None:
    [finding] = detected(live_service(traffic=traffic([0] * 26 + [50] * 4)))

    assert (finding.kind, finding.severity) == ("server_errors", Severity.CRITICAL)
    assert (finding.numbers["failed"], finding.numbers["requests"]) == (200, 200)


def test_an_outage_of_two_minutes_alerts_at_once() -> None:
    [finding] = detected(live_service(traffic=traffic([0] * 28 + [50] * 2)), history())

    assert (finding.kind, finding.severity, finding.ongoing) == ("server_errors", Severity.CRITICAL, True)


def test_few_requests_that_all_fail_alert_and_one_failure_of_three_requests_does_not() -> None:
    all_fail = live_service(traffic=traffic([1] * 30, requests=1))
    one_fails = live_service(traffic=traffic([0] * 29 + [1], requests=3))

    assert severities(detected(all_fail)) == [("server_errors", "critical")]
    assert detected(one_fails) == []


def test_half_of_a_handful_of_requests_proves_nothing() -> None:
    failed = [1 if i % 6 == 0 else 0 for i in range(30)]
    few = tuple(
        minute.model_copy(update={"requests": 2 * failures, "ok": failures, "server_errors": failures})
        for minute, failures in zip(traffic(failed), failed, strict=True)
    )

    assert detected(live_service(traffic=few), history(requests=10, ok=10)) == []


def test_chronic_failures_match_the_baseline_until_they_get_worse() -> None:
    summaries = history(server_errors=75, ok=1405)

    same = detected(live_service(traffic=traffic([3] * 30)), summaries)
    worse = detected(live_service(traffic=traffic([20] * 30)), summaries)

    assert severities(same) == [("server_errors", "notice")] and same[0].is_baseline
    assert alerting_kinds(worse) == ["server_errors"]


def test_hourly_failures_match_the_baseline_until_they_get_worse() -> None:
    summaries = [
        summary.model_copy(update={"server_errors": 24.0 if i % 2 else 0.0})
        for i, summary in enumerate(history())
    ]

    same = detected(live_service(traffic=traffic([0] * 12 + [4] * 6 + [0] * 12)), summaries)
    worse = detected(live_service(traffic=traffic([0] * 12 + [20] * 6 + [0] * 12)), summaries)

    assert alerting_kinds(same) == [] and same[0].is_baseline
    assert alerting_kinds(worse) == ["server_errors"]


def test_a_stray_failure_does_not_prolong_three_failing_minutes() -> None:
    recovered = live_service(traffic=traffic([0] * 10 + [45] * 3 + [0, 1] + [0] * 15))

    assert alerting_kinds(detected(recovered, history())) == []


def test_two_failing_minutes_at_the_start_of_a_deployment_give_no_finding() -> None:
    new = deployment("new", minute=28)
    rolling = live_service(serving=new, latest=new, deployments=(new,), traffic=traffic([0] * 28 + [50] * 2))

    assert detected(rolling, history()) == []


@pytest.mark.parametrize("seed", range(20))
def test_more_failures_never_remove_a_finding(seed: int) -> None:
    dice = random.Random(seed)
    share = dice.random() * 0.5
    failed = [sum(dice.random() < share for _ in range(50)) for _ in range(30)]
    more = [min(50, failures + dice.randrange(0, 10)) for failures in failed]

    fewer_findings, more_findings = (
        detected(live_service(traffic=traffic(failed))),
        detected(live_service(traffic=traffic(more))),
    )

    assert len(more_findings) >= len(fewer_findings)
