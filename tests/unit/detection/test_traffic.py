"""Rejected requests, surges, and requests that no longer arrive."""

from __future__ import annotations

from tests.support.metrics import (
    alerting_kinds,
    detected,
    history,
    live_service,
    rejecting,
    severities,
    traffic,
)
from workers.models import Gap, GapPart, Severity


def test_rejections_on_top_of_unchanged_successes_do_not_alert() -> None:
    scanned = live_service(traffic=rejecting(50, 80))

    assert alerting_kinds(detected(scanned, history(requests=1500, ok=1500))) == []


def test_rejections_in_place_of_successes_are_a_warning() -> None:
    [finding] = detected(live_service(traffic=rejecting(8, 42)), history(requests=1500, ok=1480))

    assert (finding.kind, finding.severity) == ("client_errors", Severity.WARNING)
    assert finding.numbers["refused_percent"] == 84


def test_traffic_that_stops_is_found_if_every_earlier_window_had_many_requests() -> None:
    silent = live_service(traffic=traffic([0] * 15))

    assert alerting_kinds(detected(silent, history())) == ["traffic_lost"]
    assert alerting_kinds(detected(silent, history(requests=3, ok=3))) == []


def test_a_sleeping_service_may_have_no_traffic() -> None:
    assert detected(live_service(traffic=traffic([0] * 15), sleeps=True), history()) == []


def test_traffic_that_could_not_be_read_is_no_lost_traffic() -> None:
    gap = Gap(part=GapPart.TRAFFIC, subject="api", reason="Not Authorized")

    assert detected(live_service(traffic=()), history(), failed_reads=(gap,)) == []


def test_a_surge_without_harm_is_a_notice() -> None:
    surging = live_service(traffic=traffic([0] * 30, requests=300))

    assert severities(detected(surging, history())) == [("traffic_surge", "notice")]
