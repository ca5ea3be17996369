"""Pull requests that a person closed without merging: Trackwalker does not propose the same fix for that cause again.

A cause is identified by its reservations: the culprit file's and, if known, the suspect commit's. The same file
after another commit is new evidence; the same commit is not.
"""

from __future__ import annotations

from collections.abc import Sequence

from workers.engine.journal_store import JournalStore
from workers.engine.schema import rejection_key
from workers.models import digest

RETENTION_SECONDS = 30 * 86_400  # a cause that comes back a month later deserves a new proposal


def record_rejection(store: JournalStore, reservations: Sequence[str], number: str) -> None:
    """Store that a person closed pull request `number` (`#7`).

    Args:
        reservations: keys of the cause, the culprit file's first. Each commit is also stored alone, because a
            later occurrence knows the suspect commit before the agent has named a file.
    """
    for key in {_key(reservations), *(_key([commit]) for commit in reservations[1:])}:
        store.command("set", key, number, RETENTION_SECONDS)


def find_rejection(store: JournalStore, reservations: Sequence[str]) -> str | None:
    """The pull request for this cause that a person closed, as `#7`; None if there is none."""
    number = store.command("get", _key(reservations))
    return number.decode() if number else None


def _key(reservations: Sequence[str]) -> str:
    return rejection_key(digest(*reservations))
