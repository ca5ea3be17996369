"""The network of a service is read only where it can matter, after everything else, and within ten requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from tests.support.builders import ONSET, deployment, finding, incident, service, traffic
from tests.support.fakes.railway import (
    FakeRailway,
    LogRow,
    Lookup,
    NetworkFlow,
    World,
    WorldDeployment,
    WorldService,
)
from tests.support.fakes.serving import serve
from workers.clients import deadline
from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.clients.railway import Railway
from workers.investigation.evidence import read_evidence
from workers.investigation.evidence.log_reading import MAX_LOG_LINES
from workers.models import Deployment, DnsAnswer, Evidence, FactKind, Flow, GapPart, Sibling

AT = ONSET.timestamp()
REFUSED = "Error: connect ECONNREFUSED postgres.railway.internal:5432"
LIVE = deployment("live", minutes_before_onset=60)


class Neighbourhood:
    """The service `api` of a fake Railway, which calls `postgres`."""

    def __init__(self, railway: FakeRailway, url: str, folder: Path) -> None:
        self.railway, self.url, self.folder = railway, url, folder
        self.requests_sent = 0
        self.breaks_every_other_connection = False

    @property
    def api(self) -> WorldService:
        return self.railway.world.services[0]

    def log(self, *lines: str, severity: str = "error") -> None:
        self.api.deployments[0].logs += [
            LogRow(AT + number / 10, line, severity) for number, line in enumerate(lines)
        ]

    def count(self, _request: httpx.Request) -> None:
        self.requests_sent += 1
        if self.breaks_every_other_connection and self.requests_sent % 2:
            raise httpx.ReadError("the connection broke")

    def read(self, *kinds: str, latest: Deployment = LIVE) -> Evidence:
        http = deadline.client()
        http.event_hooks = {"request": [self.count]}
        client = Railway(self.url, token=SecretStr(self.railway.token), http=http)
        hub = GitHub(self.url, self.url, token=SecretStr("t"))
        api = service(
            public=True, serving=LIVE, latest=latest, deployments=(LIVE,), traffic=traffic([50] * 30)
        )
        about = incident(
            *(finding(kind) for kind in kinds), service=api, environment_id="e",
            siblings=(Sibling(id="svc-pg", name="postgres", healthy=True),),
        )  # fmt: skip
        try:
            return read_evidence(
                about, railway=client, github=hub, repositories=Repositories(self.folder, self.url, hub.credentials),
                status_pages={},
            )  # fmt: skip
        finally:
            client.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Neighbourhood]:
    at = LIVE.created_at.timestamp()
    api = WorldService(
        "svc-api", "api", deployments=[WorldDeployment(LIVE.id, "svc-api", "SUCCESS", at, at, {})], active=[LIVE.id]
    )  # fmt: skip
    railway = FakeRailway(
        World("p", "shop", "e", "production", services=[api, WorldService("svc-pg", "postgres")])
    )
    with serve(railway.app, railway.faults) as server:
        yield Neighbourhood(railway, server.url, tmp_path)


def test_failed_calls_are_compared_with_what_the_network_says(shop: Neighbourhood) -> None:
    shop.log(REFUSED)
    shop.api.lookups = [
        Lookup(AT, "Postgres.railway.internal."),
        Lookup(AT, "cache.railway.internal", "NXDOMAIN"),
    ]
    shop.api.flows = [
        NetworkFlow(AT, "fd12::2", 5432, "service", "svc-pg", drop_cause="POLICY", packets=7, bytes=0),
        NetworkFlow(AT, "fd12::2", 5432, "service", "svc-pg", latency_ms=3.0, bytes=10),
        NetworkFlow(AT, "8.8.8.8", 443, bytes=900, latency_ms=0.0),
        NetworkFlow(AT, "8.8.4.4", 443, direction="ingress"),
    ]

    evidence = shop.read("server_errors")

    assert evidence.network.dns == (
        DnsAnswer(name="cache.railway.internal", rcode="NXDOMAIN", count=1),
        DnsAnswer(name="postgres.railway.internal", rcode="NOERROR", count=1),
    )
    assert evidence.network.flows == (
        Flow(
            peer="postgres",
            peer_kind="service",
            port=5432,
            dropped=7,
            drop_cause="POLICY",
            bytes=10,
            latency_ms=2.25,
        ),
        Flow(peer="8.8.8.8", peer_kind="internet", port=443, bytes=900),
    )
    texts = "\n".join(fact.text for fact in evidence.facts)
    assert "the name service answered cache.railway.internal with NXDOMAIN once" in texts
    assert "7 packets to postgres port 5432 (service) dropped (POLICY)" in texts
    assert "the service postgres of the same project is healthy" in texts
    assert "postgres.railway.internal:5432 refuses connections (1 record)" in texts


@pytest.mark.parametrize(("kind", "is_read"), [("server_errors", False), ("latency", True), ("egress", True)])
def test_without_failed_calls_the_network_is_read_for_latency_and_egress(
    shop: Neighbourhood, kind: str, is_read: bool
) -> None:
    shop.log("KeyError: 'gift'")
    shop.api.flows = [NetworkFlow(AT, "8.8.8.8")]

    evidence = shop.read(kind)

    assert bool(evidence.network.flows) is is_read


def test_a_network_that_cannot_be_read_is_a_gap(shop: Neighbourhood) -> None:
    shop.log(REFUSED)
    shop.railway.broken["networkFlowLogs"] = "Not Authorized"
    shop.api.lookups = [Lookup(AT, "postgres.railway.internal")]

    evidence = shop.read("server_errors")

    parts = {gap.part for gap in evidence.failed_reads}
    assert GapPart.NETWORK_FLOWS in parts and GapPart.DNS_ANSWERS not in parts
    assert evidence.network.dns and any(fact.kind is FactKind.SIGN for fact in evidence.facts)


def test_the_evidence_of_one_service_takes_at_most_ten_requests(shop: Neighbourhood) -> None:
    shop.log(*[REFUSED] * MAX_LOG_LINES)
    failed = deployment("failed", minutes_before_onset=1).model_copy(update={"status": "FAILED"})
    at = failed.created_at.timestamp()
    shop.api.deployments.append(WorldDeployment(failed.id, "svc-api", "FAILED", at, at, {}))
    kinds = ("failed_deployment", "server_errors", "client_errors", "latency", "egress")

    evidence = shop.read(*kinds, latest=failed)

    assert not {gap.part for gap in evidence.failed_reads} & {GapPart.DNS_ANSWERS, GapPart.NETWORK_FLOWS}
    assert shop.requests_sent == 8


def test_requests_that_are_repeated_count_as_well(shop: Neighbourhood) -> None:
    shop.log(*[REFUSED] * MAX_LOG_LINES)
    shop.breaks_every_other_connection = True

    evidence = shop.read("server_errors", "client_errors", "latency")

    assert shop.requests_sent == 10 and evidence.patterns
    assert [gap.part for gap in evidence.failed_reads if "not asked" in gap.reason] == [
        GapPart.DNS_ANSWERS,
        GapPart.NETWORK_FLOWS,
    ]
