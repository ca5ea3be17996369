"""`up`: the whole installation in the foreground: store, web, worker and clock, each brought back when it dies."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from workers.errors import SettingsError
from workers.runtime import embedded, environment, store
from workers.runtime.settings import Settings

DRAIN_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 10.0
STABLE_SECONDS = 30.0
"""A process that lived so long starts again at once; one that keeps dying waits longer each time."""
STORE_EVERY_SECONDS = 2.0

log = logging.getLogger("trackwalker.up")


@dataclass
class Child:
    """One line of the Procfile."""

    name: str
    command: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    due: float = 0.0
    environment: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {self.command}"], env=self.environment, start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 (this process has one thread)
        )  # fmt: skip
        log.info("started", extra={"child": self.name, "pid": self.process.pid})

    def ask_to_end(self) -> None:
        """To the process alone: dramatiq's master asks its workers itself, asked twice they drop what they do."""
        if self.process is not None:
            self.process.terminate()

    def kill(self) -> None:
        """Everything the process may have left behind."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


def _die_with_parent() -> None:
    """A child of a killed supervisor must not live on as a second worker (Linux only; elsewhere it may)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def read_procfile(path: Path) -> list[tuple[str, str]]:
    """Names and commands, in order."""
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


def up(settings: Settings, procfile: Path) -> int:
    """Run everything until SIGTERM or Ctrl-C; 0 after an orderly end."""
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ending.set())
    own = None if settings.redis_url else embedded.EmbeddedStore(environment.data_dir())
    url = own.ensure() if own else store.url_of(settings)
    child_environment = _environment(url if own else None, settings.port)
    _warn_of_weaknesses(url)
    children = [
        Child(name, command, environment=dict(child_environment)) for name, command in read_procfile(procfile)
    ]
    try:
        for child in children:
            child.start()
        _watch_over(children, own, ending)
    finally:
        _end(children)
        if own:
            own.stop()
    return 0


def _warn_of_weaknesses(url: str) -> None:
    """How the store may lose what was recorded, one line each; one that says nothing is no reason not to start."""
    client = store.client(url)
    for weakness in store.durability_warnings(client, environment.data_dir(), os.environ):
        log.warning("the store may lose what was recorded", extra={"why": weakness})
    client.close()


def _environment(store_url: str | None, port: int) -> dict[str, str]:
    """Ours, with this interpreter's commands first in PATH, the embedded store's address and the Procfile's PORT."""
    mine = dict(os.environ)
    mine["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{mine.get('PATH', '')}"
    mine.setdefault("PYTHONUNBUFFERED", "1")
    mine["PORT"] = str(port)  # it may stand in .env, which no shell reads
    return mine | ({"REDIS_URL": store_url} if store_url else {})


def _watch_over(children: list[Child], own: embedded.EmbeddedStore | None, ending: threading.Event) -> None:
    looked = time.monotonic()
    while not ending.wait(0.2):
        for child in children:
            _bring_back(child)
        if own and time.monotonic() - looked > STORE_EVERY_SECONDS:
            looked = time.monotonic()
            if not own.alive():
                log.warning("the store died, started again")
                _revive(children, own)


def _revive(children: list[Child], own: embedded.EmbeddedStore) -> None:
    """One that does not start now (its log is long, the disk is full) is tried again; the doors stay open."""
    try:
        _move_to(children, own.ensure())
    except (SettingsError, OSError) as error:
        log.error("the store does not start, tried again", extra={"why": str(error)})


def _move_to(children: list[Child], url: str) -> None:
    """Where the store had to take another port, everybody starts again with the new address."""
    for child in children:
        if child.environment["REDIS_URL"] != url:
            child.environment["REDIS_URL"] = url
            child.ask_to_end()


def _bring_back(child: Child) -> None:
    process, now = child.process, time.monotonic()
    if process is None:
        if now >= child.due:
            child.start()
        return
    if process.poll() is None:
        return
    child.kill()
    child.deaths = 0 if now - child.started > STABLE_SECONDS else child.deaths + 1
    pause = min(LONGEST_PAUSE_SECONDS, 0.25 * 2 ** min(child.deaths, 8))
    child.process, child.due = None, now + pause
    facts = {"child": child.name, "code": process.returncode, "again_in_seconds": pause}
    log.warning("died, brought back", extra=facts)


def _end(children: list[Child]) -> None:
    """Everything ends: asked first, killed after the draining time."""
    for child in children:
        child.ask_to_end()
    deadline = time.monotonic() + DRAIN_SECONDS
    for child in children:
        if child.process is None:
            continue
        try:
            child.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("killed after the draining time", extra={"child": child.name})
        child.kill()
        child.process.wait()
