"""Serves a fake on a real loopback socket, with faults on demand."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Kind = Literal["429", "500", "503", "hang", "refuse", "reset", "drop", "trickle"]
"""429 and 503 have Retry-After; `refuse` is 401; `reset` closes the connection before the request is processed, `drop`
afterwards; `trickle` sends single bytes without end."""
DROP_SECONDS = 0.2


def free_port() -> int:
    """A port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Fault:
    kind: Kind
    times: int
    match: Callable[[str, str], bool]
    retry_after: str


@dataclass
class Faults:
    """The faults to come, and the count of those that happened: `faults.add("429", times=2, path="/pulls")`."""

    waiting: list[Fault] = field(default_factory=list)
    played: list[tuple[Kind, str]] = field(default_factory=list)
    delay_seconds: float = 0.0
    """Seconds before every answer, faults included."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self, kind: Kind, *, times: int = 1, method: str = "", path: str = "", retry_after: str = "1"
    ) -> None:
        """Answer the next `times` requests whose method and path contain the given text with this fault."""
        match = lambda verb, where: method in verb and path in where  # noqa: E731 (two names, one line)
        with self.lock:
            self.waiting.append(Fault(kind, times, match, retry_after))

    def clear(self) -> None:
        """Remove all faults. A hanging request ends at its next poll."""
        with self.lock:
            self.waiting.clear()

    def take(self, method: str, path: str) -> Fault | None:
        with self.lock:
            fault = next(
                (waiting_fault for waiting_fault in self.waiting if waiting_fault.match(method, path)), None
            )
            if fault is None:
                return None
            self.played.append((fault.kind, f"{method} {path}"))
            fault.times -= 1
            if fault.times <= 0:
                self.waiting.remove(fault)
            return fault


class Faulty:
    """ASGI wrapper that applies the faults before, or in place of, the real answer."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self.app, self.faults, self.closing = app, faults, threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self.faults.take(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if self.faults.delay_seconds:
            await asyncio.sleep(self.faults.delay_seconds)
        if fault is None:
            await self.app(scope, receive, send)
        elif fault.kind == "hang":
            await self._hang(receive)
        elif fault.kind == "drop":
            await self.app(scope, receive, _swallow)
        elif fault.kind == "trickle":
            await self._trickle(receive, send)
        if fault is None or fault.kind == "trickle":
            return
        if fault.kind in ("hang", "reset", "drop"):
            # The bound method of uvicorn's cycle: the only way to cut a connection without any answer.
            send.__self__.transport.abort()  # type: ignore[attr-defined]
            await asyncio.sleep(0)  # uvicorn hears of it in the loop's next round
            return
        status = {"429": 429, "500": 500, "503": 503, "refuse": 401}[fault.kind]
        headers = [] if status in (401, 500) else [(b"retry-after", fault.retry_after.encode())]
        headers.append((b"content-length", b"0"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _hang(self, receive: Receive, drop: Callable[[], Awaitable[None]] | None = None) -> None:
        """Wait until the client gives up or the fake stops."""

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        waiting = asyncio.ensure_future(gone())
        while not waiting.done() and not self.closing.is_set():
            await asyncio.wait([waiting], timeout=DROP_SECONDS)
            if drop is not None and not waiting.done():
                await drop()
        waiting.cancel()

    async def _trickle(self, receive: Receive, send: Send) -> None:
        async def drop() -> None:
            await send({"type": "http.response.body", "body": b" ", "more_body": True})

        await send({"type": "http.response.start", "status": 200, "headers": []})
        await self._hang(receive, drop)
        await send({"type": "http.response.body", "body": b"{}"})


async def _swallow(_message: Message) -> None:
    return None


@dataclass
class Running:
    url: str
    port: int


@contextmanager
def serve(app: ASGIApp, faults: Faults | None = None, port: int = 0, **options: Any) -> Iterator[Running]:
    """Serve the app on a loopback port while the block runs."""
    faulty = Faulty(app, faults or Faults())
    config = uvicorn.Config(
        faulty, host="127.0.0.1", port=port, log_level="error", lifespan="off", ws="none",
        timeout_graceful_shutdown=1, **options,
    )  # fmt: skip
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    socket.listen(128)  # a client may be quicker than the server's thread
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    number = socket.getsockname()[1]
    try:
        yield Running(f"http://127.0.0.1:{number}", number)
    finally:
        faulty.closing.set()
        server.should_exit = True
        thread.join(10)
        socket.close()
