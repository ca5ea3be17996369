"""Joins the lines of one stream into records: a message, its stack trace and what belongs to it. Pure.

Railway delivers each printed line by itself. A stream is what one replica printed on standard output or on standard
error; lines of two replicas, or of both outputs, are never joined.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from workers.investigation.logs.error_words import sounds_like_error
from workers.investigation.logs.headlines import HEAP_DEATH, PANIC
from workers.investigation.logs.line_syntax import (
    FOREIGN_NOISE,
    SOURCE_LINE,
    TWO_LINE_HEADER,
    Line,
    Part,
    read_line,
    without_tag,
)
from workers.investigation.logs.log_prefixes import PYTHON_WARNING

MAX_PAUSE = timedelta(seconds=3)  # between two lines of one trace. A process prints it at once
# Between two lines of one message, which have no form of their own.
MAX_TEXT_PAUSE = timedelta(milliseconds=50)
MAX_LINES = 1_000  # of one record; longer ones lose their middle: the frames of deep recursion repeat
MAX_JOINED = 20_000  # lines after which a record is closed, even if its next line would continue it
MAX_TEXT_LINES = 60  # lines of one message
LINES_AHEAD = 40  # lines in which frames are looked for: they show a text to be the message of an exception
MAX_LINE_CHARS = 12_000  # of one line of a record

FORMED = frozenset((Part.FRAME, Part.CHAIN, Part.START))
RECOVERED = "panic recovered:"  # gin prints it above the request and the frames
BANNER = "****"  # the frame of Spring Boot's failure analysis


SHORTEST_TIME = 8  # characters of a prefix with a time
NATIVE_FRAME = re.compile(r"^ ?\d{1,3}: 0x[0-9a-f]{1,16} ")


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


@dataclass
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


def join_stream(pieces: Sequence[Piece]) -> list[Draft]:
    """The records of one stream, in the order of their first lines."""
    drafts: list[Draft] = []
    current: Draft | None = None
    interrupted: Draft | None = None
    for index, piece in enumerate(pieces):
        line = read_line(piece.text)
        target = None
        if interrupted is not None and not piece.inner and _resumes(interrupted, current, piece, line):
            target = interrupted
        elif current is not None and (piece.inner or _continues(current, piece, line, pieces, index)):
            target = current
        if target is not None:
            _append(target, piece, line)
        elif line.part is not Part.BLANK:
            if current is not None and current.awaits_name:
                interrupted = current
            if line.content is Part.TEXT:
                current = Draft(piece, line, piece.at, [piece.text.rstrip()[:MAX_LINE_CHARS]], Part.TEXT, 1)
            else:
                current = Draft(piece, line, piece.at)
                _append(current, piece, line)
            drafts.append(current)
    return drafts


def _append(draft: Draft, piece: Piece, line: Line) -> None:
    draft.lines.append(piece.text.rstrip()[:MAX_LINE_CHARS])
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
    draft.text_lines += part is Part.TEXT
    draft.last = part


def _resumes(interrupted: Draft, current: Draft | None, piece: Piece, line: Line) -> bool:
    """True if the line continues a Python traceback into which another thread printed an entry."""
    if current is None or current is interrupted or current.is_trace or not interrupted.awaits_name:
        return False
    in_time = piece.at - interrupted.last_at <= MAX_PAUSE and not piece.is_json
    if line.part is Part.THROWN or (line.part is Part.TEXT and interrupted.is_trace):
        return in_time and current.line.part is Part.ENTRY and current.joined == 1
    return in_time and line.part in (Part.FRAME, Part.INDENTED) and not is_errorish(current)


# ---- one record ----


def _continues(draft: Draft, piece: Piece, line: Line, pieces: Sequence[Piece], index: int) -> bool:
    """True if a new line of the same stream is the next line of the record."""
    if draft.first.text.startswith(HEAP_DEATH):
        return _continues_heap_death(draft, piece)
    if line.part is Part.ENTRY and line.content not in FORMED and not _is_wrapped(draft, piece, line):
        return False
    if piece.is_json or draft.joined >= MAX_JOINED or piece.at - draft.last_at > MAX_PAUSE:
        return False
    if line.part is Part.ENTRY:
        return _continues_prefixed(draft, piece, line)
    part = line.part
    if part is Part.BLANK:
        return draft.is_trace or draft.is_thrown or is_errorish(draft) or _is_uncaught(draft)
    if part is Part.FRAME:
        return True
    if part is Part.START:
        return _starts_trace_of(draft, piece)
    if part is Part.CHAIN:
        return draft.is_trace or draft.is_thrown or draft.last is Part.CHAIN or is_errorish(draft)
    if part is Part.DETAIL:
        return draft.line.part is Part.ENTRY and draft.first.text[:10] == piece.text[:10]
    if part is Part.THROWN:
        return _is_named_by(draft, piece, pieces, index)
    return _takes_text(draft, piece, part, pieces, index)


def _continues_heap_death(draft: Draft, piece: Piece) -> bool:
    """True up to the last frame of the native stack, which V8 prints at the end."""
    in_time = piece.at - draft.last_at <= MAX_PAUSE and not piece.is_json and draft.joined < MAX_TEXT_LINES
    is_frame = NATIVE_FRAME.match(piece.text) is not None
    return (
        in_time
        and not FOREIGN_NOISE.match(piece.text)
        and (is_frame or not NATIVE_FRAME.match(draft.lines[-1]))
    )


def _is_wrapped(draft: Draft, piece: Piece, line: Line) -> bool:
    """True for a line that only looks like an entry.

    An uncaught error of Node in brackets, the second line of an entry, the request that gin prints above the frames,
    or a line with the tag of its record.
    """
    if draft.joined == 1 and TWO_LINE_HEADER.match(draft.first.text):
        return True
    if line.level or line.start:
        return False
    if not draft.is_trace and (_is_uncaught(draft) or draft.first.text.endswith(RECOVERED)):
        return True
    return _has_tag_of(draft, piece)


def _has_tag_of(draft: Draft, piece: Piece) -> bool:
    """True if Rails printed the tag of the record before the line, too."""
    tag, _ = without_tag(piece.text)
    return bool(tag) and tag in draft.lines[0] and is_errorish(draft)


def _continues_prefixed(draft: Draft, piece: Piece, line: Line) -> bool:
    """A logger or a process manager may print its prefix, or Rails its tag, before each line of a trace."""
    tag, message = without_tag(piece.text)
    first = draft.lines[0]
    same_tag = bool(tag) and (first.startswith(tag) or tag in first)
    if _is_wrapped(draft, piece, line):
        return True
    if line.content is Part.FRAME:
        return same_tag or draft.line.part in (Part.ENTRY, Part.THROWN) or draft.is_trace
    return draft.is_trace or is_errorish(draft) or (same_tag and not message.strip())


def _starts_trace_of(draft: Draft, piece: Piece) -> bool:
    """True if the trace that begins here explains the record, or goes on with it."""
    if draft.is_go or (draft.last is Part.CHAIN and not draft.awaits_name):
        return draft.is_go == piece.text.startswith("goroutine")
    if piece.text[:1] in " \t" and draft.is_python:
        return True  # of a group of exceptions
    if draft.is_trace or (draft.is_python and draft.is_thrown):
        return "Traceback" not in piece.text
    is_warning = (
        PYTHON_WARNING.match(draft.first.text) is not None
    )  # of the module `warnings`, which logs no trace
    return draft.is_thrown or (is_errorish(draft) and not is_warning)


def _is_named_by(draft: Draft, piece: Piece, pieces: Sequence[Piece], index: int) -> bool:
    """True if the line names the exception of the record; otherwise it begins the next one."""
    if draft.awaits_name or draft.last is Part.CHAIN or (_is_uncaught(draft) and not draft.is_thrown):
        return True
    if draft.line.part is Part.CHAIN and not draft.is_thrown:
        return True  # Bun and Deno print the source above the error, with a mark below the place
    if draft.is_trace or draft.is_thrown or piece.at - draft.last_at > MAX_TEXT_PAUSE:
        return False
    if PANIC.search(piece.text):
        return False
    if draft.level:
        return draft.level in ("error", "warning")
    return is_errorish(draft) and _form_ahead(pieces, index + 1) > 0


def _takes_text(draft: Draft, piece: Piece, part: Part, pieces: Sequence[Piece], index: int) -> bool:
    """True if a line without a form of its own belongs to the record."""
    if draft.awaits_name and draft.last in (Part.FRAME, Part.INDENTED, Part.CHAIN, Part.START):
        return True
    if piece.at - draft.last_at > MAX_TEXT_PAUSE:
        return False
    if _has_tag_of(draft, piece):
        return True
    if part is Part.TAIL:
        return (
            draft.is_trace
            or draft.is_thrown
            or draft.last in (Part.INDENTED, Part.TAIL)
            or is_errorish(draft)
        )
    if part is Part.INDENTED:
        is_open = (
            draft.is_trace or draft.is_thrown or bool(draft.level) or draft.first.text.strip() in ("{", "[")
        )
        return is_open or _is_preamble(draft) or is_errorish(draft)
    if draft.text_lines >= MAX_TEXT_LINES:
        return False
    if draft.last is Part.CHAIN or _is_preamble(draft):
        return True
    if piece.text[0] in "{[":
        return False  # an object that is printed by itself
    if draft.is_python and draft.is_thrown:
        return piece.text != draft.lines[0]  # the message of the exception goes on
    return _is_message(draft, pieces, index)


def _is_preamble(draft: Draft) -> bool:
    """True if the first line says that the message comes below."""
    first = draft.first.text
    if draft.joined == 1 and TWO_LINE_HEADER.match(first):
        return True
    if first.endswith(RECOVERED) and not draft.is_trace:
        return True
    if first.startswith("thread '") and not draft.is_trace:
        return draft.last is not Part.TAIL
    if first.startswith(HEAP_DEATH) or (len(draft.lines) > 1 and _has_banner(draft)):
        return True
    return _is_uncaught(draft) and not draft.is_trace


def _has_banner(draft: Draft) -> bool:
    return any(line.startswith(BANNER) for line in draft.lines[:3])


def _is_uncaught(draft: Draft) -> bool:
    """True for an uncaught error of Node: path and line that threw it stand above."""
    return SOURCE_LINE.match(draft.first.text[:400]) is not None


def _is_message(draft: Draft, pieces: Sequence[Piece], index: int) -> bool:
    """True if the text is a part of a message of several lines, whose frames follow."""
    if draft.is_trace or not (draft.is_thrown or is_errorish(draft)):
        return False
    if draft.line.part is Part.ENTRY and draft.line.start > SHORTEST_TIME:
        return True  # the other lines of a logger that prints times begin with one
    if draft.text_until < 0:
        draft.text_until = index + _form_ahead(pieces, index)
    return index < draft.text_until


def _form_ahead(pieces: Sequence[Piece], index: int) -> int:
    """The number of lines up to the frames that belong to this text; 0 if another entry comes first."""
    for distance in range(min(LINES_AHEAD, len(pieces) - index)):
        piece = pieces[index + distance]
        late = distance > 0 and piece.at - pieces[index + distance - 1].at > MAX_TEXT_PAUSE
        line = read_line(piece.text)
        if piece.is_json or late or line.part in (Part.ENTRY, Part.DETAIL):
            return 0
        if line.part is Part.THROWN and PANIC.search(piece.text):
            return 0
        if line.part in (Part.FRAME, Part.START):
            return distance + 1
    return 0


def is_errorish(draft: Draft) -> bool:
    """True if the record tells of a failure, so that a trace behind it explains it."""
    if draft.level:
        return draft.level in ("error", "warning")
    if draft.sounds_wrong is None:
        draft.sounds_wrong = sounds_like_error(draft.first.text)
    return (
        draft.is_thrown
        or draft.sounds_wrong
        or sounds_like_error(next(line for line in reversed(draft.lines) if line.strip()))
    )
