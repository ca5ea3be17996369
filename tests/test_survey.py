"""What a survey promises: everything that can be read of an environment, and in words what could not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from tests.world.railway import (
    LogRow,
    RailwayStandIn,
    Request,
    Sample,
    World,
    WorldDeployment,
    WorldService,
    WorldVolume,
)  # fmt: skip
from tests.world.serving import serve
from workers.errors import RailwayBusy, RailwayRefused
from workers.models import Environment, Service, Survey, Window
from workers.railway import Railway
from workers.survey import survey

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
AT = NOON.timestamp()
WINDOW = Window(start=NOON, end=NOON + timedelta(minutes=10))
HERE = Environment(project_id="prj", environment_id="env")
BESIDE = (
    "metrics", "environmentLogs", "deployments", "project", "platformStatus", "httpMetricsGroupedByStatus",
    "volumeInstances", "deploymentTriggers",
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
def standin() -> RailwayStandIn:
    world = World("prj", "acme", "env", "production", [running("shop"), running("cart")])
    return RailwayStandIn(world, project_token="of-project")


@pytest.fixture
def railway(standin: RailwayStandIn) -> Iterator[Railway]:
    with serve(standin.app, standin.faults) as server:
        client = Railway(server.url, token=SecretStr(standin.token))
        yield client
        client.close()


def look(railway: Railway) -> Survey:
    return survey(railway, HERE, WINDOW, 60)


def shop(railway: Railway) -> Service:
    return next(one for one in look(railway).services if one.name == "shop")


def test_a_survey_holds_all_that_the_services_did(railway: Railway, standin: RailwayStandIn) -> None:
    standin.world.services[0].volumes = [WorldVolume("v1", "data", "/data", 400, 500)]

    seen = look(railway)

    assert (seen.project_name, seen.environment_name, seen.not_seen) == ("acme", "production", ())
    for service in seen.services:
        assert service.branch == "main"
        assert (service.cpu_limit, service.memory_limit) == (8.0, 8.0)
        assert service.usage[0].cpu == ((int(AT), 2.0),)
        assert [minute.requests for minute in service.traffic] == [1]
        assert [start.deployment_id for start in service.starts] == [f"dep-{service.name}"]
        assert [one.id for one in service.deployments] == [f"dep-{service.name}"]
    assert seen.services[0].volumes[0].used_mb == 400
    assert seen.services[1].volumes == ()


def test_a_sweep_of_few_services_costs_nine_requests(railway: Railway, standin: RailwayStandIn) -> None:
    look(railway)

    assert len(standin.operations) == 9


def test_a_project_token_is_enough(standin: RailwayStandIn) -> None:
    with serve(standin.app) as server:
        railway = Railway(server.url, project_token=SecretStr("of-project"))

        seen = survey(railway, railway.environments()[0], WINDOW, 60)

        assert [one.name for one in seen.services] == ["shop", "cart"]
        assert seen.not_seen == ()
        railway.close()


def test_a_service_without_a_domain_but_with_traffic_counts_as_public(
    railway: Railway, standin: RailwayStandIn
) -> None:
    standin.world.services[1].requests = []

    by_name = {one.name: one.public for one in look(railway).services}

    assert by_name == {"shop": True, "cart": False}


def test_an_older_deployment_that_serves_is_kept_beside_the_newest(
    railway: Railway, standin: RailwayStandIn
) -> None:
    newer = WorldDeployment("newer", "svc-shop", "FAILED", AT, None, {})
    standin.world.services[0].deployments.insert(0, newer)
    standin.broken["deployments"] = "Not Authorized"

    service = shop(railway)

    assert service.serving and service.serving.id == "dep-shop"
    assert [one.id for one in service.deployments] == ["newer", "dep-shop"]


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("metrics", "CPU and memory"), ("environmentLogs", "container starts"), ("deployments", "deployments"),
        ("project", "project name"), ("platformStatus", "Railway's own status"),
        ("volumeInstances", "volumes"), ("deploymentTriggers", "deployment branches"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("words", ["Not Authorized", "Problem processing request"])
def test_a_part_that_cannot_be_read_is_said_and_the_rest_is_seen(
    railway: Railway, standin: RailwayStandIn, field: str, name: str, words: str
) -> None:
    standin.broken[field] = words

    seen = look(railway)

    assert len(seen.not_seen) == 1
    assert seen.not_seen[0].startswith(f"{name}: Railway: {words}")
    assert [len(one.traffic) for one in seen.services] == [1, 1]


def test_traffic_that_cannot_be_read_is_said_by_the_services_names(
    railway: Railway, standin: RailwayStandIn
) -> None:
    standin.broken["httpDurationMetrics"] = "Service is resting"

    seen = look(railway)

    assert set(seen.not_seen) == {
        "traffic of shop: Service is resting",
        "traffic of cart: Service is resting",
    }
    assert [one.traffic for one in seen.services] == [(), ()]


def test_what_came_as_null_is_said(railway: Railway, standin: RailwayStandIn) -> None:
    standin.broken["latestDeployment"] = "could not resolve"

    seen = look(railway)

    assert any("latestDeployment" in gap for gap in seen.not_seen)
    assert [one.serving is not None for one in seen.services] == [True, True]


def test_without_the_services_there_is_no_survey(railway: Railway, standin: RailwayStandIn) -> None:
    standin.broken["environment"] = "Problem processing request"
    with pytest.raises(RailwayBusy):
        look(railway)

    standin.broken["environment"] = "Not Authorized"

    with pytest.raises(RailwayRefused):
        look(railway)


def test_where_nothing_but_names_could_be_read_it_is_tried_again(
    railway: Railway, standin: RailwayStandIn
) -> None:
    standin.broken |= dict.fromkeys(BESIDE, "Problem processing request")

    with pytest.raises(RailwayBusy):
        look(railway)


def test_configured_limits_stand_in_where_the_metrics_name_none(
    railway: Railway, standin: RailwayStandIn
) -> None:
    standin.silent = {"CPU_LIMIT", "MEMORY_LIMIT_GB"}
    standin.world.services[0].cpu_limit = 2.0

    service = shop(railway)

    assert (service.cpu_limit, service.memory_limit) == (2.0, 8.0)


def test_a_sum_over_replicas_becomes_the_mean_replica(railway: Railway, standin: RailwayStandIn) -> None:
    standin.untagged = {"DEPLOYMENT_INSTANCE_ID", "DEPLOYMENT_ID"}
    service = standin.world.services[0]
    deploy = {"multiRegionConfig": {"east": {"numReplicas": 2}}}
    service.deployments[0].meta = {"serviceManifest": {"deploy": deploy}}
    service.samples = [Sample(AT + 5, name, "dep-shop", cpu, 1.0) for name, cpu in (("i1", 1.0), ("i2", 3.0))]

    seen = shop(railway)

    assert [one.cpu for one in seen.usage] == [((int(AT), 2.0),)]
    assert (seen.cpu_limit, seen.memory_limit) == (8.0, 8.0)


def test_a_volume_that_names_no_service_goes_to_the_one_whose_name_it_bears(
    railway: Railway, standin: RailwayStandIn
) -> None:
    service = standin.world.services[0]
    service.volumes_attached = False
    service.volumes = [
        WorldVolume("v1", "Shop-volume", "/data", 1, 2),
        WorldVolume("v2", "left-over", "/old", 1, 2),
    ]

    seen = look(railway)

    assert [[volume.id for volume in one.volumes] for one in seen.services] == [["v1"], []]


def test_an_empty_environment_is_a_survey_without_services(railway: Railway, standin: RailwayStandIn) -> None:
    standin.world.services.clear()

    seen = look(railway)

    assert (seen.services, seen.not_seen) == ((), ())


def test_railways_own_incident_is_part_of_what_is_seen(railway: Railway, standin: RailwayStandIn) -> None:
    standin.world.platform_incident = "Edge is down in Europe"

    assert look(railway).platform_incident == "Edge is down in Europe (investigating)"
