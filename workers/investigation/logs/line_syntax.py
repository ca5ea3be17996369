"""The syntax of one line of a log: the beginning of an entry, a part of a stack trace, or plain text. Pure.

Sources: the default formats of the loggers that `log_prefixes` lists, and the traces that `frame_syntax` lists.
Every expression is bounded, so a hostile line costs bounded time.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from workers.investigation.code.frame_syntax import is_frame_line
from workers.investigation.logs.log_masks import DIGITS
from workers.investigation.logs.log_prefixes import LEVELS, MAX_PREFIX_CHARS, QUIET_ENTRY, read_prefix

MAX_SYNTAX_CHARS = 1_500  # of a line that are looked at
MAX_CACHED_LINES = 8_192  # different lines whose syntax is remembered: far more than one service has formats


class Part(IntEnum):
    """The role of a line."""

    TEXT = 0  # anything else at the start of a line
    ENTRY = 1  # begins like a log entry: a time, a level, JSON, a tag
    BLANK = 2
    INDENTED = 3
    FRAME = 4
    START = 5  # begins a trace: `Traceback`, `Stack trace:`, `goroutine 1 [running]:`
    CHAIN = 6  # leads to another exception of the same failure, or is part of the frame of a trace
    THROWN = 7  # names an exception
    TAIL = 8  # comes after the frames: `}`, `note: run with …`
    DETAIL = 9  # an entry that explains the entry before it: `DETAIL:` of PostgreSQL


class Line(NamedTuple):
    """The syntax of a line. It does not depend on the values of its digits."""

    part: Part
    level: str
    """The level that the line states, as the product names levels; empty if it states none."""
    start: int
    """Characters before the message: time, level, process, logger."""
    content: Part
    """The role of the message without the prefix. Some loggers print a prefix before each line of a trace."""


CLASS = (
    r"(?:[A-Za-z_][\w.$\\/:+`-]{0,160}?(?:Error|Exception|Warning|Timeout|Exit|Interrupt|Failure|Group|Refused|Panic)"
    r"|Error|Exception)"
)
"""The name of an exception by its ending."""
ANY_CLASS = r"(?:[a-z_][\w]{0,60}\.){0,8}[A-Z][\w$]{2,120}(?:(?:\.|::)[A-Z][\w$]{0,120}){0,4}"
"""A name in the form of a class."""
BEFORE_CLASS = (
    r"(?:[⨯✖✘❌×] {1,2})?(?:(?:Uncaught|Unhandled)(?: exception[.:]?)?:? (?:\(in promise\) )?|Unhandled exception\. "
    r'|error: (?:Uncaught )?(?:\(in promise\) )?|Exception in thread "[^"]{0,100}" '
    r"|PHP (?:Fatal|Parse|Recoverable fatal) error: {1,2}(?:Uncaught )?|Fatal error: {1,2}Uncaught "
    r"|\[(?:PHP )?Exception\] |[uU]nhandledRejection: |\(node:\d{1,8}\) (?:\[\w{1,20}\] )?|Next |\*\* \()"
)
THROWN = re.compile(
    rf"^{BEFORE_CLASS}?(?:{CLASS})(?: \[[\w-]{{1,60}}\])?(?: \(\w{{1,40}}\))?(?::|\)|\s*$| \(.{{0,400}}\):$| \{{$)"
    r"|^thread '[^'\n]{0,200}'(?: \(\d{1,9}\))? panicked at |^panic(?:\([\w ]{1,30}\))?: |^fatal error: \w"
    r"|^\*\* \(\w|^terminate called after throwing"
    rf"|^\S{{1,300}}:\d{{1,7}}:in [`'\"][^'\"]{{1,200}}['\"]: .{{0,900}}\((?:{ANY_CLASS})\)$"
    rf"|^PHP (?:Fatal|Parse) error: |^(?:Fatal|Parse) error: .{{0,900}} on line \d{{1,7}}$"
)
"""A line that begins with the name of an exception or warning class, or says that a program panicked."""
START = re.compile(
    r"^(?:(?:Exception Group )?Traceback \(most recent call (?:last|first)\):|[╭┏+][─━-]{0,200} ?Traceback"
    r"|(?:Stack trace|[Ss]tack backtrace|Backtrace|Call Stack|\[stacktrace\]):?\s{0,4}$"
    r"|goroutine \d{1,9} (?:gp=\S{1,40} m=\S{1,40} )?\[[\w .,()-]{1,100}\]:$"
    r"|<--- (?:JS stacktrace|Last few GCs) --->|----- Native stack trace -----)"
)
CHAIN = re.compile(
    r"^(?:During handling of the above exception|The above exception was the direct cause|(?:Caused|Wrapped) by:"
    r"|Suppressed: |Cause: |\[cause\]|\[errors\]|\[previous exception\]|-{1,3}> |Next \\?[A-Z]\w"
    r"|\+[-+]{3,}|\+-\+-|[╭│╰┃┏┗├❱]|\[Previous line repeated|\[signal SIG|\[recovered\]|thrown in \S.{0,400} on line \d"
    r"|--- End of |Reason: |Location:$|\d{1,5} \| |\d{1,4}: 0x[0-9a-f]{4,16} )"
)
"""The rest of what stands between the lines of a trace, whatever the indent."""
TAIL = re.compile(
    r"^(?:[}\])]{1,4}[,;]?$|\"\}\s{0,2}$|Node\.js v\d|Bun v\d|note: (?:run with|[Ss]ome details)|exit status \d"
    r"|\.\.\. |Last message(?: \(from|:)|State: |Initial Call: |Ancestors: |Neighbours:|Function: |Server: \S+:\d"
    r"|Request: [A-Z]{3,8} /|(?:Did|Are) you (?:mean|forget|trying)|Require stack:$|- /\S{1,400}$"
    r"|\(Background on this error at: |\[SQL: |\[parameters: |LINE \d{1,6}: |HINT: |DETAIL: |QUERY: |CONTEXT: )"
)
# The file and line that Node prints above an uncaught exception, and those of Deno, Bun and Ruby.
SOURCE_LINE = re.compile(
    r"^(?:file://)?(?:node:)?[^\s:]{1,300}(?:\.[cm]?[jt]sx?:\d{1,7}|(?<=/errors):\d{1,7})$|^node:[\w/]{1,80}:\d{1,7}$"
)
FOREIGN_NOISE = re.compile(
    r"^(?:npm (?:error|ERR!|warn|WARN|notice|info|verb|http)|yarn run |error Command failed|info Visit https?://yarn"
    r"|\s?ELIFECYCLE|\s?ERR_PNPM|Aborted(?: \(core dumped\))?$|Killed$|Segmentation fault|Terminated$|make(?:\[\d\])?: "
    r"|sh: \d|/bin/\w{2,4}: |\(Use `node --trace)"
)
"""Lines of npm, of shells and of make, which print beside the program."""
DETAIL = re.compile(r"(?:^|[\]\s])(?:STATEMENT|DETAIL|HINT|CONTEXT|QUERY|LOCATION): {1,2}")
TWO_LINE_HEADER = re.compile(
    r"^(?:\d[\d:T.+Z /-]{7,32}\s?)?(?:trce|dbug|info|warn|fail|crit): \S{1,300}\[-?\d{1,10}\]$"
    r"|^[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M \S{1,200} \S{1,100}$"
)
"""The first line of an entry of .NET's console logger and of `java.util.logging`, which print the message below it."""
TAG = re.compile(r"^(?:\[[\w.:/-]{6,64}\] {0,3}){1,4}")
"""A tag that Rails prints before each line of a request: its id."""


