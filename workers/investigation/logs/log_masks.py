"""Replaces the values in a log message by their kinds, so that similar messages become equal. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

MAX_TOKENS = 60  # words of a headline that are compared
MAX_TOKEN_CHARS = 300  # of a word
MAX_CACHED_TOKENS = 32_768  # words whose mask is remembered
DIGITS = str.maketrans("123456789", "000000000")
"""Digits do not matter for a mask, so that numbers share their place in the cache."""

MASKS = (
    (
        re.compile(
            r"(?<![0-9A-Za-z])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9A-Za-z])",
            re.I,
        ),
        "<uuid>",
    ),
    (
        re.compile(
            r"(?<!\d)\d{4}[-/]\d\d[-/]\d\d(?:T\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?(?!\d)"
        ),
        "<time>",
    ),
    (re.compile(r"(?<![\d:])\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?![\d:])"), "<time>"),
    (re.compile(r"\b[a-z][a-z0-9+.-]{1,15}://[^\s\"'<>)\]]{1,500}", re.I), "<url>"),
    (re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\.\d)(?::\d{1,5})?"), "<ip>"),
    (re.compile(r"(?<![\w<])/[\w.@%~+-]{1,100}(?:/[\w.@%~+:-]{0,100})+"), "<path>"),
    (re.compile(r"\b0x[0-9a-f]+\b|\b(?=[a-f]*\d)[0-9a-f]{8,64}\b", re.I), "<hex>"),
    (re.compile(r"(?<![A-Za-z\d])[-+]?\d+(?:[.,]\d+)*"), "<n>"),
)
"""Values that differ from line to line, in the order in which they are masked: a time contains numbers."""


def masked_tokens(text: str) -> tuple[str, ...]:
    """The words of the text, with every varying value replaced by its kind: `<uuid>`, `<time>`, `<n>` …"""
    words = text.split(None, MAX_TOKENS)[:MAX_TOKENS]
    tokens = [word if word.isalpha() else _masked(word) for word in words]
    if "user" in words[:-1]:
        # A name is a plain word, which only the word before it shows to be a value.
        tokens[words.index("user") + 1] = "<name>"
    return tuple(tokens)


def _masked(token: str) -> str:
    masked = _masked_shape(token[:MAX_TOKEN_CHARS].translate(DIGITS))
    # Digits that stay are part of a name: `P2024`.
    return _masked_exactly(token[:MAX_TOKEN_CHARS]) if "0" in masked else masked


@lru_cache(maxsize=MAX_CACHED_TOKENS)
def _masked_shape(token: str) -> str:
    return _mask(token)


@lru_cache(maxsize=MAX_CACHED_TOKENS)
def _masked_exactly(token: str) -> str:
    return _mask(token)


def _mask(token: str) -> str:
    for regex, name in MASKS:
        token = regex.sub(name, token)
    return token
