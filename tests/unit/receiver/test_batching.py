"""Questions asked together: who waits for whom, and what one bears for another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from receiver.batching import MAX_BATCH_SIZE, MAX_BATCHES, Batcher
from tests.support.polling import wait_until
from workers.errors import NotAvailable


class Asker:
    """Answers each question in capitals, once its gate is open; keeps which came together."""

    def __init__(self, *, open_: bool = True) -> None:
        self.lots: list[list[str]] = []
        self.gate = threading.Event()
        if open_:
            self.gate.set()

    def __call__(self, questions: Sequence[str]) -> list[str | Exception]:
        self.lots.append(list(questions))
        assert self.gate.wait(20)
        return [one.upper() for one in questions]


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(main(), 20))


async def filled(asker: Asker, together: Batcher[str, str]) -> list[asyncio.Task[str]]:
    """As many questions under way as may be, one in each lot."""
    first = [asyncio.create_task(together.ask(f"first {number}")) for number in range(MAX_BATCHES)]
    await asyncio.to_thread(wait_until, lambda: len(asker.lots) == MAX_BATCHES)
    return first


def test_a_question_alone_waits_for_nobody() -> None:
    asker = Asker()
    together = Batcher[str, str](asker)

    async def main() -> str:
        return await together.ask("a")

    assert run(main) == "A"
    assert asker.lots == [["a"]]


def test_what_comes_while_others_are_under_way_goes_together_and_each_hears_its_own_answer() -> None:
    asker = Asker(open_=False)
    together = Batcher[str, str](asker)

    async def main() -> list[str]:
        first = await filled(asker, together)
        later = [asyncio.create_task(together.ask(f"later {number}")) for number in range(MAX_BATCH_SIZE + 5)]
        await asyncio.sleep(0)
        asker.gate.set()
        return [await one for one in (*first, *later)]

    answers = run(main)

    assert answers == [f"FIRST {n}" for n in range(MAX_BATCHES)] + [
        f"LATER {n}" for n in range(MAX_BATCH_SIZE + 5)
    ]
    assert sorted(len(lot) for lot in asker.lots) == sorted([*[1] * MAX_BATCHES, MAX_BATCH_SIZE, 5])


def test_who_has_gone_is_not_asked_for() -> None:
    asker = Asker(open_=False)
    together = Batcher[str, str](asker)

    async def main() -> str:
        await filled(asker, together)
        gone = asyncio.create_task(together.ask("gone"))
        here = asyncio.create_task(together.ask("here"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        asker.gate.set()
        return await here

    assert run(main) == "HERE"
    assert [lot for lot in asker.lots if "gone" in lot] == []


def test_one_lot_that_hangs_leaves_the_others_their_way() -> None:
    hung = threading.Event()

    def answer(questions: Sequence[str]) -> list[str]:
        assert "hangs" not in questions or hung.wait(20)
        return list(questions)

    together = Batcher[str, str](answer)

    async def main() -> list[str]:
        stuck = asyncio.create_task(together.ask("hangs"))
        await asyncio.sleep(0)
        answers = [await together.ask(f"{number}") for number in range(10)]
        hung.set()
        return [*answers, await stuck]

    assert run(main) == [*(str(number) for number in range(10)), "hangs"]


def test_an_exception_in_the_place_of_an_answer_is_raised_to_whom_it_is_for() -> None:
    together = Batcher[str, str](
        lambda questions: [NotAvailable(one) if one == "b" else one for one in questions]
    )

    async def main() -> list[Any]:
        return await asyncio.gather(*(together.ask(one) for one in "abc"), return_exceptions=True)

    answers = run(main)

    assert [answers[0], answers[2]] == ["a", "c"]
    assert isinstance(answers[1], NotAvailable)


@pytest.mark.parametrize("error", [KeyError("a bug"), NotAvailable("away")])
def test_a_bug_met_by_one_question_is_its_own_and_a_store_that_is_away_is_asked_once(
    error: Exception,
) -> None:
    asker = Asker(open_=False)

    def breaking(questions: Sequence[str]) -> list[str | Exception]:
        answers = asker(questions)
        if "bad" in questions:
            raise error
        return answers

    together = Batcher[str, str](breaking)

    async def main() -> list[Any]:
        first = await filled(asker, together)
        later = [asyncio.create_task(together.ask(one)) for one in ("x", "bad", "y")]
        await asyncio.sleep(0)
        asker.gate.set()
        await asyncio.gather(*first)
        return await asyncio.gather(*later, return_exceptions=True)

    answers = run(main)

    if isinstance(error, NotAvailable):
        assert answers == [error] * 3
        assert asker.lots[MAX_BATCHES:] == [["x", "bad", "y"]]
    else:
        assert answers == ["X", error, "Y"]
        assert asker.lots[MAX_BATCHES:] == [["x", "bad", "y"], ["x"], ["bad"], ["y"]]
