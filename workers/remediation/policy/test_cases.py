"""The tests of a file, in a form to compare. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Case:
    """One test."""

    assertions: Counter[str] = field(default_factory=Counter)
    """The test's assertions in statements that run whenever the test runs."""
    conditional: int = 0
    """Assertions that run only under a condition."""
    returns: int = 0
    """Exits before the end."""
    parameters: int = 0
    """Sets of values that the test is run with."""
    frame: str = ""
    """Decorators and base classes, which decide how the test is run."""


@dataclass
class Tests:
    """The tests of one file."""

    cases: dict[str, Case] = field(default_factory=dict)
    helpers: dict[str, int] = field(default_factory=dict)
    """Functions that are no tests → their assertions."""
    skips: int = 0
    """Marks by which tests are skipped or expected to fail."""
    switches: Counter[str] = field(default_factory=Counter)
    """Code of the file that decides which tests run and on what."""
    defined: frozenset[str] = frozenset()
    """Names that the file itself defines at its top."""
    imports: frozenset[str] = frozenset()
    """The imports of the tests, with the name that the tests give each."""
