"""`python -m tests.benchmarks.load URL REQUESTS AT_ONCE PER_SECOND`: webhooks over raw sockets, at the least cost.

It is a process of its own, so that it shares no interpreter with the server under test. With PER_SECOND 0, each
connection sends its next request when the last one is answered. Otherwise a request is due every 1/PER_SECOND seconds,
whether or not the others are answered, and its time counts from when it was due. Prints the answers per second and the
99th percentile in milliseconds.
"""

from __future__ import annotations

import json
import selectors
import socket
import statistics
import sys
import time
from collections import deque
from datetime import UTC, datetime
from urllib.parse import urlsplit

SECRET = "bench"


class Connection:
    """A connection that is kept open, with at most one request under way."""

    def __init__(self, address: tuple[str, int], selector: selectors.BaseSelector) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.began, self.answer = 0.0, b""
        selector.register(self.socket, selectors.EVENT_READ, self)

    def send(self, request: bytes, began: float) -> None:
        self.began, self.answer = began, b""
        self.socket.sendall(request)

    def answered(self) -> bool:
        """Read the available bytes; True once the response is complete.

        Raises:
            AssertionError: the response is not a 202, or the connection was closed.
        """
        more = self.socket.recv(65_536)
        assert more, "the connection was closed without a response"
        self.answer += more
        head, blank, body = self.answer.partition(b"\r\n\r\n")
        if not blank:
            return False
        assert head.startswith(b"HTTP/1.1 202"), self.answer
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        return len(body) >= int(length or 0)


def requests(url: str, count: int) -> list[bytes]:
    """Encoded requests with a different webhook each."""
    parts, encoded = urlsplit(url), []
    for number in range(count):
        body = json.dumps(
            {
                "type": "Deployment.crashed",
                "details": {"id": f"d{number}", "status": "CRASHED", "branch": "main", "commitMessage": "More prices"},
                "resource": {
                    "workspace": {"id": "w", "name": "acme"},
                    "project": {"id": "p", "name": "shop"},
                    "environment": {"id": "e", "name": "production", "isEphemeral": False},
                    "service": {"id": f"s{number}", "name": f"service {number}"},
                    "deployment": {"id": f"d{number}"},
                },
                "severity": "WARNING",
                "timestamp": datetime.now(UTC).isoformat(),
            }
        ).encode()  # fmt: skip
        head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nX-Trackwalker-Secret: {SECRET}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        encoded.append(head.encode() + body)
    return encoded


def run(url: str, count: int, at_once: int, per_second: float) -> tuple[float, list[float]]:
    """Answers per second, and the seconds of each."""
    parts, encoded = urlsplit(url), requests(url, count)
    durations: list[float] = []
    selector = selectors.DefaultSelector()
    address = (str(parts.hostname), int(parts.port or 80))
    # The connection that was idle longest is used next, so that the server closes none for being idle.
    idle = deque(Connection(address, selector) for _ in range(at_once))
    begun, sent = time.perf_counter(), 0
    while len(durations) < count:
        now = time.perf_counter()
        while sent < count and (not per_second or begun + sent / per_second <= now):
            if not idle and not per_second:
                break
            connection = idle.popleft() if idle else Connection(address, selector)
            connection.send(encoded[sent], begun + sent / per_second if per_second else now)
            sent += 1
        wait = begun + sent / per_second - time.perf_counter() if per_second and sent < count else 5.0
        for key, _ in selector.select(max(0.0, wait)):
            if key.data.answered():
                durations.append(time.perf_counter() - key.data.began)
                idle.append(key.data)
    return count / (time.perf_counter() - begun), durations


def main() -> int:
    """Print the rate and the 99th percentile."""
    url, count, at_once, per_second = sys.argv[1:]
    rate, durations = run(url, int(count), int(at_once), float(per_second))
    print(rate, statistics.quantiles(durations, n=100)[98] * 1000)
    return 0


if __name__ == "__main__":
    sys.exit(main())
