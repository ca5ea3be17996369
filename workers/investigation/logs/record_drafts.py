"""A record whose lines are still being read, and what it shows about the line that may come next. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from workers.investigation.logs.error_words import sounds_like_error
from workers.investigation.logs.headlines import HEAP_REPORT
from workers.investigation.logs.line_syntax import SOURCE_LINE, TWO_LINE_HEADER, Line, Part, without_tag

MAX_LINES = 1_000  # of one record; longer ones lose their middle: the frames of deep recursion repeat
RECOVERED = "panic recovered:"  # gin prints it above the request and the frames
MAX_SOURCE_CHARS = 400  # of a line that names a path and a line
BETWEEN_TRACEBACKS = ("During handling of the above", "The above exception was")
BANNER = "****"  # the frame of Spring Boot's failure analysis
BANNER_LINES = 3  # lines of a record in which the frame begins


class Piece(NamedTuple):
    """One line of a stream."""

    at: datetime
    order: int
    """Position in the whole log; orders lines of the same time."""
    reported_level: str
    text: str
    stated_level: str
    """The level that a JSON line states."""
    is_json: bool
    inner: bool
    """It is not the first line of what the service printed at once, so that it belongs to the line before it."""


@dataclass(slots=True)
class Draft:
    """A record whose next line may still come."""

    first: Piece
    line: Line
    """The syntax of the first line."""
    last_at: datetime
    """Time of the last line."""
    lines: list[str] = field(default_factory=list)
    last: Part = Part.BLANK
    """The role of the last line that is not blank."""
    joined: int = 0
    is_trace: bool = False
    """A frame was read."""
    is_thrown: bool = False
    """An exception was named."""
    awaits_name: bool = False
    """A Python traceback whose last line, which names the exception, is still missing."""
    is_python: bool = False
    is_go: bool = False
    level_below: str = ""
    """The level that the second line states, for the loggers that print it there."""
    text_lines: int = 0
    sounds_wrong: bool | None = None
    """The first line has a word for a failure; None before it was looked at."""
    text_until: int = -1
    """Index of the line in the stream up to which text is the message of an exception; -1 before it was looked for."""

    @property
    def level(self) -> str:
        return self.first.stated_level or self.level_below or self.line.level


def append_line(draft: Draft, piece: Piece, line: Line) -> None:
    draft.lines.append(piece.text.rstrip())
    if len(draft.lines) > MAX_LINES:
        del draft.lines[MAX_LINES // 2]
    draft.joined += 1
    draft.last_at = piece.at
    if draft.joined == 2 and line.level and TWO_LINE_HEADER.match(draft.first.text):
        draft.level_below = line.level
    part = line.content if line.part is Part.ENTRY else line.part
    if part is Part.BLANK:
        return
    bare = piece.text.lstrip(" \t|+-") if part in (Part.START, Part.FRAME) else ""
    if part is Part.START:
        draft.is_go = draft.is_go or bare.startswith("goroutine")
        if "Traceback" in bare:
            draft.is_python, draft.awaits_name = True, piece.text[:1] not in "╭┏"
    elif part is Part.FRAME:
        draft.is_trace = draft.is_trace or bool(bare.strip("^~ "))  # a mark below a place is no frame
        draft.awaits_name = draft.awaits_name or (not draft.is_python and bare.startswith('File "'))
        draft.is_python = draft.is_python or draft.awaits_name
    elif draft.awaits_name and part in (Part.THROWN, Part.TEXT):
        draft.awaits_name, draft.is_thrown = False, True
    elif part is Part.THROWN:
        draft.is_thrown = True
    elif part is Part.CHAIN and piece.text.startswith(BETWEEN_TRACEBACKS):
        draft.awaits_name = False  # the traceback before it has ended, in a group behind a mark
    draft.text_lines += part is Part.TEXT
    draft.last = part


def is_preamble(draft: Draft) -> bool:
    """True if the first line says that the message comes below."""
    first = draft.first.text
    if draft.joined == 1 and TWO_LINE_HEADER.match(first):
        return True
    if first.endswith(RECOVERED) and not draft.is_trace:
        return True
    if first.startswith("thread '") and not draft.is_trace:
        return draft.last is not Part.TAIL
    if first.startswith(HEAP_REPORT) or (len(draft.lines) > 1 and _has_banner(draft)):
        return True
    return is_uncaught(draft) and not draft.is_trace


def awaits_message(draft: Draft) -> bool:
    """True if an exception was named with an empty message, which comes below, as Prisma prints it."""
    return draft.is_thrown and not draft.is_trace and draft.lines[0].rstrip().endswith("Error:")


def _has_banner(draft: Draft) -> bool:
    return any(line.startswith(BANNER) for line in draft.lines[:BANNER_LINES])


def is_uncaught(draft: Draft) -> bool:
    """True for an uncaught error of Node: path and line that threw it stand above."""
    text = draft.first.text
    return text[-1:].isdigit() and SOURCE_LINE.match(text[:MAX_SOURCE_CHARS]) is not None


def has_tag_of(draft: Draft, piece: Piece) -> bool:
    """True if Rails printed the tag of the record before the line, too."""
    if piece.text[:1] != "[":
        return False
    tag, _ = without_tag(piece.text)
    return bool(tag) and tag in draft.lines[0] and is_errorish(draft)


def is_errorish(draft: Draft) -> bool:
    """True if the record tells of a failure, so that a trace behind it explains it."""
    if draft.level:
        return draft.level in ("error", "warning")
    if draft.sounds_wrong is None:
        draft.sounds_wrong = sounds_like_error(draft.first.text)
    if draft.is_thrown or draft.sounds_wrong:
        return True
    return draft.joined > 1 and sounds_like_error(
        next(line for line in reversed(draft.lines) if line.strip())
    )
