"""The installation, `python -m workers up` with two workers, and everything that is done to it."""

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
web: uvicorn receiver.main:app --factory --host 127.0.0.1 --port ${PORT:-8000} --no-access-log
worker-1: dramatiq tests.soak.worker:build --processes 1 --threads 8
worker-2: dramatiq tests.soak.worker:build --processes 1 --threads 8
clock: python -m receiver.clock
"""
Blow = Literal["web", "worker", "clock", "store", "up", "stop"]
WORDS = {"web": "receiver.main", "worker": "tests.chaos.worker", "clock": "receiver.clock"}
DECK: tuple[Blow, ...] = ("worker",) * 4 + ("stop",) * 3 + ("web",) * 2 + ("store",) * 2 + ("clock", "up")
"""Dealt again and again in an order drawn by seed; `up` is the supervisor itself."""
STOPPED_SECONDS = (16.0, 20.0)
"""Longer than a lease, so that another worker has taken the work over."""


@dataclass
class Fleet:
    """The processes of one run. `environment`: the settings that `up` gets."""

    folder: Path
    environment: dict[str, str]
    port: int
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    """What was done to the processes, by name."""
    up: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.seed}/fleet")
        self.state = self.folder / "state"
        self.stops = self.folder / "stops"
        self.runs: list[str] = []
        """Every run of the store, by the id that it gives itself."""
        self.ending = threading.Event()
        for name in ("signals", "stopped"):
            (self.stops / name).mkdir(parents=True)
        (self.folder / "Procfile").write_text(PROCFILE)
        self._threads = [threading.Thread(target=self._look_after, daemon=True)]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # -- its life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Runs until `end`; a supervisor that was killed is brought back."""
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
        """An orderly end and a new start with other settings; an empty one is taken away."""
        up, self.up = self.up, None
        self._ask_to_end(up)
        self.environment |= changes
        self._start()
        self.done["orderly restart"] += 1

    def end(self) -> None:
        self.ending.set()
        for thread in self._threads:
            thread.join()
        self._go_on(at_once=True)
        self._ask_to_end(self.up)

    def _ask_to_end(self, up: subprocess.Popen[bytes] | None) -> None:
        if up is not None and up.poll() is None:
            self._go_on(at_once=True)
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
        """What runs of the agent, proofs and git have running: command lines of those at home in our folder."""
        places = [f"{self.state.resolve()}/{name}/".encode() for name in ("runs", "work")]
        found = [pid for pid in _everybody() if any(_is_at(pid, place) for place in places)]
        return [
            f"{pid}: {_read(pid, 'cmdline').replace(bytes(1), b' ').decode(errors='replace')}"
            for pid in found
        ]

    # -- what is done to it -----------------------------------------------------------------------

    def strike(self, blow: Blow) -> None:
        """SIGKILL, or the wish that the next effect stops its worker."""
        if blow == "stop" and any((*self.stops.glob("wanted/*"), *self.stops.glob("stopped/*"))):
            self.done["one stands still already"] += 1  # the other is to take its work over
        elif blow == "stop":
            (self.stops / "signals" / str(time.monotonic_ns())).touch()
        elif blow == "store":
            self._kill("store", self._store_pid())
        elif blow == "up":
            self._kill("up", [self.up.pid] if self.up else [])
        else:
            found = self._children(WORDS[blow])
            self._kill(blow, self._part_of(self.chance.choice(found)) if found else [])

    def _part_of(self, pid: int) -> list[int]:
        """The process with all that it forked, or now and then only what it forked (dramatiq's worker itself)."""
        forked = [one for one in _everybody() if _parent_of(one) == pid]
        return forked if forked and self.chance.random() < 0.3 else [pid, *forked]

    def _kill(self, name: str, pids: list[int]) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.done[f"kill {name}" if pids else "nobody there"] += 1

    def _children(self, words: str) -> list[int]:
        """Direct children of the supervisor whose command line holds these words."""
        mine = [pid for pid in _everybody() if self.up and _parent_of(pid) == self.up.pid]
        return [pid for pid in mine if words.encode() in _read(pid, "cmdline")]

    def _store_pid(self) -> list[int]:
        try:
            return [int((self.state / "store.pid").read_text())]
        except (FileNotFoundError, ValueError):
            return []

    # -- looking after it -------------------------------------------------------------------------

    def _look_after(self) -> None:
        back = 0.0
        while not self.ending.wait(0.2):
            self._go_on()
            self._note_run()
            up, now = self.up, time.monotonic()
            if up is None or up.poll() is None:
                back = 0.0
            elif not back:
                back = now + self.chance.uniform(0.2, 4.0)
            elif now > back:
                self._start()

    def _go_on(self, *, at_once: bool = False) -> None:
        """Continue whoever has been stopped for longer than a lease lasts."""
        for file in list((self.stops / "stopped").iterdir()):
            pid = int(file.name)
            gone = not _read(pid, "cmdline")
            if gone or at_once or time.time() - file.stat().st_mtime > _between(STOPPED_SECONDS, pid):
                file.unlink()
                self.done["stopped, then killed" if gone else "stopped and continued"] += 1
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _note_run(self) -> None:
        try:
            with self.store() as store:
                run = str(store.info("server")["run_id"])
        except (RedisError, OSError, ValueError):
            return
        if run not in self.runs:
            self.runs.append(run)


def _between(bounds: tuple[float, float], number: int) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * (number % 10) / 9


def _everybody() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""  # it has just ended


def _is_at(pid: int, place: bytes) -> bool:
    return place in _read(pid, "cmdline") or b"=" + place in _read(pid, "environ")


def _parent_of(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0
