"""Evidence about a failing service is read from Railway and GitHub, and failed reads become gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.support.builders import ONSET, deployment, finding, incident, service, traffic
from tests.support.fakes.githttp import git
from tests.support.fakes.github import FakeGitHub
from tests.support.fakes.railway import FakeRailway, LogRow, Request, World, WorldDeployment, WorldService
from tests.support.fakes.serving import serve
from tests.support.logs import PYTHON_TRACEBACK, write_tree
from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.clients.railway import Railway
from workers.errors import NotAvailable
from workers.investigation.evidence import read_evidence
from workers.models import (
    Deployment,
    Evidence,
    FactKind,
    GapPart,
    Service,
    describe_gap,
)

SENTENCE = "34 % of requests failing (5xx, 276 of 812) since 11:48 UTC, ongoing"


@dataclass
class Shop:
    """A fake Railway and a fake GitHub on loopback, with one failing service."""

    railway: FakeRailway
    github: FakeGitHub
    service: Service
    railway_url: str
    github_url: str
    folder: Path

    def read(self, kind: str = "server_errors", *, require_all: bool = False, **changes: object) -> Evidence:
        service = self.service.model_copy(update=changes)
        client = Railway(self.railway_url, token=SecretStr(self.railway.token))
        hub = GitHub(self.github_url, self.github_url, token=SecretStr(self.github.token))
        repositories = Repositories(self.folder / "ours", self.github_url, hub.credentials)
        try:
            return read_evidence(
                incident(finding(kind, sentence=SENTENCE), service=service),
                railway=client,
                github=hub,
                repositories=repositories,
                status_pages={},
                require_all=require_all,
            )
        finally:
            client.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop whose newest commit broke `shop/pricing.py`, deployed four minutes before the onset."""
    work = tmp_path / "work"
    good = {
        "shop/pricing.py": "PRICES = {}\n",
        "shop/orders.py": "\n" * 11 + "place = None\n",
        "README.md": "shop\n",
    }
    write_tree(work, good)
    (work / "shop/web.py").write_text('@app.post("/orders")\ndef place(order): ...\n')
    git(work, "init", "-q", "-b", "main")
    for subject, extra in (
        ("Begin", {}),
        ("Sell gifts", {"shop/pricing.py": "PRICES = {}\n" + "#\n" * 3 + "sum(P)\n"}),
    ):
        write_tree(work, extra)
        git(work, "add", "-A")
        git(work, "commit", "-q", "-m", subject)
    commit = git(work, "rev-parse", "HEAD")
    github = FakeGitHub(tmp_path / "github")
    github.create("acme/shop", work)
    live = deployment("guilty", minutes_before_onset=4, commit=commit)
    world = World("p", "shop", "e", "production", services=[failing_service(live)])
    api = service(
        repo="acme/shop",
        branch="main",
        public=True,
        serving=live,
        latest=live,
        deployments=(live,),
        traffic=traffic([50] * 30, server_errors=17),
    )
    railway = FakeRailway(world)
    with (
        serve(railway.app, railway.faults) as railway_server,
        serve(github.app, github.faults) as github_server,
    ):
        yield Shop(railway, github, api, railway_server.url, github_server.url, tmp_path)


def failing_service(live: Deployment) -> WorldService:
    rows = [
        LogRow(ONSET.timestamp() + 10 * n + m / 1000, text, "error", instance_id="i1")
        for n in range(5)
        for m, text in enumerate(PYTHON_TRACEBACK.splitlines())
    ]
    rows.append(LogRow(ONSET.timestamp() + 70, "INFO ready, key=sk-live0123456789abcdefghijkl", "info"))
    requests = [
        Request(ONSET.timestamp() + n, "POST", "/orders?card=4242424242424242", 500, 12.0, live.id, "i1")
        for n in range(7)
    ]
    at = live.created_at.timestamp()
    world = WorldDeployment(live.id, "svc-api", live.status, at, at, {"commitHash": live.commit}, logs=rows)
    return WorldService(
        "svc-api",
        "api",
        "acme/shop",
        deployments=[world],
        active=[live.id],
        requests=requests,
        domains=["x.example"],
    )


def kinds(evidence: Evidence) -> set[FactKind]:
    return {fact.kind for fact in evidence.facts}


def sentences_of(evidence: Evidence) -> str:
    """The facts as people read them, one a line."""
    return "\n".join(f"{fact.id} {fact.text}" for fact in evidence.facts)


def test_the_facts_state_finding_commit_pattern_route_and_code_location(shop: Shop) -> None:
    evidence = shop.read()

    sentences = sentences_of(evidence)
    assert [fact.id for fact in evidence.facts] == [f"E{n + 1}" for n in range(len(evidence.facts))]
    assert "E1 api: 34 % of requests failing" in sentences
    assert 'Sell gifts" by ada' in sentences and "the failure started 4 min after it" in sentences
    assert "changed shop/pricing.py" in sentences
    assert "logged 5 times from" in sentences and "KeyError: 'gift'" in sentences
    assert "POST /orders failed 7 times with 500" in sentences
    assert "stack traces point to shop/pricing.py:5 in total (5 times)" in sentences
    assert evidence.failed_reads == ()


