"""The last resort: while the store is away, no minute's alerts pass without a word."""

from __future__ import annotations

import queue
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from receiver.fallback import MIN_INTERVAL_SECONDS, FallbackNotifier
from workers.models import Alert

AT = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)


def alert(said: str, source: str = "railway") -> Alert:
    return Alert.model_validate(
        {"id": said, "source": source, "kind": "k", "received_at": AT, "message": said}
    )


class Later:
    """What is to be done later, and in how many seconds."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def __call__(self, seconds: float, act: Callable[[], None]) -> None:
        self.waiting.append((seconds, act))


@pytest.fixture
def told() -> queue.Queue[str]:
    return queue.Queue()


def test_an_alert_within_the_gap_is_said_at_its_end(told: queue.Queue[str]) -> None:
    later, clock = Later(), iter([0.0, 20.0, 30.0, MIN_INTERVAL_SECONDS])
    last = FallbackNotifier(told.put, lambda: next(clock), later)
    for said in ("first", "second", "third"):
        last.notify(alert(said))
    first = told.get(timeout=5)

    [(seconds, act)] = later.waiting
    act()

    assert first.endswith("not stored: first")
    assert seconds == MIN_INTERVAL_SECONDS - 20
    assert told.get(timeout=5).endswith("(1 more since the last line): third")


def test_an_alert_that_was_told_of_meanwhile_is_not_said_again(told: queue.Queue[str]) -> None:
    later, clock = Later(), iter([0.0, 20.0, MIN_INTERVAL_SECONDS + 1])
    last = FallbackNotifier(told.put, lambda: next(clock), later)
    for said in ("first", "second", "third"):
        last.notify(alert(said))

    later.waiting[0][1]()

    assert [told.get(timeout=5)[-5:] for _ in range(2)] == ["first", "third"]
    assert told.empty()


def test_a_ping_does_not_wait_for_its_turn(told: queue.Queue[str]) -> None:
    later, clock = Later(), iter([0.0, 20.0])
    last = FallbackNotifier(told.put, lambda: next(clock), later)

    last.notify(alert("first"))
    last.notify(alert("ping", "ping"))

    assert later.waiting == []
