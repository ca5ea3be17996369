"""Root causes: evidence of a service's own first, then the call graph."""

from __future__ import annotations

from typing import Any

from tests.support.builders import service_id, survey
from tests.support.metrics import failing_service, history, live_service, severities, traffic, usage
from workers.detection import CauseGroup, detect, group_by_cause, rank_suspects
from workers.models import Finding, Service, Survey


def surveyed(*services: Service, calls: tuple[tuple[str, str], ...] = (), **fields: Any) -> Survey:
    """A survey with a call graph by the names of the services."""
    ids = tuple((service_id(caller), service_id(callee)) for caller, callee in calls)
    return survey(*services, calls=ids, **fields)


def findings_in(environment: Survey) -> list[Finding]:
    return detect(environment, min_duration_minutes=4)


def causes_in(environment: Survey) -> list[CauseGroup]:
    return group_by_cause(findings_in(environment), environment)


def test_a_failing_caller_of_a_failing_service_is_a_symptom() -> None:
    environment = surveyed(
        failing_service("web"), failing_service("api"), failing_service("db-proxy"),
        calls=(("web", "api"), ("api", "db-proxy")),
    )  # fmt: skip

    [cause] = causes_in(environment)

    assert cause.subject.name == "db-proxy"
    assert {finding.service for finding in cause.symptoms} == {"web", "api"}


def test_a_caller_with_evidence_of_its_own_is_a_cause() -> None:
    hot = failing_service("web", usage=(usage([1.95] * 30),))
    environment = surveyed(hot, failing_service("api"), calls=(("web", "api"),))

    assert [cause.subject.name for cause in causes_in(environment)] == ["web", "api"]


def test_a_cause_is_found_through_a_service_without_visible_traffic() -> None:
    saturated = live_service("db", usage=(usage([1.95] * 30),))
    environment = surveyed(
        failing_service("web"), live_service("worker"), saturated,
        calls=(("web", "worker"), ("worker", "db")),
    )  # fmt: skip

    [cause] = causes_in(environment)

    assert cause.subject.name == "db" and [finding.service for finding in cause.symptoms] == ["web"]


def test_services_that_call_each_other_have_one_cause() -> None:
    environment = surveyed(failing_service("a"), failing_service("b"), calls=(("a", "b"), ("b", "a")))

    assert len(causes_in(environment)) == 1


def test_every_failing_service_is_a_suspect_and_the_cause_comes_first() -> None:
    environment = surveyed(failing_service("web"), failing_service("api"), calls=(("web", "api"),))

    assert rank_suspects(findings_in(environment), environment) == ["api", "web"]


def test_unrelated_failing_services_are_separate_causes_with_their_notices() -> None:
    failing = live_service("api", traffic=traffic([0] * 10 + [17] * 20), usage=(usage(memory=[0.85] * 30),))
    saturated = live_service("web", usage=(usage([1.96] * 30),))
    with_notice = live_service("cache", usage=(usage(memory=[0.85] * 30),))

    causes = causes_in(surveyed(failing, saturated, with_notice))

    assert [(cause.subject.kind, cause.subject.name) for cause in causes] == [
        ("service", "web"), ("service", "api")
    ]  # fmt: skip
    assert severities(causes[1].findings) == [("memory", "notice"), ("server_errors", "critical")]


def test_several_failing_services_during_a_platform_incident_are_one_cause() -> None:
    degraded = "networking is degraded"
    both = surveyed(failing_service("web"), failing_service("api"), platform_incident=degraded)
    alone = surveyed(failing_service("web"), platform_incident=degraded)

    [cause] = causes_in(both)

    assert (cause.subject.kind, cause.subject.key, len(cause.findings)) == ("platform", "platform", 2)
    assert causes_in(alone)[0].subject.kind == "service"


def silent_service(name: str, from_minute: int) -> Service:
    """A public service whose 50 requests per minute stop in that minute."""
    return live_service(name, traffic=traffic([0] * from_minute))


def with_silence(**minutes: int) -> list[CauseGroup]:
    """The causes in an environment whose services lose their traffic in these minutes; 30 is never."""
    environment = surveyed(*(silent_service(name, minute) for name, minute in minutes.items()))
    past = {service.id: history() for service in environment.services}
    return group_by_cause(detect(environment, min_duration_minutes=4, history=past), environment)


def test_most_services_that_lose_their_traffic_in_the_same_minute_are_one_cause() -> None:
    [cause] = with_silence(web=12, api=12, shop=11, docs=30)

    assert (cause.subject.kind, cause.subject.key) == ("platform", "way-in")
    assert [finding.kind for finding in cause.findings] == ["traffic_lost"] * 3


def test_services_that_lose_their_traffic_one_after_another_are_causes_of_their_own() -> None:
    causes = with_silence(web=5, api=10, shop=15)

    assert sorted(cause.subject.name for cause in causes) == ["api", "shop", "web"]


def test_a_minority_that_loses_its_traffic_together_is_not_the_way_in() -> None:
    causes = with_silence(web=12, api=12, shop=30, docs=30)

    assert sorted(cause.subject.name for cause in causes) == ["api", "web"]
