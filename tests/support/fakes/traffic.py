"""A load generator: real requests over loopback with a seeded mix of routes and a bounded number of clients."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from urllib.parse import urlsplit

MOST_CALLERS = 32
PATIENCE_SECONDS = 15.0


@dataclass(frozen=True)
class Route:
    """One kind of request. `{n}` in the path becomes a number from `numbers` (low, and one above high)."""

    method: str
    path: str
    weight: float = 1
    body: str | None = None
    numbers: tuple[int, int] = (0, 1000)


@dataclass
class Traffic:
    """Count of each status so far; 0 stands for no answer."""

    statuses: Counter[int] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def sent(self) -> int:
        return sum(self.statuses.values())


@contextmanager
def traffic(
    url: str, mix: Sequence[Route], *, seed: int, per_second: float, callers: int = 6
) -> Iterator[Traffic]:
    """Sends requests to `url` while the block runs, at most `callers` at a time."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    if host != "127.0.0.1" or port is None:
        raise ValueError(f"only loopback is driven, not {url}")
    callers = min(callers, MOST_CALLERS)
    running = Traffic()
    threads = [
        threading.Thread(target=_call, args=(running, port, mix, Random(f"{seed}/{n}"), callers / per_second))
        for n in range(callers)
    ]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.stopping.set()
        for thread in threads:
            thread.join()


def _call(running: Traffic, port: int, mix: Sequence[Route], random: Random, pause_seconds: float) -> None:
    weights = [route.weight for route in mix]
    running.stopping.wait(random.random() * pause_seconds)
    while not running.stopping.is_set():
        began = time.monotonic()
        status = send(port, random.choices(mix, weights)[0], random)
        with running.lock:
            running.statuses[status] += 1
        running.stopping.wait(max(0.0, pause_seconds * (0.5 + random.random()) - (time.monotonic() - began)))


def send(port: int, route: Route, random: Random) -> int:
    """The status of one request; 0 without an answer."""
    path = route.path.replace("{n}", str(random.randrange(*route.numbers)))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request(route.method, path, route.body, {"User-Agent": "visitor/1.0"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
