"""Watching: the same signature measured again, and what it means when it cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workers.incidents.watching import compare
from workers.models import (
    Finding,
    Gap,
    GapPart,
    Incident,
    Service,
    Severity,
    Subject,
    Survey,
    TrafficMinute,
    Window,
    describe_gap,
)

NOW = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)
WINDOW = Window(start=NOW - timedelta(minutes=30), end=NOW)
SICK = Finding(
    service_id="s", service="shop", kind="server_errors", severity=Severity.CRITICAL, since=NOW, ongoing=True,
    sentence="shop answers with 5xx",
)  # fmt: skip
INCIDENT = Incident(
    fingerprint="abc", occurrence="20261123T0304", project_id="p", project_name="shop", environment_id="e",
    environment_name="production", subject=Subject(kind="service", key="s", name="shop"), findings=(SICK,),
    window=WINDOW, opened_at=NOW,
)  # fmt: skip


def survey(*failed_reads: Gap, requests: int = 10) -> Survey:
    traffic = (TrafficMinute(at=1, requests=requests, ok=requests, client_errors=0, server_errors=0),)
    services = (Service(id="s", name="shop", traffic=traffic), Service(id="o", name="other"))
    return Survey(
        project_id="p", project_name="shop", environment_id="e", environment_name="production", window=WINDOW,
        step_seconds=60, services=services, failed_reads=failed_reads,
    )  # fmt: skip


def test_the_same_trouble_again_did_not_hold() -> None:
    watched = compare(INCIDENT, survey(), [SICK])

    assert not watched.verified
    assert watched.sentence == "it did not hold: shop answers with 5xx"


def test_a_gap_that_hides_nothing_of_the_service_does_not_keep_it_from_holding() -> None:
    gaps = (
        Gap(part=GapPart.PROJECT_NAME, reason="no"),
        Gap(part=GapPart.TRAFFIC, subject="other", reason="no"),
    )

    watched = compare(INCIDENT, survey(*gaps), [])

    assert watched.verified
    assert "0 of 10 requests failed" in watched.sentence


@pytest.mark.parametrize(
    "gap",
    [
        Gap(part=GapPart.TRAFFIC, subject="shop", reason="no"),
        Gap(part=GapPart.TRAFFIC, reason="no"),
        Gap(part=GapPart.USAGE, reason="no"),
    ],
)
def test_what_could_not_be_seen_is_not_called_held(gap: Gap) -> None:
    watched = compare(INCIDENT, survey(gap), [])

    assert not watched.verified
    assert describe_gap(gap) in watched.sentence


def found(**facts: Any) -> Finding:
    return SICK.model_copy(update={"severity": Severity.NOTICE, "sentence": "shop as ever"} | facts)


def test_trouble_that_is_usual_by_now_did_not_hold() -> None:
    assert not compare(INCIDENT, survey(), [found(is_baseline=True)]).verified


def test_a_notice_does_not_say_that_it_came_again() -> None:
    assert compare(INCIDENT, survey(), [found()]).verified


def test_what_was_only_a_notice_beside_the_trouble_may_stay() -> None:
    beside = found(kind="cpu", is_baseline=True)
    incident = INCIDENT.model_copy(update={"findings": (SICK, beside)})

    assert compare(incident, survey(), [beside]).verified


def test_who_suffered_from_it_and_is_not_well_yet_is_named() -> None:
    web = SICK.model_copy(update={"service_id": "o", "service": "web"})
    incident = INCIDENT.model_copy(update={"symptoms": (web,)})

    watched = compare(incident, survey(), [web])

    assert watched.verified
    assert watched.sentence.endswith("not well yet, though counted as suffering from it: web")
