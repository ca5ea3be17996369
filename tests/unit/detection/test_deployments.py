"""Deployments that crashed, failed, are stuck, stopped or were removed; restarts of containers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.builders import END, START
from tests.support.metrics import (
    alerting_kinds,
    deployment,
    detected,
    event,
    failing_service,
    live_service,
    severities,
    starts,
    traffic,
    worker_history,
)


def test_a_crashed_serving_deployment_is_critical() -> None:
    crashed = deployment("dead", "CRASHED", -60, instance_states=("CRASHED",))

    findings = detected(live_service(serving=crashed, latest=crashed, deployments=(crashed,)))

    assert severities(findings) == [("crashed", "critical")]
    assert findings[0].deployment_id == "dead"


def test_a_crash_of_some_replicas_is_a_warning() -> None:
    half = deployment("half", "CRASHED", instance_states=("CRASHED", "RUNNING"))

    assert severities(detected(live_service(serving=half, latest=half))) == [("crashed", "warning")]


def test_a_failed_deployment_beside_a_serving_one_is_a_warning_that_names_both() -> None:
    failed = deployment("failed", "FAILED", 10, commit="0123456789abcdef")

    [finding] = detected(live_service(latest=failed, deployments=(failed, deployment())))

    assert (finding.kind, finding.severity) == ("failed_deployment", "warning")
    assert finding.labels == {"deployment": "commit 0123456", "serving": "deployment live"}


@pytest.mark.parametrize("serving", [None, deployment("failed", "FAILED", 10)], ids=["none", "failed"])
def test_a_failed_deployment_without_a_serving_one_is_critical(serving: object) -> None:
    failed = deployment("failed", "FAILED", 10)

    findings = detected(live_service(serving=serving, latest=failed, deployments=(failed,)))

    assert severities(findings) == [("failed_deployment", "critical")]


def test_a_stopped_service_alerts_unless_it_stops_by_design() -> None:
    stopped = deployment("ended", stopped=True)

    assert severities(detected(live_service(serving=stopped, latest=stopped))) == [("stopped", "critical")]
    assert detected(live_service(serving=stopped, latest=stopped, cron="0 * * * *")) == []
    assert detected(live_service(serving=stopped, latest=stopped, sleeps=True)) == []


def test_a_deployment_that_stays_in_progress_is_stuck() -> None:
    stuck = deployment("new", status="DEPLOYING", minute=-20)
    waiting = live_service(serving=None, latest=stuck, deployments=(stuck,))

    assert severities(detected(waiting)) == [("stuck_deployment", "warning")]
    assert severities(detected(live_service(latest=stuck))) == [("stuck_deployment", "notice")]


@pytest.mark.parametrize(
    ("status", "reason", "hours", "expected"),
    [
        ("SKIPPED", "CI check suite failed", 1, [("stuck_deployment", "notice")]),
        ("SKIPPED", "CI check suite failed", 2, [("stuck_deployment", "warning")]),
        ("SKIPPED", "CI check suite failed", 200, [("stuck_deployment", "notice")]),
        ("SKIPPED", "No changes to watched files", 20, []),
        ("SKIPPED", None, 20, []),
        ("WAITING", None, 2, []),
        ("WAITING", None, 3, [("stuck_deployment", "warning")]),
    ],
)
def test_a_deployment_that_a_check_holds_up_is_stuck(
    status: str, reason: str | None, hours: int, expected: list[tuple[str, str]]
) -> None:
    newest = deployment("new", status=status, minute=30 - 60 * hours).model_copy(
        update={"skipped_reason": reason}
    )

    findings = detected(live_service(latest=newest))

    assert severities(findings) == expected
    assert not reason or all(reason in finding.sentence for finding in findings)


def test_a_service_with_a_removed_deployment_is_missing_only_if_it_worked_before() -> None:
    removed = deployment(status="REMOVED")
    removed_service = live_service(serving=None, latest=removed, deployments=(removed,))

    assert alerting_kinds(detected(removed_service, worker_history())) == ["missing"]
    assert detected(removed_service) == []


# ---- restarts --------------------------------------------------------------------------------


def test_restarts_beyond_the_replicas_are_a_loop() -> None:
    minutes = (4, 12, 20, 28)

    assert severities(detected(live_service(starts=starts(*minutes[:3])))) == [("restart_loop", "critical")]
    assert detected(live_service(starts=starts(*minutes[:2]))) == []
    assert detected(live_service(starts=starts(*minutes), replicas=3)) == []
    assert detected(live_service(starts=starts(*minutes, 29), cron="*/5 * * * *")) == []


def test_a_kill_for_memory_is_a_warning_and_repeated_kills_are_critical() -> None:
    killed = detected(live_service(events=(event("oom", 12),)))
    repeatedly = detected(live_service(events=(event("oom", 12), event("oom", 25))))

    assert severities(killed) == [("oom_killed", "warning")]
    assert severities(repeatedly) == [("oom_killed", "critical")]


def test_a_single_crash_is_a_notice() -> None:
    crashed = detected(live_service(events=(event("crashed", 12), event("started", 12.2))))

    assert severities(crashed) == [("restart_loop", "notice")]


def test_repeated_crashes_are_a_loop() -> None:
    looping = live_service(events=tuple(event("crashed", minute) for minute in (5, 12, 20, 28)))

    assert severities(detected(looping)) == [("restart_loop", "critical")]


# ---- the deployment of a finding -------------------------------------------------------------


def test_a_finding_names_the_deployment_at_its_onset_and_not_the_newest() -> None:
    newest, earlier = deployment("newer", minute=25), deployment("before", minute=9)
    failing = live_service(deployments=(newest, earlier, deployment()), traffic=traffic([0] * 10 + [17] * 20))

    assert detected(failing)[0].deployment_id == "before"


def test_a_finding_names_the_deployment_that_went_live_just_before_its_onset() -> None:
    new = deployment("new", minute=9)
    failing = failing_service("api", serving=new, latest=new, deployments=(new, deployment()))

    [finding] = detected(failing, worker_history())

    assert finding.deployment_id == "new" and finding.since == START + timedelta(minutes=10)
    assert END - finding.since == timedelta(minutes=20)
