"""The supervisor: runs the processes of an installation and restarts one that exits.

`python -m workers up` checks the settings and then replaces itself with this module, which loads the standard library
alone: the process that only waits for others takes 8 MB instead of 30.

Without an argument the supervisor runs `web`, with the clock as a thread, and `worker`; with the path of a Procfile
the processes of that file. Without REDIS_URL it starts the embedded store before them and stops it after them.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from workers.errors import SettingsError
from workers.runtime import logs
from workers.runtime.embedded import EmbeddedStore
from workers.runtime.environment import data_dir
from workers.runtime.process import protect_process

DRAIN_SECONDS = 15.0  # from SIGTERM to SIGKILL; less than the 20 s that the README asks of Railway
MIN_RESTART_SECONDS = 0.25  # delay of the first restart
MAX_RESTART_SECONDS = 10.0  # delay of a process that crashes again and again
MAX_DOUBLINGS = 8  # of the delay; beyond it the delay has long reached its maximum
STABLE_SECONDS = 30.0  # a process that ran this long starts with the first delay again
STORE_CHECK_SECONDS = 4.0  # between two pings of the store; its exit is noticed at once
PR_SET_PDEATHSIG = 1  # prctl(2)
PIPE_READ_BYTES = 4096  # more signals than arrive between two looks of the supervisor

DEFAULT_PROCESSES = {
    "web": [sys.executable, "-m", "receiver.main", "--clock"],
    "worker": [sys.executable, "-m", "workers.main"],
}

# Settings of glibc's malloc (mallopt(3)), unless the environment has others. A process with a dozen threads keeps a
# dozen half-empty arenas otherwise, and does not return what a sweep has freed.
ALLOCATOR = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "131072"}

log = logging.getLogger("trackwalker.up")


class Child:
    """A supervised process: how to start it, and what became of it."""

    def __init__(self, name: str, command: Sequence[str], environment: dict[str, str]) -> None:
        self.name, self.command, self.environment = name, command, environment
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
            self.command, env=self.environment, start_new_session=True, preexec_fn=_die_with_parent  # noqa: PLW1509
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


class Signals:
    """Waits for the signals of this process. Takes no lock, as a `threading.Event` does.

    Race: a handler runs between two bytecodes of the main thread. If that thread waits for an Event or clears it at
    that moment, it holds the Event's lock, and a handler that sets the Event waits for its own thread forever. Two
    children that exit within a millisecond are enough. Here the interpreter writes a byte into a pipe instead.
    """

    def __init__(self) -> None:
        self.is_ending = False
        """True once SIGTERM, SIGINT or SIGHUP has arrived."""
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        # A full pipe loses nothing: the supervisor looks at all children, however many bytes there are.
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end)
        # A child has exited. Without a handler there is no byte, and the supervisor would have to poll.
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def wait(self, seconds: float | None) -> None:
        """Return after the next signal, at once if one arrived since the last call.

        Args:
            seconds: the longest wait; None waits for a signal alone.
        """
        select.select([self._reader], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, PIPE_READ_BYTES)

    def _end(self, *_: object) -> None:
        self.is_ending = True


def _die_with_parent() -> None:
    # Otherwise the child of a killed supervisor lives on as a second worker. Linux only.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def read_procfile(path: Path) -> list[tuple[str, str]]:
    """The names and shell commands of a Procfile, in its order."""
    lines = [line.partition(":") for line in path.read_text().splitlines() if line.strip() and line[0] != "#"]
    return [(name.strip(), command.strip()) for name, colon, command in lines if colon]


def port_error(port: int) -> str:
    """The reason why no process can listen on the port now, "" if one can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def main(arguments: Sequence[str]) -> int:
    """Supervise until SIGTERM or Ctrl-C; 0 after an orderly shutdown, 1 if the embedded store does not start.

    Args:
        arguments: nothing, or the path of a Procfile.
    """
    protect_process()
    logs.configure("up")
    try:
        return _run(Path(arguments[0]) if arguments else None)
    except SettingsError as error:
        print(f"trackwalker: {error}", file=sys.stderr)
        return 1


def _run(procfile: Path | None) -> int:
    signals = Signals()
    store = None if os.environ.get("REDIS_URL") else EmbeddedStore(data_dir())
    children: list[Child] = []
    try:
        environment = _child_environment(store.ensure() if store else None)
        commands = _procfile_commands(procfile) if procfile else DEFAULT_PROCESSES
        children = [Child(name, command, dict(environment)) for name, command in commands.items()]
        for child in children:
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
    times = [child.restart_at for child in children if child.process is None]
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
        if now >= child.restart_at:
            child.start()
        return
    if process.poll() is None:
        return
    child.kill()
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
