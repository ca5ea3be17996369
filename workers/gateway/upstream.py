"""A model provider as the gateway reaches it: its address, its key, its price, and the connections to it."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol
from urllib.parse import SplitResult, urlencode, urlsplit

from pydantic import SecretStr

from workers.gateway.formats import FormatName, TokenUsage
from workers.gateway.http_server import is_readable

SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie|session|pass", re.IGNORECASE)
"""Headers whose values are secrets. Others hold names and addresses, which may occur anywhere."""
CONNECT_SECONDS = 10.0  # until a provider must have accepted a connection
READ_BYTES = 65_536  # largest part of an answer that is passed on at once
MAX_IDLE_CONNECTIONS = 2  # opencode makes one or two calls at once


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens."""

    input: float
    output: float
    cache_read: float | None = None
    """None: as input."""
    cache_write: float | None = None
    """None: as input."""
    long_input: tuple[int, float, float] | None = None
    """Number of input tokens above which a call costs more, and its prices of input and output then."""
    source: str = ""
    """The source of the price, for people."""

    def cost(self, usage: TokenUsage) -> float:
        """US dollars for the tokens of one call."""
        read = self.input if self.cache_read is None else self.cache_read
        write = self.input if self.cache_write is None else self.cache_write
        sent = usage.input * self.input + usage.cache_read * read + usage.cache_write * write
        received = usage.output * self.output
        if self.long_input and usage.total - usage.output > self.long_input[0] and self.input and self.output:
            sent *= self.long_input[1] / self.input
            received *= self.long_input[2] / self.output
        return (sent + received) / 1e6

    def upper_bound(self, tokens_in: int, tokens_out: int) -> float:
        """The highest cost of a call with at most this many tokens."""
        kinds = (
            TokenUsage(input=tokens_in, output=tokens_out),
            TokenUsage(cache_read=tokens_in, output=tokens_out),
            TokenUsage(cache_write=tokens_in, output=tokens_out),
        )
        return max(map(self.cost, kinds))


@dataclass(frozen=True)
class Upstream:
    """The provider of one model."""

    formats: tuple[FormatName, ...]
    """The APIs that the provider serves below its base URL; opencode uses the first one."""
    base_url: str
    key: SecretStr
    """Empty for a local model that needs none."""
    model: str
    """The only model that may be asked for."""
    key_header: str = "authorization"
    """`authorization` carries `Bearer <key>`, every other header the key alone."""
    headers: Mapping[str, SecretStr] = field(default_factory=dict)
    """The user's own headers for this provider."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Parameters of every request, for example Azure's `api-version`."""
    price: Price | None = None
    """None: the price is not known, and only tokens are limited."""
    max_output_tokens: int = 32_000
    """Limit of one answer; opencode asks for as many unless the model's `limit.output` says otherwise."""
    asks_for_usage: bool = True
    """False if the provider rejects `stream_options`."""

    @cached_property
    def parts(self) -> SplitResult:
        return urlsplit(self.base_url)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that the worker sends to the provider only."""
        values = [self.key, *(value for name, value in self.headers.items() if SECRET_HEADER.search(name))]
        return tuple(value.get_secret_value() for value in values if value.get_secret_value())

    def target(self, path: str, query: Mapping[str, str]) -> str:
        """The request target for a path below the base URL."""
        parameters = urlencode({**self.query, **query})
        return self.parts.path.rstrip("/") + path + (f"?{parameters}" if parameters else "")

    def request_headers(self) -> dict[str, str]:
        """The headers of every request: what is sent, the user's own headers and the key."""
        headers = {
            "content-type": "application/json",
            "user-agent": "trackwalker",
            "accept-encoding": "identity",
        }
        headers |= {name.lower(): value.get_secret_value() for name, value in self.headers.items()}
        if key := self.key.get_secret_value():
            headers[self.key_header] = f"Bearer {key}" if self.key_header == "authorization" else key
        return headers


