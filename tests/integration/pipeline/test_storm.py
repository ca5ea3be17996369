"""An alert storm of two thousand webhooks: all are answered, none is lost, each cause gets one incident."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import dramatiq
import pytest
import redis
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.benchmarks.endpoint import PRODUCT, served
from tests.benchmarks.load import SECRET
from tests.support.fakes.railway import FakeRailway
from tests.support.fakes.railway_types import Request, World, WorldDeployment, WorldService
from tests.support.fakes.serving import serve
from tests.support.pipeline import PipelineHarness, harness
from tests.support.polling import wait_until
from workers.cli import journal_view
from workers.engine import dispatcher
from workers.engine.broker import MAX_QUEUED, NAMESPACE, make_broker
from workers.engine.schema import COUNTERS, OPEN, PREFIX, SCHEDULE
from workers.incidents.opening import MAX_ALERTS_PER_SWEEP
from workers.pipeline.worker import declare_actors
from workers.runtime.store import client

WEBHOOKS = 2_000
SENDERS = 8
MAX_COUNTERS = 300  # fields; no label comes from an alert's text
THREADS = 8  # as in the Procfile
QUEUES = ("sweeps", "incidents", "notifications", "fixes")
PLACES = {"env-1": ("prj-1", ["svc-shop", "svc-db"]), "env-2": ("prj-2", ["svc-two", "svc-two-calm"])}
WATCH = "prj-1/env-1, prj-2/env-2"
NAMES = {"svc-shop": "shop", "svc-db": "Postgres", "svc-two": "two", "svc-two-calm": "two-calm"}
SPELLINGS = (
    "Deployment.crashed", "deployment.CRASHED", "Deployment.failed", "deployment.oom_killed", "Deployment.oomKilled",
    "Monitor.triggered", "Monitor.Triggered",
)  # fmt: skip
FORWARDS = (
    "shop is down again", "Railway: deployment of *shop* crashed", "anyone looking at two? 500s everywhere",
    "shop AND two are failing", "checkout is slow",
)  # fmt: skip
COUNT_SWEEPS = """
local found={0,0}
for _,key in ipairs(redis.call('KEYS',ARGV[1])) do
  if redis.call('HEXISTS',key,'ended')==0 then
    local at=redis.call('HEXISTS',key,'fence')==1 and 1 or 2
    found[at]=found[at]+1
  end
end
return found
"""
"""Numbers of running and of queued sweeps, read in one transaction."""


@dataclass
class Storm:
    """The pipeline, the receiver before it, and the maxima that were measured while it ran."""

    line: PipelineHarness
    port: int
    answers: list[tuple[int, str]] = field(default_factory=list)
    """The status and the id of the stored alert."""
    most: Counter[str] = field(default_factory=Counter)

    @property
    def store(self) -> redis.Redis:
        return self.line.store

    def taken(self) -> set[str]:
        return {name for _, name in self.answers}

    def alerts(self) -> list[dict[str, bytes]]:
        """The journals of all alerts without those of our own checks."""
        keys = [raw.decode() for raw in self.store.scan_iter(f"{PREFIX}alert:*", count=1000)]
        return [self.line.journal.fields(key) for key in keys if not _is_own_check(key)]


@pytest.fixture(scope="module")
def storm(store_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    """A finished storm: everything is done except for rechecks that are due later."""
    connection = client(store_url)
    connection.flushall()
    with ExitStack() as stack:
        places = {"prj-2": FakeRailway(_other_world(time.time()))}
        railway = stack.enter_context(serve(_railway(places)))
        settings = {
            "TRACKWALKER_MODE": "report",
            "TRACKWALKER_ENVIRONMENTS": WATCH,
            "RAILWAY_API_URL": railway.url + "/graphql/v2",
        }
        folder = tmp_path_factory.mktemp("storm")
        running = stack.enter_context(
            harness(connection, store_url, folder, failing=True, small=True, **settings)
        )
        places["prj-1"] = running.railway
        receiver = stack.enter_context(served(PRODUCT, store_url, WATCH))
        new_storm = Storm(running, urlsplit(receiver).port or 0)
        with _at_work(new_storm):
            new_storm.answers = _send(new_storm.port, _webhooks(random.Random(7)))
            wait_until(lambda: not _asked(new_storm), seconds=120, what="the end of all alerts and sweeps")
            # After the storm it is still there: each environment's next sweep sees it again.
            new_storm.answers += _send(
                new_storm.port, [_railway_hook("Monitor.triggered", at) for at in ("svc-shop", "svc-two")]
            )
            wait_until(lambda: not _asked(new_storm), seconds=120, what="the end of the last ones")
            wait_until(lambda: all(_outcomes(new_storm)), seconds=120, what="the outcomes")
        yield new_storm
    connection.close()


def _railway(places: dict[str, FakeRailway]) -> Starlette:
    """One address for both projects, as Railway's."""

    async def answer(request: HttpRequest) -> Response:
        body = await request.json()
        query = json.dumps(body)
        other = any(name in query for name in ("prj-2", "env-2", "svc-two", "dep-two"))
        status, reply = await run_in_threadpool(places["prj-2" if other else "prj-1"].ask, body)
        return JSONResponse(reply, status)

    return Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])


