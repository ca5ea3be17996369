"""Limits the total time of an HTTP request.

httpx's timeouts apply to each read. A server that sends one byte every few seconds would hold the thread forever.
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
"""The defaults of httpx."""


class _Deadline(threading.local):
    """A time on the monotonic clock. Once it has passed, this thread's reads and writes time out."""

    moment = math.inf


_deadline = _Deadline()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Limit the total time of this thread's requests inside the block.

    A request that takes longer raises httpx.TimeoutException. Applies to clients made by `client` only. Blocks nest;
    the earlier deadline counts.
    """
    before = _deadline.moment
    _deadline.moment = min(before, time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.moment = before


def client(
    *, timeout: float = 5.0, limits: httpx.Limits | None = None, trust_env: bool = True
) -> httpx.Client:
    """An httpx.Client that honours `within`, also through proxies.

    Args:
        timeout: seconds for connecting and for each read and write.
        limits: connection limits; None stands for httpx's defaults.
        trust_env: use the proxies that the environment variables name.
    """
    http = httpx.Client(timeout=timeout, limits=limits or CONNECTION_LIMITS, trust_env=trust_env)
    for transport in (http._transport, *http._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            # httpx has no argument for the network backend of its pool, and a transport of our own would ignore
            # the proxies from the environment. tests/integration/clients/test_deadline.py notices if this breaks.
            transport._pool._network_backend = _Backend(transport._pool._network_backend)
    return http


def _remaining(timeout: float | None, exception: type[httpcore.TimeoutException]) -> float | None:
    """The shorter of the timeout and the time until the deadline, in seconds; None for no limit."""
    remaining = _deadline.moment - time.monotonic()
    if remaining <= 0:
        raise exception("the request exceeded its total time")
    return min(remaining, math.inf if timeout is None else timeout) if math.isfinite(remaining) else timeout


class _Backend(httpcore.NetworkBackend):
    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        timeout = _remaining(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.connect_tcp(host, port, timeout, local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _remaining(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _remaining(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        timeout = _remaining(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
