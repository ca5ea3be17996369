"""Groups log records that are alike into patterns with counts. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from workers.investigation.logs.log_records import (
    CLASS_NAME,
    FRAME,
    PYTHON_START,
    SOURCE_LINE,
    STACK_LINE,
    THROWN,
    LogRecord,
    truncate_middle,
)
from workers.models import LogPattern

MAX_PATTERNS = 20  # of one log; the errors come first
MAX_SAMPLE_CHARS = 4_000  # one whole traceback with its message
MAX_TEMPLATE_CHARS = 300  # one line of a sentence
MAX_HEADLINE_CHARS = 2_000  # of the line from which the template is made
MAX_TOKENS = 60  # words of a headline that are compared
# Groups of one length and initial word; bounds the work for a log in which every line is different.
MAX_GROUPS = 200
MIN_EQUAL_SHARE = 0.5  # share of equal words from which two headlines are of one pattern
LEVEL_ORDER = {"error": 0, "warning": 1, "stderr": 2}

MASKS = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.I), "<uuid>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\b"), "<time>"),
    (re.compile(r"\b[a-z][a-z0-9+.-]{1,15}://[^\s\"'<>)\]]{1,500}", re.I), "<url>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b"), "<ip>"),
    (re.compile(r"(?<![\w<])/[\w.@%~+-]{1,100}(?:/[\w.@%~+:-]{0,100})+"), "<path>"),
    (re.compile(r"\b0x[0-9a-f]+\b|\b(?=[a-f]*\d)[0-9a-f]{8,64}\b", re.I), "<hex>"),
    (re.compile(r"(?<![A-Za-z])[-+]?\d+(?:[.,]\d+)*"), "<n>"),
)
"""Values that differ from line to line, in the order in which they are masked: a time contains numbers."""


@dataclass
class _Group:
    tokens: list[str]
    records: list[LogRecord]


def group_patterns(records: Sequence[LogRecord], limit: int = MAX_PATTERNS) -> tuple[LogPattern, ...]:
    """At most `limit` patterns: errors first, then warnings and standard error, the most frequent first."""
    # Only headlines of the same length and initial word are compared (the parse tree of the Drain algorithm):
    # this keeps the work linear for logs of any size.
    groups: dict[tuple[int, str, bool], list[_Group]] = {}
    for record in records:
        tokens = mask(headline(record)[:MAX_HEADLINE_CHARS]).split()[:MAX_TOKENS]
        candidates = groups.setdefault((len(tokens), tokens[0] if tokens else "", record.is_error), [])
        _assign(record, tokens, candidates)
    patterns = [_pattern(group) for candidates in groups.values() for group in candidates]
    patterns.sort(key=lambda pattern: (LEVEL_ORDER.get(pattern.level, 3), -pattern.count, pattern.first))
    return tuple(patterns[:limit])


def _assign(record: LogRecord, tokens: list[str], candidates: list[_Group]) -> None:
    group = next((group for group in candidates if _is_alike(group.tokens, tokens)), None)
    if group is None and len(candidates) >= MAX_GROUPS:
        group = candidates[-1]
    if group is None:
        candidates.append(_Group(tokens, [record]))
        return
    group.tokens = [a if a == b else "<*>" for a, b in zip(group.tokens, tokens, strict=True)]
    group.records.append(record)


def _is_alike(template: Sequence[str], tokens: Sequence[str]) -> bool:
    equal = sum(a == b for a, b in zip(template, tokens, strict=True))
    return equal >= MIN_EQUAL_SHARE * max(1, len(tokens))


def _pattern(group: _Group) -> LogPattern:
    best = next((record for record in group.records if record.is_trace), group.records[0])
    levels = {record.level for record in group.records}
    level = next((level for level in LEVEL_ORDER if level in levels), group.records[0].level)
    return LogPattern(
        template=truncate_middle(" ".join(group.tokens), MAX_TEMPLATE_CHARS),
        count=len(group.records),
        level=level[:20],
        first=min(record.at for record in group.records),
        last=max(record.at for record in group.records),
        sample=truncate_middle(best.text, MAX_SAMPLE_CHARS),
    )


def mask(text: str) -> str:
    """The text with every varying value replaced by its kind: `<uuid>`, `<time>`, `<n>` …"""
    for regex, name in MASKS:
        text = regex.sub(name, text)
    return text


# ---- headlines ----


def headline(record: LogRecord) -> str:
    """The line that names the problem: the exception of a traceback, otherwise the first line."""
    if not record.is_trace:
        return record.lines[0]
    if exception := _python_exception(record.lines):
        return exception
    lines = [line.lstrip(" |+") for line in record.lines]
    thrown = [line for line in lines if THROWN.match(line)] or _node_exception(record.lines)
    return thrown[0] if thrown else record.lines[0]


def _python_exception(lines: Sequence[str]) -> str:
    """The last line of the last traceback, which names the exception. It may have any class name."""
    starts = [number for number, line in enumerate(lines) if PYTHON_START.match(line)]
    if not starts:
        return ""
    after = (line for line in lines[starts[-1] + 1 :] if line.strip() and line[0] not in " \t|+")
    return next(after, "")


def _node_exception(lines: Sequence[str]) -> list[str]:
    """The line above the first frame of a Node stack, if it can be an exception: its class may have any name."""
    above = [line for line, below in pairwise(lines) if STACK_LINE.match(below) and not FRAME.match(line)][:1]
    is_exception = SOURCE_LINE.match(lines[0]) or (above and CLASS_NAME.match(above[0]))
    return above if is_exception else []
