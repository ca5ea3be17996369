"""Watching: the same signature measured again, and what it means when it cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from workers.models import Cause, Finding, Incident, Service, Severity, Survey, TrafficMinute, Window
from workers.watching import compare

NOW = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)
WINDOW = Window(start=NOW - timedelta(minutes=30), end=NOW)
SICK = Finding(
    service_id="s", service="shop", kind="server_errors", severity=Severity.CRITICAL, since=NOW, ongoing=True,
    sentence="shop answers with 5xx",
)  # fmt: skip
INCIDENT = Incident(
    fingerprint="abc", round="20261123T0304", project_id="p", project_name="shop", environment_id="e",
    environment_name="production", cause=Cause(kind="service", key="s", name="shop"), findings=(SICK,),
    window=WINDOW, opened_at=NOW,
)  # fmt: skip


def survey(*not_seen: str, requests: int = 10) -> Survey:
    traffic = (TrafficMinute(at=1, requests=requests, ok=requests, client_errors=0, server_errors=0),)
    services = (Service(id="s", name="shop", traffic=traffic), Service(id="o", name="other"))
    return Survey(
        project_id="p", project_name="shop", environment_id="e", environment_name="production", window=WINDOW,
        step_seconds=60, services=services, not_seen=not_seen,
    )  # fmt: skip


def test_the_same_trouble_again_did_not_hold() -> None:
    watched = compare(INCIDENT, survey(), [SICK])

    assert not watched.held
    assert watched.sentence == "it did not hold: shop answers with 5xx"


def test_a_gap_that_hides_nothing_of_the_service_does_not_keep_it_from_holding() -> None:
    watched = compare(INCIDENT, survey("project name: no", "traffic of other: no"), [])

    assert watched.held
    assert "0 of 10 requests failed" in watched.sentence


@pytest.mark.parametrize("gap", ["traffic of shop: no", "traffic: no", "CPU and memory: no"])
def test_what_could_not_be_seen_is_not_called_held(gap: str) -> None:
    watched = compare(INCIDENT, survey(gap), [])

    assert not watched.held
    assert gap in watched.sentence
