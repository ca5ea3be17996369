"""Turns log lines into records: one occurrence of an error is one record, and its level follows from the text. Pure.

Log text comes from the watched service and is untrusted: it is cleaned and truncated, kept as data, and never
followed. It is not redacted: a pattern is redacted when it is built. All regular expressions are bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from workers.investigation.logs.error_words import is_certain_error, sounds_like_error
from workers.investigation.logs.headlines import MAX_HEADLINE_CHARS, exception_class, find_naming, headline_of
from workers.investigation.logs.json_lines import open_line
from workers.investigation.logs.line_syntax import Part, read_line
from workers.investigation.logs.log_prefixes import split_process, strip_time
from workers.investigation.logs.log_samples import shorten_lines
from workers.investigation.logs.record_drafts import Draft, Piece
from workers.investigation.logs.record_joining import join_stream
from workers.models import LogLine
from workers.runtime.characters import visible
from workers.runtime.redaction import redact_key_line

MAX_FRAME_CHARS = 1_000  # of a line that may be a frame behind a time
MAX_LOG_LINE_CHARS = 200_000  # of a line are processed at all
MAX_RECORD_CHARS = 40_000  # of a record: a trace of several hundred lines; longer records lose their middle
KEY_PATIENCE = 20  # lines of other threads in a row inside a private key that is printed line by line
STANDARD_ERROR = frozenset(("error", "err", "fatal", "critical", "panic"))
"""Levels that Railway reports for lines on standard error."""


class LogRecord(NamedTuple):
    """One log entry of one replica: a line, or a whole trace with the message before it.

    The text is cleaned of invisible characters, but not redacted: records stay in memory and signs are read from them.
    """

    at: datetime
    instance: str
    """Replica that printed it; empty if Railway does not say."""
    reported_level: str
    """The level that Railway names, lower case. Standard error counts as `error` on Railway."""
    lines: tuple[str, ...]
    level: str
    """The level that the text shows: `error`, `warning`, `stderr`, `info`, `debug` …"""
    is_trace: bool
    """True if the record has a stack trace."""
    headline: str
    """The line that names the problem, without time and level: the exception of a trace, otherwise the message."""
    exception: str
    """Class of the exception that the headline names, `panic` for Go and Rust; empty without one."""

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def is_error(self) -> bool:
        return self.level == "error"


def clean_log_text(text: str) -> str:
    """The beginning of the text without anything that a reader cannot see; line feeds and tabs stay."""
    return visible(text[:MAX_LOG_LINE_CHARS])


def build_log_records(lines: Iterable[LogLine]) -> list[LogRecord]:
    """The lines as records, oldest first. Traces are joined per replica and output, because these interleave."""
    streams: dict[tuple[str, bool, str], list[Piece]] = {}
    in_key: dict[str, int] = {}
    lines = sorted(lines, key=attrgetter("timestamp"))
    timed = _outputs_with_times(lines)
    for order, line in enumerate(lines):
        instance, level = line.instance_id or "", line.level.lower()
        message = line.message[:MAX_LOG_LINE_CHARS]
        if in_key.get(instance) or "PRIVATE KEY" in message:
            message, in_key[instance] = _without_key(message, in_key.get(instance, 0))
        if (instance, level in STANDARD_ERROR) in timed:
            message = strip_time(message)
        process, message = split_process(message)
        stream = streams.setdefault((instance, level in STANDARD_ERROR, process), [])
        stated, text, is_json = open_line(message)
        if "\n" not in text:
            stream.append(Piece(line.timestamp, order, level, text, stated, is_json, False))
            continue
        for number, part in enumerate(text.split("\n")):
            stream.append(
                Piece(line.timestamp, order, level, part, stated, is_json and not number, number > 0)
            )
    drafts = [
        (draft, instance) for (instance, *_), pieces in streams.items() for draft in join_stream(pieces)
    ]
    drafts.sort(key=lambda pair: pair[0].first.order)
    return [_record(draft, instance) for draft, instance in drafts]


def _outputs_with_times(lines: Iterable[LogLine]) -> set[tuple[str, bool]]:
    """The outputs, by replica and whether it is standard error, on which a time stands before each line.

    A logger puts its time before an entry only. A time before a line of a stack trace comes from a process manager.
    """
    outputs: set[tuple[str, bool]] = set()
    for line in lines:
        text = strip_time(line.message[:MAX_FRAME_CHARS])
        if len(text) == len(line.message) or not (text[:1] in " \t" or text.startswith("Traceback")):
            continue
        if len(line.message) <= MAX_FRAME_CHARS and read_line(text).part in (Part.FRAME, Part.START):
            outputs.add((line.instance_id or "", line.level.lower() in STANDARD_ERROR))
    return outputs


def _without_key(message: str, patience: int) -> tuple[str, int]:
    """The line without the part of a private key that is printed line by line, and the patience with the next line.

    Args:
        patience: other lines that may still stand between the lines of the key; 0 outside of a key.
    """
    text, is_inside = redact_key_line(message, inside=patience > 0)
    if is_inside:
        return text, KEY_PATIENCE
    is_other = patience > 0 and text == message
    return text, patience - 1 if is_other else 0


def _record(draft: Draft, instance: str) -> LogRecord:
    first = draft.first
    is_single = draft.joined == 1 or (draft.joined == 2 and first.is_json)
    if is_single and not draft.is_thrown and not draft.is_trace and not draft.is_python:
        text = draft.lines[0]
        start = draft.line.start
        headline = (
            " ".join(text[start : start + MAX_HEADLINE_CHARS].split()) or text[:MAX_HEADLINE_CHARS].strip()
        )
        level = draft.level or _level(draft, text, None)
        exception = exception_class(headline, is_named=False) if level in ("error", "warning") else ""
        return LogRecord(
            first.at, instance, first.reported_level, tuple(draft.lines), level, False, headline, exception
        )
    lines = shorten_lines(_without_blank_end(draft.lines), MAX_RECORD_CHARS)
    naming = find_naming(lines) if draft.is_trace or draft.is_thrown or draft.is_python else None
    headline = headline_of(lines, naming, draft.line)
    return LogRecord(
        at=first.at,
        instance=instance,
        reported_level=first.reported_level,
        lines=tuple(lines),
        level=_level(draft, "\n".join(lines[:40]), lines[naming.number] if naming else None),
        is_trace=draft.is_trace,
        headline=headline,
        exception=exception_class(headline, is_named=naming is not None),
    )


def _without_blank_end(lines: Sequence[str]) -> Sequence[str]:
    end = len(lines)
    while end > 1 and not lines[end - 1].strip():
        end -= 1
    return lines[:end]


def _level(draft: Draft, text: str, named: str | None) -> str:
    """The level that the text itself shows. Everything on standard error is `error` for Railway, even `INFO` lines.

    Args:
        named: the line that names an exception.
    """
    stated = draft.level
    is_warning = named is not None and "Warning:" in named[:200]
    if draft.is_trace and named is not None:
        return "warning" if stated == "warning" or is_warning else "error"
    if stated:
        return stated
    if draft.is_thrown:
        return "warning" if is_warning else "error"
    reported = draft.first.reported_level
    if reported in STANDARD_ERROR:
        # A trace is an error under any name.
        return "error" if draft.is_trace or sounds_like_error(text) else "stderr"
    if is_certain_error(text):
        return "error"
    return "warning" if reported.startswith("warn") else reported or "info"
