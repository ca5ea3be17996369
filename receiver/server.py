"""Uvicorn's server with a slower clock: an idle web process wakes once a second instead of ten times."""

from __future__ import annotations

import asyncio
from types import FrameType

import uvicorn

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
