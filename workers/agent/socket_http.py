"""HTTP requests to a server in the sandbox, each over a new socket, within bounds of time and size.

The server may be hostile: it may answer endlessly, slowly, or with another protocol.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MAX_ANSWER_BYTES = 64 * 2**20
"""Bytes of an answer. The messages of a long session take some megabytes."""
MIN_SECONDS = 0.001
"""Timeout of a read after the deadline; 0 would mean a socket that never waits."""

Dial = Callable[[float], socket.socket]
"""Connects to the server within so many seconds; raises OSError."""


class SocketHttpError(Exception):
    """The server cannot be reached, breaks off, speaks no HTTP, or answers more or slower than it may."""


@dataclass(frozen=True)
class Response:
    """An answer of the server."""

    status: int
    content_type: str
    content: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class _Stream(io.RawIOBase):
    """The bytes that a socket receives until the deadline, which applies to all reads together."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket, self._deadline = connected, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(max(MIN_SECONDS, self._deadline - time.monotonic()))
        return self._socket.recv_into(buffer)


class _Socket:
    """The part of a socket that http.client uses."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket, self._deadline = connected, deadline
        self.sendall = connected.sendall

    def close(self) -> None:
        """Leave the socket open: http.client closes it before it reads the answer. `request` closes it."""

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Stream(self._socket, self._deadline))


class _Connection(http.client.HTTPConnection):
    """A connection over a socket that the caller makes."""

    def __init__(self, dial: Dial, seconds: float) -> None:
        super().__init__("127.0.0.1")
        self._dial, self._seconds = dial, seconds
        self.connected: socket.socket | None = None

    def connect(self) -> None:
        deadline = time.monotonic() + self._seconds
        self.connected = self._dial(self._seconds)
        self.connected.settimeout(self._seconds)
        self.sock: Any = _Socket(self.connected, deadline)


def request(
    dial: Dial, method: str, path: str, *, headers: Mapping[str, str], body: object = None, seconds: float
) -> Response:
    """The answer to one request.

    Args:
        dial: makes the socket.
        method: HTTP's method.
        path: path and query.
        headers: headers of the request.
        body: sent as JSON; None sends none.
        seconds: for the whole request.

    Raises:
        SocketHttpError: there is no complete answer within the bounds.
    """
    connection = _Connection(dial, seconds)
    content = None if body is None else json.dumps(body).encode()
    kind = {} if body is None else {"Content-Type": "application/json"}
    try:
        connection.request(method, path, content, {"Connection": "close", **headers, **kind})
        response = connection.getresponse()
        answer = response.read(MAX_ANSWER_BYTES + 1)
        if len(answer) > MAX_ANSWER_BYTES:
            raise SocketHttpError(f"the answer is larger than {MAX_ANSWER_BYTES // 2**20} MiB")
        if (
            response.length
        ):  # `read` with a limit does not notice that an answer ends before its content-length
            raise SocketHttpError("the answer breaks off")
        return Response(response.status, response.headers.get("Content-Type", ""), answer)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SocketHttpError(f"{type(error).__name__}: {error}") from error
    finally:
        if connection.connected is not None:
            connection.connected.close()


def basic_auth(user: str, password: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
