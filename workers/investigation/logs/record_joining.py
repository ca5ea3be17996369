"""Joins the lines of one stream into records: a message, its stack trace and what belongs to it. Pure.

Railway delivers each printed line by itself. A stream is what one replica printed on standard output or on standard
error; lines of two replicas, or of both outputs, are never joined.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property

from workers.investigation.logs.headlines import HEAP_REPORT, PANIC
from workers.investigation.logs.line_syntax import (
    FOREIGN_NOISE,
    TWO_LINE_HEADER,
    Line,
    Part,
    read_line,
    without_tag,
)
from workers.investigation.logs.log_prefixes import PYTHON_WARNING
from workers.investigation.logs.record_drafts import (
    RECOVERED,
    Draft,
    Piece,
    append_line,
    awaits_message,
    has_tag_of,
    is_errorish,
    is_preamble,
    is_uncaught,
)

MAX_PAUSE = timedelta(seconds=3)  # between two lines of one trace. A process prints it at once
# Between two lines of one message, which have no form of their own.
MAX_TEXT_PAUSE = timedelta(milliseconds=50)
MAX_JOINED = 20_000  # lines after which a record is closed, even if its next line would continue it
MAX_TEXT_LINES = 60  # lines of one message
LINES_AHEAD = 40  # lines in which frames are looked for: they show a text to be the message of an exception
SHORTEST_PREFIX = 8  # characters of a prefix that a logger prints: `[error] `
FORMED = frozenset((Part.FRAME, Part.CHAIN, Part.START))
HEADER_ENDS = frozenset("]abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
"""Last characters of the first line of an entry whose message comes below."""
SQLALCHEMY_DETAILS = ("[SQL: ", "[parameters: ")
"""Lines of the message of an error of SQLAlchemy, behind an empty one."""
NATIVE_FRAME = re.compile(r"^ ?\d{1,3}: 0x[0-9a-f]{1,16} ")


class _Stream:
    """The lines of one stream with their syntax."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = pieces
        self.syntax = [read_line(piece.text) for piece in pieces]

    @cached_property
    def forms(self) -> list[int]:
        """For each line the index of the frames that follow its text; -1 if another entry comes first."""
        form, forms = -1, [-1] * len(self.pieces)
        for index in range(len(self.pieces) - 1, -1, -1):
            piece, part = self.pieces[index], self.syntax[index].part
            is_late = index + 1 < len(self.pieces) and self.pieces[index + 1].at - piece.at > MAX_TEXT_PAUSE
            if part in (Part.FRAME, Part.START):
                form = index
            elif is_late or piece.is_json or part in (Part.ENTRY, Part.DETAIL) or _is_panic(piece, part):
                form = -1
            forms[index] = form
        return forms

    def form_ahead(self, index: int) -> int:
        """The index of the frames that belong to the text of this line; -1 without them."""
        form = self.forms[index] if index < len(self.pieces) else -1
        return form if form - index < LINES_AHEAD else -1


def _is_panic(piece: Piece, part: Part) -> bool:
    return part is Part.THROWN and PANIC.search(piece.text) is not None


def join_stream(pieces: Sequence[Piece]) -> list[Draft]:
    """The records of one stream, in the order of their first lines."""
    drafts: list[Draft] = []
    current: Draft | None = None
    interrupted: Draft | None = None
    stream = _Stream(pieces)
    for index, piece in enumerate(pieces):
        line = stream.syntax[index]
        target = None
        if interrupted is not None and not piece.inner and _resumes(interrupted, current, piece, line):
            target = interrupted
        elif current is not None and (piece.inner or _continues(current, piece, line, stream, index)):
            target = current
        if target is not None:
            append_line(target, piece, line)
        elif line.part is not Part.BLANK:
            if current is not None and current.awaits_name:
                interrupted = current
            if line.content is Part.TEXT:
                current = Draft(piece, line, piece.at, [piece.text.rstrip()], Part.TEXT, 1)
            else:
                current = Draft(piece, line, piece.at)
                append_line(current, piece, line)
            drafts.append(current)
    return drafts


def _resumes(interrupted: Draft, current: Draft | None, piece: Piece, line: Line) -> bool:
    """True if the line continues a Python traceback into which another thread printed an entry."""
    if current is None or current is interrupted or current.is_trace or not interrupted.awaits_name:
        return False
    in_time = piece.at - interrupted.last_at <= MAX_PAUSE and not piece.is_json
    if line.part is Part.THROWN or (line.part is Part.TEXT and interrupted.is_trace):
        return in_time and current.line.part is Part.ENTRY and current.joined == 1
    return in_time and line.part in (Part.FRAME, Part.INDENTED) and not is_errorish(current)


