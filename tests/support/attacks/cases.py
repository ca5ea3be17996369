"""A case: a small repository, a change of it, a reproduction, and the decision that must or must not follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from workers.models import Category

Expectation = Literal["ready", "draft", "not ready", "rejected", "noted", "person"]
"""`not ready`: a draft or a rejection. `draft`: the patch is good, but nothing can prove it here, so that it is not
rejected. `noted`, `person`: only a person can judge, so that it is not ready without a note for the reviewer."""


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class Program:
    """A file that may be executed."""

    text: str


@dataclass(frozen=True)
class Edit:
    """A file in which each first string becomes the second one. `before` and `after` are put around the result."""

    replacements: tuple[tuple[str, str], ...] = ()
    before: str = ""
    after: str = ""

    def apply(self, text: str) -> str:
        """The edited text. Raises ValueError for a string that the text does not hold."""
        for old, new in self.replacements:
            if old not in text:
                raise ValueError(f"{old!r} is not in the file")
            text = text.replace(old, new)
        return self.before + text + self.after


Content = str | bytes | Link | Program
Change = Content | Edit | None
"""The change of one file: new content, an edit of the old content, or None for a deletion."""


def edit(*pairs: tuple[str, str], before: str = "", after: str = "") -> Edit:
    """An Edit with these replacements."""
    return Edit(pairs, before, after)


@dataclass(frozen=True)
class Case:
    """One patch.

    Attributes:
        name: what the patch does; unique.
        base: name of the repository in `bases`.
        changes: by path.
        reproduction: `KIND:PATH`, as the command takes it.
    """

    name: str
    base: str
    changes: Mapping[str, Change]
    reproduction: str
    expect: Expectation = "not ready"
    category: Category = Category.CODE
    root: str = ""
    cause: str = ""
    secrets: tuple[str, ...] = field(default=())
