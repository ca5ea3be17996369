"""Delays between the attempts of a stage, and the time after which it gives up, by the service that is away."""

from __future__ import annotations

import random
from typing import NamedTuple

from workers.errors import AgentBusy, GitHubBusy, NotAvailable, RailwayBusy, SlackBusy

HOUR = 3600.0
DAY = 86_400.0
MAX_RETRY_AFTER_SECONDS = 2 * HOUR  # cap on Retry-After: an alert that waits for a day is of no use
MAX_DOUBLINGS = 12  # 2**12 times the first wait is beyond every cap; more would overflow after years
# The smallest share of a wait that is kept. It varies so that failures of one outage do not retry together.
MIN_JITTER = 0.5
MAX_RETRY_AFTER_JITTER = 1.1  # never sooner than the service asked, and spread a little beyond


class Patience(NamedTuple):
    """Waits of one kind of failure, in seconds.

    Attributes:
        first: the wait after the first failed attempt; each further attempt waits twice as long.
        longest: the longest wait.
        give_up: after failing for so long the attempt ends, and the raw facts are reported.
    """

    first: float
    longest: float
    give_up: float


PATIENCE: tuple[tuple[type[NotAvailable], Patience], ...] = (
    (RailwayBusy, Patience(2, 300, 8 * HOUR)),
    (GitHubBusy, Patience(2, 300, 8 * HOUR)),
    # Each attempt starts an agent, which costs memory, and money if the model breaks off half-way.
    (AgentBusy, Patience(20, 1800, 8 * HOUR)),
    # A message costs nothing and is wanted soon. A token that stops working on a Friday must not lose the weekend's.
    (SlackBusy, Patience(1, 60, 7 * DAY)),
    # Redis: it is back within seconds, or an operator repairs it.
    (NotAvailable, Patience(1, 30, 8 * HOUR)),
)
"""The first class that fits decides."""
NOTIFICATION_PATIENCE = Patience(1, 60, 7 * DAY)
"""The waits of a notification, for every class of error."""


def patience(error: NotAvailable, *, is_notification: bool = False) -> Patience:
    """The waits that a failure calls for.

    Args:
        is_notification: the stage that failed was a notification.
    """
    if is_notification:
        return NOTIFICATION_PATIENCE
    return next(patient for kind, patient in PATIENCE if isinstance(error, kind))


def wait(error: NotAvailable, attempts: int, *, is_notification: bool = False) -> float:
    """Seconds until the next attempt: doubling, jittered, capped, and never sooner than `retry_after` asks.

    Args:
        attempts: failed attempts before this one.
        is_notification: the stage that failed was a notification.
    """
    waits = patience(error, is_notification=is_notification)
    doubled = min(waits.longest, waits.first * 2 ** min(attempts, MAX_DOUBLINGS))
    requested = min(error.retry_after or 0.0, MAX_RETRY_AFTER_SECONDS)
    jittered: float = doubled * random.uniform(MIN_JITTER, 1.0)
    return max(jittered, requested * random.uniform(1.0, MAX_RETRY_AFTER_JITTER))
