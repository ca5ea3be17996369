"""Checks that added lines look to a reader as a machine reads them: characters, spaces and lengths. Pure."""

from __future__ import annotations

import re
import unicodedata

from workers.remediation.policy.changes import Change

MAX_LINE_LENGTH = 500  # characters; a review shows a longer line in part
WIDE_GAP = 40  # spaces: code behind a wider gap lies beyond the edge of a review
WIDE_INDENT = 100  # columns: real code is not nested that deep
TAB_WIDTH = 8  # columns
MAX_BLANK_LINES = 30  # blank lines in a row, for the same reason as WIDE_GAP
MAX_MARKS = 2  # combining marks on one letter
UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f")
"""Letters, symbols and marks without a visible form (Unicode's Default_Ignorable_Code_Point, and the braille blank)."""
EMOJI_SELECTOR = "\ufe0f"  # asks for the coloured form of the symbol before it
WORD = re.compile(r"\w+")
CONFUSING_SCRIPTS = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU")
UNITS = re.compile(r"[μΩπΔλσ]\w{0,2}")
LOOKALIKES = str.maketrans(
    "аеорсухіјѕһԁԛԝгпАВЕКМНОРСТХІЈЅУαορνιυκΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijshdqwrnABEKMHOPCTXIJSYaopviukABEZHIKMNOPTYX",
)
"""Letters of other scripts that are drawn like a Latin one (the common part of Unicode's confusables.txt)."""


def find_unreadable_lines(change: Change, *, check_length: bool = True) -> list[str]:
    """One sentence per way in which an added line hides something.

    Args:
        check_length: False for a file that a tool writes, such as a lock file.
    """
    old = change.old or ""
    # A file with CRLF line ends keeps them; a carriage return elsewhere overwrites a line on a terminal.
    keeps_returns = "\r\n" in old or (
        not change.existed and all(line.endswith("\r") for line in change.added)
    )
    lines = [line.removesuffix("\r") if keeps_returns else line for line in change.added]
    problems = [problem for line in lines if (problem := _line_problem(line, old, check_length=check_length))]
    if _longest_blank_run(lines) > MAX_BLANK_LINES:
        problems.append("many blank lines in a row")
    words = {word for line in lines for word in WORD.findall(line) if not word.isascii()}
    problems += [problem for word in sorted(words) if (problem := _word_problem(word, change.new or ""))]
    return [f"the patch adds {problem} in {change.path}" for problem in dict.fromkeys(problems)]


def _line_problem(line: str, old: str, *, check_length: bool) -> str | None:
    if not line.isascii() or not line.isprintable():
        for index, character in enumerate(line):
            # A wide space that the file already uses, as in French prose, is the file's own.
            is_known = character in old and unicodedata.category(character) == "Zs"
            if not is_known and _is_unseen(character, line[index - 1] if index else " "):
                return f"an invisible or control character (U+{ord(character):04X})"
    if check_length and len(line) > MAX_LINE_LENGTH:
        return f"a line of more than {MAX_LINE_LENGTH} characters"
    spaced = line.expandtabs(TAB_WIDTH)
    indent = len(spaced) - len(spaced.lstrip())
    if check_length and (indent > WIDE_INDENT or re.search(rf"\S\s{{{WIDE_GAP},}}\S", spaced)):
        return "text behind a long run of spaces"
    if _stacked_marks(line):
        return "stacked combining characters"
    return None


def _is_unseen(character: str, previous: str) -> bool:
    if character == "\t" or (character.isascii() and character.isprintable()):
        return False
    if character == EMOJI_SELECTOR:
        return unicodedata.category(previous) not in ("So", "Sm", "Po", "Nd")
    category = unicodedata.category(character)
    is_selector = 0xFE00 <= ord(character) <= 0xFE0E or 0xE0100 <= ord(character) <= 0xE01EF
    return category in UNSEEN_CATEGORIES or category == "Zs" or character in BLANKS or is_selector


def _stacked_marks(line: str) -> bool:
    run = 0
    for character in line if not line.isascii() else "":
        run = run + 1 if unicodedata.category(character) == "Mn" else 0
        if run > MAX_MARKS:
            return True
    return False


def _longest_blank_run(lines: list[str]) -> int:
    longest = run = 0
    for line in lines:
        run = 0 if line.strip() else run + 1
        longest = max(longest, run)
    return longest


def _word_problem(word: str, text: str) -> str | None:
    """A sentence part if the word looks like another one.

    Python reads compatibility forms of letters as the plain ones (PEP 3131: NFKC), so `𝐞𝐯𝐚𝐥` calls eval.
    """
    if UNITS.fullmatch(word):
        return None
    plain = unicodedata.normalize("NFKC", word)
    if plain != unicodedata.normalize("NFC", word) and re.search("[A-Za-z]", plain):
        return f"letters in a compatibility form ({word!a})"
    letters = [character for character in word if character.isalpha()]
    foreign = [letter for letter in letters if unicodedata.name(letter, "").startswith(CONFUSING_SCRIPTS)]
    if not foreign:
        return None
    has_latin = any(unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    lookalike = word.translate(LOOKALIKES)
    if has_latin or (lookalike.isascii() and re.search(rf"\b{re.escape(lookalike)}\b", text)):
        return f"a word with look-alike letters ({word!a})"
    return None