START_HINTS = (
    "Traceback", "Exception Group", "╭", "┏", "+", "Stack", "stack", "Backtrace", "Call Stack", "[stacktrace]",
    "goroutine", "<---", "-----",
)  # fmt: skip
"""Each line that begins a trace begins with one of these. Most lines do not, and are spared the expression."""
THROWN_HINTS = (
    "rror", "xception", "Warning", "Timeout", "Exit", "Interrupt", "Failure", "Group", "Refused", "anic", "thread '",
    "terminate", "** (", ":in ",
)  # fmt: skip
"""Each line that names an exception has one of these."""
CHAIN_INITIALS = frozenset("DTCWS[N-+╭│╰┃┏┗├❱>→tRL0123456789")
TAIL_INITIALS = frozenset('}])"NBne.LSIAFRD-(HQC')


def read_line(text: str) -> Line:
    """The syntax of a line. The most common entries are read by one expression; other lines are remembered."""
    match = QUIET_ENTRY.match(text)
    if match is not None:
        return _quiet_line(match["level"], match.end())
    beginning = text[:MAX_SYNTAX_CHARS]
    # A severity of syslog is a digit: `<3>`.
    return _read(beginning if text[:1] == "<" else beginning.translate(DIGITS))


@lru_cache(maxsize=MAX_CACHED_LINES)
def _quiet_line(level: str, start: int) -> Line:
    return Line(Part.ENTRY, LEVELS[level.lower()], start, Part.TEXT)


@lru_cache(maxsize=MAX_CACHED_LINES)
def _read(text: str) -> Line:
    if not text.strip():
        return Line(Part.BLANK, "", 0, Part.BLANK)
    part = part_of(text)
    if part not in (Part.TEXT, Part.INDENTED):
        prefix = read_prefix(text[:MAX_PREFIX_CHARS]) if part in (Part.THROWN, Part.ENTRY) else None
        return Line(part, prefix.level if prefix else "", 0, part)
    prefix = read_prefix(text[:MAX_PREFIX_CHARS])
    if not prefix.is_entry and not prefix.level:
        return Line(part, "", 0, part)
    content = part_of(text[prefix.start :].lstrip()) if text[prefix.start :].strip() else Part.BLANK
    is_detail = prefix.is_entry and DETAIL.search(text[:MAX_PREFIX_CHARS])
    role = Part.DETAIL if is_detail else Part.ENTRY if prefix.is_entry else part
    return Line(role, prefix.level, prefix.start, content)


def part_of(text: str) -> Part:
    """The role of a line, whatever its prefix says: TEXT or INDENTED if it has none in a trace."""
    bare = text.lstrip(" \t|┃")
    if FOREIGN_NOISE.match(text):
        return Part.ENTRY
    if bare.startswith(START_HINTS) and START.match(bare):
        return Part.START
    if any(hint in text for hint in THROWN_HINTS) and THROWN.match(bare):
        return Part.THROWN if bare == text or bare[0] in "⨯✖✘❌×" else Part.INDENTED
    if is_frame_line(text):
        return Part.FRAME
    if bare[:1] in CHAIN_INITIALS and CHAIN.match(bare):
        return Part.CHAIN
    if bare[:1] in TAIL_INITIALS and TAIL.match(bare):
        return Part.TAIL
    return Part.INDENTED if text[0] in " \t" else Part.TEXT


def without_tag(text: str) -> tuple[str, str]:
    """The tag before the message, and the message."""
    match = TAG.match(text)
    return (match[0].rstrip(), text[match.end() :]) if match else ("", text)
