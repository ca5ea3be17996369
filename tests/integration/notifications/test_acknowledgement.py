"""Acknowledgements are posted although everything else hangs: a real worker with more work than threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import anyio
import dramatiq
import pytest
import redis
from starlette.types import Receive, Scope, Send

from tests.support import builders
from tests.support.fakes.serving import Kind, serve
from tests.support.journals import open_incident
from tests.support.pipeline import PipelineHarness, harness
from tests.support.polling import wait_until
from workers.engine import dispatcher
from workers.engine.broker import make_broker
from workers.engine.codec import pack
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX, SCHEDULE
from workers.incidents import intake
from workers.models import (
    Alert,
    Category,
    Deployment,
    Evidence,
    Fact,
    FactKind,
    Finding,
    Incident,
    Repository,
    Severity,
    Verdict,
    VerdictReason,
    Window,
)
from workers.pipeline.worker import NON_NOTIFICATION_THREADS, declare_actors

THREADS = 8  # as in the Procfile
ENVIRONMENTS = 12  # more than there are threads
INCIDENTS = 12
FIXES = 4


@dataclass
class Tarpit:
    """A server whose responses never end, so that no timeout of a client ends the wait."""

    released: threading.Event = field(default_factory=threading.Event)
    paths: list[str] = field(default_factory=list)
    """Paths of the requests in flight."""

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not self.released.is_set():
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await anyio.sleep(0.2)
        await send({"type": "http.response.body", "body": b""})
        self.paths.remove(scope["path"])


@contextmanager
def worker(running: PipelineHarness) -> Iterator[None]:
    """The threads of a worker process: eight workers, the dispatcher and the lease renewer."""
    broker = make_broker(running.store)
    declare_actors(broker, running.services)
    working = dramatiq.Worker(broker, worker_threads=THREADS, worker_timeout=100)
    helpers: list[dispatcher.Dispatcher | dispatcher.LeaseRenewer] = [
        dispatcher.Dispatcher(running.journal, broker),
        dispatcher.LeaseRenewer(running.journal, lambda: None),
    ]
    working.start()
    for thread in helpers:
        thread.start()
    try:
        yield
    finally:
        for thread in helpers:
            thread.ended.set()
        running.journal.stop()
        working.stop(timeout=30_000)


@pytest.fixture
def hanging(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[tuple[PipelineHarness, Tarpit]]:
    """A worker of twelve environments whose Railway and GitHub never end a response."""
    with ExitStack() as stack:
        tarpit = Tarpit()
        url = stack.enter_context(serve(tarpit.app)).url
        settings = {
            "RAILWAY_API_URL": f"{url}/graphql/v2", "GITHUB_API_URL": url, "GITHUB_SERVER_URL": url,
            "TRACKWALKER_ENVIRONMENTS": ",".join(f"prj-1/env-{n}" for n in range(ENVIRONMENTS)),
            "TRACKWALKER_MAX_CONCURRENT_FIXES": "4",
        }  # fmt: skip
        running = stack.enter_context(
            harness(store, store_url, tmp_path, failing=False, small=False, **settings)
        )
        stack.enter_context(worker(running))
        stack.callback(tarpit.released.set)
        yield running, tarpit


def make_incident(number: int) -> Incident:
    """An incident of a service that no other incident has."""
    now, name = datetime.now(UTC), f"svc-{number}"
    live = Deployment(
        id=f"dep-{number}", service_id=builders.service_id(name), status="SUCCESS", created_at=now
    )
    finding = builders.finding(name=name, severity=Severity.WARNING, since=now)
    return builders.incident(
        finding, name=name, fingerprint=f"{number:016x}", project_id="prj-1", environment_id="env-0",
        service=builders.service(name, serving=live, latest=live), window=Window(start=now, end=now), opened_at=now,
    )  # fmt: skip


def open_now(journal: JournalStore, incident: Incident) -> str:
    """Open the incident as a sweep does; its acknowledgement is due within a second."""
    return open_incident(
        journal, PREFIX + incident.id, fingerprint=incident.fingerprint, ack_after_ms=1000,
        incident_record=pack(incident, Incident), findings_record=pack(list(incident.findings), list[Finding]),
    )  # fmt: skip


def open_at_plan(running: PipelineHarness, incident: Incident) -> None:
    key = open_now(running.journal, incident)
    evidence = Evidence(
        facts=(Fact(kind=FactKind.FINDING, id="E1", text="it fails"),),
        repository=Repository(name="acme/shop", base="main", deployed="0" * 40),
    )
    verdict = Verdict(category=Category.CODE, reason=VerdictReason.ERROR_IN_CODE, summary="the code")
    running.store.hset(
        key,
        mapping={
            "stage": "plan",
            "r:evidence": pack(evidence, Evidence),
            "r:verdict": pack(verdict, Verdict),
        },
    )


def ingest_crash(running: PipelineHarness, name: str, environment: str = "env-1") -> None:
    """Ingest a crash of a service; its acknowledgement is due within a second."""
    alert = Alert(
        id=name, source="railway", kind="deployment.crashed", project_id="prj-1", environment_id=environment,
        service_id=name, service_name=name, received_at=datetime.now(UTC), message="Deployment.crashed",
    )  # fmt: skip
    intake.ingest(alert, None, running.journal, lambda _key: None, ack_seconds=1)


def count_claims(running: PipelineHarness) -> int:
    """Number of sweeps and incidents that a worker has claimed."""
    keys = [key for key in running.due() if ":notification:" not in key and ":pings" not in key]
    return sum(bool(running.store.hexists(key, "lease")) for key in keys)


def test_every_acknowledgement_is_posted_while_all_other_work_hangs(
    hanging: tuple[PipelineHarness, Tarpit],
) -> None:
    running, tarpit = hanging
    for n in range(ENVIRONMENTS):
        running.alert(
            source="ping", kind="ping", service_id=None, project_id="prj-1", environment_id=f"env-{n}"
        )
    for n in range(FIXES):
        open_at_plan(running, make_incident(100 + n))
    wait_until(lambda: count_claims(running) == NON_NOTIFICATION_THREADS, what="threads that hang")

    for n in range(ENVIRONMENTS):
        ingest_crash(running, f"late-{n}", f"env-{n}")
    for n in range(INCIDENTS):
        open_now(running.journal, make_incident(n))
    names = [f"late-{n}: " for n in range(ENVIRONMENTS)] + [f"svc-{n} · " for n in range(INCIDENTS)]
    wait_until(lambda: all(any(name in text for text in running.slack.texts) for name in names), seconds=60)

    assert count_claims(running) == NON_NOTIFICATION_THREADS
    assert {path.split("/")[1] for path in tarpit.paths} >= {"graphql", "acme"}
    assert running.count_ended_sweeps() == 0


def test_an_alert_from_before_the_workers_start_is_acknowledged(
    store: redis.Redis, store_url: str, tmp_path: Path
) -> None:
    with harness(store, store_url, tmp_path, failing=False) as running:
        ingest_crash(running, "shop")
        running.store.hset(f"{PREFIX}notification:alert:shop", "ack_due_at", 1)
        running.store.zadd(SCHEDULE, {f"{PREFIX}notification:alert:shop": 1})
        running.railway.faults.add("503", times=1000)

        with worker(running):
            wait_until(lambda: running.slack.texts)

        assert "shop: " in running.slack.texts[0]


@pytest.mark.parametrize("kind", ["503", "429", "drop", "hang"])
def test_an_acknowledgement_is_posted_once_after_an_outage_of_slack(
    store: redis.Redis, store_url: str, tmp_path: Path, kind: Kind
) -> None:
    with harness(store, store_url, tmp_path, failing=False) as running:
        running.railway.faults.add("503", times=1000)
        running.slack.faults.add(kind, times=1000, path="chat.postMessage")
        ingest_crash(running, "shop")

        with worker(running):
            wait_until(lambda: running.slack.faults.played, what="a refused post")
            running.slack.faults.clear()
            wait_until(lambda: running.store.hexists(f"{PREFIX}notification:alert:shop", "r:ack"), seconds=60)

        assert len(running.slack.texts) == 1
