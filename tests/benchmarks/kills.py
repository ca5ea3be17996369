"""A part of a real `up` is killed while it works: how long until its work goes on, and what of it is done again."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tests.benchmarks.endpoint import free_port
from tests.support.fakes.railway import FakeRailway
from tests.support.fakes.railway_types import World
from tests.support.fakes.serving import serve
from tests.support.polling import wait_until
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX
from workers.runtime.embedded import address
from workers.runtime.store import client

TIMES = 5
STAGES = 2
"""Of a sweep: each is claimed once, what is claimed more often was begun again."""
DRAMATIQ_SECONDS = 900
"""After so long Dramatiq's broker gives the messages of a worker that is gone to others (its own default)."""


@dataclass
class Installation:
    """`up` beside a Railway that hangs on demand."""

    railway: FakeRailway
    journal: JournalStore
    state: Path
    url: str

    def send(self) -> bool:
        """Whether the door takes an alert."""
        body = {
            "type": "Monitor.triggered",
            "resource": {"project": {"id": "p"}, "environment": {"id": "e"}, "service": {"id": "s"}},
            "timestamp": datetime.now(UTC).isoformat(),
        }
        try:
            headers = {"X-Trackwalker-Secret": "bench"}
            return httpx.post(f"{self.url}/hooks/railway", json=body, headers=headers).status_code == 202
        except httpx.HTTPError:
            return False

    def sweep(self) -> str:
        """The key of the newest sweep."""
        made = self.journal.command("hget", f"{PREFIX}slot:e", "n") or b"0"
        return f"{PREFIX}sweep:e:{made.decode()}"

    def field(self, name: str) -> int:
        """A number of the newest sweep, 0 while it has none."""
        return int(self.journal.command("hget", self.sweep(), name) or 0)

    def idle(self) -> bool:
        return bool(self.field("ended")) and not self.journal.command("hexists", f"{PREFIX}slot:e", "working")

    def processes(self, words: str) -> list[int]:
        """Those of this installation whose command line holds these words."""
        found = []
        for folder in Path("/proc").iterdir():
            try:
                command = (folder / "cmdline").read_bytes()
                environ = (folder / "environ").read_bytes()
            except OSError:
                continue
            if words.encode() in command and f"TRACKWALKER_DATA_DIR={self.state}".encode() in environ:
                found.append(int(folder.name))
        return found


def measure(folder: Path) -> None:
    """Print the seconds after the death of the worker, the receiver and the store."""
    with installation(folder / "up") as running:
        found = [after_the_worker(running) for _ in range(TIMES)]
        seconds, again = [one for one, _ in found], max(steps for _, steps in found)
        print(
            f"back at work    {statistics.median(seconds):.1f} s after SIGKILL of the worker, at most "
            f"{max(seconds):.1f} s; steps done again: {again}   Dramatiq alone: {DRAMATIQ_SECONDS} s   "
            f"(goal: at most 20 s and 1 step; {TIMES} times)"
        )
        web = [after(running, lambda: running.processes("receiver.main")) for _ in range(TIMES)]
        store = [
            after(running, lambda: [int((running.state / "store.pid").read_text())]) for _ in range(TIMES)
        ]
        for who, took in (("receiver", web), ("store", store)):
            print(
                f"answers again   {statistics.median(took):.1f} s after SIGKILL of the {who}, at most {max(took):.1f} s"
            )


def after_the_worker(running: Installation) -> tuple[float, int]:
    """Seconds until the sweep is claimed again that was under way, and how many of its steps began again."""
    running.railway.faults.add("hang")
    hung = len(running.railway.faults.played)
    wait_until(running.send, what="the door")
    wait_until(lambda: len(running.railway.faults.played) > hung, what="the step under way")
    fence = running.field("fence")
    killed = time.monotonic()
    _kill(running.processes("workers.main"))
    wait_until(lambda: running.field("fence") > fence, seconds=120, what="the next claim")
    seconds = time.monotonic() - killed
    wait_until(running.idle, seconds=60, what="the end of the sweep")
    return seconds, running.field("fence") - STAGES


def after(running: Installation, victims: Callable[[], list[int]]) -> float:
    """Seconds until an alert is taken again."""
    wait_until(running.send, what="the door")
    killed = time.monotonic()
    _kill(wait_until(victims, what="whom to kill"))
    wait_until(running.send, seconds=60, what="the door")
    return time.monotonic() - killed


def _kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


@contextmanager
def installation(state: Path) -> Iterator[Installation]:
    """A running `up` whose worker is ready."""
    with ExitStack() as stack:
        railway = FakeRailway(World("p", "shop", "e", "production"))
        server = stack.enter_context(serve(railway.app, railway.faults))
        port = free_port()
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(state), "TRACKWALKER_DATA_DIR": str(state), "PORT": str(port),
            "TRACKWALKER_SECRET": "bench", "TRACKWALKER_ENVIRONMENTS": "p/e", "TRACKWALKER_MODE": "shadow",
            "RAILWAY_API_TOKEN": railway.token, "RAILWAY_API_URL": server.url + "/graphql/v2",
            "TRACKWALKER_PUBLIC_URL": "http://127.0.0.1:9",
        }  # fmt: skip
        up = subprocess.Popen(
            [sys.executable, "-m", "workers", "up"],
            env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            store = wait_until(lambda: address(state), what="the store")
            running = Installation(
                railway, JournalStore(client(str(store))), state, f"http://127.0.0.1:{port}"
            )
            wait_until(lambda: running.processes("workers.main"), what="the worker")
            wait_until(running.send, what="the door")
            wait_until(running.idle, what="the first sweep")
            yield running
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(30)
