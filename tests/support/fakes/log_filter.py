"""Railway's filter language for logs: words, "phrases", @attribute:value, numbers, AND, OR, -, parentheses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Matches = Callable[[str, Mapping[str, str | float]], bool]
"""True if a line with this text and these attributes matches."""

TOKEN = re.compile(r'\(|\)|-(?=[("@\w])|@?[\w.]+:"[^"]*"|"[^"]*"|@?[\w.]+:[^\s()"]+|[^\s()"]+')
BOUND = re.compile(r"(>=|<=|>|<)(-?\d+(?:\.\d+)?)$")
RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)$")
LEVELS = {"err": "error", "warning": "warn"}


def parse(text: str) -> Matches:
    """The filter as a function. An empty filter matches every line. Raises ValueError for an invalid filter."""
    tokens = TOKEN.findall(text)
    if "".join(tokens).replace(" ", "") != re.sub(r"\s", "", text).replace(" ", ""):
        raise ValueError(f"cannot read the filter {text!r}")
    if not tokens:
        return lambda _text, _attributes: True
    condition, rest = _either(tokens)
    if rest:
        raise ValueError(f"unexpected {rest[0]!r} in the filter")
    return condition


def _either(tokens: list[str]) -> tuple[Matches, list[str]]:
    options = []
    while True:
        condition, tokens = _both(tokens)
        options.append(condition)
        if tokens[:1] != ["OR"]:
            return lambda text, facts: any(option(text, facts) for option in options), tokens
        tokens = tokens[1:]


def _both(tokens: list[str]) -> tuple[Matches, list[str]]:
    needs: list[Matches] = []
    while tokens and tokens[0] not in ("OR", ")"):
        condition, tokens = _one(tokens[1:] if tokens[0] == "AND" else tokens)
        needs.append(condition)
    if not needs:
        raise ValueError("a filter ends too early")
    return lambda text, facts: all(need(text, facts) for need in needs), tokens


def _one(tokens: list[str]) -> tuple[Matches, list[str]]:
    if not tokens:
        raise ValueError("a filter ends too early")
    head, rest = tokens[0], tokens[1:]
    if head == "-":
        condition, rest = _one(rest)
        return lambda text, facts: not condition(text, facts), rest
    if head == "(":
        condition, rest = _either(rest)
        if rest[:1] != [")"]:
            raise ValueError("a parenthesis is never closed")
        return condition, rest[1:]
    if head.startswith("@"):
        return _attribute(head), rest
    phrase = head.strip('"').lower()
    return lambda text, _facts: phrase in text.lower(), rest


def _attribute(token: str) -> Matches:
    name, _, value = token[1:].partition(":")
    value = value.strip('"')
    bound, span = BOUND.match(value), RANGE.match(value)

    def matches(_text: str, facts: Mapping[str, str | float]) -> bool:
        if name not in facts:
            return False
        fact = facts[name]
        if bound:
            return _compare(float(fact), bound[1], float(bound[2]))
        if span:
            return float(span[1]) <= float(fact) <= float(span[2])
        if isinstance(fact, str):
            return LEVELS.get(value.lower(), value.lower()) == LEVELS.get(fact.lower(), fact.lower())
        return value == f"{fact:g}"

    return matches


def _compare(fact: float, sign: str, limit: float) -> bool:
    return {">=": fact >= limit, "<=": fact <= limit, ">": fact > limit, "<": fact < limit}[sign]
