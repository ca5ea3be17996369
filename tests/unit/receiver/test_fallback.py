"""The fallback: during an outage of Redis every minute with alerts is reported."""

from __future__ import annotations

import queue
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from receiver.fallback import MIN_INTERVAL_SECONDS, FallbackNotifier
from workers.models import Alert

AT = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)


def alert(message: str, source: str = "railway") -> Alert:
    return Alert.model_validate(
        {"id": message, "source": source, "kind": "k", "received_at": AT, "message": message}
    )


class FakeTimer:
    """Records the calls that are to be made, and after how many seconds."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, Callable[[], None]]] = []

    def __call__(self, seconds: float, act: Callable[[], None]) -> None:
        self.calls.append((seconds, act))


@pytest.fixture
def posts() -> queue.Queue[str]:
    return queue.Queue()


def test_an_alert_within_the_interval_is_posted_at_its_end(posts: queue.Queue[str]) -> None:
    timer, clock = FakeTimer(), iter([0.0, 20.0, 30.0, MIN_INTERVAL_SECONDS])
    notifier = FallbackNotifier(posts.put, lambda: next(clock), timer)
    for message in ("first", "second", "third"):
        notifier.notify(alert(message))
    first = posts.get(timeout=5)

    [(seconds, act)] = timer.calls
    act()

    assert first.endswith("not processed: first")
    assert seconds == MIN_INTERVAL_SECONDS - 20
    assert posts.get(timeout=5).endswith("(1 more since the last message): third")


def test_an_alert_that_was_counted_in_a_post_is_not_posted_again(posts: queue.Queue[str]) -> None:
    timer, clock = FakeTimer(), iter([0.0, 20.0, MIN_INTERVAL_SECONDS + 1])
    notifier = FallbackNotifier(posts.put, lambda: next(clock), timer)
    for message in ("first", "second", "third"):
        notifier.notify(alert(message))

    timer.calls[0][1]()

    assert [posts.get(timeout=5)[-5:] for _ in range(2)] == ["first", "third"]
    assert posts.empty()


def test_a_ping_is_not_queued(posts: queue.Queue[str]) -> None:
    timer, clock = FakeTimer(), iter([0.0, 20.0])
    notifier = FallbackNotifier(posts.put, lambda: next(clock), timer)

    notifier.notify(alert("first"))
    notifier.notify(alert("ping", "ping"))

    assert timer.calls == []
