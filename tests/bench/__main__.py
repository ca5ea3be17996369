"""`make bench`: figures, each beside a reference measured in the same run on the same machine.

recorded step   one `step` of the journal   beside   one raw Lua write, same store, fsync on every write
door            webhooks stored per second  beside   a bare Starlette app doing one SET in its thread pool
back at work    SIGKILL of the worker on an idle system → its journal is claimed again
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import redis
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from receiver.main import compose
from tests.waiting import until
from tests.world.railway import RailwayStandIn
from tests.world.railway_types import World
from tests.world.serving import serve
from workers import scripts
from workers.embedded import EmbeddedStore, address
from workers.journal import DUE, PREFIX, Journal
from workers.settings import read
from workers.store import client

STEPS = 2_000
REQUESTS = 2_000
AT_ONCE = 16
SECRET = {"X-Trackwalker-Secret": "bench"}


def main() -> int:
    """Print the figures; 0 always, a figure is no test."""
    with tempfile.TemporaryDirectory(prefix="trackwalker-bench-") as folder:
        store = EmbeddedStore(Path(folder) / "store")
        url = store.ensure()
        try:
            recorded_step(client(url))
            door(url)
        finally:
            store.stop()
        back_at_work(Path(folder) / "state")
    return 0


def median_ms(work: Callable[[int], object], times: int) -> float:
    taken = []
    for number in range(times):
        before = time.perf_counter()
        work(number)
        taken.append((time.perf_counter() - before) * 1000)
    return statistics.median(taken)


def recorded_step(connection: redis.Redis) -> None:
    """Milliseconds of one recorded step and of one raw Lua write, taken in turn."""
    journal = Journal(connection)
    key = f"{PREFIX}sweep:bench:1"
    journal.script(scripts.OPEN, [key, DUE], 0, "stage", "survey")
    claim = journal.claim(key, "survey")
    assert claim is not None
    raw = connection.register_script("redis.call('HSET',KEYS[1],ARGV[1],ARGV[2]) return 1")
    rounds = [
        (
            median_ms(lambda n: claim.step(f"s{n % 50}-{time.monotonic_ns()}", int, lambda: 1), STEPS // 4),
            median_ms(lambda n: raw(keys=["raw"], args=[f"f{n % 50}", "1"]), STEPS // 4),
        )
        for _ in range(4)
    ]
    ours, reference = (statistics.median(values) for values in zip(*rounds, strict=True))
    print(f"recorded step   {ours:.2f} ms   raw Lua write {reference:.2f} ms   ratio {ours / reference:.2f}")
    connection.flushall()


def door(url: str) -> None:
    """Webhooks stored and answered per second, and the 99th percentile, beside the bare app."""
    connection = client(url)

    async def bare(request: Request) -> Response:
        body = await request.body()
        await run_in_threadpool(connection.set, f"bare:{time.monotonic_ns()}", body)
        return Response(status_code=202)

    config = read({"REDIS_URL": url, "TRACKWALKER_SECRET": "bench", "TRACKWALKER_WATCH": "p/e"}, dotenv=None)
    apps = {
        "bare": Starlette(routes=[Route("/hooks/railway", bare, methods=["POST"])]),
        "door": compose(config),
    }
    figures = {}
    for name, app in apps.items():
        with serve(app) as running:
            figures[name] = asyncio.run(_load(f"{running.url}/hooks/railway"))
    (ours, p99), (reference, bare_p99) = figures["door"], figures["bare"]
    print(
        f"door            {ours:.0f}/s p99 {p99:.0f} ms   bare app {reference:.0f}/s p99 {bare_p99:.0f} ms   "
        f"ratio {ours / reference:.2f}   ({AT_ONCE} at once, one process, client on the same cores)"
    )


async def _load(url: str) -> tuple[float, float]:
    taken: list[float] = []
    numbers = iter(range(REQUESTS))

    async def send(session: httpx.AsyncClient) -> None:
        for number in numbers:
            body = {
                "type": "Deployment.crashed",
                "resource": {
                    "environment": {"id": "e"},
                    "project": {"id": "p"},
                    "service": {"id": f"s{number}"},
                },
                "timestamp": datetime.now(UTC).isoformat(),
            }
            before = time.perf_counter()
            answer = await session.post(url, json=body, headers=SECRET)
            assert answer.status_code == 202, answer.text
            taken.append(time.perf_counter() - before)

    async with httpx.AsyncClient(timeout=30) as session:
        begun = time.perf_counter()
        await asyncio.gather(*(send(session) for _ in range(AT_ONCE)))
        seconds = time.perf_counter() - begun
    return REQUESTS / seconds, statistics.quantiles(taken, n=100)[98] * 1000


def back_at_work(state: Path) -> None:
    """Seconds from SIGKILL of the worker in the middle of a step until the journal is claimed again."""
    with ExitStack() as stack:
        railway = RailwayStandIn(World("p", "shop", "e", "production"))
        railway.faults.add("hang")
        running = stack.enter_context(serve(railway.app, railway.faults))
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(state), "TRACKWALKER_STATE": str(state),
            "TRACKWALKER_SECRET": "bench", "TRACKWALKER_WATCH": "p/e", "RAILWAY_API_TOKEN": railway.token,
            "RAILWAY_API_URL": running.url + "/graphql/v2", "TRACKWALKER_MODE": "shadow", "PORT": "0",
            "TRACKWALKER_PUBLIC_URL": "http://127.0.0.1:9",
        }  # fmt: skip
        environment["PORT"] = "18099"
        up = subprocess.Popen(
            [sys.executable, "-m", "workers", "up"], env=environment, stderr=subprocess.DEVNULL
        )
        try:
            url = until(lambda: address(state), seconds=30, what="the store")
            journal = Journal(client(str(url)))
            key = f"{PREFIX}sweep:e:1"
            fields = ["stage", "survey", "r:environment", b'1j{"project_id":"p","environment_id":"e"}']
            until(lambda: _workers(state), seconds=30, what="the worker")
            journal.script(scripts.OPEN, [key, DUE], 0, *fields)
            until(lambda: railway.faults.played, seconds=30, what="the step under way")
            fence = journal.ask("hget", key, "fence")
            for pid in _workers(state):
                os.kill(pid, signal.SIGKILL)
            killed = time.monotonic()
            until(lambda: journal.ask("hget", key, "fence") != fence, seconds=60, what="the next claim")
            print(
                f"back at work    {time.monotonic() - killed:.1f} s after SIGKILL   Dramatiq's own default: over 900 s"
            )
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(30)


def _workers(state: Path) -> list[int]:
    """Processes of dramatiq that belong to this installation."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            command = (folder / "cmdline").read_bytes()
            environ = (folder / "environ").read_bytes()
        except OSError:
            continue
        if b"workers.main" in command and f"TRACKWALKER_STATE={state}".encode() in environ:
            found.append(int(folder.name))
    return found


if __name__ == "__main__":
    sys.exit(main())
