"""The installation, `trackwalker up` with two workers, and the disruptions of its processes."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx
import redis
from redis.exceptions import RedisError

from tests.chaos.worker import FOLDER
from tests.support.polling import wait_until
from workers.runtime import embedded
from workers.runtime.store import client

ROOT = Path(__file__).parents[2]
PROCFILE = """\
web: python -m receiver.main
worker-1: dramatiq tests.chaos.worker:build --processes 1 --threads 8
worker-2: dramatiq tests.chaos.worker:build --processes 1 --threads 8
clock: python -m receiver.clock
"""
Disruption = Literal["web", "worker", "clock", "store", "up", "stop"]
COMMAND_OF = {"web": "receiver.main", "worker": "tests.chaos.worker", "clock": "receiver.clock"}
DECK: tuple[Disruption, ...] = (
    ("worker",) * 4 + ("stop",) * 3 + ("web",) * 2 + ("store",) * 2 + ("clock", "up")
)
"""The disruptions, dealt repeatedly in an order drawn by seed. `up`: the supervisor. `stop`: SIGSTOP of a worker."""
STOPPED_SECONDS = (16.0, 20.0)
"""Longer than a lease, so that another worker has taken over."""


@dataclass
class Installation:
    """The processes of one run. `environment` has the settings for `up`."""

    folder: Path
    environment: dict[str, str]
    port: int
    seed: int
    disruptions: Counter[str] = field(default_factory=Counter)
    """Number of disruptions by name."""
    up: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.random = random.Random(f"{self.seed}/fleet")
        self.state = self.folder / "state"
        self.stops = self.folder / "stops"
        self.store_runs: list[str] = []
        """The run id of each start of the store."""
        self.ending = threading.Event()
        for name in ("requested", "stopped"):
            (self.stops / name).mkdir(parents=True)
        (self.folder / "Procfile").write_text(PROCFILE)
        self._threads = [threading.Thread(target=self._supervise, daemon=True)]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # -- start and end ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Run until `end`. A killed supervisor is started again."""
        self._start()
        for thread in self._threads:
            thread.start()
        wait_until(self._ready, seconds=90, what="the receiver")

    def _start(self) -> None:
        command = [sys.executable, "-m", "workers", "up", "--procfile", str(self.folder / "Procfile")]
        environment = self.environment | {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "PORT": str(self.port), FOLDER: str(self.folder),
            "TRACKWALKER_DATA_DIR": str(self.state), "TRACKWALKER_PUBLIC_URL": self.url,
        }  # fmt: skip
        with (self.folder / "up.log").open("ab") as log:
            self.up = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def restart(self, **changes: str) -> None:
        """Shut down cleanly and start with changed settings. An empty value removes a setting."""
        up, self.up = self.up, None
        self._ask_to_end(up)
        self.environment |= changes
        self._start()
        self.disruptions["orderly restart"] += 1

    def end(self) -> None:
        self.ending.set()
        for thread in self._threads:
            thread.join()
        self._continue_stopped(at_once=True)
        self._ask_to_end(self.up)

    def _ask_to_end(self, up: subprocess.Popen[bytes] | None) -> None:
        if up is not None and up.poll() is None:
            self._continue_stopped(at_once=True)
            up.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                up.wait(40)
            up.kill()

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/ready", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def store(self) -> redis.Redis:
        return client(str(embedded.address(self.state)))

    def programs(self) -> list[str]:
        """Command lines of the running agents, checks and git commands of this installation."""
        folders = [f"{self.state.resolve()}/{name}/".encode() for name in ("runs", "work")]
        pids = [pid for pid in _all_pids() if any(_runs_below(pid, folder) for folder in folders)]
        return [
            f"{pid}: {_read(pid, 'cmdline').replace(bytes(1), b' ').decode(errors='replace')}" for pid in pids
        ]

    # -- disruptions -----------------------------------------------------------------------

    def disrupt(self, disruption: Disruption) -> None:
        """Kill a process, or request that the next effect stops its worker."""
        if disruption == "stop" and any((*self.stops.glob("requested/*"), *self.stops.glob("stopped/*"))):
            self.disruptions["another worker is stopped already"] += 1  # the other worker has to take over
        elif disruption == "stop":
            (self.stops / "requested" / str(time.monotonic_ns())).touch()
        elif disruption == "store":
            self._kill("store", self._store_pid())
        elif disruption == "up":
            self._kill("up", [self.up.pid] if self.up else [])
        else:
            pids = self._children(COMMAND_OF[disruption])
            self._kill(disruption, self._process_tree(self.random.choice(pids)) if pids else [])

    def _process_tree(self, pid: int) -> list[int]:
        """The process with its forks, or at times the forks only (a dramatiq worker without its master)."""
        forked = [other for other in _all_pids() if _parent_of(other) == pid]
        return forked if forked and self.random.random() < 0.3 else [pid, *forked]

    def _kill(self, name: str, pids: list[int]) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.disruptions[f"kill {name}" if pids else "no such process"] += 1

    def _children(self, text: str) -> list[int]:
        """Direct children of the supervisor whose command line contains the text."""
        mine = [pid for pid in _all_pids() if self.up and _parent_of(pid) == self.up.pid]
        return [pid for pid in mine if text.encode() in _read(pid, "cmdline")]

    def _store_pid(self) -> list[int]:
        try:
            return [int((self.state / "store.pid").read_text())]
        except (FileNotFoundError, ValueError):
            return []

    # -- supervision -------------------------------------------------------------------------

    def _supervise(self) -> None:
        restart_at = 0.0
        while not self.ending.wait(0.2):
            self._continue_stopped()
            self._record_store_run()
            up, now = self.up, time.monotonic()
            if up is None or up.poll() is None:
                restart_at = 0.0
            elif not restart_at:
                restart_at = now + self.random.uniform(0.2, 4.0)
            elif now > restart_at:
                self._start()

    def _continue_stopped(self, *, at_once: bool = False) -> None:
        """Continue processes that have been stopped for longer than a lease."""
        for file in list((self.stops / "stopped").iterdir()):
            pid = int(file.name)
            has_ended = not _read(pid, "cmdline")
            if has_ended or at_once or time.time() - file.stat().st_mtime > _between(STOPPED_SECONDS, pid):
                file.unlink()
                self.disruptions["stopped, then killed" if has_ended else "stopped and continued"] += 1
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _record_store_run(self) -> None:
        try:
            with self.store() as store:
                run = str(store.info("server")["run_id"])
        except (RedisError, OSError, ValueError):
            return
        if run not in self.store_runs:
            self.store_runs.append(run)


def _between(bounds: tuple[float, float], number: int) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * (number % 10) / 9


def _all_pids() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""  # it has just ended


def _runs_below(pid: int, folder: bytes) -> bool:
    return folder in _read(pid, "cmdline") or b"=" + folder in _read(pid, "environ")


def _parent_of(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0
