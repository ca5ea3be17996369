"""Reads HTTP/1.1 requests strictly.

Everything that two parsers could read differently (request smuggling, RFC 9112 §11.2) is rejected: bare line feeds,
folded headers, white space before a colon, a request with both a length and a transfer coding, repeated headers.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

MAX_HEAD_BYTES = 16_384  # request line and headers; agents send less than 2 KB
MAX_HEADERS = 64  # of one request
MAX_CHUNK_LINE_BYTES = 16  # a chunk's size in hex; extensions are rejected
HEAD_SECONDS = 10.0  # from a request's first byte to the end of its headers
BODY_SECONDS = 60.0  # for the whole body: it comes from the same machine
IDLE_SECONDS = 300.0  # until a connection without a request is closed
RECEIVE_BYTES = 65_536  # of one read from a socket

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


class RequestReader:
    """Reads lines and bytes of a socket, each within a deadline."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.buffer = connection, bytearray()

    def await_request(self, seconds: float) -> bool:
        """False if the client closes the connection, or sends nothing until the timeout."""
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
        """The next `count` bytes."""
        while len(self.buffer) < count:
            if not self._fill(deadline):
                raise Disconnected("the body is incomplete")
        return self._take(count)

    def _take(self, count: int) -> bytes:
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def _fill(self, deadline: float) -> bool:
        self.connection.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self.connection.recv(RECEIVE_BYTES)
        except TimeoutError:
            return False
        self.buffer += data
        return bool(data)


def read_request(reader: RequestReader, max_body_bytes: int) -> Request | None:
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


def _read_body(reader: RequestReader, headers: Mapping[str, str], max_bytes: int) -> bytes:
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


def _read_chunks(reader: RequestReader, max_bytes: int, deadline: float) -> bytes:
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
