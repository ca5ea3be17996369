"""The model gateway beside direct calls: time added to the first token, and memory.

`python -m tests.benchmarks.gateway`. A stand-in provider in a process of its own streams one answer. Each round makes
one direct call and one through the gateway, in turns, both on connections that stay open and with the same body.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import statistics
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.fakes.model_provider import FakeProvider, stream
from tests.support.model_gateway import KEY, running_gateway
from tests.support.model_streams import EVENTS, chat_chunk, stream_bytes

ROUNDS = 400
WARM_UP = 40
BODY_KB = 120  # of a request in the middle of an honest run
GOAL_MS = 5.0
GOAL_MB = 5.0


def serve_provider(address: Connection) -> None:
    """Stream an answer of a hundred pieces to each request; runs in a process of its own."""
    pieces = [chat_chunk({"content": f"word {number} "}) for number in range(100)]
    parts = stream_bytes("chat", [*pieces, *EVENTS["chat"][-2:]])
    provider = FakeProvider(scripts=[stream([parts[0], b"".join(parts[1:])], pause_seconds=0.002)])
    with provider.serving() as running:
        provider.received = _Nothing()
        address.send(running.url)
        address.recv()


class _Nothing(list[Any]):
    """Keeps no requests, so that the stand-in's memory stays as it is."""

    def append(self, _value: Any) -> None:
        """Drop the value."""


class Figures(NamedTuple):
    """Milliseconds that the gateway adds to the first token, those without and with it, and its memory."""

    added_p50_ms: float
    added_p95_ms: float
    direct_ms: float
    through_ms: float
    memory_mb: float

    @property
    def is_met(self) -> bool:
        """True if the figures meet the goals."""
        return self.added_p95_ms <= GOAL_MS and self.memory_mb <= GOAL_MB


def measure() -> Figures:
    """The figures of this machine."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve_provider, args=(theirs,), daemon=True)
    process.start()
    url: str = ours.recv()
    messages = [{"role": "user", "content": "x = 1  # a line of code\n" * (BODY_KB * 1024 // 24)}]
    body = json.dumps({"model": "m1", "messages": messages, "stream": True, "max_tokens": 8000}).encode()
    _first_token(http.client.HTTPConnection(url.removeprefix("http://")), body, KEY)
    before = _resident_mb()
    with running_gateway("chat", url, deadline_seconds=600) as gateway:
        direct = http.client.HTTPConnection(url.removeprefix("http://"))
        through = http.client.HTTPConnection("127.0.0.1", gateway.port)
        rounds = []
        for _ in range(ROUNDS + WARM_UP):
            rounds.append(
                (_first_token(direct, body, KEY), _first_token(through, body, gateway.gateway.token))
            )
            gateway.calls.clear()
        memory = _resident_mb() - before
    ours.send("stop")
    process.join(5)
    plain, ways = zip(*rounds[WARM_UP:], strict=True)
    # Percentiles are compared, not pairs: a busy machine delays one call of a pair, and not by the gateway.
    p50 = statistics.median(ways) - statistics.median(plain)
    p95 = statistics.quantiles(ways, n=20)[18] - statistics.quantiles(plain, n=20)[18]
    return Figures(p50, p95, statistics.median(plain), statistics.median(ways), memory)


def main() -> int:
    """Print the figures; the exit code is 1 if they miss the goals."""
    figures = measure()
    print(
        f"gateway         first token +{figures.added_p50_ms:.2f} ms (p50), +{figures.added_p95_ms:.2f} ms (p95)   "
        f"direct {figures.direct_ms:.2f} ms, through {figures.through_ms:.2f} ms   "
        f"(goal: at most {GOAL_MS:g} ms p95; {ROUNDS} pairs, {BODY_KB} KB each)"
    )
    print(
        f"gateway, memory +{figures.memory_mb:.1f} MB after {ROUNDS} calls   (goal: at most {GOAL_MB:g} MB)"
    )
    return 0 if figures.is_met else 1


def _first_token(connection: http.client.HTTPConnection, body: bytes, token: str) -> float:
    """Milliseconds from sending a request to the first byte of its answer's body; reads the answer to its end."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    started = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", body, headers)
    response = connection.getresponse()
    response.read1(100)
    elapsed = time.perf_counter() - started
    response.read()
    return elapsed * 1000


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    sys.exit(main())
