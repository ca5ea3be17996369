"""The HTTP/1.1 connections of the web process: uvicorn's protocol with deadlines, bounds and a strict reading of heads.

A client cannot hold the receiver's resources cheaply: each request has a deadline, the number of connections has a
bound, and an answer to an unread body closes the connection. No bound is per client, because a proxy stands in front of
the receiver and all requests come from its address.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import h11
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# Folded lines, line feeds without carriage return and control characters: h11 reads what proxies may read differently.
FORBIDDEN_IN_HEAD = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\n[ \t]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
CLOSE_HEADER = (b"connection", b"close")
BUSY_BODY = b"too many connections\n"
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(BUSY_BODY), BUSY_BODY)
)

STREAM_MARK = "is_event_stream"
"""Attribute of a request's `state`: its response goes on until the client, the handler or the server ends it."""

log = logging.getLogger("trackwalker.web")


@dataclass(frozen=True)
class ConnectionLimits:
    """Bounds of the receiver's connections. No honest sender reaches them."""

    request_seconds: float = 10.0  # from the first byte, or from the connection, to the end of the request
    response_seconds: float = 10.0  # from the end of the request until the client has taken the response
    idle_seconds: float = 5.0  # between two requests of one connection
    linger_seconds: float = 2.0  # after an answer to an unread body, until the client has to be gone
    linger_bytes: int = 1_048_576  # of the unread body that are read and dropped
    connections: int = 256  # open at once, and as many that linger; the default limit of open files is 1024


@dataclass
class Connections:
    """The connections of one server, by phase."""

    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    open: set[GuardedProtocol] = field(default_factory=set)
    waiting: dict[GuardedProtocol, None] = field(default_factory=dict)
    """Connections without a complete request, oldest first."""
    lingering: set[GuardedProtocol] = field(default_factory=set)
    """Connections that are answered and whose client has not closed them yet."""

    def forget(self, connection: GuardedProtocol) -> None:
        """Remove a connection from all phases."""
        self.open.discard(connection)
        self.waiting.pop(connection, None)
        self.lingering.discard(connection)


class StrictConnection(h11.Connection):
    """h11's parser, which refuses heads that a proxy in front may have read in another way."""

    def next_event(self) -> Any:
        """The next event. Raises RemoteProtocolError for a head that is not strictly HTTP/1.1."""
        if self.their_state is h11.IDLE:
            head = self.trailing_data[0].partition(b"\r\n\r\n")[0]
            if FORBIDDEN_IN_HEAD.search(head):
                raise h11.RemoteProtocolError("folded line or control character in the head")
        event = super().next_event()
        if isinstance(event, h11.Request):
            if event.http_version not in (b"1.0", b"1.1"):
                raise h11.RemoteProtocolError("not HTTP/1")
            names = {name for name, _ in event.headers}
            # RFC 9112, section 6.3: the classic disagreement between proxy and server about where a body ends.
            if {b"content-length", b"transfer-encoding"} <= names:
                raise h11.RemoteProtocolError("both Content-Length and Transfer-Encoding")
            if b"transfer-encoding" in names and event.http_version != b"1.1":
                raise h11.RemoteProtocolError("Transfer-Encoding in HTTP/1.0")
        return event


