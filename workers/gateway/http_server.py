"""A small threaded HTTP/1.1 server that reads requests strictly, for untrusted clients.

It serves any source of connected sockets. A connection is closed after a request that `request_reader` rejects.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

from workers.gateway.request_reader import (
    RECEIVE_BYTES,
    BadRequest,
    Disconnected,
    Request,
    RequestReader,
    read_request,
)

WRITE_SECONDS = 60.0  # until a client that does not read loses its connection
DRAIN_SECONDS = 0.5  # for the rest of a request that was answered early
DRAIN_BYTES = 2**20  # that are read of such a rest
MAX_CONNECTIONS = 32  # at once; opencode uses one or two


@dataclass
class Reply:
    """The answer to one request: `send` for a whole one, else `start`, `write` and `finish`, or `abort`."""

    connection: socket.socket
    keep_alive: bool = True
    started: bool = False
    complete: bool = False

    def send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send a whole answer. Raises Disconnected."""
        self._write(_head(status, {**headers, "content-length": str(len(body))}, self.keep_alive) + body)
        self.complete = True

    def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head of an answer whose length is not known yet. Raises Disconnected."""
        self._write(_head(status, {**headers, "transfer-encoding": "chunked"}, self.keep_alive))

    def write(self, data: bytes) -> None:
        """Send a part of the body at once. Raises Disconnected."""
        if data:
            self._write(b"%x\r\n%b\r\n" % (len(data), data))

    def finish(self) -> None:
        """Mark the end of a body that was written in parts. Raises Disconnected."""
        self._write(b"0\r\n\r\n")
        self.complete = True

    def abort(self) -> None:
        """Reset the connection, so that the client cannot mistake a part for the whole answer."""
        self.keep_alive = False
        with suppress(OSError):
            # Linger of zero seconds: close sends a reset, and no orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The server's thread closes the socket; a shutdown here would send the orderly end.

    def is_disconnected(self) -> bool:
        """True if the client has closed its side. It may not send another request before this one is answered."""
        if not is_readable(self.connection):
            return False
        try:
            return self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def _write(self, data: bytes) -> None:
        self.started = True
        try:
            self.connection.settimeout(WRITE_SECONDS)
            self.connection.sendall(data)
        except OSError as error:
            raise Disconnected(str(error)) from error


def is_readable(connection: socket.socket) -> bool:
    """True if a read would not wait: there is data, or the other side has closed the connection."""
    poll = select.poll()  # select.select fails for descriptors above 1023
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


Handler = Callable[[Request, Reply], None]


class Listener(Protocol):
    """The source of connections: its `accept` raises OSError once it is closed."""

    def __call__(self) -> socket.socket: ...


@dataclass
class HttpServer:
    """Serves connections until `close`, each in a thread of its own.

    Args:
        handle: answers one request; an error that it raises closes the connection.
        max_body_bytes: a longer body is answered with 413.
        reject: the body of the answer to a malformed request, by status and message.
    """

    handle: Handler
    max_body_bytes: int
    reject: Callable[[int, str], bytes] = lambda _status, message: message.encode()
    reject_type: str = "text/plain"
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: bool = False

    def serve(self, accept: Listener) -> None:
        """Serve the connections that `accept` returns, until it raises OSError. Blocks."""
        while not self._closed:
            try:
                connection = accept()
            except OSError:
                return
            if not self._register(connection):
                connection.close()
                continue
            threading.Thread(target=self._serve_connection, args=(connection,), daemon=True).start()

    def close(self) -> None:
        """Close every connection. Handlers that write to one get Disconnected."""
        with self._lock:
            self._closed, connections = True, list(self._open)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _register(self, connection: socket.socket) -> bool:
        with self._lock:
            if self._closed or len(self._open) >= MAX_CONNECTIONS:
                return False
            self._open.add(connection)
            return True

    def _serve_connection(self, connection: socket.socket) -> None:
        reader = RequestReader(connection)
        try:
            with suppress(OSError):  # a Unix socket has no such option
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self._serve_request(connection, reader):
                pass
        except (Disconnected, OSError):
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _serve_request(self, connection: socket.socket, reader: RequestReader) -> bool:
        """Serve one request; False if the connection is to be closed."""
        reply = Reply(connection)
        try:
            request = read_request(reader, self.max_body_bytes)
        except BadRequest as error:
            reply.keep_alive = False
            reply.send(
                error.status, {"content-type": self.reject_type}, self.reject(error.status, str(error))
            )
            _drain(connection)
            return False
        if request is None:
            return False
        reply.keep_alive = "close" not in request.headers.get("connection", "").lower()
        self.handle(request, reply)
        if not reply.complete:
            reply.abort()
        return reply.keep_alive and not self._closed


def _drain(connection: socket.socket) -> None:
    """Read a little of what the client still sends: closing at once would reset the connection and lose the answer."""
    deadline, left = time.monotonic() + DRAIN_SECONDS, DRAIN_BYTES
    connection.shutdown(socket.SHUT_WR)
    while left > 0 and (seconds := deadline - time.monotonic()) > 0:
        connection.settimeout(seconds)
        data = connection.recv(RECEIVE_BYTES)
        if not data:
            return
        left -= len(data)


def _head(status: int, headers: Mapping[str, str], keep_alive: bool) -> bytes:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else "Status"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    lines += [] if keep_alive else ["connection: close"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
