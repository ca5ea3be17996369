"""Occurrences of code that a patch must not add. They are counted before and after over all files, so that moved code
does not count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

QUOTE_LIMIT = 60  # characters of code that a sentence quotes
MAX_SENTENCES = 12  # occurrences of one patch that are named; a patch with more is refused all the same


class Level(IntEnum):
    """The effect of an occurrence on a patch."""

    NOTE = 0
    """A note for the reviewer."""
    DRAFT = 1
    """The patch is a draft at best: only a person can judge it."""
    REFUSAL = 2
    """The patch is rejected."""


@dataclass(frozen=True)
class Occurrence:
    """Code of one kind."""

    level: Level
    sentence: str
    """The effect of the code, as in `the patch starts a shell`."""
    name: str = ""
    """The resolved name or the code that a reviewer looks for."""

    def text(self, path: str) -> str:
        """The sentence for people."""
        quote = f" (`{self.name[:QUOTE_LIMIT]}`)" if self.name else ""
        return f"{self.sentence}{quote} in {path}"


Occurrences = Counter[Occurrence]


def added_occurrences(
    before: Mapping[str, Occurrences], after: Mapping[str, Occurrences]
) -> list[tuple[str, Occurrence]]:
    """Path and occurrence of the code that occurs more often in all files together than before."""
    total: Occurrences = Counter()
    for counter in after.values():
        total.update(counter)
    for counter in before.values():
        total.subtract(counter)
    added = []
    for path, counter in after.items():
        old = before.get(path, Counter())
        for occurrence in counter:
            if total[occurrence] > 0 and counter[occurrence] > old[occurrence]:
                added.append((path, occurrence))
                total[occurrence] = 0
    return sorted(added, key=lambda entry: -entry[1].level)[:MAX_SENTENCES]
