"""The supervisor: runs the processes of an installation and restarts one that exits.

`trackwalker up` checks the settings and then replaces itself with this module, which loads the standard library
alone: the process that only waits for others takes 8 MB instead of 30.

Without an argument the supervisor runs `web`, with the clock as a thread, and `worker`; with the path of a Procfile
the processes of that file. Without REDIS_URL it starts the embedded store before them and stops it after them.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from workers.errors import SettingsError
from workers.runtime import logs
from workers.runtime.embedded import EmbeddedStore
from workers.runtime.environment import data_dir
from workers.runtime.process import protect_process
from workers.runtime.signals import Signals

DRAIN_SECONDS = 15.0  # from SIGTERM to SIGKILL; less than the 20 s that the README asks of Railway
MIN_RESTART_SECONDS = 0.25  # delay of the first restart
MAX_RESTART_SECONDS = 10.0  # delay of a process that crashes again and again
MAX_DOUBLINGS = 8  # of the delay; beyond it the delay has long reached its maximum
STABLE_SECONDS = 30.0  # a process that ran this long starts with the first delay again
STORE_CHECK_SECONDS = 4.0  # between two pings of the store; its exit is noticed at once
PR_SET_PDEATHSIG = 1  # prctl(2)

DEFAULT_PROCESSES = {
    "web": [sys.executable, "-m", "receiver.main", "--clock"],
    "worker": [sys.executable, "-m", "workers.main"],
}
CHECKS = [sys.executable, "-m", "workers.doctor.at_start"]  # tells what is wrong, shows what runs, and ends
WITH_CHECKS = "--checks"

# Settings of glibc's malloc (mallopt(3)), unless the environment has others. A process with a dozen threads keeps a
# dozen half-empty arenas otherwise, and does not return what a sweep has freed.
ALLOCATOR = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "131072"}

log = logging.getLogger("trackwalker.up")


class Child:
    """A supervised process: how to start it, and what became of it.

    Args:
        runs_once: it is not started again after its exit.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: dict[str, str], *, runs_once: bool = False
    ) -> None:
        self.name, self.command, self.environment, self.runs_once = name, command, environment, runs_once
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.crash_count = 0
        """Exits in a row, each within STABLE_SECONDS."""
        self.restart_at = 0.0
        """Monotonic time of the next start while there is no process."""

    def start(self) -> None:
        self.started_at = time.monotonic()
        # preexec_fn is safe here, because this process has a single thread.
        self.process = subprocess.Popen(
            self.command, env=self.environment, start_new_session=True,
            preexec_fn=partial(_die_with_parent, os.getpid()),  # noqa: PLW1509
        )  # fmt: skip
        log.info("process started", extra={"child": self.name, "pid": self.process.pid})

    def terminate(self) -> None:
        """Send SIGTERM to the process alone: dramatiq's master passes it on, and a second one aborts its workers."""
        if self.process is not None:
            self.process.terminate()

    def kill(self) -> None:
        """Send SIGKILL to the process and to every process that it has left behind."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


def _die_with_parent(parent: int) -> None:
    # Otherwise the child of a killed supervisor lives on as a second worker. Linux only.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)  # the supervisor was killed before the call, which then has no effect


def read_procfile(path: Path) -> list[tuple[str, str]]:
    """The names and shell commands of a Procfile, in its order."""
    lines = [line.partition(":") for line in path.read_text().splitlines() if line.strip() and line[0] != "#"]
    return [(name.strip(), command.strip()) for name, colon, command in lines if colon]


def main(arguments: Sequence[str]) -> int:
    """Supervise until SIGTERM or Ctrl-C; 0 after an orderly shutdown, 1 if the embedded store does not start.

    Args:
        arguments: the path of a Procfile, if any; `--checks` besides checks the installation once, beside the start.
    """
    protect_process()
    logs.configure("up")
    try:
        paths = [Path(argument) for argument in arguments if argument != WITH_CHECKS]
        return _run(next(iter(paths), None), with_checks=WITH_CHECKS in arguments)
    except SettingsError as error:
        print(f"trackwalker: {error}", file=sys.stderr)
        return 1


def _run(procfile: Path | None, *, with_checks: bool) -> int:
    # SIGCHLD: a child has exited. Without it the supervisor would have to poll.
    signals = Signals(wake_on=(signal.SIGCHLD,))
    store = None if os.environ.get("REDIS_URL") else EmbeddedStore(data_dir(), should_stop=signals.has_ended)
    children: list[Child] = []
    try:
        environment = _child_environment(store.ensure() if store else None)
        commands = _procfile_commands(procfile) if procfile else DEFAULT_PROCESSES
        children = [Child(name, command, dict(environment)) for name, command in commands.items()]
        children += [Child("checks", CHECKS, dict(environment), runs_once=True)] if with_checks else []
        for child in children:
            if not signals.is_ending:
                child.start()
        _watch(children, store, signals)
    finally:
        _shut_down(children)
        if store:
            store.stop()
    return 0


def _procfile_commands(path: Path) -> dict[str, list[str]]:
    return {name: ["/bin/sh", "-c", f"exec {command}"] for name, command in read_procfile(path)}


def _child_environment(store_url: str | None) -> dict[str, str]:
    """Our environment with this interpreter's commands first in PATH, and the address of the embedded store."""
    environment = ALLOCATOR | os.environ
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    environment.setdefault("PYTHONUNBUFFERED", "1")
    return environment | ({"REDIS_URL": store_url} if store_url else {})


