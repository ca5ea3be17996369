"""One container of the mini platform: a process that is started, read, measured, restarted and always ended."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

RESTARTS = 10
RESTART_PAUSE_SECONDS = 0.2
KILLED_AFTER_SECONDS = 3.0
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

# Runs in the child before the real program: it gets a signal when we die, and its memory may be limited.
# A program of its own instead of preexec_fn, which may hang in a parent with threads.
LAUNCH = (
    "import ctypes,os,resource,sys\n"
    "parent,number,limit=map(int,sys.argv[1:4])\n"
    "ctypes.CDLL(None).prctl(1,number)\n"
    "if os.getppid()!=parent: os._exit(1)\n"
    "limit and resource.setrlimit(resource.RLIMIT_AS,(limit,limit))\n"
    "resource.setrlimit(resource.RLIMIT_CORE,(0,0))\n"
    "os.execvp(sys.argv[4],sys.argv[4:])\n"
)

Log = Callable[[str, str], None]
"""Callback with (severity, message)."""


def bound_to_us(command: Sequence[str], last_signal: int, address_space_bytes: int = 0) -> list[str]:
    """The command, wrapped so that it receives `last_signal` when its starting thread ends for any reason."""
    arguments = (os.getpid(), int(last_signal), address_space_bytes)
    return [sys.executable, "-I", "-S", "-c", LAUNCH, *map(str, arguments), *command]


class Container:
    """A service's process, brought back up to ten times. `state` is Railway's DeploymentInstanceStatus.

    The thread that starts the process also waits for it: the kernel kills the process when that thread ends.
    """

    def __init__(
        self, command: str, folder: Path, environment: Mapping[str, str], log: Log,
        changed: Callable[[str], None], address_space_bytes: int = 0,
    ) -> None:  # fmt: skip
        self.command, self.folder, self.environment = command, folder, environment
        self.log, self.changed, self.limit = log, changed, address_space_bytes
        self.state, self.starts = "CREATED", 0
        self.process: subprocess.Popen[bytes] | None = None
        self._stopping, self._lock = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._live, name=f"container {folder.name}")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Send SIGTERM, then SIGKILL. Returns once every process has ended."""
        self._stopping.set()
        with self._lock:
            process = self.process
        if process is not None:
            _signal(process, signal.SIGTERM)
        if self._thread.is_alive():
            self._thread.join(KILLED_AFTER_SECONDS)
        if process is not None:
            _signal(process, signal.SIGKILL)
        if self._thread.is_alive():
            self._thread.join()

    def _live(self) -> None:
        code: int | None = None
        for attempt in range(1 + RESTARTS):
            code = self._run_once()
            if code is None or code == 0 or self._stopping.is_set():
                break
            if attempt < RESTARTS:
                self._become("RESTARTING")
                self._stopping.wait(RESTART_PAUSE_SECONDS)
        if self._stopping.is_set():
            self.log("info", "Stopping Container")
            self._become("REMOVED")
        else:
            self._become("EXITED" if code == 0 else "CRASHED")

    def _run_once(self) -> int | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            self.log("info", "Starting Container")
            self.process = process = self._launch()
            self.starts += 1
        self._become("RUNNING")
        assert process.stdout
        assert process.stderr
        readers = [
            threading.Thread(target=self._read, args=(process.stdout, "info")),
            threading.Thread(target=self._read, args=(process.stderr, "error")),
        ]
        for reader in readers:
            reader.start()
        code = process.wait()
        _signal(process, signal.SIGKILL)
        for reader in readers:
            reader.join()
        return code

    def _launch(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            bound_to_us(shlex.split(self.command), signal.SIGKILL, self.limit),
            cwd=self.folder, env=dict(self.environment), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip

    def _read(self, stream: IO[bytes], severity: str) -> None:
        with stream:
            for line in stream:
                # As in production the code lies in /app there.
                text = line.decode(errors="replace").rstrip("\r\n").replace(str(self.folder), "/app")
                self.log(severity, text)

    def _become(self, state: str) -> None:
        self.state = state
        self.changed(state)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


class Meter:
    """Reads the usage of a process and its children from /proc."""

    def __init__(self) -> None:
        self.last: tuple[int, float, float] | None = None

    def read(self, pid: int) -> tuple[float, float] | None:
        """vCPU since the last call (0 at first) and resident GB; None if the process has ended."""
        usages = [usage for usage in map(_usage, _family(pid)) if usage]
        if not usages:
            return None
        now, seconds = time.monotonic(), sum(usage[0] for usage in usages)
        pid_before, then, before = self.last or (pid, now, seconds)
        self.last = (pid, now, seconds)
        passed = now - then
        cpu = (seconds - before) / passed if pid_before == pid and passed > 0 else 0.0
        return max(0.0, cpu), sum(usage[1] for usage in usages) / 1e9


def _family(pid: int) -> list[int]:
    family = [pid]
    for member in family:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                family.extend(int(child) for child in children.read_text().split())
            except OSError:
                continue
    return family


def _usage(pid: int) -> tuple[float, float] | None:
    """CPU seconds, those of ended children included, and resident bytes."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return sum(map(int, fields[11:15])) / TICKS, int(fields[21]) * PAGE
