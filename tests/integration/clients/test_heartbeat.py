"""The external dead man's switch: only a completed ping calls it, and none of its answers does any harm."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import redis

from tests.support.pipeline import PipelineHarness, harness

ROOT = Path(__file__).parents[3]
SECRET = "hc-secret-4711"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK"


class Switch:
    """A server on a raw socket. `behave` receives each connection after the request was read."""

    def __init__(self, behave: Callable[[socket.socket, threading.Event], None]) -> None:
        self.behave, self.requests, self.stopped = behave, list[bytes](), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/{SECRET}"

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            self.requests.append(connection.recv(65_536))
            try:
                self.behave(connection, self.stopped)
            except OSError:
                return  # the client closed the connection


@contextmanager
def switch(behave: Callable[[socket.socket, threading.Event], None]) -> Iterator[Switch]:
    server = Switch(behave)
    threading.Thread(target=server.serve, daemon=True).start()
    try:
        yield server
    finally:
        server.stopped.set()
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()


def says(answer: bytes) -> Callable[[socket.socket, threading.Event], None]:
    return lambda connection, _stopped: connection.sendall(answer)


def hangs(_connection: socket.socket, stopped: threading.Event) -> None:
    stopped.wait(600)


def trickles(connection: socket.socket, stopped: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nx-long: ")
    while not stopped.wait(0.05):
        connection.sendall(b"x")


def never_ends(connection: socket.socket, stopped: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not stopped.is_set():
        connection.sendall(b"x" * 65_536)


@contextmanager
def calm(store: redis.Redis, store_url: str, folder: Path, url: str) -> Iterator[PipelineHarness]:
    with harness(store, store_url, folder, failing=False, TRACKWALKER_HEARTBEAT_URL=url) as running:
        yield running


def ping(running: PipelineHarness) -> None:
    running.alert(source="ping", kind="ping", service_id=None, service_name=None)


def is_done(running: PipelineHarness, sweeps: int) -> bool:
    return running.count_ended_sweeps() == sweeps


def test_a_completed_ping_calls_the_switch_once(store: redis.Redis, store_url: str, tmp_path: Path) -> None:
    with switch(says(OK)) as there, calm(store, store_url, tmp_path, there.url) as running:
        ping(running)
        running.drive(running.count_ended_sweeps)

        assert [request.split(b"\r\n")[0] for request in there.requests] == [
            f"GET /{SECRET} HTTP/1.1".encode()
        ]


def test_an_alert_does_not_call_the_switch(store: redis.Redis, store_url: str, tmp_path: Path) -> None:
    with switch(says(OK)) as there, calm(store, store_url, tmp_path, there.url) as running:
        running.alert()
        running.drive(running.count_ended_sweeps)

        assert there.requests == []


@pytest.mark.parametrize("kind", ["503", "refuse"])
def test_a_ping_whose_sweep_fails_does_not_call_the_switch(
    store: redis.Redis, store_url: str, tmp_path: Path, kind: str
) -> None:
    with switch(says(OK)) as there, calm(store, store_url, tmp_path, there.url) as running:
        running.railway.faults.add(kind, times=1000)  # type: ignore[arg-type]  # both are kinds of faults
        ping(running)
        for _ in range(6):
            running.work_next()

        assert running.railway.faults.played
        assert there.requests == []


@pytest.mark.parametrize("behave", [hangs, trickles, never_ends])
def test_a_switch_that_never_completes_its_answer_does_not_stop_the_next_ping(
    store: redis.Redis,
    store_url: str,
    tmp_path: Path,
    behave: Callable[[socket.socket, threading.Event], None],
) -> None:
    with switch(behave) as there, calm(store, store_url, tmp_path, there.url) as running:
        for number in (1, 2):
            ping(running)
            running.drive(partial(is_done, running, number))

        assert not there.stopped.is_set()
        assert len(there.requests) == 2


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.0.0.1:1/{secret}", "ConnectError"),
        ("http://\x00/{secret}", "InvalidURL"),
        ("http://user:{secret}@[::1/", "heartbeat not delivered"),
        ("ftp://127.0.0.1/{secret}", "UnsupportedProtocol"),
        ("http://" + "a" * 300 + ".invalid/{secret}", "heartbeat not delivered"),
    ],
)
def test_an_unreachable_address_is_logged_without_its_secret(address: str, expected: str) -> None:
    logged = log_of_one_call(address.format(secret=SECRET))

    assert expected in logged
    assert SECRET not in logged
    assert "Traceback" not in logged


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (OK, ""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n", "302"),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "404"),
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", "500"),
        (b"220 smtp ready\r\n", "RemoteProtocolError"),
        (b"", "RemoteProtocolError"),
    ],
)
def test_an_answer_without_success_is_logged_and_no_redirect_is_followed(
    answer: bytes, expected: str
) -> None:
    with switch(says(answer)) as there:
        logged = log_of_one_call(there.url)

        assert len(there.requests) == 1
        assert (expected in logged) if expected else (logged == "")
        assert SECRET not in logged


def log_of_one_call(url: str) -> str:
    """The log output of a worker process that calls the heartbeat once."""
    code = (
        "import sys\nfrom pydantic import SecretStr\n"
        "from workers.clients import heartbeat\nfrom workers.runtime import logs\n"
        "logs.configure('worker')\nheartbeat.ping(SecretStr(sys.stdin.read()))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, input=url, capture_output=True, text=True, check=True
    )
    return run.stdout + run.stderr