def _watch(children: list[Child], store: EmbeddedStore | None, signals: Signals) -> None:
    check_at = time.monotonic() + STORE_CHECK_SECONDS
    while not signals.is_ending:
        signals.wait(_seconds_to_next_event(children, store, check_at))
        for child in children:
            _restart_if_exited(child)
        if store and (store.has_exited() or time.monotonic() >= check_at):
            if not store.alive():
                log.warning("embedded store exited, restarting")
                _restart_store(children, store)
            check_at = time.monotonic() + STORE_CHECK_SECONDS


def _seconds_to_next_event(
    children: list[Child], store: EmbeddedStore | None, check_at: float
) -> float | None:
    """Seconds until a restart or a check of the store is due; None if only a signal can change anything."""
    times = [child.restart_at for child in children if child.process is None and not child.runs_once]
    times += [check_at] if store else []
    return max(0.0, min(times) - time.monotonic()) if times else None


def _restart_store(children: list[Child], store: EmbeddedStore) -> None:
    # A store that cannot start now (disk full, a long file to load) is tried again; the web process keeps answering.
    try:
        url = store.ensure()
    except (SettingsError, OSError) as error:
        log.error("embedded store does not start, retrying", extra={"why": str(error)})
        return
    for child in children:
        if child.environment["REDIS_URL"] != url:
            # The store had to take another port, and a process learns the address at its start.
            child.environment["REDIS_URL"] = url
            child.terminate()


def _restart_if_exited(child: Child) -> None:
    process, now = child.process, time.monotonic()
    if process is None:
        if now >= child.restart_at and not child.runs_once:
            child.start()
        return
    if process.poll() is None:
        return
    child.kill()
    if child.runs_once:
        child.process = None
        return
    child.crash_count = 0 if now - child.started_at > STABLE_SECONDS else child.crash_count + 1
    delay = min(MAX_RESTART_SECONDS, MIN_RESTART_SECONDS * 2 ** min(child.crash_count, MAX_DOUBLINGS))
    child.process, child.restart_at = None, now + delay
    facts = {"child": child.name, "code": process.returncode, "restart_seconds": delay}
    log.warning("process exited, restarting", extra=facts)


def _shut_down(children: list[Child]) -> None:
    """End all children: SIGTERM first, SIGKILL after DRAIN_SECONDS."""
    for child in children:
        child.terminate()
    deadline = time.monotonic() + DRAIN_SECONDS
    for child in children:
        if child.process is None:
            continue
        try:
            child.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("process killed after the drain time", extra={"child": child.name})
        child.kill()
        child.process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
