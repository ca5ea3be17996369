"""The line of a record that names its problem, and the class of the exception that it names. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from workers.investigation.logs.line_syntax import (
    ANY_CLASS,
    BEFORE_CLASS,
    CLASS,
    FOREIGN_NOISE,
    SOURCE_LINE,
    THROWN,
    TWO_LINE_HEADER,
    Line,
    Part,
    read_line,
    without_tag,
)

MAX_HEADLINE_CHARS = (
    2_000  # far more than is shown: a token that is cut here would escape the redaction later
)
MAX_JOINED_CHARS = 500  # of a headline that goes on below
MAX_MESSAGE_LINES = 40  # lines of a message that are looked at for the rest of an unfinished headline
HEAP_REPORT = (
    "<--- Last few GCs --->",
    "<--- JS stacktrace --->",
)  # V8 prints one of them first when it gives up
MARKS = " \t|│┃+"

PYTHON_START = re.compile(r"^[\s|+-]{0,40}(?:Exception Group )?Traceback \(most recent call last\):")
BOX_START = re.compile(r"^[\s│┃]{0,200}[╭┏+][─━-]{1,200} ?Traceback")
BOX_END = re.compile(r"^[\s│┃]{0,200}[╰┗+][─━-]{3,400}[╯┛+]?\s*$")
# The innermost cause comes last: Java, Node, .NET, PHP.
CAUSE = re.compile(
    r"^\s{0,40}(?:Caused by: |\[cause\]: |-{1,3}> |Next |\[previous exception\] )(?!\{main\}|\d)(?=.{0,200}[A-Z])"
)
UNFINISHED = re.compile(r"(?:(?<!\))[:\[{(,]|validation errors? for [^\n]{1,80}| in)\s*$")
"""A headline whose message comes below: an empty message, an opening bracket, pydantic's count."""
CODE_LINE = re.compile(
    r"^\s*(?:[>→❱]? ?\d{1,6}\s|[A-Z]{3,7} /\S{0,900} HTTP/|/\S{1,300}:\d|\d{1,5} \||~*\^"
    r"|(?:Host|Accept|Connection|Authorization|Cookie|Referer|Origin|[A-Z][a-z]{1,20}(?:-[A-Za-z]{1,20}){1,4}): )"
)
"""A line of source in the message of Prisma and of compilers, or of the request that gin prints."""
PLACE_ENDS = re.compile(r"^(?:\S{1,300}:\d{1,7}:in [`'\"][^'\"]{1,200}['\"]: )")
CLASS_AT_START = re.compile(
    rf"^(?:{BEFORE_CLASS}|Caused by: |\[cause\]: |-{{1,3}}> |\[object\] \(|#<)?(?P<name>{CLASS}|{ANY_CLASS})"
    r"(?: \[[\w-]{1,60}\])?(?: \(\w{1,40}\))?(?:\(code: \d{1,9}\))?(?::(?!:)|\)|\s*$| \(.{0,400}\):?$| \{$)"
)
KNOWN_AT_START = re.compile(rf"^{BEFORE_CLASS}?(?P<name>{CLASS})(?: \[[\w-]{{1,60}}\])?:(?!:)")
CLASS_INSIDE = re.compile(
    r"(?:\[object\] \(|#<|[(\s\"]|^)(?P<name>(?:[\w.$\\]{1,160}(?:Error|Exception)))"
    r"(?:\(code: \d{1,9}\)|: |\)|$)"
)
CLASS_AT_END = re.compile(rf"\((?P<name>{ANY_CLASS})\)$")
PANIC = re.compile(
    r"(?:^|\s)(?:panic(?: serving \S{1,100}|\([\w ]{1,30}\))?: |fatal error: \w"
    r"|thread '[^']{0,200}'(?: \(\d{1,9}\))? panicked at |panic recovered)"
)
PLAIN_ERROR = re.compile(r"(?:^|\s)Error(?: \[\w{1,60}\])?(?::|\s*$)")
NOT_A_CLASS = frozenset(
    ("Warning", "Note", "Hint", "Info", "Error", "Usage", "Request", "Description", "Action", "Started")
)


class Naming(NamedTuple):
    """Where a record names its problem."""

    number: int
    """Index of the line."""
    frames_above: bool
    """The innermost frames stand above it, as Python prints them, and not below."""


