"""Slow requests, against the baseline or against the beginning of the window."""

from __future__ import annotations

from tests.support.metrics import alerting_kinds, detected, history, live_service, severities, traffic
from workers.models import Severity


def test_slow_requests_are_found_against_the_beginning_of_the_window() -> None:
    [finding] = detected(live_service(traffic=traffic([0] * 30, p95=[80] * 15 + [3500] * 15)))

    assert (finding.kind, finding.severity) == ("latency", Severity.CRITICAL)
    assert (finding.numbers["p95_ms"], finding.numbers["baseline_ms"]) == (3500, 80)


def test_one_slow_minute_or_a_few_slow_requests_give_no_finding() -> None:
    one_minute = traffic([0] * 30, p95=[80] * 15 + [9000] + [80] * 14)
    few_requests = traffic([0] * 30, requests=2, p95=[80] * 26 + [4000] * 4)

    assert detected(live_service(traffic=one_minute)) == []
    assert detected(live_service(traffic=few_requests)) == []


def test_a_multiple_of_the_baseline_below_one_second_is_a_warning() -> None:
    slow = live_service(traffic=traffic([0] * 30, p95=[40] * 15 + [350] * 15))

    [finding] = detected(slow, history())

    assert (finding.kind, finding.severity, finding.ongoing) == ("latency", Severity.WARNING, True)
    assert finding.numbers["baseline_ms"] == 40


def test_a_service_that_was_always_slow_does_not_alert() -> None:
    slow = live_service(traffic=traffic([0] * 30, p95=3500))

    assert detected(slow, history(p95_median=3400, p95_high=3900)) == []
    assert alerting_kinds(detected(slow)) == []


def test_a_slightly_slower_service_is_a_notice() -> None:
    findings = detected(live_service(traffic=traffic([0] * 30, p95=110)), history())

    assert severities(findings) == [("latency", "notice")] and not findings[0].is_baseline


def test_a_few_slow_minutes_that_are_over_are_a_notice() -> None:
    recovered = live_service(traffic=traffic([0] * 30, p95=[40] * 10 + [900] * 5 + [40] * 15))

    assert severities(detected(recovered, history())) == [("latency", "notice")]
