"""The Railway client, over a real socket against the fake, or against a prepared answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tests.support.fakes.railway import (  # fmt: skip
    FakeRailway,
    LogRow,
    Request,
    Sample,
    World,
    WorldDeployment,
    WorldService,
    WorldVolume,
)
from tests.support.fakes.serving import serve
from workers.clients.railway import EnvironmentStructure, Railway, ServiceQuery
from workers.clients.railway.log_lines import parse_upstream_errors
from workers.errors import RailwayBusy, RailwayRefused
from workers.models import Environment, Gap, GapPart, Window

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
AT = NOON.timestamp()
WINDOW = Window(start=NOON, end=NOON + timedelta(minutes=10))
HERE = Environment(project_id="prj", environment_id="env")
META = {
    "repo": "acme/shop",
    "branch": "main",
    "commitHash": "c0ffee",
    "commitMessage": "gifts",
    "commitAuthor": "ada",
}


def deployment(
    name: str, service: str = "svc", status: str = "SUCCESS", created_at: float = AT - 3600, **meta: Any
) -> WorldDeployment:
    return WorldDeployment(name, service, status, created_at, None, META | meta)


def regions(**counts: int) -> dict[str, Any]:
    deploy = {"multiRegionConfig": {name: {"numReplicas": count} for name, count in counts.items()}}
    return META | {"serviceManifest": {"deploy": deploy}}


@pytest.fixture
def service() -> WorldService:
    """A service with one live deployment."""
    return WorldService("svc", "shop", repo="acme/shop", deployments=[deployment("dep")], active=["dep"])


@pytest.fixture
def fake_railway(service: WorldService) -> FakeRailway:
    return FakeRailway(World("prj", "acme", "env", "production", [service]), project_token="of-project")


def answering(answer: Callable[[httpx.Request], httpx.Response] | dict[str, Any]) -> Railway:
    """A client that receives this answer to every request."""
    handler = answer if callable(answer) else lambda _request: httpx.Response(200, json=answer)
    return Railway(
        "http://railway.test",
        token=SecretStr("tok-1"),
        http=httpx.Client(transport=httpx.MockTransport(handler)),
    )


def structure(railway: Railway) -> EnvironmentStructure:
    return railway.fetch_structure(HERE, 20, WINDOW)


# ---- structure ---------------------------------------------------------------------------


def test_a_failed_newest_deployment_does_not_serve(railway: Railway, service: WorldService) -> None:
    service.deployments.insert(0, deployment("newer", status="FAILED", created_at=AT))

    shop = structure(railway).services[0]

    assert shop.serving and shop.serving.id == "dep"
    assert shop.latest and (shop.latest.id, shop.latest.status) == ("newer", "FAILED")


@pytest.mark.parametrize(
    ("status", "serves"), [("CRASHED", True), ("SLEEPING", True), ("FAILED", False), ("BUILDING", False)]
)
def test_without_an_active_deployment_the_latest_serves_if_it_ever_started(
    railway: Railway, service: WorldService, status: str, serves: bool
) -> None:
    service.deployments[0].status = status
    service.active.clear()

    shop = structure(railway).services[0]

    assert (shop.serving is not None) is serves


def test_an_active_deployment_serves_even_if_a_newer_one_crashed(
    railway: Railway, service: WorldService
) -> None:
    service.deployments.insert(0, deployment("newer", status="CRASHED", created_at=AT))

    shop = structure(railway).services[0]

    assert shop.serving and shop.serving.id == "dep"


def test_a_volume_that_is_being_deleted_is_left_out(railway: Railway, service: WorldService) -> None:
    service.volumes = [
        WorldVolume("v1", "data", "/data", 5, 10),
        WorldVolume("v2", "old", "/old", 9, 10, True),
    ]

    assert [volume.id for volume in structure(railway).volumes["svc"]] == ["v1"]


def test_a_service_has_its_repository_its_domains_and_its_start_command(
    railway: Railway, service: WorldService
) -> None:
    service.root_directory, service.start_command, service.domains = "/api", "python app.py", ["shop.test"]

    environment = structure(railway)

    shop = environment.services[0]
    assert (environment.environment_name, shop.repo, shop.root_directory, shop.start_command, shop.public) == (
        "production", "acme/shop", "/api", "python app.py", True,
    )  # fmt: skip
    assert shop.serving and (shop.serving.commit, shop.serving.commit_author) == ("c0ffee", "ada")


def test_replicas_are_counted_over_all_regions(railway: Railway, service: WorldService) -> None:
    service.deployments[0].meta = regions(east=2, west=3)

    shop = structure(railway).services[0]

    assert shop.replicas == 5
    assert shop.serving and shop.serving.replicas == 5


@pytest.mark.parametrize(
    "meta",
    [
        None,
        "no json",
        [1],
        {"repo": 7, "serviceManifest": "x"},
        {"serviceManifest": {"deploy": {"multiRegionConfig": 3}}},
    ],
)
def test_unexpected_deployment_metadata_is_ignored(
    railway: Railway, service: WorldService, meta: Any
) -> None:
    service.deployments[0].meta = meta

    shop = structure(railway).services[0]

    assert (shop.replicas, shop.repo) == (1, "acme/shop")
    assert shop.serving and shop.serving.commit is None


def test_every_page_of_a_list_is_read(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.page_limit = 2
    fake_railway.world.services = [
        WorldService(f"s{n}", f"s{n}", repo="acme/x", branch=f"b{n}", volumes=[WorldVolume(f"v{n}", "v", "/v", 5, 10)],
                     deployments=[deployment(f"d{n}", f"s{n}", created_at=AT + n)])
        for n in range(5)
    ]  # fmt: skip

    names = [service.name for service in structure(railway).services]

    assert names == ["s0", "s1", "s2", "s3", "s4"]
    assert sorted(structure(railway).branches.items())[-1] == ("s4", "b4")
    assert [len(volumes) for volumes in structure(railway).volumes.values()] == [1] * 5
    assert [deployment.id for deployment in railway.deployments(HERE, first=3)] == ["d4", "d3", "d2"]


def test_page_cursors_that_form_a_loop_are_refused() -> None:
    page = {"edges": [], "pageInfo": {"hasNextPage": True, "endCursor": "same"}}

    with pytest.raises(RailwayRefused, match="loop"):
        answering({"data": {"deployments": page}}).deployments(HERE)


def test_deployments_of_one_service_are_sorted_newest_first(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.world.services[0].deployments = [
        deployment("old", created_at=AT),
        deployment("new", created_at=AT + 1),
    ]
    fake_railway.world.services.append(WorldService("other", "other", deployments=[deployment("x", "other")]))

    result = railway.deployments(HERE, "svc", 10)

    assert [deployment.id for deployment in result] == ["new", "old"]


def test_the_platform_incident_has_the_message_of_railway(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    assert structure(railway).platform_incident is None

    fake_railway.world.platform_incident = "Builds are slow"

    assert structure(railway).platform_incident == "Builds are slow (investigating)"


# ---- tokens ----------------------------------------------------------------------------------


def test_a_project_token_names_its_environment_and_can_read_it(fake_railway: FakeRailway) -> None:
    with serve(fake_railway.app) as running:
        railway = Railway(running.url, project_token=SecretStr("of-project"))

        result = railway.environments()

        assert result == [HERE]
        assert railway.fetch_structure(result[0], 20, WINDOW).services[0].name == "shop"
        railway.close()


def test_an_account_token_names_no_environment(railway: Railway, fake_railway: FakeRailway) -> None:
    assert railway.environments() == []
    assert fake_railway.operations == []


def test_with_both_tokens_the_account_token_reads(fake_railway: FakeRailway) -> None:
    with serve(fake_railway.app) as running:
        railway = Railway(
            running.url, token=SecretStr(fake_railway.token), project_token=SecretStr("of-project")
        )

        result = railway.environments()

        assert result == [HERE]
        fake_railway.project_token = "revoked"
        assert [item.id for item in railway.deployments(HERE)] == ["dep"]
        railway.close()


def test_a_wrong_token_is_refused_with_the_name_of_the_setting(fake_railway: FakeRailway) -> None:
    with serve(fake_railway.app) as running:
        railway = Railway(running.url, token=SecretStr("wrong"))

        with pytest.raises(RailwayRefused, match=r"Not Authorized.*RAILWAY_API_TOKEN") as caught:
            railway.deployments(HERE)

        assert "wrong" not in str(caught.value)
        railway.close()


def test_without_a_token_no_request_is_sent() -> None:
    railway = Railway("http://127.0.0.1:9")

    with pytest.raises(RailwayRefused, match="RAILWAY_API_TOKEN"):
        railway.deployments(HERE)


# ---- failures ----------------------------------------------------------------


@pytest.mark.parametrize("kind", ["429", "503"])
def test_railway_busy_carries_the_wait_from_retry_after(
    railway: Railway, fake_railway: FakeRailway, kind: Any
) -> None:
    fake_railway.faults.add(kind, retry_after="37")

    with pytest.raises(RailwayBusy) as caught:
        railway.deployments(HERE)

    assert caught.value.retry_after == 37


def test_a_short_wait_is_slept_through_once(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.faults.add("429", times=1, retry_after="0")
    assert [item.id for item in railway.deployments(HERE)] == ["dep"]

    fake_railway.faults.add("429", times=2, retry_after="0")

    with pytest.raises(RailwayBusy):
        railway.deployments(HERE)


def test_retry_after_may_be_a_date() -> None:
    railway = answering(
        lambda _request: httpx.Response(429, headers={"Retry-After": "Fri, 31 Dec 2010 23:59:59 GMT"})
    )

    with pytest.raises(RailwayBusy) as caught:
        railway.deployments(HERE)

    assert caught.value.retry_after == 0


def test_a_dropped_connection_is_retried_once_and_then_raises_railway_busy(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.faults.add("drop", times=1)
    assert [item.id for item in railway.deployments(HERE)] == ["dep"]

    fake_railway.faults.add("drop", times=2)

    with pytest.raises(RailwayBusy, match="cannot be reached"):
        railway.deployments(HERE)


def test_a_closed_port_raises_railway_busy() -> None:
    railway = Railway("http://127.0.0.1:1", token=SecretStr("t"))

    with pytest.raises(RailwayBusy, match="cannot be reached"):
        railway.deployments(HERE)

    railway.close()


def test_a_401_names_the_setting(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.faults.add("refuse")

    with pytest.raises(RailwayRefused, match="RAILWAY_TOKEN"):
        railway.deployments(HERE)


def test_problem_processing_request_raises_railway_busy(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.broken["deployments"] = "Problem processing request"

    with pytest.raises(RailwayBusy):
        railway.deployments(HERE)


def test_an_unknown_id_is_refused_with_the_message_of_railway(railway: Railway) -> None:
    with pytest.raises(RailwayRefused, match="Environment not found"):
        railway.deployments(Environment(project_id="prj", environment_id="nowhere"))


def test_a_query_that_fails_validation_is_refused() -> None:
    entry = {
        "message": 'Cannot query field "source"',
        "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"},
    }
    railway = answering(lambda _request: httpx.Response(400, json={"errors": [entry]}))

    with pytest.raises(RailwayRefused, match='Cannot query field "source"'):
        railway.deployments(HERE)


@pytest.mark.parametrize("body", [b"<html>maintenance</html>", b"", b"[]"])
def test_a_body_that_is_not_graphql_raises_railway_busy(body: bytes) -> None:
    with pytest.raises(RailwayBusy):
        answering(lambda _request: httpx.Response(200, content=body)).deployments(HERE)


def test_an_answer_of_unexpected_shape_is_refused_with_the_field() -> None:
    with pytest.raises(RailwayRefused, match=r"deployments\.edges"):
        answering({"data": {"deployments": {"edges": None}}}).deployments(HERE)


def test_a_token_that_railway_echoes_is_not_in_the_error() -> None:
    railway = answering({"errors": [{"message": "bad token tok-1\nsorry"}]})

    with pytest.raises(RailwayRefused) as caught:
        railway.deployments(HERE)

    assert str(caught.value) == "Railway: bad token *** sorry"


def test_a_field_that_is_null_beside_an_error_is_a_gap(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.broken["latestDeployment"] = "could not resolve"

    environment = structure(railway)

    assert environment.services[0].serving is not None
    reason = "serviceInstances.edges.node.latestDeployment: could not resolve"
    assert environment.gaps == (Gap(part=GapPart.ENVIRONMENT, reason=reason),)


# ---- series ----------------------------------------------------------------------------------


def test_usage_is_read_per_replica_with_its_limits(railway: Railway, service: WorldService) -> None:
    for second in range(0, 120, 20):
        service.samples += [
            Sample(AT + second, name, "dep", cpu, 0.5) for name, cpu in (("i1", 1.0), ("i2", 3.0))
        ]

    usage = railway.fetch_usage(HERE, WINDOW, 60).usage["svc"]

    assert {instance.instance_id: instance.cpu for instance in usage.instances} == {
        "i1": ((int(AT), 1.0), (int(AT) + 60, 1.0)),
        "i2": ((int(AT), 3.0), (int(AT) + 60, 3.0)),
    }
    assert {instance.deployment_id for instance in usage.instances} == {"dep"}
    assert (usage.cpu_limit, usage.memory_limit, usage.summed) == (8.0, 8.0, False)


def test_a_service_without_samples_is_absent_from_the_usage(railway: Railway) -> None:
    assert railway.fetch_usage(HERE, WINDOW, 60).usage == {}


def test_a_series_without_a_replica_is_marked_as_a_sum() -> None:
    values = [{"ts": 60, "value": 2}, {"ts": 0, "value": 1}]
    metrics = [{"measurement": "CPU_USAGE", "tags": {"serviceId": "svc"}, "values": values}]

    usage = answering({"data": {"usage": metrics, "disk": []}}).fetch_usage(HERE, WINDOW, 60).usage["svc"]

    assert usage.summed
    assert usage.instances[0].cpu == ((0, 1.0), (60, 2.0))
    assert usage.cpu_limit is None


def test_configured_limits_are_decimal_gigabytes(railway: Railway, fake_railway: FakeRailway) -> None:
    fake_railway.world.services.append(WorldService("free", "free", cpu_limit=None, memory_limit=0.5))

    metrics = railway.fetch_http_metrics(
        HERE,
        [ServiceQuery(service_id, traffic=False, limits=True) for service_id in ("svc", "free")],
        WINDOW,
        60,
    )

    assert metrics.limits == {"svc": (8.0, 8.0), "free": (None, 0.5)}


def test_traffic_combines_counts_and_durations_per_step(railway: Railway, service: WorldService) -> None:
    answers = [(0, 200, 10.0), (1, 301, 10.0), (2, 404, 20.0), (61, 500, 900.0), (62, 502, 300.0)]
    service.requests = [Request(AT + second, "GET", "/", status, ms, "dep") for second, status, ms in answers]

    first, second = railway.traffic(HERE, ["svc"], WINDOW, 60).by_service["svc"]

    assert (first.at, first.requests, first.ok, first.client_errors, first.server_errors, first.p95_ms) == (
        int(AT), 3, 2, 1, 0, 20.0,
    )  # fmt: skip
    assert (second.requests, second.server_errors, second.p95_ms) == (2, 2, 900.0)


def test_traffic_is_requested_for_twenty_services_at_a_time(
    railway: Railway, fake_railway: FakeRailway
) -> None:
    fake_railway.world.services = [WorldService(f"s{n}", f"s{n}") for n in range(41)]

    traffic = railway.traffic(HERE, [f"s{n}" for n in range(41)], WINDOW, 60)

    assert len(traffic.by_service) == 41
    assert len(fake_railway.operations) == 3


def test_a_refused_service_does_not_hide_the_others(railway: Railway) -> None:
    traffic = railway.traffic(HERE, ["gone", "svc", "lost"], WINDOW, 60)

    assert list(traffic.by_service) == ["svc"]
    assert traffic.errors == {"gone": "Service not found", "lost": "Service not found"}


def test_a_container_start_is_the_exact_line_of_the_platform(railway: Railway, service: WorldService) -> None:
    service.deployments[0].logs = [
        LogRow(AT - 9, "Starting Container"),
        LogRow(AT + 5, "Starting Container"),
        LogRow(AT + 6, "worker says Starting Container"),
        LogRow(AT + 7, "Stopping Container"),
        LogRow(AT + 90, "Starting Container"),
        LogRow(AT + 9000, "Starting Container"),
    ]

    starts = railway.fetch_logs(HERE, WINDOW, 60).starts

    assert [(start.at.timestamp(), start.deployment_id) for start in starts] == [
        (AT + 5, "dep"),
        (AT + 90, "dep"),
    ]


# ---- logs -----------------------------------------------------------------------------------


def test_logs_are_the_last_lines_of_the_window_sorted_oldest_first(
    railway: Railway, service: WorldService
) -> None:
    service.deployments[0].logs = [
        LogRow(AT + second, f"line {second}", instance_id="i1") for second in range(-5, 700, 5)
    ]

    lines = railway.deployment_logs("dep", WINDOW, limit=3)

    assert [line.message for line in lines] == ["line 590", "line 595", "line 600"]
    assert (lines[0].deployment_id, lines[0].instance_id) == ("dep", "i1")
    assert lines[0].timestamp == NOON + timedelta(seconds=590)


def test_logs_can_be_filtered_by_railway(railway: Railway, service: WorldService) -> None:
    service.deployments[0].logs = [
        LogRow(AT, "boom", "err"),
        LogRow(AT + 1, "all well"),
        LogRow(AT + 2, "no boom", "err"),
    ]

    lines = railway.deployment_logs("dep", filter='@level:error AND -"no boom"')

    assert [(line.message, line.level) for line in lines] == [("boom", "error")]


@pytest.mark.parametrize(
    ("severity", "attributes", "level"),
    [
        ("err", {}, "error"), (None, {"level": '"warning"'}, "warn"), (None, {"lvl": '"INFO"'}, "info"),
        (None, {"severity": "50"}, "error"), (None, {}, "info"), ("debug", {"level": '"error"'}, "debug"),
        ("", {"level": '"fatal"'}, "error"),
    ],
)  # fmt: skip
def test_the_level_is_the_severity_or_an_attribute(
    severity: str | None, attributes: dict[str, str], level: str
) -> None:
    line = {"timestamp": "2026-06-13T22:22:15.608657501Z", "message": "x", "severity": severity, "tags": None,
            "attributes": [{"key": key, "value": value} for key, value in attributes.items()]}  # fmt: skip

    parsed = answering({"data": {"deploymentLogs": [line]}}).deployment_logs("dep")[0]

    assert (parsed.level, parsed.deployment_id) == (level, "dep")
    assert parsed.timestamp == datetime(2026, 6, 13, 22, 22, 15, 608657, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "value"),
    [("stack", '"Error: x\\n    at f (/app/a.js:3:1)"'), ("err", '{"stack": "Error: x\\n    at f (/app/a.js:3:1)"}'),
     ("error.stack", "Error: x\n    at f (/app/a.js:3:1)")],
)  # fmt: skip
def test_a_stack_trace_in_an_attribute_is_appended_to_the_message(key: str, value: str) -> None:
    line = {"timestamp": "2026-06-13T22:22:15Z", "message": "payment failed", "severity": "error", "tags": None,
            "attributes": [{"key": "userId", "value": "456"}, {"key": key, "value": value}]}  # fmt: skip

    parsed = answering({"data": {"deploymentLogs": [line]}}).deployment_logs("dep")[0]

    assert parsed.message == "payment failed\nError: x\n    at f (/app/a.js:3:1)"


def test_build_logs_of_an_old_deployment_are_read(railway: Railway, service: WorldService) -> None:
    old = service.deployments[0]
    old.created_at = AT - 90 * 86400
    old.build_logs = [LogRow(old.created_at + 20, "Healthcheck failed!", "error")]

    lines = railway.build_logs("dep", datetime.fromtimestamp(old.created_at, UTC))

    assert [line.message for line in lines] == ["Healthcheck failed!"]


def test_http_logs_can_be_filtered_by_status(railway: Railway, service: WorldService) -> None:
    service.requests = [
        Request(AT + n, "GET", f"/{n}", 500 if n % 2 else 200, 12.0, "dep") for n in range(-3, 9)
    ]

    lines = railway.http_logs("dep", WINDOW, "@httpStatus:>=500", 3)

    assert [(line.path, line.status, line.ms) for line in lines] == [
        ("/3", 500, 12.0),
        ("/5", 500, 12.0),
        ("/7", 500, 12.0),
    ]


@pytest.mark.parametrize(
    ("facts", "edge"),
    [
        ({"status": 500}, False),
        ({"status": 502}, False),
        ({"status": 502, "response_details": "Retried single replica", "upstream_address": ""}, True),
        ({"status": 503, "response_details": "Retried single replica"}, True),
        (
            {"status": 502, "upstream_address": "", "instance_id": "00000000-0000-0000-0000-000000000000"},
            True,
        ),
        ({"status": 500, "upstream_address": ""}, False),
        ({"status": 200, "upstream_address": ""}, False),
    ],
)
def test_an_answer_of_the_edge_is_distinguished_from_one_of_the_service(
    railway: Railway, service: WorldService, facts: dict[str, Any], edge: bool
) -> None:
    service.requests = [Request(at=AT, method="GET", path="/", ms=1, deployment_id="dep", **facts)]

    assert railway.http_logs("dep", WINDOW)[0].platform_answer is edge


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        (
            '[{"error": "connection refused", "duration": 0}, {"error": "dial timeout"}]',
            ("connection refused", "dial timeout"),
        ),
        ("", ()),
        ("not json", ("not json",)),
        ('{"a": 1}', ('{"a": 1}',)),
        ("[1]", ()),
    ],
)
def test_upstream_errors_are_parsed_from_their_json_text(text: str, errors: tuple[str, ...]) -> None:
    assert parse_upstream_errors(text) == errors