def find_naming(lines: Sequence[str]) -> Naming | None:
    """The line of a record that names the exception that was not caught, or its innermost cause; None without one."""
    naming = _python_naming(lines)
    if naming is None:
        naming = _cause_naming(lines) or _thrown_naming(lines)
    return naming


def _python_naming(lines: Sequence[str]) -> Naming | None:
    """The line behind the last traceback. It may have any class name. In a group, the first exception inside."""
    starts = [number for number, line in enumerate(lines) if PYTHON_START.match(line)]
    boxes = [number for number, line in enumerate(lines) if BOX_START.match(line)] if not starts else []
    if boxes:
        ends = [number for number in range(boxes[-1], len(lines)) if BOX_END.match(lines[number])]
        after = (
            (number for number in range(ends[0] + 1, len(lines)) if lines[number].strip())
            if ends
            else iter(())
        )
        return next((Naming(number, frames_above=True) for number in after), None)
    if not starts:
        return None
    plain = [number for number in starts if lines[number][0] not in " \t|+"]
    if plain and plain[-1] >= starts[0] and not _is_group(lines, plain[-1]):
        return _below(lines, plain[-1], " \t|+>")
    inner = [number for number in starts if number > starts[0]] or starts
    return next((naming for number in inner if (naming := _below_in_group(lines, number))), None)


def _is_group(lines: Sequence[str], start: int) -> bool:
    return "Exception Group" in lines[start]


def _below(lines: Sequence[str], start: int, inside: str) -> Naming | None:
    for number in range(start + 1, len(lines)):
        line = lines[number]
        if line.strip() and line[0] not in inside:
            is_other = line.startswith(("During handling", "The above exception"))
            return None if is_other else Naming(number, frames_above=True)
    return None


def _below_in_group(lines: Sequence[str], start: int) -> Naming | None:
    """The exception of a traceback inside a group: below its frames, at the same indent."""
    indent = len(lines[start]) - len(lines[start].lstrip(MARKS))
    for number in range(start + 1, len(lines)):
        bare = lines[number].lstrip(MARKS)
        if bare and len(lines[number]) - len(bare) <= indent and not bare.startswith(("-", "File ")):
            return Naming(number, frames_above=True)
    return None


def _cause_naming(lines: Sequence[str]) -> Naming | None:
    causes = [
        number for number, line in enumerate(lines) if CAUSE.match(line) and not _is_suppressed(lines, number)
    ]
    return Naming(causes[-1], frames_above=False) if causes else None


def _is_suppressed(lines: Sequence[str], number: int) -> bool:
    """True for the cause of an exception that Java suppressed: it is indented."""
    return lines[number].startswith("\t") and "Caused by" in lines[number]


def _thrown_naming(lines: Sequence[str]) -> Naming | None:
    elixir = [number for number, line in enumerate(lines) if line.lstrip().startswith("** (")]
    if elixir:
        return Naming(elixir[-1], frames_above=False)
    for number, line in enumerate(lines):
        bare = without_tag(line)[1].lstrip(MARKS)
        if bare and THROWN.match(bare) and not FOREIGN_NOISE.match(line):
            return Naming(number, frames_above=False)
    for number, line in enumerate(lines):
        if number and line.strip(MARKS + "^~") and read_line(line).part is Part.FRAME:
            return _above_frames(lines, number)
    return None


def _above_frames(lines: Sequence[str], frame: int) -> Naming | None:
    """The line above the first frame, if it can be an exception: its class may have any name."""
    above = next((number for number in range(frame - 1, -1, -1) if lines[number].strip()), None)
    if above is None or read_line(lines[above]).part is Part.FRAME:
        return None
    is_exception = SOURCE_LINE.match(lines[0]) or CLASS_AT_START.match(_message_of(lines[above]))
    return Naming(above, frames_above=False) if is_exception else None


# ---- text ----


def headline_of(lines: Sequence[str], naming: Naming | None, first: Line) -> str:
    """One line that names the problem, with the message that it needs to be understood."""
    if naming is None:
        return _plain_headline(lines, first)
    line = CAUSE.sub("", _message_of(lines[naming.number]).lstrip(MARKS))
    return _finished(line, lines, naming.number)


