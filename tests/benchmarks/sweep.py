"""`python -m tests.benchmarks.sweep`: what a sweep of 100 services costs when each answer takes 100 ms.

The reference, measured in the same run, is a plain script: one request after the other, three per service (metrics,
statuses, durations). Both run twice, and the second run counts: by then the fake replays its answers, so that its own
work is not part of the figure.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import httpx
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

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
from tests.support.fakes.serving import Faults, serve
from workers.clients.railway import Railway
from workers.clients.railway.snapshot import take_survey
from workers.models import Environment, Survey, Window

SERVICES = 100
DELAY_SECONDS = 0.1
REFERENCE_SERVICES = 20  # fewer, as its cost is proportional to the services; the output says so
MINUTES = 30
HERE = Environment(project_id="prj", environment_id="env")
END = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WINDOW = Window(start=END - timedelta(minutes=MINUTES), end=END)

ONE_BY_ONE = {
    "metrics": """query($e: String!, $s: String!, $start: DateTime!, $end: DateTime!) {
      metrics(environmentId: $e, serviceId: $s, startDate: $start, endDate: $end, sampleRateSeconds: 60,
        measurements: [CPU_USAGE, CPU_LIMIT, MEMORY_USAGE_GB, MEMORY_LIMIT_GB])
        { measurement values { ts value } } }""",
    "statuses": """query($e: String!, $s: String!, $start: DateTime!, $end: DateTime!) {
      httpMetricsGroupedByStatus(environmentId: $e, serviceId: $s, startDate: $start, endDate: $end, stepSeconds: 60)
        { statusCode samples { ts value } } }""",
    "durations": """query($e: String!, $s: String!, $start: DateTime!, $end: DateTime!) {
      httpDurationMetrics(environmentId: $e, serviceId: $s, startDate: $start, endDate: $end, stepSeconds: 60)
        { samples { ts p95 } } }""",
}


class Cost(NamedTuple):
    """Requests sent, and seconds until the last answer was read."""

    requests: int
    seconds: float


def main() -> int:
    """Print both; always 0, because a figure is not a test."""
    sweep_of_hundred()
    return 0


def sweep_of_hundred() -> None:
    """Print requests and seconds of our sweep and of the reference."""
    ours, survey = measured(SERVICES)
    theirs = one_after_the_other(REFERENCE_SERVICES)
    whole = [part * SERVICES / REFERENCE_SERVICES for part in theirs]
    print(
        f"sweep of {SERVICES} services, each answer {DELAY_SECONDS * 1000:.0f} ms late: {ours.requests} requests, "
        f"{ours.seconds:.2f} s ({sum(len(service.traffic) for service in survey.services)} steps of traffic, "
        f"{len(survey.calls)} calls, {len(survey.failed_reads)} failed reads)"
    )
    print(
        f"  beside one after the other, three a service: {whole[0]:.0f} requests, {whole[1]:.1f} s "
        f"(measured with {REFERENCE_SERVICES} services: {theirs.requests} requests, {theirs.seconds:.2f} s)"
    )


class Replay:
    """The fake Railway with a cache: the same request gets the same response, which is made once."""

    def __init__(self, fake_railway: FakeRailway) -> None:
        self.fake_railway = fake_railway
        self.known: dict[bytes, bytes] = {}
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["POST"])])

    async def _answer(self, request: HttpRequest) -> Response:
        question = await request.body()
        if question not in self.known:
            _, response = await run_in_threadpool(self.fake_railway.ask, json.loads(question))
            self.known[question] = json.dumps(response).encode()
        return Response(self.known[question], media_type="application/json")


@contextmanager
def late(services: int) -> Iterator[tuple[str, Faults]]:
    """The address of a Railway with so many services, and how late it answers."""
    faults = Faults()
    with serve(Replay(FakeRailway(world(services))).app, faults) as running:
        yield running.url, faults


def measured(services: int) -> tuple[Cost, Survey]:
    """Our sweep, on new connections."""
    with late(services) as (url, faults):
        _sweep(url)
        faults.delay_seconds = DELAY_SECONDS
        return _sweep(url)


def _sweep(url: str) -> tuple[Cost, Survey]:
    railway = Railway(url, token=SecretStr("bench"))
    before = time.perf_counter()
    survey = take_survey(railway, HERE, WINDOW, 60)
    cost = Cost(railway.requests_sent, time.perf_counter() - before)
    railway.close()
    return cost, survey


def one_after_the_other(services: int) -> Cost:
    """The reference: three requests per service, one after the other."""
    with late(services) as (url, faults), httpx.Client(timeout=30) as client:
        _one_by_one(client, url, services)
        faults.delay_seconds = DELAY_SECONDS
        return _one_by_one(client, url, services)


def _one_by_one(client: httpx.Client, url: str, services: int) -> Cost:
    variables = {"e": "env", "start": WINDOW.start.isoformat(), "end": WINDOW.end.isoformat()}
    before = time.perf_counter()
    for number in range(services):
        for query in ONE_BY_ONE.values():
            body = {"query": query, "variables": variables | {"s": f"svc-{number}"}}
            client.post(url, json=body).raise_for_status()
    return Cost(services * len(ONE_BY_ONE), time.perf_counter() - before)


def world(services: int) -> World:
    """Services with traffic, usage, disk, variables, lookups, events and error lines in every minute."""
    world = World("prj", "acme", "env", "production", [service(n) for n in range(services)])
    start = WINDOW.start.timestamp()
    world.events = [
        WorldEvent(start + n, "Deployment", "deployed", {"serviceId": f"svc-{n % services}"})
        for n in range(200)
    ]
    return world


def service(number: int) -> WorldService:
    start = WINDOW.start.timestamp()
    live = WorldDeployment(
        f"dep-{number}", f"svc-{number}", "SUCCESS", start - 3600, None, {"branch": "main"}
    )
    minutes = [start + 60 * n + 5 for n in range(MINUTES)]
    live.logs = [LogRow(start + 1, "Starting Container"), *(LogRow(at, "boom", "error") for at in minutes)]
    service = WorldService(
        f"svc-{number}", f"service {number}", repo="acme/all", deployments=[live], active=[live.id],
        volumes=[WorldVolume(f"vol-{number}", "data", "/data", 400, 500)],
    )  # fmt: skip
    service.samples = [Sample(at, "i1", live.id, 0.5, 0.4) for at in minutes]
    service.requests = [
        Request(at + n, "GET", "/", status, 20.0, live.id)
        for at in minutes
        for n, status in enumerate((200, 200, 404, 500))
    ]
    service.disk = [(at, 0.4) for at in minutes]
    service.variables = {"NEXT_URL": [f"service {number + 1}.RAILWAY_PRIVATE_DOMAIN"], "MODE": []}
    service.lookups = [Lookup(at, f"service-{number + 2}.railway.internal") for at in minutes]
    return service


if __name__ == "__main__":
    sys.exit(main())
