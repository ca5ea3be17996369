"""The webhook endpoint under load, beside a reference: a bare Starlette app with one SET in its thread pool.

uvicorn serves both, in one process each; the product as in its Procfile. Both use the same Redis, with an fsync per
write, and get the same bodies from the same client, in turns.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.benchmarks.load import SECRET
from tests.support.fakes.serving import free_port
from tests.support.polling import wait_until
from workers.runtime.store import client

REQUESTS = 2_000  # per round
AT_ONCE = 16  # connections
ROUNDS = 5  # of which the median counts
PER_SECOND = 200  # of the runs at a fixed rate
SECONDS = 5  # length of a run at a fixed rate
PRODUCT = ("receiver.main",)  # arguments of `python -m`
REFERENCE = ("uvicorn", "tests.benchmarks.endpoint:bare", "--factory", "--no-access-log")


def bare() -> Starlette:
    """The reference app."""
    connection = client(os.environ["REDIS_URL"])

    async def store(request: Request) -> Response:
        body = await request.body()
        await run_in_threadpool(connection.set, f"bare:{time.monotonic_ns()}", body)
        return Response(status_code=202)

    return Starlette(routes=[Route("/hooks/railway", store, methods=["POST"])])


def measure(url: str) -> None:
    """Print webhooks stored per second, and the 99th percentile of the response time at a fixed rate."""
    with served(PRODUCT, url) as ours, served(REFERENCE, url) as reference:
        rounds = [(load(ours, REQUESTS, 0)[0], load(reference, REQUESTS, 0)[0]) for _ in range(ROUNDS)]
        rate, bare_rate = (statistics.median(values) for values in zip(*rounds, strict=True))
        count = PER_SECOND * SECONDS
        late = [
            (load(ours, count, PER_SECOND)[1], load(reference, count, PER_SECOND)[1]) for _ in range(ROUNDS)
        ]
        p99, bare_p99 = (statistics.median(values) for values in zip(*late, strict=True))
    print(
        f"endpoint        {rate:.0f}/s   bare app {bare_rate:.0f}/s   ratio {rate / bare_rate:.2f}"
        f"   (goal: at least 0.6; {AT_ONCE} at once, one process each, the client in a third)"
    )
    print(
        f"endpoint, p99   {p99:.1f} ms at {PER_SECOND}/s   bare app {bare_p99:.1f} ms   (goal: at most 50 ms from when "
        f"a request was due; median of {ROUNDS} runs, the worst {max(late)[0]:.1f} ms)"
    )
    client(url).flushall()


def load(url: str, requests: int, per_second: int) -> tuple[float, float]:
    """Answers per second and the 99th percentile in milliseconds, measured by a client in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.load",
        url,
        str(requests),
        str(AT_ONCE),
        str(per_second),
    ]
    rate, p99 = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(rate), float(p99)


@contextmanager
def served(module: Sequence[str], store: str, environments: str = "p/e") -> Iterator[str]:
    """The address of an app's endpoint for Railway, served by a process of its own.

    Args:
        module: arguments of `python -m`.
    """
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd()), "REDIS_URL": store,
        "TRACKWALKER_SECRET": SECRET, "TRACKWALKER_ENVIRONMENTS": environments,
        "PORT": str(port), "UVICORN_PORT": str(port),
    }  # fmt: skip
    command = [sys.executable, "-m", *module]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: _listens(port), what=module[0])
        yield f"http://127.0.0.1:{port}/hooks/railway"
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