def _message_of(line: str) -> str:
    if THROWN.match(line.lstrip(MARKS)):
        return line
    start = read_line(line).start
    message = without_tag(line[start:].lstrip())[1]
    return without_tag(line)[1] if start == 0 else message


def _plain_headline(lines: Sequence[str], first: Line) -> str:
    """The first line without its prefix; the next one where it holds nothing else."""
    banner = next((number for number, line in enumerate(lines) if line.strip() == "Description:"), None)
    if banner is not None and any(line.startswith("****") for line in lines):
        return _joined("", lines[banner + 1 :])
    if lines[0].startswith(HEAP_REPORT):
        return next(
            (line[:MAX_HEADLINE_CHARS] for line in lines if line.startswith("FATAL ERROR: ")), lines[0]
        )
    if SOURCE_LINE.match(lines[0]):
        # Node names what was thrown below the line that threw it and a mark.
        marks = [number for number, line in enumerate(lines) if line.strip() and not line.strip("^~ ")]
        lines = [line for line in lines[marks[0] + 1 :] if line.strip()] or lines if marks else lines
    if first.part is Part.CHAIN:
        lines = [line for line in lines if not CODE_LINE.match(line)] or lines  # Bun prints the source first
    for number, line in enumerate(lines[:MAX_MESSAGE_LINES]):
        message = without_tag(line[first.start :].strip())[1] if number == 0 else _message_of(line).strip()
        if message.strip() and not _is_header(line, number, len(lines)):
            headline = _finished(" ".join(message[: 2 * MAX_HEADLINE_CHARS].split()), lines, number)
            return (
                f"{headline}: {lines[1].strip()}"[:MAX_HEADLINE_CHARS]
                if _names_error(lines, number)
                else headline
            )
    return " ".join(lines[0][:MAX_HEADLINE_CHARS].split())


def _names_error(lines: Sequence[str], number: int) -> bool:
    """True if the error stands between the message and its frames, as in the JSON of Go's loggers."""
    if number or len(lines) < 3 or ": " not in lines[1] or read_line(lines[1]).part is not Part.TEXT:
        return False
    return any(read_line(line).part is Part.FRAME for line in lines[2:4])


def _is_header(line: str, number: int, count: int) -> bool:
    return number == 0 and count > 1 and TWO_LINE_HEADER.match(line) is not None


def _finished(line: str, lines: Sequence[str], index: int) -> str:
    if not UNFINISHED.search(line[-200:]) or index + 1 >= len(lines):
        return line[:MAX_HEADLINE_CHARS].rstrip()
    return _joined(line, lines[index + 1 : index + 1 + MAX_MESSAGE_LINES])


def _joined(line: str, below: Sequence[str]) -> str:
    """The line with the text below it up to the frames, or to the end of a sentence."""
    parts = [line.strip()] if line.strip() else []
    for text in below:
        bare = without_tag(text)[1].strip(MARKS)
        if not bare or CODE_LINE.match(text):
            continue
        if (
            read_line(text).part in (Part.FRAME, Part.ENTRY, Part.START)
            or sum(map(len, parts)) > MAX_JOINED_CHARS
        ):
            break
        parts.append(bare)
        is_list = parts[0].endswith(("[", "{")) or "validation error" in parts[0]
        if not is_list and not UNFINISHED.search(bare[-200:]):
            break
    return " ".join(" ".join(parts).split())[:MAX_HEADLINE_CHARS]


def exception_class(headline: str, *, is_named: bool) -> str:
    """The class of the exception that a headline names, `panic` for Go and Rust; empty without one.

    Args:
        is_named: the headline is the line of a trace that names its exception, so that the class may have any name.
    """
    if PANIC.search(headline):
        return "panic"
    text = PLACE_ENDS.sub("", headline)
    patterns = (CLASS_AT_END, CLASS_AT_START, CLASS_INSIDE) if is_named else (KNOWN_AT_START, CLASS_INSIDE)
    for pattern in (CLASS_AT_START,) if text.startswith("** (") else patterns:
        match = pattern.search(text)
        if match and match["name"] not in NOT_A_CLASS:
            return match["name"].strip(".\\").rpartition("/")[2]
    return "Error" if PLAIN_ERROR.search(text) else ""