def _other_world(now: float) -> World:
    """A second project, in which half of the requests of `two` fail."""
    sick, calm = (_service(name, now, failing=name == "two") for name in ("two", "two-calm"))
    return World("prj-2", "second", "env-2", "production", [sick, calm])


def _service(name: str, now: float, *, failing: bool) -> WorldService:
    live = WorldDeployment(
        f"dep-{name}", f"svc-{name}", "SUCCESS", now - 9e5, now - 9e5, {"image": "two"},
        instances=[("ins", "RUNNING")],
    )  # fmt: skip
    service = WorldService(f"svc-{name}", name, image="two", deployments=[live], active=[live.id])
    for second in range(0, 1800, 5):
        status = 500 if failing and second > 600 and second % 2 else 200
        service.requests.append(Request(now - 1800 + second, "GET", "/", status, 20.0, live.id, "ins"))
    return service


def _webhooks(chance: random.Random) -> list[tuple[str, bytes]]:
    """The endpoint and body of each webhook: all kinds, half of them repeated, in random order."""
    webhooks: list[tuple[str, bytes]] = []
    while len(webhooks) < WEBHOOKS:
        kind = chance.random()
        if webhooks and kind < 0.5:
            webhooks.append(chance.choice(webhooks))
        elif kind < 0.6:
            text = f"{chance.choice(FORWARDS)} ({chance.randrange(20)})"
            webhooks.append(("/hooks/slack", json.dumps({"text": text}).encode()))
        else:
            late = chance.uniform(0, 900)
            webhooks.append(_railway_hook(chance.choice(SPELLINGS), chance.choice(list(NAMES)), late))
    chance.shuffle(webhooks)
    return webhooks


def _railway_hook(kind: str, service: str, late: float = 0.0) -> tuple[str, bytes]:
    project, environment = next(
        (project, environment) for environment, (project, services) in PLACES.items() if service in services
    )
    body = {
        "type": kind,
        "resource": {
            "project": {"id": project},
            "environment": {"id": environment, "name": "production"},
            "service": {"id": service, "name": NAMES[service]},
        },
        "timestamp": (datetime.now(UTC) - timedelta(seconds=late)).isoformat(),
    }
    return "/hooks/railway", json.dumps(body).encode()


def _send(port: int, webhooks: list[tuple[str, bytes]]) -> list[tuple[int, str]]:
    """Send every webhook from one of several senders. Raises the error that a sender met."""

    def send(mine: list[tuple[str, bytes]]) -> list[tuple[int, str]]:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            return [_one(connection, path, body) for path, body in mine]

    with ThreadPoolExecutor(SENDERS) as senders:
        parts = senders.map(send, [webhooks[n::SENDERS] for n in range(SENDERS)])
        return [answer for part in parts for answer in part]


def _one(connection: http.client.HTTPConnection, path: str, body: bytes) -> tuple[int, str]:
    connection.request("POST", path, body, {"X-Trackwalker-Secret": SECRET})
    answer = connection.getresponse()
    content = answer.read()
    return answer.status, answer.headers["X-Trackwalker-Alert"] or json.loads(content).get(
        "alert", content.decode()
    )


@contextmanager
def _at_work(storm: Storm) -> Iterator[None]:
    """Run Dramatiq's threads and a dispatcher, and measure meanwhile."""
    broker = make_broker(storm.store)
    declare_actors(broker, storm.line.services)
    worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=THREADS)
    over = threading.Event()
    others = [
        threading.Thread(target=_again, args=(over, work)) for work in (_move(storm, broker), _count(storm))
    ]
    worker.start()
    for thread in others:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in others:
            thread.join()
        worker.stop()
        broker.close()


def _again(over: threading.Event, work: Callable[[], None]) -> None:
    while not over.wait(0.05):
        work()


def _move(storm: Storm, broker: Any) -> Callable[[], None]:
    """A dispatcher that continues as soon as its messages are consumed."""

    def move() -> None:
        if all(_held(storm.store, queue) < MAX_QUEUED / 5 for queue in QUEUES):
            dispatcher.dispatch_due(storm.line.journal, broker)

    return move


def _count(storm: Storm) -> Callable[[], None]:
    script = storm.store.register_script(COUNT_SWEEPS)

    def count() -> None:
        for environment in PLACES:
            at_work, waiting = script(args=[f"{PREFIX}sweep:{environment}:*"])
            storm.most[f"{environment} at work"] = max(storm.most[f"{environment} at work"], at_work)
            storm.most[f"{environment} waiting"] = max(storm.most[f"{environment} waiting"], waiting)
        for queue in QUEUES:
            storm.most[queue] = max(storm.most[queue], _held(storm.store, queue))

    return count


