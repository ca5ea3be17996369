"""Uvicorn's server with guarded connections and a slower clock: an idle one wakes once a second, not ten times."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn

from receiver.connection import ConnectionLimits, Connections, GuardedProtocol
from workers.errors import SettingsError

BIND_RETRY_SECONDS = 1.0  # between two attempts to listen on a port that another program has
REMIND_ATTEMPTS = 600  # attempts until the port is named again: ten minutes
TICK_SECONDS = 1.0  # uvicorn renews the Date header of its responses at this interval

log = logging.getLogger("trackwalker.web")


class Server(uvicorn.Server):
    """A uvicorn server that still shuts down at once: a signal wakes it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._woken: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Tick until the server has to exit."""
        self._woken, self._loop = asyncio.Event(), asyncio.get_running_loop()
        # uvicorn's counter of tenths of a second: it renews the header at each multiple of ten.
        while not await self.on_tick(0):
            try:
                await asyncio.wait_for(self._woken.wait(), TICK_SECONDS)
            except TimeoutError:
                continue

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note the signal, as uvicorn does, and end the wait of the main loop."""
        super().handle_exit(sig, frame)
        if self._loop is not None and self._woken is not None:
            # A signal handler runs between two bytecodes of any code: only the thread-safe call may be used here.
            self._loop.call_soon_threadsafe(self._woken.set)


def bind(host: str, port: int, wait: Callable[[float], None] = time.sleep) -> socket.socket:
    """A socket that listens on the port, as soon as no other program does.

    While another program has the port, this process waits: a restart would cost a second and tell nothing more.

    Args:
        wait: waits so many seconds between two attempts.

    Raises:
        SettingsError: this user may not listen on the port.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    attempts = 0
    while True:
        try:
            listener.bind((host, port))
        except PermissionError:
            raise SettingsError(("PORT", f"{port} may be used by root only. Set a port above 1023")) from None
        except OSError as error:
            if attempts % REMIND_ATTEMPTS == 0:
                log.warning("port not available, waiting", extra={"why": _port_text(port, error)})
            attempts += 1
            wait(BIND_RETRY_SECONDS)
            continue
        if attempts:
            log.info("port available", extra={"port": port})
        return listener


def _port_text(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use by another program. Waiting for it; or set PORT to another one"
    return f"Port {port} cannot be used: {error.strerror}. Waiting for it; or set PORT to another one"


def build_server(app: Any, host: str, port: int, limits: ConnectionLimits) -> Server:
    """A server for the ASGI app. No header of a request changes the address, scheme or method that the app sees."""
    protocol = partial(GuardedProtocol, guard=Connections(limits))
    config = uvicorn.Config(
        app, host=host, port=port, http=cast(type[asyncio.Protocol], protocol), ws="none", proxy_headers=False,
        # A path can hold the secret, and uvicorn logs paths unless it is told not to.
        access_log=False, log_config=None, server_header=False,
    )  # fmt: skip
    return Server(config)
