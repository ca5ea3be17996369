"""Trouble that is as old as the history: bad in absolute terms it alerts as chronic, mild it is the baseline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.metrics import (
    alerting_kinds,
    deployment,
    detected,
    history,
    live_service,
    rejecting,
    severities,
    starts,
    traffic,
    usage,
    worker_history,
)
from tests.support.stories import Minute, Story, changed, live
from workers.models import Finding, Service, Severity, Summary, alerting_findings


def failing_history(share: float, requests: float = 1500.0) -> list[Summary]:
    return history(requests=requests, server_errors=share * requests, ok=(1 - share) * requests)


CHRONIC: dict[str, tuple[Service, list[Summary]]] = {
    "94 % fail": (live_service(traffic=traffic([47] * 30)), failing_history(0.94)),
    "a few requests, all fail": (
        live_service(traffic=traffic(([1] + [0] * 4) * 6, requests=1)[::5]), failing_history(1.0, requests=6),
    ),
    "nearly all are rejected": (
        live_service(traffic=rejecting(1, 49)), history(requests=1500, ok=30),
    ),
    "restarts": (live_service(starts=starts(*range(2, 30, 4))), worker_history(restarted=True)),
    "cpu at the limit, and slow": (
        live_service(usage=(usage(cpu=[1.99] * 30),), traffic=traffic([0] * 30, p95=6000)),
        history(cpu_mean=1.98, cpu_peak=2.0, cpu_high_minutes=30, p95_median=5800, p95_high=6100),
    ),
    "memory at the limit": (
        live_service(usage=(usage(memory=[0.99] * 30),)), worker_history(memory_mean=0.99, memory_low=0.99),
    ),
    "crashed long ago": (
        live_service(serving=None, latest=deployment(status="CRASHED", minute=-20_000)), worker_history(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHRONIC)
def test_bad_conditions_that_have_always_been_there_are_chronic_warnings(name: str) -> None:
    [finding] = alerting_findings(detected(*CHRONIC[name]))

    assert finding.chronic and finding.severity is Severity.WARNING
    assert "chronic" in finding.sentence


MILD: dict[str, tuple[Service, list[Summary]]] = {
    "2 % fail": (live_service(traffic=traffic([1] * 30)), failing_history(0.02)),
    "half of the callers have no token": (live_service(traffic=rejecting(25, 25)), history(ok=750)),
    "a worker computes all day": (
        live_service(usage=(usage(cpu=[1.99] * 30),), public=False),
        worker_history(cpu_mean=1.98, cpu_peak=2.0, cpu_high_minutes=30),
    ),
    "reports take two seconds": (
        live_service(traffic=traffic([0] * 30, p95=2000)), history(p95_median=2000, p95_high=2300),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MILD)
def test_mild_conditions_that_have_always_been_there_do_not_alert(name: str) -> None:
    assert alerting_kinds(detected(*MILD[name])) == []


def test_chronic_failures_that_get_worse_are_new_trouble() -> None:
    [finding] = detected(live_service(traffic=traffic([45] * 30)), failing_history(0.25))

    assert not finding.chronic and finding.severity is Severity.CRITICAL


def lived(story: Story, windows: int) -> list[list[Finding]]:
    return list(live(story, windows))


def test_a_service_that_fails_since_the_first_window_is_chronic_after_some_hours_and_stays_so() -> None:
    windows = lived(changed(failed=0.94), 60)

    assert all(alerting_findings(findings) for findings in windows)
    assert [findings[0].chronic for findings in windows] == [False] * 8 + [True] * 52


def test_a_service_that_fails_mildly_since_the_first_window_ends_as_a_baseline() -> None:
    windows = lived(changed(failed=0.02), 80)

    assert [alerting_findings(findings) for findings in windows[8:]] == [()] * 72
    assert windows[-1][0].is_baseline


def test_a_thin_service_that_always_fails_is_one_chronic_condition() -> None:
    def thin(number: int, minute: Minute) -> Minute:
        return replace(minute, requests=0.2, failed=1.0)

    windows = lived(thin, 60)

    assert all(finding.chronic for findings in windows[12:] for finding in alerting_findings(findings))
    assert sum(bool(alerting_findings(findings)) for findings in windows[12:]) >= 45


def test_a_failed_deployment_from_before_the_history_is_chronic_and_a_new_one_is_not() -> None:
    def failed(minute: float) -> Service:
        newest = deployment("new", "FAILED", minute=minute)
        return live_service(serving=None, latest=newest, deployments=(newest,))

    old, new = detected(failed(-1600), worker_history()), detected(failed(-60), worker_history())

    assert severities(old) == [("failed_deployment", "warning")] and old[0].chronic
    assert severities(new) == [("failed_deployment", "critical")] and not new[0].chronic
