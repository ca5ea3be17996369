"""Removes invisible characters from untrusted text, by Unicode category. Pure.

Letters, marks, numbers, punctuation and symbols stay; each kind of space becomes a plain space. Control, format,
surrogate, private and unassigned characters are removed, and terminal escape sequences are removed as a whole.
"""

from __future__ import annotations

import re
import sys
import unicodedata

MAX_MARKS = 3
"""Combining marks in a row that stay. Languages need two or three; many of them cover the lines above and below."""
MAX_CACHED_CHARACTERS = 4096
"""Characters whose replacement is cached: enough for a few scripts, and a bound for hostile text."""

VISIBLE_CATEGORIES = frozenset("LMNPS")
"""First letters of the Unicode categories that stay: letters, marks, numbers, punctuation, symbols."""
EMPTY_LETTERS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\ufffc\U00016fe4\U0001d159"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), *range(0x13441, 0x13447))))
)
"""Characters of visible categories that show nothing: fillers, variation selectors, the blank Braille pattern. Unicode
lists most of them as Default_Ignorable_Code_Point (DerivedCoreProperties.txt), which Python does not know."""

LINE_ENDS = re.compile(r"\r\n?|[\x85\u2028\u2029]")
UNUSUAL = re.compile(r"[^\n\t -~]")
"""Finds text that is not plain ASCII. All other text stays as it is."""
ESCAPES = "\x07\x1b\x80\x90\x98\x9b\x9c\x9d\x9e\x9f"
"""Characters that begin or end a terminal's escape sequences, and `\x80`, which tells them apart from broken UTF-8."""
HAS_ESCAPE = re.compile(f"[{ESCAPES}]")
# ECMA-48 (control functions) and xterm's ctlseqs. Each alternative begins at the first escape character of a run, and
# no quantifier backtracks, so that the search is linear. `\x80` before an 8-bit introducer means UTF-8 that
# was read as Latin-1 (`â\x80\x9d`), which is no sequence.
SEQUENCES = re.compile(
    r"""
      (?<!\x1b)\x1b++ (?:
          [\]PX^_] [^\x07\x1b\x9c\n]*+ (?:\x07|\x1b\\|\x9c)?   # OSC, DCS, SOS, PM, APC with their text
        | \[ [0-?]*+ [ -/]*+ [@-~]?                            # CSI
        | [ -/]++ [0-~]?                                       # character sets and the like
        | [0-?@-_cno|}~]                                       # two characters, such as a reset
      )
    | (?<!\x80)[\x90\x98\x9d-\x9f] [^\x07\x1b\x90\x98\x9c-\x9f\n]*+ (?:\x07|\x1b\\|\x9c)
    | \x9b [0-?]*+ [ -/]*+ [@-~]?
    """,
    re.VERBOSE,
)
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
HALF_PAIR = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
WRITTEN_ESCAPE = re.compile(
    r"\\{1,8}(?:u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|U([0-9a-fA-F]{8}))"
    r"(?P<csi>\[[0-?]{0,16}[@-~])?"
)
"""A character as JSON and `repr()` write it, and the rest of a terminal's sequence. Nested JSON escapes
the backslashes again."""
NON_ASCII_RUN = re.compile(rf"[^\x00-\x7f]{{{MAX_MARKS + 1},}}")


class _Replacements(dict[int, str]):
    """Code point → the text that stands for it, for `str.translate`.

    Args:
        kept: characters that stay whatever their category is.
    """

    def __init__(self, kept: str) -> None:
        super().__init__()
        self._kept = kept

    def __missing__(self, code: int) -> str:
        replacement = self._replacement(chr(code))
        if len(self) < MAX_CACHED_CHARACTERS:
            self[code] = replacement
        return replacement

    def _replacement(self, char: str) -> str:
        if char in self._kept:
            return char
        if char in EMPTY_LETTERS:
            return ""
        if char in "\v\f" or unicodedata.category(char)[0] == "Z":
            return " "
        return char if unicodedata.category(char)[0] in VISIBLE_CATEGORIES else ""


# Two passes: a zero-width character inside a sequence must not hide it, and the sequence is removed in between.
WITH_ESCAPES = _Replacements(f"\n\t{ESCAPES}")
WITHOUT_ESCAPES = _Replacements("\n\t")


def visible(text: str) -> str:
    """The text as a reader sees it, on as many lines as it has; line feeds and tabs stay."""
    if "\\" in text:
        # In JSON or a `repr()` inside the text, an escaped zero-width character would split a secret.
        text = WRITTEN_ESCAPE.sub(_without_written_escape, text)
    if not UNUSUAL.search(text):
        return text
    text = LINE_ENDS.sub("\n", text)
    if HAS_ESCAPE.search(text):
        text = SEQUENCES.sub("", text.translate(WITH_ESCAPES))
    text = text.translate(WITHOUT_ESCAPES)
    return text if text.isascii() else NON_ASCII_RUN.sub(_without_mark_floods, text)


def without_half_pairs(content: bytes) -> bytes:
    """JSON with each escape of half a surrogate pair replaced by U+FFFD. A sender that cuts text inside an emoji makes
    such an escape, and parsers refuse the whole document because of it."""
    return HALF_PAIR.sub(rb"\\ufffd", content) if SURROGATE.search(content) else content


def _without_written_escape(match: re.Match[str]) -> str:
    code = int(next(filter(None, match.groups())), 16)
    char = chr(code) if code <= sys.maxunicode else "?"
    rest = match["csi"] or ""
    if char in EMPTY_LETTERS or unicodedata.category(char) == "Cf":
        return rest
    # Databases name `\\u0000` in their errors, after a space or a quote. Inside a word it only splits the word.
    is_inside = match.string[max(0, match.start() - 1) : match.start()].isalnum()
    if not is_inside or char in "\t\n\r" or unicodedata.category(char) != "Cc":
        return match[0]
    return "" if char in "\x1b\x9b" else rest


def _without_mark_floods(match: re.Match[str]) -> str:
    kept, marks = [], 0
    for char in match[0]:
        marks = marks + 1 if unicodedata.category(char)[0] == "M" else 0
        if marks <= MAX_MARKS:
            kept.append(char)
    return "".join(kept)
