"""The survey: everything that can be read of an environment, and a gap for everything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tests.support.fakes.railway import (  # fmt: skip
    FakeRailway,
    LogRow,
    Lookup,
    Request,
    Sample,
    World,
    WorldDeployment,
    WorldEvent,
    WorldService,
    WorldVolume,
)
from tests.support.fakes.serving import serve
from workers.clients.railway import Railway, documents
from workers.clients.railway.snapshot import take_survey
from workers.errors import RailwayBusy, RailwayRefused
from workers.models import Environment, Gap, GapPart, Service, Survey, Window

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
AT = NOON.timestamp()
WINDOW = Window(start=NOON, end=NOON + timedelta(minutes=10))
HERE = Environment(project_id="prj", environment_id="env")
BESIDE = (
    "metrics", "environmentLogs", "dnsQueryLogs", "deployments", "project", "platformStatus", "events",
    "httpMetricsGroupedByStatus", "volumeInstances", "deploymentTriggers", "variables",
)  # fmt: skip
"""Fields that are read beside the services themselves."""


def running(name: str, **facts: object) -> WorldService:
    """A live service with one sample, one request and one container start in the window."""
    live = WorldDeployment(f"dep-{name}", f"svc-{name}", "SUCCESS", AT - 3600, None, {"branch": "pushed"})
    live.logs = [LogRow(AT + 1, "Starting Container")]
    service = WorldService(f"svc-{name}", name, repo="acme/shop", deployments=[live], active=[live.id])
    service.samples = [Sample(AT + 5, "i1", live.id, 2.0, 1.0)]
    service.requests = [Request(AT + 5, "GET", "/", 200, 20.0, live.id)]
    for key, value in facts.items():
        setattr(service, key, value)
    return service


@pytest.fixture
def fake_railway() -> FakeRailway:
    world = World("prj", "acme", "env", "production", [running("shop"), running("cart")])
    return FakeRailway(world, project_token="of-project")


def take(railway: Railway) -> Survey:
    return take_survey(railway, HERE, WINDOW, 60)


def shop(railway: Railway) -> Service:
    return next(service for service in take(railway).services if service.name == "shop")


def test_a_survey_contains_the_structure_and_activity_of_every_service(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.world.services[0].volumes = [WorldVolume("v1", "data", "/data", 400, 500)]

    survey = take(railway)

    assert (survey.project_name, survey.environment_name, survey.failed_reads) == ("acme", "production", ())
    for service in survey.services:
        assert service.branch == "main"
        assert (service.cpu_limit, service.memory_limit) == (8.0, 8.0)
        assert service.usage[0].cpu == ((int(AT), 2.0),)
        assert [minute.requests for minute in service.traffic] == [1]
        assert [start.deployment_id for start in service.starts] == [f"dep-{service.name}"]
        assert [deployment.id for deployment in service.deployments] == [f"dep-{service.name}"]
    assert survey.services[0].volumes[0].used_mb == 400
    assert survey.services[1].volumes == ()


def test_a_survey_of_few_services_takes_four_requests(railway: Railway, fake_railway: FakeRailway) -> None:
    take(railway)

    assert len(fake_railway.operations) == 4


def test_a_survey_of_a_hundred_services_takes_eight_requests(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.world.services = [running(f"s{n}") for n in range(100)]
    fake_railway.silent = {"CPU_LIMIT"}

    survey = take(railway)

    assert [(len(service.traffic), service.cpu_limit) for service in survey.services] == [(1, 8.0)] * 100
    assert len(fake_railway.operations) == 8


def test_a_project_token_is_sufficient(fake_railway: FakeRailway) -> None:
    with serve(fake_railway.app) as server:
        railway = Railway(server.url, project_token=SecretStr("of-project"))

        survey = take_survey(railway, railway.environments()[0], WINDOW, 60)

        assert [service.name for service in survey.services] == ["shop", "cart"]
        assert survey.failed_reads == ()
        railway.close()


def test_a_service_without_a_domain_and_with_traffic_counts_as_public(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.world.services[1].requests = []

    by_name = {service.name: service.public for service in take(railway).services}

    assert by_name == {"shop": True, "cart": False}


def test_the_serving_deployment_is_kept_beside_the_newest(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    newer = WorldDeployment("newer", "svc-shop", "FAILED", AT, None, {})
    fake_railway.world.services[0].deployments.insert(0, newer)
    fake_railway.broken["deployments"] = "Not Authorized"

    service = shop(railway)

    assert service.serving and service.serving.id == "dep-shop"
    assert [deployment.id for deployment in service.deployments] == ["newer", "dep-shop"]


@pytest.mark.parametrize(
    ("field", "parts"),
    [
        ("metrics", {GapPart.USAGE, GapPart.DISK}), ("environmentLogs", {GapPart.STARTS, GapPart.ERROR_LINES}),
        ("dnsQueryLogs", {GapPart.LOOKUPS}), ("deployments", {GapPart.DEPLOYMENTS}), ("events", {GapPart.EVENTS}),
        ("project", {GapPart.PROJECT_NAME}), ("platformStatus", {GapPart.PLATFORM_STATUS}),
        ("volumeInstances", {GapPart.VOLUMES}), ("deploymentTriggers", {GapPart.BRANCHES}),
        ("variables", {GapPart.VARIABLES}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("words", ["Not Authorized", "Problem processing request"])
def test_a_part_that_cannot_be_read_is_a_gap_and_the_others_are_read(
    railway: Railway, fake_railway: FakeRailway, field: str, parts: set[GapPart], words: str
) -> None:
    fake_railway.broken[field] = words

    survey = take(railway)

    assert {gap.part for gap in survey.failed_reads} == parts
    assert all(f"Railway: {words}" in gap.reason for gap in survey.failed_reads)
    assert [len(service.traffic) for service in survey.services] == [1, 1]


def test_a_part_that_the_token_may_not_see_is_not_requested_again(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.broken["variables"] = "Not Authorized"
    first = take(railway)
    fake_railway.operations.clear()

    again = take(railway)

    assert again.failed_reads == first.failed_reads != ()
    assert len(fake_railway.operations) == 4


def test_unread_traffic_is_a_gap_with_the_name_of_its_service(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.broken["httpDurationMetrics"] = "Service is resting"

    survey = take(railway)

    assert set(survey.failed_reads) == {
        Gap(part=GapPart.TRAFFIC, subject=name, reason="Service is resting") for name in ("shop", "cart")
    }
    assert [service.traffic for service in survey.services] == [(), ()]


def test_a_field_that_is_null_is_a_gap(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.broken["latestDeployment"] = "could not resolve"

    survey = take(railway)

    assert any("latestDeployment" in gap.reason for gap in survey.failed_reads)
    assert [service.serving is not None for service in survey.services] == [True, True]


def test_a_survey_fails_if_the_services_cannot_be_read(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.broken["environment"] = "Problem processing request"
    with pytest.raises(RailwayBusy):
        take(railway)

    fake_railway.broken["environment"] = "Not Authorized"

    with pytest.raises(RailwayRefused):
        take(railway)


def test_the_refusal_of_an_unknown_environment_names_the_setting(railway: Railway) -> None:
    with pytest.raises(RailwayRefused, match=r"TRACKWALKER_ENVIRONMENTS: prj/elsewhere"):
        take_survey(railway, Environment(project_id="prj", environment_id="elsewhere"), WINDOW, 60)


def test_a_survey_is_retried_if_only_the_services_could_be_read(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.broken |= dict.fromkeys(BESIDE, "Problem processing request")

    with pytest.raises(RailwayBusy):
        take(railway)


def test_configured_limits_replace_limits_missing_from_the_metrics(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.silent = {"CPU_LIMIT", "MEMORY_LIMIT_GB"}
    fake_railway.world.services[0].cpu_limit = 2.0

    service = shop(railway)

    assert (service.cpu_limit, service.memory_limit) == (2.0, 8.0)


def test_a_sum_over_replicas_is_divided_by_their_number(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.untagged = {"DEPLOYMENT_INSTANCE_ID", "DEPLOYMENT_ID"}
    service = fake_railway.world.services[0]
    deploy = {"multiRegionConfig": {"east": {"numReplicas": 2}}}
    service.deployments[0].meta = {"serviceManifest": {"deploy": deploy}}
    service.samples = [Sample(AT + 5, name, "dep-shop", cpu, 1.0) for name, cpu in (("i1", 1.0), ("i2", 3.0))]

    surveyed = shop(railway)

    assert [usage.cpu for usage in surveyed.usage] == [((int(AT), 2.0),)]
    assert (surveyed.cpu_limit, surveyed.memory_limit) == (8.0, 8.0)


def test_a_volume_without_a_service_is_assigned_by_its_name(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    service = fake_railway.world.services[0]
    service.volumes_attached = False
    service.volumes = [
        WorldVolume("v1", "Shop-volume", "/data", 1, 2),
        WorldVolume("v2", "left-over", "/old", 1, 2),
    ]

    survey = take(railway)

    assert [[volume.id for volume in service.volumes] for service in survey.services] == [["v1"], []]


def test_an_empty_environment_gives_a_survey_without_services(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.world.services.clear()

    survey = take(railway)

    assert (survey.services, survey.failed_reads) == ((), ())


def test_an_incident_of_railway_is_part_of_the_survey(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.world.platform_incident = "Edge is down in Europe"

    assert take(railway).platform_incident == "Edge is down in Europe (investigating)"


# ---- disk, error lines and events -----------------------------------------------------------------------


def test_disk_error_lines_and_events_are_assigned_to_their_service(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    service = fake_railway.world.services[0]
    service.disk = [(AT + 5, 1.5), (AT + 65, 2.5)]
    lines = [(1, "err"), (30, "error"), (61, "err"), (62, "info")]
    service.deployments[0].logs += [LogRow(AT + at, "boom", level) for at, level in lines]
    payload = {"serviceId": "svc-shop", "deploymentId": "dep-shop"}
    fake_railway.world.events = [WorldEvent(AT + 9, "Deployment", "oom_killed", payload)]

    surveyed = shop(railway)

    assert surveyed.disk == ((int(AT), 1.5), (int(AT) + 60, 2.5))
    assert surveyed.error_lines == ((int(AT), 2.0), (int(AT) + 60, 1.0))
    assert [(event.kind, event.deployment_id) for event in surveyed.events] == [("oom", "dep-shop")]


def test_truncated_error_lines_are_counted_for_complete_steps_only(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    steps = [(0, 200), (60, 500), (120, 1600)]
    fake_railway.world.services[0].deployments[0].logs = [
        LogRow(AT + at + n / 100, "boom", "error") for at, lines in steps for n in range(lines)
    ]

    survey = take(railway)

    assert survey.services[0].error_lines == ((int(AT) + 120, 1600.0),)
    assert survey.failed_reads == (
        Gap(part=GapPart.ERROR_LINES, reason="only the newest 2000 of the environment were read"),
    )


@pytest.mark.parametrize(
    ("object_", "action", "kind"),
    [
        ("Deployment", "deployed", "deployed"), ("deployment", "redeployed", "deployed"),
        ("Deployment", "resumed", "deployed"), ("Deployment", "crashed", "crashed"),
        ("Deployment", "oomKilled", "oom"), ("Deployment", "OOM-killed", "oom"),
        ("Deployment", "Deployment.restarted", "started"), ("Deployment", "failed", "failed"),
        ("Deployment", "building", None), ("Monitor", "failed", None), ("", "", None),
    ],
)  # fmt: skip
def test_a_feed_event_is_classified_by_its_action(
    railway: Railway, fake_railway: FakeRailway, object_: str, action: str, kind: str | None
) -> None:
    fake_railway.world.events = [WorldEvent(AT + 9, object_, action, {"serviceId": "svc-shop"})]

    assert [event.kind for event in shop(railway).events] == ([kind] if kind else [])


@pytest.mark.parametrize(
    "payload",
    [
        {"service": {"id": "svc-shop"}, "deployment": {"id": "dep-shop"}},
        {"service_id": "svc-shop"}, {"deploymentId": "dep-shop"},
        {"data": {"resource": {"deployment": {"id": "dep-shop"}}}}, '{"serviceId": "svc-shop"}',
    ],
)  # fmt: skip
def test_an_event_is_assigned_by_the_service_or_deployment_in_any_form_of_payload(
    railway: Railway, fake_railway: FakeRailway, payload: object
) -> None:
    fake_railway.world.events = [WorldEvent(AT + 9, "Deployment", "crashed", payload)]

    by_name = {service.name: len(service.events) for service in take(railway).services}

    assert by_name == {"shop": 1, "cart": 0}


@pytest.mark.parametrize("payload", [None, "no json", [1], 7, {"serviceId": 7}, {"service": "svc-shop"}])
def test_an_event_without_a_known_subject_is_skipped(
    railway: Railway, fake_railway: FakeRailway, payload: object
) -> None:
    fake_railway.world.events = [WorldEvent(AT + 9, "Deployment", "crashed", payload)]

    survey = take(railway)

    assert (survey.failed_reads, [service.events for service in survey.services]) == ((), [(), ()])


def test_events_outside_the_window_are_left_out(railway: Railway, fake_railway: FakeRailway) -> None:
    moments = (AT - 1, AT + 3, WINDOW.end.timestamp() + 1)
    fake_railway.world.events = [
        WorldEvent(at, "Deployment", "crashed", {"serviceId": "svc-shop"}) for at in moments
    ]

    assert [event.at.timestamp() for event in shop(railway).events] == [AT + 3]


def test_calls_are_inferred_from_variables_and_lookups(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.world.services.append(running("Main Store"))
    fake_railway.world.services[0].variables = {"CART_URL": ["cart.RAILWAY_PRIVATE_DOMAIN"]}
    fake_railway.world.services[1].lookups = [Lookup(AT + 1, "main-store.railway.internal.")] * 3

    assert take(railway).calls == (("svc-cart", "svc-Main Store"), ("svc-shop", "svc-cart"))


def test_no_value_of_a_variable_is_requested() -> None:
    variables = documents.STRUCTURE["variables"]

    assert "name references serviceId }" in variables
    assert "payload" not in documents.STRUCTURE["events"].replace("activityPayload", "")


# ---- partial answers -------------------------------------------------------------------------


def changed(fake_railway: FakeRailway, change: Callable[[dict[str, Any]], None]) -> Railway:
    """A client of the fake whose answers `change` modifies."""

    def answer(request: httpx.Request) -> httpx.Response:
        status, body = fake_railway.ask(json.loads(request.content))
        change(body["data"] or {})
        return httpx.Response(status, json=body)

    http = httpx.Client(transport=httpx.MockTransport(answer))
    return Railway("http://railway.test", token=SecretStr("t"), http=http)


def test_invalid_series_do_not_hide_the_valid_ones(fake_railway: FakeRailway) -> None:
    def change(data: dict[str, Any]) -> None:
        for series in data.get("usage", []):
            if series["tags"]["serviceId"] == "svc-cart":
                series["values"] = None
            else:
                series["values"] = [{"ts": int(AT), "value": 3}, {"ts": int(AT) + 60, "value": None}]

    survey = take(changed(fake_railway, change))

    by_name = {service.name: [use.cpu for use in service.usage] for service in survey.services}
    assert by_name == {"shop": [((int(AT), 3.0),)], "cart": []}
    assert survey.failed_reads == (Gap(part=GapPart.USAGE, reason="8 entries could not be read"),)


def test_an_invalid_lookup_hides_no_finding(fake_railway: FakeRailway) -> None:
    def change(data: dict[str, Any]) -> None:
        data |= (
            {"lookups": [{"qname": "cart.railway.internal", "serviceId": None}]} if "lookups" in data else {}
        )

    survey = take(changed(fake_railway, change))

    assert survey.failed_reads == (Gap(part=GapPart.LOOKUPS, reason="1 entry could not be read"),)
    assert survey.gaps_for("shop") == ()


def test_a_service_name_contains_no_control_characters_and_no_line_breaks(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.world.services[0].name = "shop\n\x1b[2J\u202eall is well"
    fake_railway.world.services[1].name = "\x07"

    assert [service.name for service in take(railway).services] == ["shop all is well", "svc-cart"]


@pytest.mark.parametrize(
    ("first", "reasons"), [(-60, ()), (5, ("only the newest 100 of the window were read",))]
)
def test_a_feed_not_read_back_to_the_start_of_the_window_is_a_gap(
    railway: Railway, fake_railway: FakeRailway, first: int, reasons: tuple[str, ...]
) -> None:
    fake_railway.world.events = [WorldEvent(AT + first + n, "Variable", "updated") for n in range(120)]

    assert take(railway).failed_reads == tuple(Gap(part=GapPart.EVENTS, reason=reason) for reason in reasons)


def test_variables_beyond_the_limit_are_a_gap_that_hides_no_finding(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.world.services[0].variables = {f"V{n}": [] for n in range(1600)}

    survey = take(railway)

    assert survey.failed_reads == (
        Gap(part=GapPart.VARIABLES, reason="only the first 1500 variables were read"),
    )
    assert survey.gaps_for("shop") == ()


def test_series_without_a_service_are_a_gap_if_a_service_has_none(fake_railway: FakeRailway) -> None:
    def change(data: dict[str, Any]) -> None:
        for series in data.get("usage", []):
            series["tags"] = None

    survey = take(changed(fake_railway, change))

    assert [service.usage for service in survey.services] == [(), ()]
    assert survey.failed_reads == (Gap(part=GapPart.USAGE, reason="some series name no service"),)


def test_a_null_part_is_a_gap_and_the_others_are_read(fake_railway: FakeRailway) -> None:
    def change(data: dict[str, Any]) -> None:
        for name in ("variables", "events", "lookups", "disk", "statuses0"):
            data[name] = None if name in data else data.get(name)

    survey = take(changed(fake_railway, change))

    assert {(gap.part, gap.subject) for gap in survey.failed_reads} == {
        (GapPart.VARIABLES, None), (GapPart.LOOKUPS, None), (GapPart.EVENTS, None), (GapPart.DISK, None),
        (GapPart.TRAFFIC, "shop"),
    }  # fmt: skip
    assert [len(service.usage) for service in survey.services] == [1, 1]


def test_an_invalid_service_is_a_gap_and_the_others_are_read(fake_railway: FakeRailway) -> None:
    def change(data: dict[str, Any]) -> None:
        for edge in data.get("environment", {}).get("serviceInstances", {}).get("edges", [])[:1]:
            edge["node"]["serviceId"] = None

    survey = take(changed(fake_railway, change))

    assert [service.name for service in survey.services] == ["cart"]
    assert survey.failed_reads == (Gap(part=GapPart.ENVIRONMENT, reason="1 entry could not be read"),)


def refusing(fake_railway: FakeRailway, refused: Callable[[str], bool], answer: httpx.Response) -> Railway:
    """A client of the fake that answers some documents differently."""

    def handle(request: httpx.Request) -> httpx.Response:
        variables = json.loads(request.content)
        if refused(variables["query"]):
            return httpx.Response(answer.status_code, content=answer.content)
        status, body = fake_railway.ask(variables)
        return httpx.Response(status, json=body)

    http = httpx.Client(transport=httpx.MockTransport(handle))
    return Railway("http://railway.test", token=SecretStr("t"), http=http)


WHOLE = [
    httpx.Response(200, json={"data": None, "errors": [{"message": words}]})
    for words in ("Query is too complex", "Problem processing request", "Not Authorized")
] + [
    httpx.Response(400, json={"errors": [{"message": "too many fields"}]}),
    httpx.Response(413),
    httpx.Response(504),
]
"""Refusals that name no part."""


@pytest.mark.parametrize("answer", WHOLE, ids=lambda one: f"{one.status_code} {one.text[-35:-4]}")
def test_the_services_are_requested_alone_if_the_whole_request_is_refused(
    fake_railway: FakeRailway, answer: httpx.Response
) -> None:
    railway = refusing(
        fake_railway, lambda query: "serviceInstances" in query and "volumeInstances" in query, answer
    )

    survey = take(railway)

    assert (survey.failed_reads, survey.project_name, len(survey.services)) == ((), "acme", 2)
    assert railway.requests_sent == 6


def test_every_part_is_requested_alone_if_the_others_are_refused_together(fake_railway: FakeRailway) -> None:
    railway = refusing(fake_railway, lambda query: query.startswith("query Structure"), WHOLE[0])

    survey = take(railway)

    assert (survey.failed_reads, survey.project_name, len(survey.services)) == ((), "acme", 2)
    assert railway.requests_sent == 13


def test_the_services_are_read_even_if_every_other_part_fails(fake_railway: FakeRailway) -> None:
    railway = refusing(fake_railway, lambda query: query.startswith("query Structure"), httpx.Response(502))

    survey = take(railway)

    assert [service.name for service in survey.services] == ["shop", "cart"]
    assert {gap.part for gap in survey.failed_reads} == {
        GapPart.VOLUMES, GapPart.BRANCHES, GapPart.VARIABLES, GapPart.PROJECT_NAME, GapPart.PLATFORM_STATUS,
        GapPart.DEPLOYMENTS, GapPart.EVENTS,
    }  # fmt: skip


def test_paginated_lists_are_read_to_the_end(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.page_limit = 2
    fake_railway.world.services = [
        running(
            f"s{n}",
            volumes=[WorldVolume(f"v{n}", "data", "/data", 1, 2)],
            variables={"NEXT_URL": [f"s{n + 1}.PORT"]},
        )
        for n in range(5)
    ]

    survey = take(railway)

    assert [(service.name, service.branch, len(service.volumes)) for service in survey.services] == [
        (f"s{n}", "main", 1) for n in range(5)
    ]
    assert len(survey.calls) == 4


def test_refused_limits_do_not_hide_traffic(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.silent, fake_railway.broken["serviceInstanceLimits"] = {"CPU_LIMIT"}, "Not Authorized"

    survey = take(railway)

    assert survey.failed_reads == (Gap(part=GapPart.LIMITS, reason="Not Authorized"),)
    assert [len(service.traffic) for service in survey.services] == [1, 1]
    assert len(fake_railway.operations) == 5


def test_a_failed_batch_hides_the_traffic_of_its_own_services_only(fake_railway: FakeRailway) -> None:
    fake_railway.world.services = [running(f"s{n:02}") for n in range(21)]

    def answer(request: httpx.Request) -> httpx.Response:
        variables = json.loads(request.content)
        if (
            variables["query"].startswith("query HttpMetrics")
            and "svc-s20" in variables["variables"].values()
        ):
            return httpx.Response(503)
        status, body = fake_railway.ask(variables)
        return httpx.Response(status, json=body)

    http = httpx.Client(transport=httpx.MockTransport(answer))

    survey = take(Railway("http://railway.test", token=SecretStr("t"), http=http))

    assert survey.failed_reads == (Gap(part=GapPart.TRAFFIC, subject="s20", reason="Railway answered 503"),)
