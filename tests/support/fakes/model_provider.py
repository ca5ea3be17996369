"""A stand-in for a model provider over a real socket: it records what it gets and answers by a script."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Exchange = BaseHTTPRequestHandler
Script = Callable[[Exchange], None]


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: dict[str, Any]


@dataclass
class FakeProvider:
    """The provider. Each request takes the next script; the last one is used again and again."""

    scripts: list[Script] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    url: str = ""
    under_way: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, exchange: Exchange) -> None:
        raw = exchange.rfile.read(int(exchange.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in exchange.headers.items()}
        with self.lock:
            self.received.append(Received(exchange.path, headers, json.loads(raw)))
            self.under_way += 1
            self.most_at_once = max(self.most_at_once, self.under_way)
            script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        try:
            script(exchange)
        finally:
            with self.lock:
                self.under_way -= 1

    @contextmanager
    def serving(self) -> Iterator[FakeProvider]:
        """Serve on a loopback port for the block."""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                provider.take(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Keep the test's output free of requests."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A reset connection is part of some tests."""

        server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


def stream(
    parts: Sequence[bytes],
    *,
    end: str = "proper",
    pause_seconds: float = 0.0,
    content_type: str = "text/event-stream",
) -> Script:
    """Answer with a chunked stream.

    Args:
        end: `proper`, `cut` (the connection ends without the last chunk), `reset`, or `hang` (nothing more comes).
        pause_seconds: before each part but the first.
    """

    def script(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.send_header("content-type", content_type)
        exchange.send_header("transfer-encoding", "chunked")
        exchange.end_headers()
        for number, part in enumerate(parts):
            time.sleep(pause_seconds if number else 0)
            exchange.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        if end == "proper":
            exchange.wfile.write(b"0\r\n\r\n")
            return
        exchange.close_connection = True
        if end == "hang":
            exchange.connection.settimeout(30)
            exchange.connection.recv(1)
        if end == "reset":
            exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return script


def whole(body: Any, status: int = 200, coding: str = "", **headers: str) -> Script:
    """Answer with one JSON body, compressed if `coding` is gzip."""

    def script(exchange: Exchange) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        data = gzip.compress(data) if coding == "gzip" else data
        exchange.send_response(status)
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        fixed = {"content-type": "application/json", "content-length": str(len(data))}
        for name, value in (fixed | fields | ({"content-encoding": coding} if coding else {})).items():
            exchange.send_header(name, value)
        exchange.end_headers()
        exchange.wfile.write(data)

    return script


def raw(data: bytes) -> Script:
    """Answer with these bytes and close the connection."""

    def script(exchange: Exchange) -> None:
        exchange.wfile.write(data)
        exchange.close_connection = True

    return script


def silent(exchange: Exchange) -> None:
    """Never answer."""
    exchange.connection.settimeout(30)
    exchange.connection.recv(1)
    exchange.close_connection = True
