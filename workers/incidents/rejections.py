"""Pull requests that a human closed unmerged: an answer, remembered for a cause in the code.

A cause is named by its reservations: the culprit file's and, where one is known, the suspect commit's. The same file
after another commit is new evidence; the same commit again is not.
"""

from __future__ import annotations

from collections.abc import Sequence

from workers.engine.journal import PREFIX, JournalStore
from workers.models import digest

REMEMBERED_SECONDS = 30 * 86_400


def record_rejection(journal: JournalStore, reservations: Sequence[str], number: str) -> None:
    """A human closed the pull request `number` (`#7`) for this cause."""
    for key in {_key(reservations), *(_key([commit]) for commit in reservations[1:])}:
        journal.command("set", key, number, REMEMBERED_SECONDS)


def closed_by_human(journal: JournalStore, reservations: Sequence[str]) -> str | None:
    """The pull request for this cause that a human closed, `#7`; None when there is none."""
    closed = journal.command("get", _key(reservations))
    return closed.decode() if closed else None


def _key(reservations: Sequence[str]) -> str:
    return f"{PREFIX}rejected:{digest(*reservations)}"
