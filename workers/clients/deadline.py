"""A call over HTTP ends within a time of its own, however slowly its bytes come.

httpx's timeouts are for each read: an answer that trickles, a byte every few seconds, would hold its thread for ever.
"""

from __future__ import annotations

import math
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

CONNECTION_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20)
"""httpx's own."""


class _Until(threading.local):
    """On the monotonic clock: the moment from which on this thread reads and writes no more."""

    moment = math.inf


_until = _Until()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Calls that this thread makes in the block, with a client of ours, end by then as httpx.TimeoutException."""
    before = _until.moment
    _until.moment = min(before, time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.moment = before


def client(
    *, timeout: float = 5.0, limits: httpx.Limits | None = None, trust_env: bool = True
) -> httpx.Client:
    """An httpx.Client that keeps to `within`, through proxies too."""
    made = httpx.Client(timeout=timeout, limits=limits or CONNECTION_LIMITS, trust_env=trust_env)
    for transport in (made._transport, *made._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            # httpx passes no network backend on to its pool, and a transport of our own would do without proxies.
            transport._pool._network_backend = _Backend(transport._pool._network_backend)
    return made


def _left(timeout: float | None, late: type[httpcore.TimeoutException]) -> float | None:
    left = _until.moment - time.monotonic()
    if left <= 0:
        raise late("the call took too long as a whole")
    return min(left, math.inf if timeout is None else timeout) if math.isfinite(left) else timeout


class _Backend(httpcore.NetworkBackend):
    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        timeout = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.connect_tcp(host, port, timeout, local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        timeout = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
