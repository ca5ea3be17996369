"""Await a condition instead of sleeping for a guessed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.02  # short enough not to slow a test down, long enough not to keep a core busy


def wait_until(condition: Callable[[], T], *, seconds: float = 30.0, what: str = "") -> T:
    """Return the first truthy answer of the condition.

    Args:
        seconds: how long to wait at most.
        what: what is awaited, for the error message.

    Raises:
        AssertionError: with the last answer, if none was truthy in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what or condition}: {answer!r}")
        time.sleep(POLL_SECONDS)
