"""Batches: which requests share one, and how failures are kept apart."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from receiver.batching import MAX_BATCH_SIZE, MAX_BATCHES, Batcher
from tests.support.polling import wait_until
from workers.errors import NotAvailable


class Upcaser:
    """Returns each request in capitals once it is released; records the batches."""

    def __init__(self, *, released: bool = True) -> None:
        self.batches: list[list[str]] = []
        self.released = threading.Event()
        if released:
            self.released.set()

    def __call__(self, requests: Sequence[str]) -> list[str | Exception]:
        self.batches.append(list(requests))
        assert self.released.wait(20)
        return [request.upper() for request in requests]


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(main(), 20))


async def fill(upcaser: Upcaser, batcher: Batcher[str, str]) -> list[asyncio.Task[str]]:
    """As many requests under way as may be, one in each lot."""
    first = [asyncio.create_task(batcher.submit(f"first {number}")) for number in range(MAX_BATCHES)]
    await asyncio.to_thread(wait_until, lambda: len(upcaser.batches) == MAX_BATCHES)
    return first


def test_a_request_alone_waits_for_no_other() -> None:
    upcaser = Upcaser()
    batcher = Batcher[str, str](upcaser)

    async def main() -> str:
        return await batcher.submit("a")

    assert run(main) == "A"
    assert upcaser.batches == [["a"]]


def test_requests_that_arrive_while_others_are_in_flight_share_a_batch() -> None:
    upcaser = Upcaser(released=False)
    batcher = Batcher[str, str](upcaser)

    async def main() -> list[str]:
        first = await fill(upcaser, batcher)
        later = [
            asyncio.create_task(batcher.submit(f"later {number}")) for number in range(MAX_BATCH_SIZE + 5)
        ]
        await asyncio.sleep(0)
        upcaser.released.set()
        return [await task for task in (*first, *later)]

    answers = run(main)

    assert answers == [f"FIRST {n}" for n in range(MAX_BATCHES)] + [
        f"LATER {n}" for n in range(MAX_BATCH_SIZE + 5)
    ]
    assert sorted(len(batch) for batch in upcaser.batches) == sorted([*[1] * MAX_BATCHES, MAX_BATCH_SIZE, 5])


def test_a_cancelled_request_is_not_run() -> None:
    upcaser = Upcaser(released=False)
    batcher = Batcher[str, str](upcaser)

    async def main() -> str:
        await fill(upcaser, batcher)
        cancelled = asyncio.create_task(batcher.submit("gone"))
        here = asyncio.create_task(batcher.submit("here"))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.sleep(0)
        upcaser.released.set()
        return await here

    assert run(main) == "HERE"
    assert [batch for batch in upcaser.batches if "gone" in batch] == []


def test_a_batch_that_hangs_does_not_block_the_others() -> None:
    hung = threading.Event()

    def answer(requests: Sequence[str]) -> list[str]:
        assert "hangs" not in requests or hung.wait(20)
        return list(requests)

    batcher = Batcher[str, str](answer)

    async def main() -> list[str]:
        stuck = asyncio.create_task(batcher.submit("hangs"))
        await asyncio.sleep(0)
        answers = [await batcher.submit(f"{number}") for number in range(10)]
        hung.set()
        return [*answers, await stuck]

    assert run(main) == [*(str(number) for number in range(10)), "hangs"]


def test_an_exception_is_raised_for_the_request_that_caused_it() -> None:
    batcher = Batcher[str, str](
        lambda requests: [NotAvailable(request) if request == "b" else request for request in requests]
    )

    async def main() -> list[Any]:
        return await asyncio.gather(*(batcher.submit(request) for request in "abc"), return_exceptions=True)

    answers = run(main)

    assert [answers[0], answers[2]] == ["a", "c"]
    assert isinstance(answers[1], NotAvailable)


@pytest.mark.parametrize("error", [KeyError("a bug"), NotAvailable("away")])
def test_a_bug_fails_one_request_and_an_outage_fails_the_batch_once(
    error: Exception,
) -> None:
    upcaser = Upcaser(released=False)

    def breaking(requests: Sequence[str]) -> list[str | Exception]:
        answers = upcaser(requests)
        if "bad" in requests:
            raise error
        return answers

    batcher = Batcher[str, str](breaking)

    async def main() -> list[Any]:
        first = await fill(upcaser, batcher)
        later = [asyncio.create_task(batcher.submit(request)) for request in ("x", "bad", "y")]
        await asyncio.sleep(0)
        upcaser.released.set()
        await asyncio.gather(*first)
        return await asyncio.gather(*later, return_exceptions=True)

    answers = run(main)

    if isinstance(error, NotAvailable):
        assert answers == [error] * 3
        assert upcaser.batches[MAX_BATCHES:] == [["x", "bad", "y"]]
    else:
        assert answers == ["X", error, "Y"]
        assert upcaser.batches[MAX_BATCHES:] == [["x", "bad", "y"], ["x"], ["bad"], ["y"]]
