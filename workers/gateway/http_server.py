"""A small threaded HTTP/1.1 server that reads requests strictly, for clients that nobody trusts.

It serves any source of connected sockets. Everything that two parsers could read differently (request smuggling, RFC
9112 §11.2) is rejected: bare line feeds, folded headers, white space before a colon, a request with both a length and
a transfer coding, repeated lengths. A connection is closed after any such request.
"""

from __future__ import annotations

import re
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

MAX_HEAD_BYTES = 16_384  # request line and headers; agents send less than 2 KB
MAX_HEADERS = 64  # of one request
MAX_CHUNK_LINE_BYTES = 16  # a chunk's size in hex; extensions are rejected
HEAD_SECONDS = 10.0  # from a request's first byte to the end of its headers
BODY_SECONDS = 60.0  # for the whole body: it comes from the same machine
IDLE_SECONDS = 300.0  # until a connection without a request is closed
WRITE_SECONDS = 60.0  # until a client that does not read loses its connection
DRAIN_SECONDS = 0.5  # for the rest of a request that was answered early
DRAIN_BYTES = 2**20  # of such a rest
RECEIVE_BYTES = 65_536  # of one read from a socket
MAX_CONNECTIONS = 32  # at once; opencode uses one or two

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2
REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) ([\x21-\x7e]{1,4096}) HTTP/1\.([01])")
BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
FIELD_VALUE = re.compile(rb"[\x20-\x7e\t]*")  # no control characters, and no obs-text either


class BadRequest(Exception):
    """The request is malformed or too large; `status` is the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Disconnected(Exception):
    """The client closed its connection, or reads too slowly."""


@dataclass(frozen=True)
class Request:
    """One request. Names of headers are in lower case; a header that is repeated is in none of them."""

    method: str
    target: str
    """The path and the query, as they were sent."""
    headers: Mapping[str, str]
    body: bytes


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
        """Reset the connection, so that the client cannot take what it got for the whole answer."""
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
        reader = _Reader(connection)
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

    def _serve_request(self, connection: socket.socket, reader: _Reader) -> bool:
        """Serve one request; False if the connection is to be closed."""
        reply = Reply(connection)
        try:
            request = read_request(reader, self.max_body_bytes)
        except BadRequest as error:
            reply.keep_alive = False
            reply.send(
                error.status, {"content-type": self.reject_type}, self.reject(error.status, str(error))
            )
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


class _Reader:
    """Reads lines and bytes of a socket, each within a deadline."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.buffer = connection, bytearray()

    def await_request(self, seconds: float) -> bool:
        """False if the client closes the connection, or sends nothing for so long."""
        return bool(self.buffer) or self._fill(time.monotonic() + seconds)

    def head(self, deadline: float) -> bytes:
        """Everything up to the empty line that ends the headers, without that line."""
        start = 0
        while (end := self.buffer.find(b"\r\n\r\n", start)) < 0:
            start = max(0, len(self.buffer) - 3)
            # A bare line feed ends a line for some parsers; waiting for more would only delay the answer.
            if BARE_LINE_FEED.search(self.buffer):
                raise BadRequest(400, "a line ends without a carriage return")
            if len(self.buffer) > MAX_HEAD_BYTES:
                raise BadRequest(431, "the headers are too large")
            if not self._fill(deadline):
                raise Disconnected("the headers are incomplete")
        if end > MAX_HEAD_BYTES:
            raise BadRequest(431, "the headers are too large")
        return self._take(end + 4)[:-4]

    def line(self, deadline: float) -> bytes:
        """A line of a chunked body, without its line end."""
        while (end := self.buffer.find(b"\r\n")) < 0:
            if len(self.buffer) > MAX_CHUNK_LINE_BYTES:
                raise BadRequest(400, "a chunk's size is malformed")
            if not self._fill(deadline):
                raise Disconnected("the body is incomplete")
        if end > MAX_CHUNK_LINE_BYTES:
            raise BadRequest(400, "a chunk's size is malformed")
        return self._take(end + 2)[:-2]

    def exactly(self, count: int, deadline: float) -> bytes:
        """So many bytes."""
        while len(self.buffer) < count:
            if not self._fill(deadline):
                raise Disconnected("the body is incomplete")
        return self._take(count)

    def _take(self, count: int) -> bytes:
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def _fill(self, deadline: float) -> bool:
        self.connection.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self.connection.recv(RECEIVE_BYTES)
        except TimeoutError:
            return False
        self.buffer += data
        return bool(data)


def read_request(reader: _Reader, max_body_bytes: int) -> Request | None:
    """The next request of a connection, None if the client is done. Raises BadRequest and Disconnected."""
    if not reader.await_request(IDLE_SECONDS):
        return None
    head = reader.head(time.monotonic() + HEAD_SECONDS)
    first, *lines = head.split(b"\r\n")
    match = REQUEST_LINE.fullmatch(first)
    if match is None:
        raise BadRequest(400, "the request line is malformed")
    if match[3] == b"0":
        raise BadRequest(505, "HTTP/1.1 is required")
    headers = _headers(lines)
    if headers.get("expect", "").lower() == "100-continue":
        reader.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = _read_body(reader, headers, max_body_bytes)
    return Request(match[1].decode(), match[2].decode(), headers, body)


def _headers(lines: list[bytes]) -> dict[str, str]:
    if len(lines) > MAX_HEADERS:
        raise BadRequest(431, "there are too many headers")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.fullmatch(name) or not FIELD_VALUE.fullmatch(value):
            raise BadRequest(400, "a header is malformed")
        key = name.decode().lower()
        if key in headers:
            raise BadRequest(400, f"the header {key} is repeated")
        headers[key] = value.decode().strip(" \t")
    if "host" not in headers:
        raise BadRequest(400, "the header host is missing")
    return headers


def _read_body(reader: _Reader, headers: Mapping[str, str], max_bytes: int) -> bytes:
    deadline = time.monotonic() + BODY_SECONDS
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if length is not None and coding is not None:
        raise BadRequest(400, "a request has either a content-length or a transfer-encoding")
    if coding is not None:
        if coding.lower() != "chunked":
            raise BadRequest(501, "no other transfer-encoding than chunked is supported")
        return _read_chunks(reader, max_bytes, deadline)
    if length is None:
        return b""
    if not re.fullmatch(r"[0-9]{1,12}", length):
        raise BadRequest(400, "the content-length is malformed")
    if int(length) > max_bytes:
        raise BadRequest(413, f"the body is larger than {max_bytes} bytes")
    return reader.exactly(int(length), deadline)


def _read_chunks(reader: _Reader, max_bytes: int, deadline: float) -> bytes:
    body = bytearray()
    while True:
        size_line = reader.line(deadline)
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size_line):
            raise BadRequest(400, "a chunk's size is malformed")
        size = int(size_line, 16)
        if len(body) + size > max_bytes:
            raise BadRequest(413, f"the body is larger than {max_bytes} bytes")
        data = reader.exactly(size + 2, deadline)
        if data[-2:] != b"\r\n":
            # Also after the last chunk: trailers are rejected.
            raise BadRequest(400, "a chunk does not end where its size says")
        if size == 0:
            return bytes(body)
        body += data[:-2]


def _head(status: int, headers: Mapping[str, str], keep_alive: bool) -> bytes:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else "Status"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    lines += [] if keep_alive else ["connection: close"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