# ---- one record ----


def _continues(draft: Draft, piece: Piece, line: Line, stream: _Stream, index: int) -> bool:
    """True if a new line of the same stream is the next line of the record."""
    if draft.first.text.startswith(HEAP_REPORT):
        return _continues_heap_report(draft, piece)
    if line.part is Part.ENTRY and line.content not in FORMED and not _is_wrapped(draft, piece, line):
        return False
    if piece.is_json or draft.joined >= MAX_JOINED or piece.at - draft.last_at > MAX_PAUSE:
        return False
    if line.part is Part.ENTRY:
        return _continues_prefixed(draft, piece, line)
    part = line.part
    if part is Part.BLANK:
        return draft.is_trace or draft.is_thrown or is_errorish(draft) or is_uncaught(draft)
    if part is Part.FRAME:
        return True
    if part is Part.START:
        return _starts_trace_of(draft, piece)
    if part is Part.CHAIN:
        return draft.is_trace or draft.is_thrown or draft.last is Part.CHAIN or is_errorish(draft)
    if part is Part.DETAIL:
        return draft.line.part is Part.ENTRY and draft.first.text[:10] == piece.text[:10]
    if part is Part.THROWN:
        return _is_named_by(draft, piece, stream, index)
    return _takes_text(draft, piece, part, stream, index)


def _continues_heap_report(draft: Draft, piece: Piece) -> bool:
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

    An uncaught error of Node in brackets, the second line of an entry, the error below the source that Bun prints, the
    request that gin prints above the frames, or a line with the tag of its record.
    """
    if draft.joined == 1 and draft.first.text[-1:] in HEADER_ENDS and TWO_LINE_HEADER.match(draft.first.text):
        return True
    if line.level == "error" and draft.line.part is Part.CHAIN and not draft.is_thrown:
        return True
    if line.level == "error" and piece.text.startswith("error: ") and awaits_message(draft):
        return True
    if line.level or line.start:
        return False
    if not draft.is_trace and (is_uncaught(draft) or draft.first.text.endswith(RECOVERED)):
        return True
    return has_tag_of(draft, piece)


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
    # The module `warnings` logs no trace.
    is_warning = PYTHON_WARNING.match(draft.first.text) is not None
    return draft.is_thrown or (is_errorish(draft) and not is_warning)


def _is_named_by(draft: Draft, piece: Piece, stream: _Stream, index: int) -> bool:
    """True if the line names the exception of the record; otherwise it begins the next one."""
    if draft.awaits_name or draft.last is Part.CHAIN or (is_uncaught(draft) and not draft.is_thrown):
        return True
    if draft.line.part is Part.CHAIN and not draft.is_thrown:
        return True  # Bun and Deno print the source above the error, with a mark below the place
    if draft.is_trace or draft.is_thrown or piece.at - draft.last_at > MAX_TEXT_PAUSE:
        return False
    if _is_panic(piece, Part.THROWN):
        return False
    if draft.level:
        return draft.level in ("error", "warning")
    return is_errorish(draft) and stream.form_ahead(index + 1) >= 0


def _takes_text(draft: Draft, piece: Piece, part: Part, stream: _Stream, index: int) -> bool:
    """True if a line without a form of its own belongs to the record."""
    if draft.awaits_name and draft.last in (Part.FRAME, Part.INDENTED, Part.CHAIN, Part.START):
        return True
    if piece.at - draft.last_at > MAX_TEXT_PAUSE:
        return False
    if has_tag_of(draft, piece):
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
        return is_open or is_preamble(draft) or is_errorish(draft)
    if draft.text_lines >= MAX_TEXT_LINES:
        return False
    if draft.last is Part.CHAIN or is_preamble(draft):
        return True
    if piece.text[0] in "{[" and not piece.text.startswith(SQLALCHEMY_DETAILS):
        return False  # an object that is printed by itself
    if draft.is_python and draft.is_thrown:
        return piece.text != draft.lines[0]  # the message of the exception goes on
    if awaits_message(draft):
        return True
    return _is_message(draft, stream, index)


def _is_message(draft: Draft, stream: _Stream, index: int) -> bool:
    """True if the text is a part of a message of several lines, whose frames follow."""
    if draft.is_trace or not (draft.is_thrown or is_errorish(draft)):
        return False
    if draft.line.part is Part.ENTRY and draft.line.start >= SHORTEST_PREFIX:
        return True  # the other lines of a logger that prints prefixes begin with one
    if draft.text_until < 0:
        draft.text_until = max(index, stream.form_ahead(index))
    return index < draft.text_until
