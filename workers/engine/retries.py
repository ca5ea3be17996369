"""What is not available is tried again: how soon, how seldom at most, and for how long, by what it is that is away."""

from __future__ import annotations

import random
from typing import NamedTuple

from workers.errors import AgentBusy, GitHubBusy, NotAvailable, RailwayBusy, SlackBusy

HOUR, DAY = 3600.0, 86_400.0
MAX_RETRY_AFTER_SECONDS = 2 * HOUR
"""Whoever asks for more patience than this is asked again all the same: a day's wait is no answer to an alert."""


class Patience(NamedTuple):
    """All in seconds."""

    first: float
    longest: float
    """Between two tries."""
    give_up: float
    """After so long without success the raw facts are told and the round ends."""


PATIENCE: tuple[tuple[type[NotAvailable], Patience], ...] = (
    (RailwayBusy, Patience(2, 300, 8 * HOUR)),
    (GitHubBusy, Patience(2, 300, 8 * HOUR)),
    # Each try starts an agent, which costs memory, and money where the model breaks off half-way.
    (AgentBusy, Patience(20, 1800, 8 * HOUR)),
    # Words are cheap and wanted soon; a token that stopped working on a Friday must not cost the weekend's.
    (SlackBusy, Patience(1, 60, 7 * DAY)),
    # Our own store: it is back within seconds or an operator is at it.
    (NotAvailable, Patience(1, 30, 8 * HOUR)),
)
NOTIFICATION_PATIENCE = Patience(1, 60, 7 * DAY)
"""For whatever keeps words from being said."""


def patience(error: NotAvailable, *, telling: bool = False) -> Patience:
    """The patience that such a failure deserves."""
    if telling:
        return NOTIFICATION_PATIENCE
    return next(patient for kind, patient in PATIENCE if isinstance(error, kind))


def wait(error: NotAvailable, tries: int, *, telling: bool = False) -> float:
    """Seconds until the next try after `tries` failed ones: doubling, with jitter and a cap; never sooner than asked.

    The jitter takes up to half of the wait, so that what failed together does not come back together.
    """
    patient = patience(error, telling=telling)
    grown = min(patient.longest, patient.first * 2 ** min(tries, 12))
    asked = min(error.retry_after or 0.0, MAX_RETRY_AFTER_SECONDS)
    jittered: float = grown * random.uniform(0.5, 1.0)
    return max(jittered, asked * random.uniform(1.0, 1.1))
