"""Runs blocking calls in batches: requests that arrive while a batch is in flight share the next one.

Under load, the way to a thread and to Redis and back costs more than the call itself. A request that arrives alone
waits for no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeVar

from workers.errors import NotAvailable

Q = TypeVar("Q")
A = TypeVar("A")
Pending = tuple[Q, "asyncio.Future[A]"]

MAX_BATCHES = 3  # batches in flight: while one connection hangs, the others go on
MAX_BATCH_SIZE = 100  # requests in a batch, so that one call stays short


class Batcher(Generic[Q, A]):
    """Submits requests from an event loop to a blocking function that runs outside of it.

    Args:
        run_batch: gets the requests of a batch and returns, for each, its result or the exception to raise.
    """

    def __init__(self, run_batch: Callable[[Sequence[Q]], Sequence[A | Exception]]) -> None:
        self._run_batch = run_batch
        self._threads = ThreadPoolExecutor(MAX_BATCHES)
        self._pending: list[Pending[Q, A]] = []
        self._in_flight = 0

    async def submit(self, request: Q) -> A:
        """The result of the request. Raises its exception, or that of `run_batch` for the whole batch.

        A request that is cancelled before its batch starts is not run.
        """
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._pending.append((request, future))
        self._start_batches()
        return await future

    def _start_batches(self) -> None:
        while self._pending and self._in_flight < MAX_BATCHES:
            batch = [pending for pending in self._pending[:MAX_BATCH_SIZE] if not pending[1].done()]
            del self._pending[:MAX_BATCH_SIZE]
            if batch:
                self._in_flight += 1
                requests = [request for request, _ in batch]
                loop = asyncio.get_running_loop()
                running = loop.run_in_executor(self._threads, self._run, requests)
                running.add_done_callback(partial(self._finish, batch))

    def _run(self, requests: list[Q]) -> Sequence[A | Exception]:
        """Run a batch in a thread. A request that triggers a bug must not fail the others: they run one by one."""
        try:
            return self._run_batch(requests)
        except NotAvailable:
            # An outage concerns the whole batch. Running it again would only multiply the wait.
            raise
        except Exception as error:
            if len(requests) == 1:
                return [error]
            return [result for request in requests for result in self._run([request])]

    def _finish(self, batch: list[Pending[Q, A]], running: asyncio.Future[Sequence[A | Exception]]) -> None:
        self._in_flight -= 1
        error = running.exception()
        results = [error] * len(batch) if error else running.result()
        for (_, future), result in zip(batch, results, strict=True):
            # The client may have disconnected, or waited too long, in the meantime.
            if future.done():
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
        self._start_batches()
