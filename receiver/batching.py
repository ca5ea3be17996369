"""Questions that come while others are on their way go with the next lot: one thread and one round trip for all.

Under load the way to a thread and back, and to the store and back, costs more than what is asked; a question alone
waits for nobody.
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
Waiting = tuple[Q, "asyncio.Future[A]"]

MAX_BATCHES = 3
"""On their way at once: where one connection hangs, the others go on."""
MAX_BATCH_SIZE = 100
"""Questions in one lot."""


class Batcher(Generic[Q, A]):
    """Asks from within an event loop what `ask_each` answers outside of it, to each an answer or an exception."""

    def __init__(self, ask_each: Callable[[Sequence[Q]], Sequence[A | Exception]]) -> None:
        self._ask_each, self._threads = ask_each, ThreadPoolExecutor(MAX_BATCHES)
        self._waiting: list[Waiting[Q, A]] = []
        self._under_way = 0

    async def ask(self, question: Q) -> A:
        """The answer. Raises what stands in its place, or what `ask_each` raised; who is cancelled is not asked for."""
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        self._go()
        return await future

    def _go(self) -> None:
        while self._waiting and self._under_way < MAX_BATCHES:
            lot = [one for one in self._waiting[:MAX_BATCH_SIZE] if not one[1].done()]
            del self._waiting[:MAX_BATCH_SIZE]
            if lot:
                self._under_way += 1
                questions = [question for question, _ in lot]
                loop = asyncio.get_running_loop()
                asked = loop.run_in_executor(self._threads, self._answers, questions)
                asked.add_done_callback(partial(self._answered, lot))

    def _answers(self, questions: list[Q]) -> Sequence[A | Exception]:
        """In a thread. A question that is more than the asker can bear takes no other with it."""
        try:
            return self._ask_each(questions)
        except NotAvailable:
            raise
        except Exception as error:
            if len(questions) == 1:
                return [error]
            return [answer for one in questions for answer in self._answers([one])]

    def _answered(self, lot: list[Waiting[Q, A]], asked: asyncio.Future[Sequence[A | Exception]]) -> None:
        self._under_way -= 1
        error = asked.exception()
        answers = [error] * len(lot) if error else asked.result()
        for (_, future), answer in zip(lot, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        self._go()
