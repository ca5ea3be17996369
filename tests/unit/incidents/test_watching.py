"""The follow-up of a merged fix: the same signature is measured again after the deployment."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import builders
from workers.incidents.effect import compare
from workers.models import (
    Finding,
    FollowUpResult,
    Gap,
    GapPart,
    Summary,
    Survey,
    TrafficMinute,
)

FAILING = builders.finding(name="shop", sentence="shop answers with 5xx")
INCIDENT = builders.incident(FAILING, name="shop")


def measured(*failed_reads: Gap, requests: int = 10) -> Survey:
    """The survey of the half hour after the deployment."""
    traffic = (TrafficMinute(at=1, requests=requests, ok=requests, client_errors=0, server_errors=0),)
    shop = builders.service("shop", traffic=traffic)
    return builders.survey(shop, builders.service("web"), failed_reads=failed_reads)


def notice(kind: str = "server_errors", **fields: Any) -> Finding:
    return builders.notice(kind, name="shop", **fields)


def test_a_fix_failed_if_the_same_trouble_is_found_again() -> None:
    result = compare(INCIDENT, measured(), [FAILING])

    assert result.result is FollowUpResult.FAILED
    assert result.remaining == FAILING
    assert not result.is_recovered


def test_a_gap_that_cannot_hide_the_trouble_does_not_prevent_verification() -> None:
    gaps = (
        Gap(part=GapPart.PROJECT_NAME, reason="no"),
        Gap(part=GapPart.TRAFFIC, subject="other", reason="no"),
    )

    result = compare(INCIDENT, measured(*gaps), [])

    assert result.result is FollowUpResult.VERIFIED
    assert (result.minutes, result.failed_requests, result.requests) == (30, 0, 10)


@pytest.mark.parametrize(
    "gap",
    [
        Gap(part=GapPart.TRAFFIC, subject="shop", reason="no"),
        Gap(part=GapPart.TRAFFIC, reason="no"),
        Gap(part=GapPart.USAGE, reason="no"),
    ],
)
def test_a_gap_that_may_hide_the_trouble_prevents_verification(gap: Gap) -> None:
    result = compare(INCIDENT, measured(gap), [])

    assert result.result is FollowUpResult.UNMEASURED
    assert result.gaps == (gap,)
    assert not result.is_recovered


def test_a_fix_of_a_service_that_no_longer_exists_cannot_be_verified() -> None:
    result = compare(INCIDENT, builders.survey(), [])

    assert (result.result, result.gaps) == (FollowUpResult.UNMEASURED, ())


def test_trouble_that_has_become_the_baseline_is_not_fixed() -> None:
    assert not compare(INCIDENT, measured(), [notice(is_baseline=True)]).is_recovered


def test_a_notice_that_goes_on_is_the_trouble_in_a_milder_form() -> None:
    assert not compare(INCIDENT, measured(), [notice()]).is_recovered


def test_a_notice_that_is_over_is_not_the_trouble_again() -> None:
    assert compare(INCIDENT, measured(), [notice(ongoing=False)]).is_recovered


def test_what_matches_the_time_before_the_onset_is_as_it_was() -> None:
    before = [Summary(requests=1200.0, minutes=30.0)]

    assert compare(INCIDENT, measured(requests=900), [notice(is_baseline=True)], before).is_recovered


@pytest.mark.parametrize("requests", [0, 100])
def test_a_fix_that_hardly_any_request_has_reached_is_not_verified(requests: int) -> None:
    before = [Summary(requests=1200.0, minutes=30.0)]

    result = compare(INCIDENT, measured(requests=requests), [], before)

    assert (result.result, result.is_recovered) == (FollowUpResult.UNMEASURED, False)
    assert result.reason


def test_a_notice_that_accompanied_the_trouble_may_stay() -> None:
    accompanying = notice("cpu", is_baseline=True)
    incident = INCIDENT.model_copy(update={"findings": (FAILING, accompanying)})

    assert compare(incident, measured(), [accompanying]).is_recovered


def test_a_symptom_service_that_is_unhealthy_after_the_fix_is_named() -> None:
    web = builders.finding(name="web")
    incident = builders.incident(FAILING, name="shop", symptoms=(web,))

    result = compare(incident, measured(), [web])

    assert result.result is FollowUpResult.VERIFIED
    assert result.still_affected == ("web",)
