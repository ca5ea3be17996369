"""Tables of wordings: the sentences of libraries, and the signs that they are. Pure.

The text comes from the watched service and is untrusted. Every quantifier of a regular expression has a bound, and a
regular expression runs only on text that holds its literal part, so that reading stays linear and fast.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from workers.investigation.signs.required_text import required_text
from workers.models import Sign, SignKind

MAX_MATCHES = 8  # signs of one wording in one record; a list of missing settings is rarely longer
MAX_SUBJECT_CHARS = 120  # a host name with its port, the longest subject of use, has fewer
NAME_IN_LIST = re.compile(r"[A-Za-z_][\w.-]{1,80}")


@dataclass(frozen=True)
class Wording:
    """One sentence of a library, and the sign that it is."""

    kind: SignKind
    pattern: str
    """Its groups: `subject` (also `subject2`), one name; `names`, a list of names; `n_KEY`, a number of the sign."""
    subject: str = ""
    """The subject of the sign if the pattern has no group for it, or the group did not match."""
    exact_case: bool = False
    """True if upper and lower case make a difference."""


@cache
def compiled(pattern: str, exact_case: bool = False) -> re.Pattern[str]:
    """The compiled pattern. Most patterns of the tables are never needed, so that none is compiled on import."""
    return re.compile(pattern, re.M if exact_case else re.M | re.I)


def may_match(pattern: str, lowered: str) -> bool:
    """False if the pattern cannot match a text, by its lower-case form; cheap, before the pattern itself runs."""
    required = required_text(pattern)
    for literal in required:  # a plain loop: this runs hundreds of times for each record
        if literal in lowered:
            return True
    return not required


def read_table(table: Sequence[Wording], text: str, lowered: str) -> Iterator[Sign]:
    """The signs of all wordings of a table that occur in the text, in the order of the table."""
    for entry in table:
        if may_match(entry.pattern, lowered):
            yield from read_wording(entry, text)


def read_wording(entry: Wording, text: str) -> Iterator[Sign]:
    """The signs of one wording, in the order of the text."""
    for match in matches(entry.pattern, text, entry.exact_case):
        groups = {name: value for name, value in match.groupdict().items() if value}
        numbers = {name[2:]: float(value) for name, value in groups.items() if name.startswith("n_")}
        for subject in _subjects(groups) or [entry.subject]:
            yield sign(entry.kind, subject, numbers)


def matches(pattern: str, text: str, exact_case: bool = False) -> Iterator[re.Match[str]]:
    """The first matches of a pattern in a text."""
    for number, match in enumerate(compiled(pattern, exact_case).finditer(text)):
        if number == MAX_MATCHES:
            return
        yield match


def line_around(match: re.Match[str]) -> tuple[int, int]:
    """Begin and end of the lines that a match touches."""
    end = match.string.find("\n", match.end())
    return match.string.rfind("\n", 0, match.start()) + 1, end if end >= 0 else len(match.string)


def sign(
    kind: SignKind, subject: str = "", numbers: dict[str, float] | None = None, product: str = ""
) -> Sign:
    """A sign with a subject of bounded length."""
    name = subject.strip(" '\"`").rstrip(".,:;")[:MAX_SUBJECT_CHARS]
    return Sign(kind=kind, subject=name, numbers=numbers or {}, product=product)


def has_any(lowered: str, needles: Sequence[str]) -> bool:
    """True if the lower-case text holds one of the needles."""
    return any(needle in lowered for needle in needles)


def _subjects(groups: dict[str, str]) -> list[str]:
    if "names" in groups:
        return NAME_IN_LIST.findall(groups["names"])[:MAX_MATCHES]
    return [value for name, value in sorted(groups.items()) if name.startswith("subject")][:1]
