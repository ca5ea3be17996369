"""An answer over a socket is complete and within its bounds, or the call ends with an error."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from workers.agent import socket_http
from workers.agent.socket_http import SocketHttpError, request

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ANSWER_SECONDS = 20.0  # how long a silent or slow server lasts: much longer than a client may wait for it
DRIP_SECONDS = 0.05  # between two bytes of a slow server


def read_request(connection: socket.socket) -> None:
    """Read one request with its body: closing a socket that holds unread bytes resets the connection."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65_536)
    head, body = received.split(b"\r\n\r\n", 1)
    length = re.search(rb"(?i)^content-length: (\d+)", head, re.MULTILINE)
    while length and len(body) < int(length[1]):
        body += connection.recv(65_536)


@contextmanager
def answering(answer: Callable[[socket.socket], object]) -> Iterator[socket_http.Dial]:
    """A server that reads one request, lets `answer` write, and closes the connection."""

    def serve() -> None:
        with suppress(OSError):
            connection = listener.accept()[0]
            with connection:
                read_request(connection)
                connection.settimeout(ANSWER_SECONDS)
                answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield lambda seconds: socket.create_connection(("127.0.0.1", port), seconds)
        thread.join(5)


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 2\r\n\r\n[]",
        OK + b"Content-Length: 2\r\nConnection: close\r\n\r\n[]",
        OK.replace(b"1.1", b"1.0") + b"\r\n[]",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\n\r\n",
    ],
)
def test_an_answer_in_any_framing_is_read_to_its_end(answer: bytes) -> None:
    with answering(lambda connection: connection.sendall(answer)) as dial:
        response = request(dial, "POST", "/x", headers={}, body={"a": 1}, seconds=5)

    assert (response.status, response.content_type, response.content) == (200, "application/json", b"[]")


def drip(head: bytes) -> Callable[[socket.socket], object]:
    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(int(ANSWER_SECONDS / DRIP_SECONDS)):
            connection.sendall(b"a")
            time.sleep(DRIP_SECONDS)

    return answer


def flood(connection: socket.socket) -> None:
    connection.sendall(OK + b"\r\n")
    while True:
        connection.sendall(b"x" * 65_536)


@pytest.mark.parametrize(
    "answer",
    [
        lambda _connection: None,
        lambda connection: connection.sendall(b"SSH-2.0-x\r\n"),
        lambda connection: connection.sendall(b"HTTP/1.1 2x0 OK\r\n\r\n"),
        lambda connection: connection.sendall(OK + b"Content-Length: 20\r\n\r\n[]"),
        lambda connection: connection.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        lambda connection: connection.sendall(OK + b"X: y\r\n" * 200 + b"\r\n"),
        lambda connection: connection.sendall(OK + b"X: " + b"y" * 100_000),
        lambda connection: connection.recv(1),
        drip(b""),
        drip(OK),
        drip(OK + b"Content-Length: 100\r\n\r\n"),
        flood,
    ],
)
def test_a_broken_slow_or_endless_answer_is_an_error_in_time(
    answer: Callable[[socket.socket], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_http, "MAX_ANSWER_BYTES", 1_000_000)
    started = time.monotonic()

    with answering(answer) as dial:
        with pytest.raises(SocketHttpError):
            request(dial, "GET", "/x", headers={}, seconds=1)
        elapsed = time.monotonic() - started

    assert elapsed < 8


def test_a_port_without_a_listener_is_an_error() -> None:
    def dial(_seconds: float) -> socket.socket:
        raise ConnectionRefusedError

    with pytest.raises(SocketHttpError, match="ConnectionRefusedError"):
        request(dial, "GET", "/x", headers={}, seconds=1)
