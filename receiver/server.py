"""Uvicorn's server with guarded connections and a slower clock: an idle one wakes once a second, not ten times."""

from __future__ import annotations

import asyncio
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn

from receiver.connection import ConnectionLimits, Connections, GuardedProtocol

TICK_SECONDS = 1.0  # uvicorn renews the Date header of its responses at this interval


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


def build_server(app: Any, host: str, port: int, limits: ConnectionLimits) -> Server:
    """A server for the ASGI app. No header of a request changes the address, scheme or method that the app sees."""
    protocol = partial(GuardedProtocol, guard=Connections(limits))
    config = uvicorn.Config(
        app, host=host, port=port, http=cast(type[asyncio.Protocol], protocol), ws="none", proxy_headers=False,
        # A path can hold the secret, and uvicorn logs paths unless it is told not to.
        access_log=False, log_config=None, server_header=False,
    )  # fmt: skip
    return Server(config)
