"""Finds the literal text that a regular expression cannot match without. Pure.

A search for a literal is many times faster than a regular expression, and hundreds of them look at each log record.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from re import _parser as parser  # type: ignore[attr-defined]  # the parser of `re`; it has no public name
from typing import Any

MIN_CHARS = 3  # a shorter literal occurs in nearly every record
MAX_ALTERNATIVES = 48  # more literals cost as much as the regular expression itself


@cache
def required_text(pattern: str) -> tuple[str, ...]:
    """Lower-case literals of which each match holds at least one; empty if there is no such set."""
    return tuple(sorted(_required(parser.parse(pattern)) or ()))


def _required(parts: Iterable[Any]) -> frozenset[str] | None:
    """The best set of literals for a sequence: the one whose commonest literal is rarest."""
    best: frozenset[str] | None = None
    run = ""
    for kind, value in [*parts, (None, None)]:
        if kind is parser.LITERAL:
            run += chr(value).lower()
            continue
        best = _better(best, frozenset({run}) if len(run) >= MIN_CHARS else None)
        run = ""
        best = _better(best, _of_group(kind, value))
    return best


def _of_group(kind: Any, value: Any) -> frozenset[str] | None:
    if kind is parser.SUBPATTERN:
        return _required(value[-1])
    if kind in (parser.MAX_REPEAT, parser.MIN_REPEAT, parser.POSSESSIVE_REPEAT):
        return _required(value[2]) if value[0] >= 1 else None
    if kind is parser.BRANCH:
        sets = [_required(branch) for branch in value[1]]
        if all(sets):
            literals = frozenset().union(*(literals for literals in sets if literals))
            return literals if len(literals) <= MAX_ALTERNATIVES else None
    return None


def _better(best: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if best is None or other is None:
        return best or other
    return max(best, other, key=lambda literals: (min(map(_rarity, literals)), -len(literals)))


def _rarity(literal: str) -> int:
    """Longer is rarer, and so are digits and signs among the words of a log."""
    return len(literal) + 2 * sum(not char.isalpha() and char != " " for char in literal)
