"""The web process as `up` runs it: it serves, sends the periodic pings itself, and shuts down at once."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from receiver import clock
from receiver.server import bind
from tests.support.fakes.serving import free_port
from tests.support.polling import wait_until
from workers.engine.schema import PREFIX
from workers.runtime.settings import read

ROOT = Path(__file__).parents[3]
MAX_SHUTDOWN_SECONDS = 3.0
"""Far below the drain time, with room for a loaded machine."""


@pytest.fixture
def web(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A web process with the clock, which pings every 0.3 s."""
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "REDIS_URL": store_url, "PORT": str(free_port()),
        "TRACKWALKER_SECRET": "s3cret", "TRACKWALKER_ENVIRONMENTS": "p/e", "TRACKWALKER_PING_MINUTES": "0.005",
    }  # fmt: skip
    with (tmp_path / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "receiver.main", "--clock"], cwd=tmp_path, env=environment, stderr=log
        )
        yield process
        process.kill()
        process.wait()


def pings(store: redis.Redis) -> int:
    return len(list(store.scan_iter(f"{PREFIX}alert:*")))


def test_the_clock_runs_in_the_web_process(web: subprocess.Popen[bytes], store: redis.Redis) -> None:
    wait_until(lambda: pings(store) >= 2, what="two pings")

    assert web.poll() is None


def test_the_web_process_shuts_down_at_once(web: subprocess.Popen[bytes], store: redis.Redis) -> None:
    wait_until(lambda: pings(store), what="a process that serves")
    began = time.monotonic()

    web.send_signal(signal.SIGTERM)

    web.wait(10)
    assert time.monotonic() - began < MAX_SHUTDOWN_SECONDS


def test_the_clock_starts_over_after_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = list[float]()

    def fail(*_: object) -> None:
        runs.append(time.monotonic())
        raise RuntimeError("a bug")

    monkeypatch.setattr(clock, "run", fail)
    monkeypatch.setattr(clock, "RESTART_SECONDS", 0.05)

    thread = clock.start_thread(read({}, dotenv=None))

    wait_until(lambda: len(runs) >= 2, what="the second run")
    assert thread.is_alive()
    monkeypatch.setattr(clock, "RESTART_SECONDS", 3600)


def test_the_web_process_waits_for_a_port_that_another_program_has_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = socket.create_server(("127.0.0.1", 0))
    port = other.getsockname()[1]
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            other.close()

    with caplog.at_level(logging.INFO, "trackwalker"):
        bind("127.0.0.1", port, wait).close()

    warnings = [vars(record)["why"] for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [
        f"Port {port} is in use by another program. Waiting for it; or set PORT to another one"
    ]
    assert len(waits) == 3
