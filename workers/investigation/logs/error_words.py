"""The words that make a line without a level an error. Pure."""

from __future__ import annotations

import errno
import re
from functools import lru_cache

MAX_WORDS_CHARS = 2_000  # of a record that are searched
MAX_CACHED_TEXTS = 4_096  # texts whose result is remembered

_ERRNO_NAMES = sorted(
    {
        *errno.errorcode.values(),
        "EAI_AGAIN",
        "EAI_FAIL",
        "ENOTFOUND",
        "ESOCKETTIMEDOUT",
        "ERESOLVE",
        "ELIFECYCLE",
    },
    key=lambda name: (-len(name), name),
)
ERROR_WORDS = re.compile(
    r"(?i:traceback|\w{0,60}(?:error|exception)s?\b|\bfail(?:ed|ures?|s|ing)?\b|\bfatal\b|\bpanic(?:ked)?\b|\bunhandled"
    r"|\buncaught|\bcannot\b|\bcan't\b|\bcould ?n[o']t\b|\bunable to\b|\btimed? ?out\b|\brefused\b|\bdenied\b"
    r"|\bexceeded\b|\bkilled\b|\bout of memory\b|\bcrash|\babort(?:ed|ing)?\b|\brejected\b|\bmissing\b|\bnot found\b"
    r"|\bsegmentation fault\b|\bcore dumped\b|\bnever became healthy\b|\bservice unavailable\b|\bdoes not exist\b)"
    rf"|\b(?:{'|'.join(_ERRNO_NAMES)})\b|HTTP/\d(?:\.\d)?\"? 5\d\d\b|\bstatus(?:_?code)?[=:] ?5\d\d\b|\| 5\d\d \|"
)
"""Words that make a line on standard error an error; servers log harmless lines there too. Names of errno only in upper
case: `enabled` and `executed` have their form."""
_HINTS = (
    "error", "exception", "fail", "fatal", "panic", "unhandled", "uncaught", "cannot", "can't", "could", "unable",
    "time", "refused", "denied", "exceeded", "killed", "memory", "crash", "abort", "reject", "missing", "found",
    "fault", "dumped", "healthy", "unavailable", "exist", "traceback", "http/", "status", "| 5",
)  # fmt: skip
"""A part of each of the words, but the names of errno. A search for all hints costs a tenth of the expression."""
_ERRNO_HINT = re.compile(r"\bE[A-Z0-9_]{3}")
_CERTAIN_HINTS = (
    "nhandled",
    "ncaught",
    "anic",
    "atal",
    "FATAL",
    "Parse error",
    "ype error",
    "ailed to",
    "error",
    "fault",
)
OTHER_DIGITS = str.maketrans("12346789", "11111111")
"""Digits do not matter for these words, but 0 and the first of `500`: similar texts share a place in the cache."""
HARMLESS = re.compile(
    r"\b(?:0|no|zero|without(?: any)?) (?:errors?|failures?|exceptions?|crashes)\b|\bnpm (?:notice|warn)\b"
    r"|\b(?:errors?|failed|failures?)[=:] ?0\b|\b0 (?:failed|failing|errored)\b"
    r"|\berror[- ]?(?:reporting|handler|tracking|page)s?\b",
    re.IGNORECASE,
)
"""Phrases with an error word that report no failure."""
CERTAIN = re.compile(
    r"(?:^|[\]:] {0,2})(?:Unhandled|Uncaught|unhandled|uncaught)\b.{0,40}(?:error|rejection|exception|Error|Exception)"
    r"|^(?:panic|fatal error|FATAL ERROR|Fatal error|PHP (?:Fatal|Parse) error|Type error|Failed to compile)\b"
    r"|panicked at |: error TS\d|^ERROR: failed to|\bpanic serving \S|^error(?:\[E\d{4}\])?: |^Segmentation fault"
)
"""Words that show an error on any stream: runtimes and compilers print them."""


def sounds_like_error(text: str) -> bool:
    """True if the text has a word for a failure and no phrase that denies it."""
    return _sounds_like_error(text[:MAX_WORDS_CHARS].translate(OTHER_DIGITS))


@lru_cache(maxsize=MAX_CACHED_TEXTS)
def _sounds_like_error(text: str) -> bool:
    lower = text.lower()
    if not any(hint in lower for hint in _HINTS) and not _ERRNO_HINT.search(text):
        return False
    if not ERROR_WORDS.search(text):
        return False
    return not HARMLESS.search(text) or ERROR_WORDS.search(HARMLESS.sub("", text)) is not None


def is_certain_error(text: str) -> bool:
    """True if a runtime or a compiler says that something failed, whatever stream it prints to."""
    return any(hint in text for hint in _CERTAIN_HINTS) and CERTAIN.search(text[:MAX_WORDS_CHARS]) is not None