def _held(store: redis.Redis, queue: str) -> int:
    return int(store.llen(f"{NAMESPACE}:{queue}"))


def _outcomes(storm: Storm) -> list[bool]:
    """True if the outcome of each incident is in Slack."""
    tells = [key.replace(PREFIX, f"{PREFIX}notification:", 1) for key in storm.line.incidents()]
    return [bool(storm.store.hexists(key, "r:outcome")) for key in tells]


def _asked(storm: Storm) -> list[str]:
    """The alerts and sweeps that have not ended, our own checks of an open incident excepted."""
    waiting = [key for key in storm.line.due() if key.startswith((f"{PREFIX}alert:", f"{PREFIX}sweep:"))]
    return [key for key in waiting if not _is_own_check(key)]


def _is_own_check(key: str) -> bool:
    return key.endswith("-again") or ":alert:follow-up-" in key


def test_every_webhook_of_a_storm_is_answered(storm: Storm) -> None:
    assert len(storm.answers) == WEBHOOKS + 2
    assert {status for status, _ in storm.answers} == {200, 202}


def test_no_webhook_of_a_storm_is_lost(storm: Storm) -> None:
    alerts = storm.alerts()
    again = sum(int(alert.get("firings", 0)) for alert in alerts)
    alike = sum("same" in alert for alert in alerts)

    assert len(alerts) == len(storm.taken())
    assert len(alerts) + again - alike == WEBHOOKS + 2
    assert all("ended" in alert and "sweep" in alert for alert in alerts)


def test_a_storm_becomes_one_incident_per_cause(storm: Storm) -> None:
    incidents = storm.line.incidents()

    assert len(incidents) == 2
    assert storm.store.hlen(OPEN) == 2
    messages = [
        message for message in storm.line.slack.messages if message.key.startswith("notification:incident:")
    ]
    outcomes = [message.text.splitlines()[0] for message in messages if message.key.endswith(":outcome")]
    assert len(outcomes) == 2
    assert sum("shop · production:" in line for line in outcomes) == 1
    assert sum("two · production:" in line for line in outcomes) == 1


def test_a_storm_has_one_running_and_one_queued_sweep_per_environment(storm: Storm) -> None:
    for environment in PLACES:
        assert storm.most[f"{environment} at work"] == 1
        assert storm.most[f"{environment} waiting"] == 1


def test_repeated_alerts_are_counted_and_shown(storm: Storm) -> None:
    most_frequent = max(storm.alerts(), key=lambda alert: int(alert.get("firings", 0)))
    name = next(
        name for name in storm.taken() if storm.line.journal.fields(f"{PREFIX}alert:{name}") == most_frequent
    )

    view = journal_view.render_journal(storm.line.journal, name, datetime.now(UTC))

    assert int(most_frequent["firings"]) > 10
    assert f"  firings: {most_frequent['firings'].decode()}" in view
    for incident in storm.line.incidents():
        assert int(storm.line.journal.fields(incident)["firings"]) >= 2


def test_a_storm_fills_no_queue_and_no_journal(storm: Storm) -> None:
    fullest = max((raw for raw in storm.store.scan_iter(f"{PREFIX}sweep:*")), key=storm.store.hlen)

    # Receiver and dispatcher check the queue before they send; the other may send between check and message.
    assert max(storm.most[queue] for queue in QUEUES) <= MAX_QUEUED + 2
    assert storm.store.hlen(fullest) < 2 * MAX_ALERTS_PER_SWEEP + 20
    for incident in storm.line.incidents():
        assert storm.store.hlen(incident.replace(PREFIX, f"{PREFIX}notification:")) < 320


def test_redis_keeps_little_of_a_storm_and_all_of_it_expires(storm: Storm) -> None:
    keys = list(storm.store.scan_iter("*", count=1000))
    size = sum(storm.store.memory_usage(key, samples=0) or 0 for key in keys)
    due_keys = set(storm.store.zrange(SCHEDULE, 0, -1))
    stays = [key for key in keys if storm.store.ttl(key) < 0 and key not in due_keys]

    # Two keys per alert, its journal and its deduplication key; the rest are notifications and sweeps.
    assert len(keys) < 2 * len(storm.taken()) + 300
    assert size < 1500 * WEBHOOKS
    # The counters stay: their labels come from fixed sets.
    assert {key.decode() for key in stays if not key.startswith(NAMESPACE.encode())} <= {
        SCHEDULE,
        OPEN,
        COUNTERS,
    }
    assert storm.store.hlen(COUNTERS) < MAX_COUNTERS
    assert len(due_keys) < 200


def test_a_storm_causes_few_messages(storm: Storm) -> None:
    # At most two for each cause, one for each service that is well, and for each text that names one of these.
    assert len(storm.line.slack.channel_texts) <= 2 * 2 + 2 + len(FORWARDS)
    # The channel does not show the details of each cause.
    assert len(storm.line.slack.texts) <= len(storm.line.slack.channel_texts) + 2
