"""SIGKILL to each process of a working `up`: seconds until the work resumes, and repeated steps."""

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

from tests.support.fakes.railway import FakeRailway
from tests.support.fakes.railway_types import World
from tests.support.fakes.serving import free_port, serve
from tests.support.polling import wait_until
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX
from workers.runtime.embedded import address
from workers.runtime.store import client

TIMES = 5  # kills of each process
STAGES = 2  # of a sweep; each is claimed once, and every further claim repeats a step
# For comparison: Dramatiq's default time until it gives the messages of a lost worker to another one.
DRAMATIQ_SECONDS = 900


@dataclass
class Installation:
    """`up` beside a fake Railway that hangs on demand."""

    railway: FakeRailway
    journal: JournalStore
    state: Path
    url: str

    def send(self) -> bool:
        """True if the endpoint accepts an alert."""
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
        number = self.journal.command("hget", f"{PREFIX}slot:e", "n") or b"0"
        return f"{PREFIX}sweep:e:{number.decode()}"

    def field(self, name: str) -> int:
        """A numeric field of the newest sweep; 0 if it is not set."""
        return int(self.journal.command("hget", self.sweep(), name) or 0)

    def idle(self) -> bool:
        """True if the newest sweep has ended and none runs."""
        return bool(self.field("ended")) and not self.journal.command(
            "hexists", f"{PREFIX}slot:e", "running_sweep"
        )

    def processes(self, text: str) -> list[int]:
        """The processes of this installation whose command line contains the text."""
        pids = []
        for folder in Path("/proc").iterdir():
            try:
                command = (folder / "cmdline").read_bytes()
                environ = (folder / "environ").read_bytes()
            except OSError:
                continue
            if text.encode() in command and f"TRACKWALKER_DATA_DIR={self.state}".encode() in environ:
                pids.append(int(folder.name))
        return pids


def measure(folder: Path) -> None:
    """Print the seconds from the SIGKILL of worker, receiver and store until each is back."""
    with installation(folder / "up") as running:
        results = [resume_seconds(running) for _ in range(TIMES)]
        seconds, repeated = [duration for duration, _ in results], max(steps for _, steps in results)
        print(
            f"work resumes    {statistics.median(seconds):.1f} s after SIGKILL of the worker, at most "
            f"{max(seconds):.1f} s; repeated steps: {repeated}   Dramatiq alone: {DRAMATIQ_SECONDS} s   "
            f"(goal: at most 20 s and 1 step; {TIMES} times)"
        )
        web = [recovery_seconds(running, lambda: running.processes("receiver.main")) for _ in range(TIMES)]
        store = [
            recovery_seconds(running, lambda: [int((running.state / "store.pid").read_text())])
            for _ in range(TIMES)
        ]
        for name, durations in (("receiver", web), ("store", store)):
            print(
                f"answers again   {statistics.median(durations):.1f} s after SIGKILL of the {name}, at most "
                f"{max(durations):.1f} s"
            )


def resume_seconds(running: Installation) -> tuple[float, int]:
    """Seconds until another worker claims the sweep that was under way, and the number of steps that it repeats."""
    running.railway.faults.add("hang")
    hangs = len(running.railway.faults.played)
    wait_until(running.send, what="an accepted alert")
    wait_until(lambda: len(running.railway.faults.played) > hangs, what="the step under way")
    fence = running.field("fence")
    killed = time.monotonic()
    _kill(running.processes("workers.main"))
    wait_until(lambda: running.field("fence") > fence, seconds=120, what="the next claim")
    seconds = time.monotonic() - killed
    wait_until(running.idle, seconds=60, what="the end of the sweep")
    return seconds, running.field("fence") - STAGES


def recovery_seconds(running: Installation, victims: Callable[[], list[int]]) -> float:
    """Seconds until the endpoint accepts an alert again."""
    wait_until(running.send, what="an accepted alert")
    killed = time.monotonic()
    _kill(wait_until(victims, what="the process to kill"))
    wait_until(running.send, seconds=60, what="an accepted alert")
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
            wait_until(running.send, what="an accepted alert")
            wait_until(running.idle, what="the first sweep")
            yield running
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(30)