def test_the_evidence_holds_no_secret_and_the_clone_is_deleted(shop: Shop) -> None:
    evidence = shop.read()

    assert "sk-live" not in evidence.model_dump_json() and "4242" not in evidence.model_dump_json()
    assert list((shop.folder / "ours" / "trees").iterdir()) == []


def test_a_leak_without_a_trace_points_to_the_changes_of_the_suspect(shop: Shop) -> None:
    shop.railway.world.services[0].deployments[0].logs.clear()

    evidence = shop.read("memory_growth")

    last = evidence.locations[-1]
    assert (last.file, last.line, last.why) == ("shop/pricing.py", 2, "changed")
    assert FactKind.NO_LOG_ERRORS not in kinds(evidence), "an empty log proves nothing"


def test_the_build_log_of_a_failed_deployment_is_read_regardless_of_its_age(shop: Shop) -> None:
    world = shop.railway.world.services[0].deployments[0]
    world.logs.clear()
    built = shop.service.serving.created_at.timestamp() + 5 if shop.service.serving else 0.0
    for n, text in enumerate(
        ("Attempt #1 failed with service unavailable", "1/1 replicas never became healthy!")
    ):
        world.build_logs.append(LogRow(built + n, text, "info"))
    assert shop.service.latest is not None
    failed = shop.service.latest.model_copy(update={"status": "FAILED"})

    evidence = shop.read("failed_deployment", serving=None, latest=failed, deployments=(failed,))

    assert "never became healthy" in " ".join(pattern.template for pattern in evidence.build_patterns)


def test_a_failed_read_is_a_gap_and_the_rest_is_read(shop: Shop) -> None:
    shop.railway.broken["deploymentLogs"] = "Not Authorized"

    evidence = shop.read()

    assert any(gap.part is GapPart.DEPLOYMENT_LOGS and gap.subject == "api" for gap in evidence.failed_reads)
    assert "POST /orders failed 7 times" in sentences_of(evidence)
    assert FactKind.NO_LOG_ERRORS not in kinds(evidence)


def test_code_that_cannot_be_read_is_a_gap(shop: Shop) -> None:
    shop.github.repositories.clear()

    evidence = shop.read()

    assert any("code of acme/shop" in describe_gap(gap) for gap in evidence.failed_reads)
    assert [location.position for location in evidence.locations][:1] == ["shop/pricing.py:5"]
    assert evidence.locations[0].excerpt == ""


def test_a_service_without_a_repository_still_has_evidence(shop: Shop) -> None:
    assert shop.service.serving is not None
    image = shop.service.serving.model_copy(update={"repo": None, "commit": None, "branch": None})

    evidence = shop.read(repo=None, branch=None, serving=image, latest=image, deployments=(image,))

    assert evidence.repository is None and evidence.patterns
    assert any("not deployed from a repository" in gap.reason for gap in evidence.failed_reads)


def test_evidence_is_not_available_if_nothing_can_be_read(shop: Shop) -> None:
    shop.railway.faults.add("503", times=99, retry_after="0")
    shop.github.faults.add("503", times=99, retry_after="0")

    with pytest.raises(NotAvailable):
        shop.read()


def test_evidence_is_not_available_if_only_the_code_can_be_read(
    shop: Shop,
) -> None:
    shop.railway.faults.add("503", times=99, retry_after="0")

    with pytest.raises(NotAvailable):
        shop.read()


def test_logs_that_are_refused_permanently_do_not_block_the_rest(shop: Shop) -> None:
    for field in ("deploymentLogs", "buildLogs", "httpLogs"):
        shop.railway.broken[field] = "Not Authorized"

    evidence = shop.read()

    assert evidence.repository is not None
    assert any(gap.part is GapPart.DEPLOYMENT_LOGS for gap in evidence.failed_reads)


def test_require_all_raises_if_any_read_is_unavailable(shop: Shop) -> None:
    shop.github.faults.add("503", times=99, retry_after="0")

    with pytest.raises(NotAvailable):
        shop.read(require_all=True)

    assert shop.read().patterns


def test_refused_requests_are_read_for_client_errors_with_the_handler_of_their_route(
    shop: Shop,
) -> None:
    world = shop.railway.world.services[0]
    live = world.deployments[0].id
    for n in range(9):
        world.requests.append(Request(ONSET.timestamp() + n, "POST", "/orders", 422, 3.0, live, "i1"))

    server_errors, client_errors = shop.read(), shop.read("client_errors")

    assert "422" not in sentences_of(server_errors)
    assert "POST /orders was refused 9 times with 422" in sentences_of(client_errors)
    assert client_errors.requests[0].status == 422, "the requests that the incident is about come first"
    assert {location.why for location in client_errors.locations} >= {"route", "changed"}


@pytest.mark.parametrize(
    ("public", "kind"), [(True, FactKind.PUBLIC_DOMAIN), (False, FactKind.NO_PUBLIC_DOMAIN)]
)
def test_the_public_domain_is_stated_only_if_the_traffic_is_gone(
    shop: Shop, public: bool, kind: FactKind
) -> None:
    assert kind in kinds(shop.read("traffic_lost", public=public))
    assert kind not in kinds(shop.read(public=public))
