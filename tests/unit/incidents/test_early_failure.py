"""The first minutes of a merged fix: trouble as bad as before is a failure at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support import builders
from workers.incidents.effect import early_failure
from workers.incidents.ended_trouble import survey_since, trouble_end, with_onset
from workers.incidents.extra_checks import INTERVAL_SECONDS, interval_seconds
from workers.incidents.request_quota import RequestQuota
from workers.models import Finding, FollowUpResult, Severity, Survey, TrafficMinute

FAILING = builders.finding(name="shop", numbers={"failed": 94.0, "requests": 100.0, "failed_percent": 94.0})
INCIDENT = builders.incident(FAILING, name="shop")


def first_minutes(requests: int = 60) -> Survey:
    minute = TrafficMinute(at=1, requests=requests, ok=0, client_errors=0, server_errors=requests)
    return builders.survey(builders.service("shop", traffic=(minute,)))


def again(percent: float, **changed: object) -> Finding:
    return FAILING.model_copy(update={"numbers": {"failed_percent": percent}} | changed)


def test_a_fix_whose_first_requests_fail_as_before_has_failed() -> None:
    failure = early_failure(INCIDENT, first_minutes(), [again(91.0)])

    assert failure is not None
    assert failure.result is FollowUpResult.FAILED
    assert failure.is_alarming
    assert (failure.requests, failure.failed_requests) == (60, 60)


@pytest.mark.parametrize(
    ("finding", "requests"),
    [
        (again(20.0), 60),
        (again(94.0), 5),
        (again(94.0, ongoing=False), 60),
        (again(94.0, severity=Severity.NOTICE), 60),
    ],
    ids=["less than half as bad", "few requests", "over", "a notice"],
)
def test_first_minutes_that_prove_nothing_are_no_failure(finding: Finding, requests: int) -> None:
    assert early_failure(INCIDENT, first_minutes(requests), [finding]) is None


def test_a_crash_after_the_deployment_is_a_failure_without_requests() -> None:
    crashed = builders.finding("crashed", name="shop")

    assert early_failure(builders.incident(crashed, name="shop"), first_minutes(0), [crashed])


def test_the_end_of_trouble_is_that_of_its_last_finding() -> None:
    end = FAILING.since + timedelta(minutes=5)
    over = FAILING.model_copy(update={"ongoing": False, "last_seen": end})

    assert trouble_end([over]) == end
    assert trouble_end([over, FAILING]) is None


def test_an_onset_does_not_move_with_the_window() -> None:
    later = FAILING.model_copy(update={"since": FAILING.since + timedelta(minutes=20)})

    [kept] = with_onset([later], INCIDENT, first_minutes())

    assert kept.since == FAILING.since


def test_a_survey_since_a_time_holds_nothing_from_before() -> None:
    survey = first_minutes()
    middle = survey.window.start + (survey.window.end - survey.window.start) / 2

    cut = survey_since(survey, middle)

    assert cut.window.start == middle
    assert cut.services[0].traffic == ()


def test_extra_checks_come_every_minute_while_the_request_budget_is_unknown() -> None:
    assert interval_seconds(RequestQuota(), INCIDENT.opened_at) == INTERVAL_SECONDS
