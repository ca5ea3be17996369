"""What a survey promises: everything that can be read of an environment, and in words what could not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
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
    """A live service with one sample, one request and one start of a container in the window."""
    live = WorldDeployment(f"dep-{name}", f"svc-{name}", "SUCCESS", AT - 3600, None, {"branch": "pushed"})
    live.logs = [LogRow(AT + 1, "Starting Container")]
    made = WorldService(f"svc-{name}", name, repo="acme/shop", deployments=[live], active=[live.id])
    made.samples = [Sample(AT + 5, "i1", live.id, 2.0, 1.0)]
    made.requests = [Request(AT + 5, "GET", "/", 200, 20.0, live.id)]
    for key, value in facts.items():
        setattr(made, key, value)
    return made


@pytest.fixture
def fake_railway() -> FakeRailway:
    world = World("prj", "acme", "env", "production", [running("shop"), running("cart")])
    return FakeRailway(world, project_token="of-project")


@pytest.fixture
def railway(fake_railway: FakeRailway) -> Iterator[Railway]:
    with serve(fake_railway.app, fake_railway.faults) as server:
        client = Railway(server.url, token=SecretStr(fake_railway.token))
        yield client
        client.close()


def look(railway: Railway) -> Survey:
    return take_survey(railway, HERE, WINDOW, 60)


def shop(railway: Railway) -> Service:
    return next(one for one in look(railway).services if one.name == "shop")


def test_a_survey_holds_all_that_the_services_did(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.world.services[0].volumes = [WorldVolume("v1", "data", "/data", 400, 500)]

    seen = look(railway)

    assert (seen.project_name, seen.environment_name, seen.failed_reads) == ("acme", "production", ())
    for service in seen.services:
        assert service.branch == "main"
        assert (service.cpu_limit, service.memory_limit) == (8.0, 8.0)
        assert service.usage[0].cpu == ((int(AT), 2.0),)
        assert [minute.requests for minute in service.traffic] == [1]
        assert [start.deployment_id for start in service.starts] == [f"dep-{service.name}"]
        assert [one.id for one in service.deployments] == [f"dep-{service.name}"]
    assert seen.services[0].volumes[0].used_mb == 400
    assert seen.services[1].volumes == ()


def test_a_sweep_of_few_services_costs_four_requests(railway: Railway, fake_railway: FakeRailway) -> None:
    look(railway)

    assert len(fake_railway.operations) == 4


def test_a_sweep_of_a_hundred_services_costs_eight_requests(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.world.services = [running(f"s{n}") for n in range(100)]
    fake_railway.silent = {"CPU_LIMIT"}

    seen = look(railway)

    assert [(len(one.traffic), one.cpu_limit) for one in seen.services] == [(1, 8.0)] * 100
    assert len(fake_railway.operations) == 8


def test_a_project_token_is_enough(fake_railway: FakeRailway) -> None:
    with serve(fake_railway.app) as server:
        railway = Railway(server.url, project_token=SecretStr("of-project"))

        seen = take_survey(railway, railway.environments()[0], WINDOW, 60)

        assert [one.name for one in seen.services] == ["shop", "cart"]
        assert seen.failed_reads == ()
        railway.close()


def test_a_service_without_a_domain_but_with_traffic_counts_as_public(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.world.services[1].requests = []

    by_name = {one.name: one.public for one in look(railway).services}

    assert by_name == {"shop": True, "cart": False}


def test_an_older_deployment_that_serves_is_kept_beside_the_newest(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    newer = WorldDeployment("newer", "svc-shop", "FAILED", AT, None, {})
    fake_railway.world.services[0].deployments.insert(0, newer)
    fake_railway.broken["deployments"] = "Not Authorized"

    service = shop(railway)

    assert service.serving and service.serving.id == "dep-shop"
    assert [one.id for one in service.deployments] == ["newer", "dep-shop"]


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
def test_a_part_that_cannot_be_read_is_said_and_the_rest_is_seen(
    railway: Railway, fake_railway: FakeRailway, field: str, parts: set[GapPart], words: str
) -> None:
    fake_railway.broken[field] = words

    seen = look(railway)

    assert {gap.part for gap in seen.failed_reads} == parts
    assert all(f"Railway: {words}" in gap.reason for gap in seen.failed_reads)
    assert [len(one.traffic) for one in seen.services] == [1, 1]


def test_what_the_token_may_not_see_is_not_asked_for_again(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.broken["variables"] = "Not Authorized"
    first = look(railway)
    fake_railway.operations.clear()

    again = look(railway)

    assert again.failed_reads == first.failed_reads != ()
    assert len(fake_railway.operations) == 4


def test_traffic_that_cannot_be_read_is_said_by_the_services_names(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.broken["httpDurationMetrics"] = "Service is resting"

    seen = look(railway)

    assert set(seen.failed_reads) == {
        Gap(part=GapPart.TRAFFIC, subject=name, reason="Service is resting") for name in ("shop", "cart")
    }
    assert [one.traffic for one in seen.services] == [(), ()]


def test_what_came_as_null_is_said(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.broken["latestDeployment"] = "could not resolve"

    seen = look(railway)

    assert any("latestDeployment" in gap.reason for gap in seen.failed_reads)
    assert [one.serving is not None for one in seen.services] == [True, True]


def test_without_the_services_there_is_no_survey(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.broken["environment"] = "Problem processing request"
    with pytest.raises(RailwayBusy):
        look(railway)

    fake_railway.broken["environment"] = "Not Authorized"

    with pytest.raises(RailwayRefused):
        look(railway)


def test_an_environment_that_is_not_there_is_named_with_its_setting(railway: Railway) -> None:
    with pytest.raises(RailwayRefused, match=r"TRACKWALKER_ENVIRONMENTS: prj/elsewhere"):
        take_survey(railway, Environment(project_id="prj", environment_id="elsewhere"), WINDOW, 60)


def test_where_nothing_but_names_could_be_read_it_is_tried_again(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.broken |= dict.fromkeys(BESIDE, "Problem processing request")

    with pytest.raises(RailwayBusy):
        look(railway)


def test_configured_limits_stand_in_where_the_metrics_name_none(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.silent = {"CPU_LIMIT", "MEMORY_LIMIT_GB"}
    fake_railway.world.services[0].cpu_limit = 2.0

    service = shop(railway)

    assert (service.cpu_limit, service.memory_limit) == (2.0, 8.0)


def test_a_sum_over_replicas_becomes_the_mean_replica(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.untagged = {"DEPLOYMENT_INSTANCE_ID", "DEPLOYMENT_ID"}
    service = fake_railway.world.services[0]
    deploy = {"multiRegionConfig": {"east": {"numReplicas": 2}}}
    service.deployments[0].meta = {"serviceManifest": {"deploy": deploy}}
    service.samples = [Sample(AT + 5, name, "dep-shop", cpu, 1.0) for name, cpu in (("i1", 1.0), ("i2", 3.0))]

    seen = shop(railway)

    assert [one.cpu for one in seen.usage] == [((int(AT), 2.0),)]
    assert (seen.cpu_limit, seen.memory_limit) == (8.0, 8.0)


def test_a_volume_that_names_no_service_goes_to_the_one_whose_name_it_bears(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    service = fake_railway.world.services[0]
    service.volumes_attached = False
    service.volumes = [
        WorldVolume("v1", "Shop-volume", "/data", 1, 2),
        WorldVolume("v2", "left-over", "/old", 1, 2),
    ]

    seen = look(railway)

    assert [[volume.id for volume in one.volumes] for one in seen.services] == [["v1"], []]


def test_an_empty_environment_is_a_survey_without_services(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.world.services.clear()

    seen = look(railway)

    assert (seen.services, seen.failed_reads) == ((), ())


def test_railways_own_incident_is_part_of_what_is_seen(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.world.platform_incident = "Edge is down in Europe"

    assert look(railway).platform_incident == "Edge is down in Europe (investigating)"


# ---- beside the series -----------------------------------------------------------------------


def test_disk_error_lines_and_events_stand_with_their_service(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    service = fake_railway.world.services[0]
    service.disk = [(AT + 5, 1.5), (AT + 65, 2.5)]
    lines = [(1, "err"), (30, "error"), (61, "err"), (62, "info")]
    service.deployments[0].logs += [LogRow(AT + at, "boom", level) for at, level in lines]
    payload = {"serviceId": "svc-shop", "deploymentId": "dep-shop"}
    fake_railway.world.events = [WorldEvent(AT + 9, "Deployment", "oom_killed", payload)]

    seen = shop(railway)

    assert seen.disk == ((int(AT), 1.5), (int(AT) + 60, 2.5))
    assert seen.error_lines == ((int(AT), 2.0), (int(AT) + 60, 1.0))
    assert [(one.kind, one.deployment_id) for one in seen.events] == [("oom", "dep-shop")]


def test_in_a_flood_of_error_lines_only_whole_steps_are_counted(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    steps = [(0, 200), (60, 500), (120, 1600)]
    fake_railway.world.services[0].deployments[0].logs = [
        LogRow(AT + at + n / 100, "boom", "error") for at, lines in steps for n in range(lines)
    ]

    seen = look(railway)

    assert seen.services[0].error_lines == ((int(AT) + 120, 1600.0),)
    assert seen.failed_reads == (
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
def test_the_feed_is_read_by_what_happened(
    railway: Railway, fake_railway: FakeRailway, object_: str, action: str, kind: str | None
) -> None:
    fake_railway.world.events = [WorldEvent(AT + 9, object_, action, {"serviceId": "svc-shop"})]

    assert [one.kind for one in shop(railway).events] == ([kind] if kind else [])


@pytest.mark.parametrize(
    "payload",
    [
        {"service": {"id": "svc-shop"}, "deployment": {"id": "dep-shop"}},
        {"service_id": "svc-shop"}, {"deploymentId": "dep-shop"},
        {"data": {"resource": {"deployment": {"id": "dep-shop"}}}}, '{"serviceId": "svc-shop"}',
    ],
)  # fmt: skip
def test_an_event_is_found_by_service_or_deployment_however_the_payload_is_made(
    railway: Railway, fake_railway: FakeRailway, payload: object
) -> None:
    fake_railway.world.events = [WorldEvent(AT + 9, "Deployment", "crashed", payload)]

    by_name = {one.name: len(one.events) for one in look(railway).services}

    assert by_name == {"shop": 1, "cart": 0}


@pytest.mark.parametrize("payload", [None, "no json", [1], 7, {"serviceId": 7}, {"service": "svc-shop"}])
def test_an_event_of_nobody_is_passed_over(
    railway: Railway, fake_railway: FakeRailway, payload: object
) -> None:
    fake_railway.world.events = [WorldEvent(AT + 9, "Deployment", "crashed", payload)]

    seen = look(railway)

    assert (seen.failed_reads, [one.events for one in seen.services]) == ((), [(), ()])


def test_events_outside_the_window_are_none_of_it(railway: Railway, fake_railway: FakeRailway) -> None:
    moments = (AT - 1, AT + 3, WINDOW.end.timestamp() + 1)
    fake_railway.world.events = [
        WorldEvent(at, "Deployment", "crashed", {"serviceId": "svc-shop"}) for at in moments
    ]

    assert [one.at.timestamp() for one in shop(railway).events] == [AT + 3]


def test_who_calls_whom_is_known_from_variables_and_lookups(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.world.services.append(running("Main Store"))
    fake_railway.world.services[0].variables = {"CART_URL": ["cart.RAILWAY_PRIVATE_DOMAIN"]}
    fake_railway.world.services[1].lookups = [Lookup(AT + 1, "main-store.railway.internal.")] * 3

    assert look(railway).calls == (("svc-cart", "svc-Main Store"), ("svc-shop", "svc-cart"))


def test_no_value_of_a_variable_is_asked_for() -> None:
    asked = documents.STRUCTURE["variables"]

    assert "name references serviceId }" in asked
    assert "payload" not in documents.STRUCTURE["events"].replace("activityPayload", "")


# ---- partial answers -------------------------------------------------------------------------


def changed(fake_railway: FakeRailway, change: Callable[[dict[str, Any]], None]) -> Railway:
    """A client whose Railway is the stand-in, with each answer changed."""

    def answer(request: httpx.Request) -> httpx.Response:
        status, body = fake_railway.ask(json.loads(request.content))
        change(body["data"] or {})
        return httpx.Response(status, json=body)

    http = httpx.Client(transport=httpx.MockTransport(answer))
    return Railway("http://railway.test", token=SecretStr("t"), http=http)


def test_series_that_cannot_be_read_do_not_hide_the_others(fake_railway: FakeRailway) -> None:
    def change(data: dict[str, Any]) -> None:
        for series in data.get("usage", []):
            if series["tags"]["serviceId"] == "svc-cart":
                series["values"] = None
            else:
                series["values"] = [{"ts": int(AT), "value": 3}, {"ts": int(AT) + 60, "value": None}]

    seen = look(changed(fake_railway, change))

    by_name = {one.name: [use.cpu for use in one.usage] for one in seen.services}
    assert by_name == {"shop": [((int(AT), 3.0),)], "cart": []}
    assert seen.failed_reads == (Gap(part=GapPart.USAGE, reason="8 entries could not be read"),)


def test_a_lookup_that_cannot_be_read_hides_no_trouble(fake_railway: FakeRailway) -> None:
    def change(data: dict[str, Any]) -> None:
        data |= (
            {"lookups": [{"qname": "cart.railway.internal", "serviceId": None}]} if "lookups" in data else {}
        )

    seen = look(changed(fake_railway, change))

    assert seen.failed_reads == (Gap(part=GapPart.LOOKUPS, reason="1 entry could not be read"),)
    assert seen.gaps_for("shop") == ()


def test_a_name_steers_no_terminal_and_begins_no_line(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.world.services[0].name = "shop\n\x1b[2J\u202eall is well"
    fake_railway.world.services[1].name = "\x07"

    assert [one.name for one in look(railway).services] == ["shop [2J all is well", "svc-cart"]


@pytest.mark.parametrize(
    ("first", "reasons"), [(-60, ()), (5, ("only the newest 100 of the window were read",))]
)
def test_a_feed_that_was_not_read_back_to_the_windows_start_is_said(
    railway: Railway, fake_railway: FakeRailway, first: int, reasons: tuple[str, ...]
) -> None:
    fake_railway.world.events = [WorldEvent(AT + first + n, "Variable", "updated") for n in range(120)]

    assert look(railway).failed_reads == tuple(Gap(part=GapPart.EVENTS, reason=reason) for reason in reasons)


def test_variables_beyond_those_that_are_read_are_said_and_hide_no_trouble(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.world.services[0].variables = {f"V{n}": [] for n in range(1600)}

    seen = look(railway)

    assert seen.failed_reads == (
        Gap(part=GapPart.VARIABLES, reason="only the first 1500 variables were read"),
    )
    assert seen.gaps_for("shop") == ()


def test_series_without_tags_are_said_where_a_service_has_none(fake_railway: FakeRailway) -> None:
    def change(data: dict[str, Any]) -> None:
        for series in data.get("usage", []):
            series["tags"] = None

    seen = look(changed(fake_railway, change))

    assert [one.usage for one in seen.services] == [(), ()]
    assert seen.failed_reads == (Gap(part=GapPart.USAGE, reason="some series name no service"),)


def test_a_part_that_is_null_costs_only_itself(fake_railway: FakeRailway) -> None:
    def change(data: dict[str, Any]) -> None:
        for name in ("variables", "events", "lookups", "disk", "statuses0"):
            data[name] = None if name in data else data.get(name)

    seen = look(changed(fake_railway, change))

    assert {(gap.part, gap.subject) for gap in seen.failed_reads} == {
        (GapPart.VARIABLES, None), (GapPart.LOOKUPS, None), (GapPart.EVENTS, None), (GapPart.DISK, None),
        (GapPart.TRAFFIC, "shop"),
    }  # fmt: skip
    assert [len(one.usage) for one in seen.services] == [1, 1]


def test_one_service_that_cannot_be_read_is_said_and_the_others_are_seen(fake_railway: FakeRailway) -> None:
    def change(data: dict[str, Any]) -> None:
        for edge in data.get("environment", {}).get("serviceInstances", {}).get("edges", [])[:1]:
            edge["node"]["serviceId"] = None

    seen = look(changed(fake_railway, change))

    assert [one.name for one in seen.services] == ["cart"]
    assert seen.failed_reads == (Gap(part=GapPart.ENVIRONMENT, reason="1 entry could not be read"),)


def refusing(fake_railway: FakeRailway, refused: Callable[[str], bool], answer: httpx.Response) -> Railway:
    """A client whose Railway is the stand-in, but for some documents."""

    def handle(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        if refused(asked["query"]):
            return httpx.Response(answer.status_code, content=answer.content)
        status, body = fake_railway.ask(asked)
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
def test_services_are_asked_for_alone_where_the_whole_question_is_refused(
    fake_railway: FakeRailway, answer: httpx.Response
) -> None:
    railway = refusing(
        fake_railway, lambda query: "serviceInstances" in query and "volumeInstances" in query, answer
    )

    seen = look(railway)

    assert (seen.failed_reads, seen.project_name, len(seen.services)) == ((), "acme", 2)
    assert railway.requests_sent == 6


def test_where_that_is_refused_too_every_part_is_asked_by_itself(fake_railway: FakeRailway) -> None:
    railway = refusing(fake_railway, lambda query: query.startswith("query Structure"), WHOLE[0])

    seen = look(railway)

    assert (seen.failed_reads, seen.project_name, len(seen.services)) == ((), "acme", 2)
    assert railway.requests_sent == 13


def test_services_come_though_nothing_beside_them_does(fake_railway: FakeRailway) -> None:
    railway = refusing(fake_railway, lambda query: query.startswith("query Structure"), httpx.Response(502))

    seen = look(railway)

    assert [one.name for one in seen.services] == ["shop", "cart"]
    assert {gap.part for gap in seen.failed_reads} == {
        GapPart.VOLUMES, GapPart.BRANCHES, GapPart.VARIABLES, GapPart.PROJECT_NAME, GapPart.PLATFORM_STATUS,
        GapPart.DEPLOYMENTS, GapPart.EVENTS,
    }  # fmt: skip


def test_lists_that_come_in_pages_are_read_to_the_end(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.page_limit = 2
    fake_railway.world.services = [
        running(
            f"s{n}",
            volumes=[WorldVolume(f"v{n}", "data", "/data", 1, 2)],
            variables={"NEXT_URL": [f"s{n + 1}.PORT"]},
        )
        for n in range(5)
    ]

    seen = look(railway)

    assert [(one.name, one.branch, len(one.volumes)) for one in seen.services] == [
        (f"s{n}", "main", 1) for n in range(5)
    ]
    assert len(seen.calls) == 4


def test_limits_that_may_not_be_seen_hide_no_traffic(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.silent, fake_railway.broken["serviceInstanceLimits"] = {"CPU_LIMIT"}, "Not Authorized"

    seen = look(railway)

    assert seen.failed_reads == (Gap(part=GapPart.LIMITS, reason="Not Authorized"),)
    assert [len(one.traffic) for one in seen.services] == [1, 1]
    assert len(fake_railway.operations) == 5


def test_a_batch_that_fails_hides_the_traffic_of_its_own_services(fake_railway: FakeRailway) -> None:
    fake_railway.world.services = [running(f"s{n:02}") for n in range(21)]

    def answer(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        if asked["query"].startswith("query HttpMetrics") and "svc-s20" in asked["variables"].values():
            return httpx.Response(503)
        status, body = fake_railway.ask(asked)
        return httpx.Response(status, json=body)

    http = httpx.Client(transport=httpx.MockTransport(answer))

    seen = look(Railway("http://railway.test", token=SecretStr("t"), http=http))

    assert seen.failed_reads == (Gap(part=GapPart.TRAFFIC, subject="s20", reason="Railway answered 503"),)