class Broken(Exception):
    """The provider cannot be reached, or its answer breaks off. `sent` is True if the request reached it."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class Answer(Protocol):
    """The head of an answer, and its body as it arrives."""

    @property
    def status(self) -> int: ...

    def header(self, name: str) -> str:
        """The value of a header on one line, "" if it is missing."""

    def parts(self) -> Iterator[bytes]:
        """The body in parts, as soon as each arrives and without a compression. Raises Broken."""


@dataclass
class ProviderAnswer:
    """The answer of a provider."""

    connection: http.client.HTTPConnection
    response: http.client.HTTPResponse

    @property
    def status(self) -> int:
        return self.response.status

    def header(self, name: str) -> str:
        """The value of a header on one line, "" if it is missing."""
        return " ".join((self.response.getheader(name) or "").split())

    def parts(self) -> Iterator[bytes]:
        """The body in parts, as soon as each arrives and without a compression. Raises Broken."""
        coding = self.header("content-encoding").lower()
        if coding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise Broken(
                f"the answer is compressed with {coding[:20]}, although no compression was asked for"
            )
        # 32 more than the window's bits: zlib finds out whether the header is that of gzip or of zlib.
        unzip = zlib.decompressobj(32 + zlib.MAX_WBITS) if coding not in ("", "identity") else None
        length = self.response.length
        received = 0
        try:
            while data := self.response.read1(READ_BYTES):
                received += len(data)
                yield from _decompressed(unzip, data) if unzip else (data,)
        except (OSError, http.client.HTTPException, zlib.error, ValueError) as error:
            raise Broken(f"the answer breaks off ({type(error).__name__})") from error
        if length is not None and received < length:
            # `read1` does not notice that an answer ends before its content-length.
            raise Broken("the answer breaks off")


def _decompressed(unzip: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """The parts that the data holds, each bounded: a small answer can hold gigabytes."""
    while data:
        part = unzip.decompress(data, READ_BYTES)
        if part:
            yield part
        data = unzip.unconsumed_tail


@dataclass
class Provider:
    """The connections to a provider. Redirects are not followed, and no proxy of the environment is used."""

    upstream: Upstream
    _idle: list[http.client.HTTPConnection] = field(default_factory=list)
    _busy: dict[http.client.HTTPConnection, socket.socket | None] = field(default_factory=dict)
    """http.client forgets the socket of a connection that ends with its answer, but `close` needs it."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: bool = False

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def post(self, target: str, headers: Mapping[str, str], body: bytes, silence_seconds: float) -> Answer:
        """Send a request and return the head of its answer. Raises Broken.

        Args:
            silence_seconds: until the answer, or its next part, must arrive.
        """
        connection, sent = self._connection(), False
        try:
            if connection.sock is None:
                connection.connect()  # http.client sets TCP_NODELAY itself
            connected: socket.socket = connection.sock
            connected.settimeout(silence_seconds)
            with self._lock:
                self._busy[connection] = connected
            sent = True
            connection.request("POST", target, body, dict(headers))
            return ProviderAnswer(connection, connection.getresponse())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._forget(connection)
            reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise Broken(f"no answer ({reason})", sent=sent) from error

    def done(self, answer: Answer) -> None:
        """Keep the connection of an answer that was read to its end for the next call, close any other."""
        if not isinstance(answer, ProviderAnswer):
            raise TypeError("the answer does not come from this provider")
        connection = answer.connection
        is_reusable = answer.response.isclosed() and connection.sock is not None
        answer.response.close()
        with self._lock:
            if is_reusable and not self._closed and len(self._idle) < MAX_IDLE_CONNECTIONS:
                del self._busy[connection]
                self._idle.append(connection)
                return
        self._forget(connection)

    def close(self) -> None:
        """End all calls; the threads that wait for an answer get Broken."""
        with self._lock:
            self._closed, idle = True, self._idle
            self._idle = []
            sockets = list(self._busy.values())
        for connection in idle:
            connection.close()
        for connected in filter(None, sockets):
            with suppress(OSError):
                # A thread that is blocked in a read does not notice a close, but it does notice a shutdown.
                connected.shutdown(socket.SHUT_RDWR)

    def _forget(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            self._busy.pop(connection, None)
        connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        with self._lock:
            if self._closed:
                raise Broken("the gateway is closed", sent=False)
            while self._idle:
                connection = self._idle.pop()
                # Readable before a request means that the provider has closed it.
                if connection.sock and not is_readable(connection.sock):
                    self._busy[connection] = connection.sock
                    return connection
                connection.close()
        parts, host = self.upstream.parts, self.upstream.parts.hostname or ""
        connection = (
            http.client.HTTPSConnection(host, parts.port, timeout=CONNECT_SECONDS, context=self._tls)
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, parts.port, timeout=CONNECT_SECONDS)
        )
        with self._lock:
            self._busy[connection] = connection.sock
        return connection