class GuardedProtocol(H11Protocol):
    """One connection. Its timer runs from the connection to its end; each phase sets it anew.

    Args:
        guard: what all connections of the server share.
    """

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None, *, guard: Connections,
    ) -> None:  # fmt: skip
        super().__init__(config, server_state, app_state, _loop)
        self.conn = StrictConnection(h11.SERVER)
        self.guard, self.limits = guard, guard.limits
        self.timeout_keep_alive = guard.limits.idle_seconds  # type: ignore[assignment]  # a timer takes fractions
        self._socket: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self._received = self.is_closing = False
        self._has_answered = False
        self._dropped_bytes = 0

    # -- asyncio's side -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline of the first request. At the bound, the oldest incomplete request is refused."""
        self._socket = transport
        self.guard.open.add(self)
        super().connection_made(_ClosingTransport(self, transport))  # type: ignore[arg-type]
        self._await_request()
        if len(self.guard.open) > self.limits.connections:
            next(iter(self.guard.waiting)).refuse()  # this one, if all others are being answered

    def data_received(self, data: bytes) -> None:
        """Parse what arrived. After the answer of a closing connection, drop a bounded amount of it."""
        if self.is_closing:
            self._dropped_bytes += len(data)
            if self._dropped_bytes > self.limits.linger_bytes:
                self._socket.pause_reading()  # the sender stalls until the timer ends the connection
            return
        if self._timer is None:
            self._await_request()
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        self.guard.forget(self)
        super().connection_lost(exc)

    # -- uvicorn's side -------------------------------------------------------------------------------

    def handle_events(self) -> None:
        """Handle what the parser has read, and note the end of a request."""
        super().handle_events()
        has_ended = self.conn.their_state in (h11.DONE, h11.MUST_CLOSE)
        if has_ended and not (self._received or self.is_closing):
            self._received = True
            self.guard.waiting.pop(self, None)
            self._start_timer(self.limits.response_seconds)

    def on_response_complete(self) -> None:
        """Continue with the next request, unless the body of this one was not read."""
        if self.conn.their_state is h11.SEND_BODY:
            self.close()
        if not self.is_closing:
            self._stop_timer()
            self._received = False
            self._has_answered = True
            self.guard.waiting[self] = None  # an idle connection may be refused, too
        super().on_response_complete()
        # Without uvicorn's timer for idle connections, a part of a pipelined request has begun.
        if self.timeout_keep_alive_task is None and self._timer is None:
            self._await_request()

    def send_400_response(self, msg: str) -> None:
        """Answer a malformed request, unless an answer is under way."""
        self._answer(400, msg)

    @property
    def _is_stream(self) -> bool:
        """True while a stream of events is sent: `receiver.page` marks its requests."""
        cycle: RequestResponseCycle | None = self.cycle
        is_running = cycle is not None and not cycle.response_complete
        return is_running and bool(self.scope.get("state", {}).get(STREAM_MARK))

    def _should_upgrade(self) -> bool:
        return False  # no endpoint speaks another protocol; `close_after_errors` answers websockets

    def shutdown(self) -> None:
        """End the connection once its request is answered."""
        if self.is_closing:
            self._socket.abort()
        elif self._is_stream:
            self.close()  # it would never end by itself
        else:
            super().shutdown()

    # -- the phases -----------------------------------------------------------------------------------

    def refuse(self) -> None:
        """Answer 503 in place of a request that is not complete, to make room for another connection."""
        is_idle = self._has_answered and self.conn.their_state is h11.IDLE
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not is_idle:
            self._socket.write(BUSY)
        self.close()

    def _await_request(self) -> None:
        self.guard.waiting.pop(self, None)
        self.guard.waiting[self] = None
        self._start_timer(self.limits.request_seconds)

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._expire)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        if self._is_stream and not (self.is_closing or self._socket.get_write_buffer_size()):
            self._start_timer(self.limits.response_seconds)  # the client has taken all events so far
            return
        if self.is_closing or self._received or self._socket.get_write_buffer_size():
            self._socket.abort()
        elif self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            self.close()
        else:
            self._answer(408, "the request did not arrive in time")

    def _answer(self, status: int, text: str) -> None:
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.close()
            return
        length = (b"content-length", b"%d" % len(text))
        headers = [(b"content-type", b"text/plain; charset=utf-8"), length, CLOSE_HEADER]
        for event in (
            h11.Response(status_code=status, headers=headers),
            h11.Data(text.encode()),
            h11.EndOfMessage(),
        ):
            self._socket.write(self.conn.send(event) or b"")
        self.close()

    def close(self) -> None:
        """End the connection so that the answer arrives: closing a socket with unread bytes resets it."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True  # frees the handler that waits for the body
            cycle.message_event.set()
        if self.is_closing or self._socket.is_closing():
            return
        self.is_closing = True
        self.guard.forget(self)
        self._unset_keepalive_if_required()
        is_unread = self.conn.their_state in (h11.SEND_BODY, h11.ERROR) or self.conn.trailing_data[0]
        if is_unread and len(self.guard.lingering) < self.limits.connections:
            self.guard.lingering.add(self)
            with suppress(OSError):  # the client has reset the connection, and asyncio does not know yet
                self._socket.write_eof()
            self.flow.resume_reading()
        else:
            self._socket.close()
        self._start_timer(self.limits.linger_seconds)


class _ClosingTransport:
    """The transport that uvicorn sees: its `close` lets the answer arrive first."""

    def __init__(self, protocol: GuardedProtocol, transport: asyncio.Transport) -> None:
        self._protocol, self._transport = protocol, transport
        self.close = protocol.close

    def is_closing(self) -> bool:
        return self._protocol.is_closing or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        if not self.is_closing():
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def close_after_errors(app: App) -> App:
    """An ASGI app that closes the connection after every error, and answers 400 to a websocket handshake.

    A client whose request was refused has to make a new connection: it cannot hold one with cheap requests.
    """

    async def respond(scope: Message, receive: Receive, send: Send) -> None:
        async def send_closing(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                message["headers"] = [*message["headers"], CLOSE_HEADER]
            await send(message)

        if scope["type"] == "http" and _is_websocket_handshake(scope):
            await send_closing({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"websockets are not supported\n"})
        else:
            await app(scope, receive, send_closing)

    return respond


def _is_websocket_handshake(scope: Message) -> bool:
    return any(name == b"upgrade" and b"websocket" in value.lower() for name, value in scope["headers"])
