"""The mini platform's edge: forwards requests from a real socket to the live process and records each."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

UPSTREAM_SECONDS = 30.0
FALLBACKS = {
    502: {"status": "error", "code": 502, "message": "Application failed to respond"},
    404: {"status": "error", "code": 404, "message": "Application not found"},
}


@dataclass(frozen=True)
class Target:
    """The live process. `port` is None if there is none."""

    deployment_id: str
    instance_id: str
    port: int | None


@dataclass(frozen=True)
class Passed:
    """One request at the edge. `error` is empty if the service answered."""

    at: float
    method: str
    path: str
    status: int
    ms: float
    target: Target | None
    error: str = ""


@contextmanager
def edge(target: Callable[[], Target | None], note: Callable[[Passed], None]) -> Iterator[str]:
    """The public address of a service while the block runs."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.target, server.note = target, note
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="edge")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128
    target: Callable[[], Target | None]
    note: Callable[[Passed], None]

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that closes the connection early."""


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.0 towards the client: one request per connection, so that closing never waits for a client."""

    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        self._pass_on()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET

    def _pass_on(self) -> None:
        at, began = time.time(), time.monotonic()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = self.server.target()
        status, content, kind, error = self._ask(target, body)
        passed = Passed(at, self.command, self.path, status, (time.monotonic() - began) * 1000, target, error)
        self.server.note(passed)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Server", "railway-edge")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _ask(self, target: Target | None, body: bytes) -> tuple[int, bytes, str, str]:
        if target is None:
            return 404, json.dumps(FALLBACKS[404]).encode(), "application/json", "no deployment"
        if target.port is None:
            return 502, json.dumps(FALLBACKS[502]).encode(), "application/json", "connection refused"
        connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=UPSTREAM_SECONDS)
        try:
            kind = self.headers.get("Content-Type", "application/json")
            connection.request(
                self.command, self.path, body or None, {"Content-Type": kind, "Connection": "close"}
            )
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, content, answer.getheader("Content-Type", "text/plain"), ""
        except ConnectionRefusedError:
            return 502, json.dumps(FALLBACKS[502]).encode(), "application/json", "connection refused"
        except TimeoutError:
            return 502, json.dumps(FALLBACKS[502]).encode(), "application/json", "upstream request timeout"
        except (OSError, http.client.HTTPException):
            return 502, json.dumps(FALLBACKS[502]).encode(), "application/json", "connection closed"
        finally:
            connection.close()

    def log_message(self, _format: str, *args: object) -> None:
        """No log: the edge records requests itself."""
