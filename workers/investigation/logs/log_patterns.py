"""Groups log records that are alike into patterns with counts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from workers.investigation.logs.log_records import LogRecord, truncate_middle
from workers.models import LogPattern, Sign
from workers.runtime.redaction import redact

MAX_PATTERNS = 20  # of one log; the errors come first
MAX_SAMPLE_CHARS = 4_000  # one whole traceback with its message
MAX_TEMPLATE_CHARS = 300  # one line of a sentence
MAX_HEADLINE_CHARS = 2_000  # of the line from which the template is made
MAX_TOKENS = 60  # words of a headline that are compared
# Groups of one length and initial word; bounds the work for a log in which every line is different.
MAX_GROUPS = 200
MIN_EQUAL_SHARE = 0.5  # share of equal words from which two headlines are of one pattern
ANY = "<*>"  # stands for a word that differs between the records of a group
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


@dataclass(frozen=True)
class RecordGroup:
    """Log records that differ only in their values. The text is not redacted."""

    template: str
    """The headline with varying values masked: `order <uuid> failed`."""
    records: tuple[LogRecord, ...]
    level: str
    """The most serious level of the records."""
    first: datetime
    last: datetime
    best: LogRecord
    """The record that stands for all of them: the first with a trace."""

    @property
    def count(self) -> int:
        return len(self.records)


@dataclass
class _Group:
    tokens: list[str]
    records: list[LogRecord]


def group_records(records: Iterable[LogRecord], limit: int = MAX_PATTERNS) -> list[RecordGroup]:
    """At most `limit` groups: errors with traces first, then errors, warnings and standard error, then the rest."""
    # Only headlines of the same length and initial word are compared (the parse tree of the Drain algorithm):
    # this keeps the work linear for logs of any size.
    groups: dict[tuple[int, str, bool], list[_Group]] = {}
    for record in records:
        tokens = mask(record.headline[:MAX_HEADLINE_CHARS]).split()[:MAX_TOKENS]
        candidates = groups.setdefault((len(tokens), tokens[0] if tokens else "", record.is_error), [])
        _assign(record, tokens, candidates)
    finished = [_finished(group) for candidates in groups.values() for group in candidates]
    return sorted(finished, key=_rank)[:limit]


def to_pattern(group: RecordGroup, signs: Sequence[Sign] = (), locations: Sequence[str] = ()) -> LogPattern:
    """The group as evidence: redacted, and cut to the size of a model.

    Args:
        signs: what the records of the group show about their cause.
        locations: own code that the trace names, as `file:line`, innermost first.
    """
    best = group.best
    return LogPattern(
        template=truncate_middle(_redacted_template(group), MAX_TEMPLATE_CHARS),
        count=group.count,
        level=group.level[:20],
        first=group.first,
        last=group.last,
        sample=sample_text(best, MAX_SAMPLE_CHARS),
        headline=redact(best.headline)[:MAX_HEADLINE_CHARS],
        exception=best.exception,
        signs=tuple(signs),
        locations=tuple(locations),
    )


def _redacted_template(group: RecordGroup) -> str:
    """The template, masked after redaction: a token whose digits are masked no longer has its format."""
    words = mask(redact(group.best.headline)[:MAX_HEADLINE_CHARS]).split()[:MAX_TOKENS]
    varying = [word == ANY for word in group.template.split(" ")]
    if len(varying) == len(words):
        words = [ANY if varies else word for word, varies in zip(words, varying, strict=True)]
    return " ".join(words)


def sample_text(record: LogRecord, limit: int) -> str:
    """The redacted text of the record in at most `limit` characters. The innermost frames and the exception stay.

    It is redacted as a whole and before it is cut: half a token or half a key no longer has its format.
    """
    return truncate_middle(redact(record.text), limit)


def _rank(group: RecordGroup) -> tuple[int, bool, int, datetime]:
    return LEVEL_ORDER.get(group.level, 3), not group.best.is_trace, -group.count, group.first


def _assign(record: LogRecord, tokens: list[str], candidates: list[_Group]) -> None:
    group = next((group for group in candidates if _is_alike(group.tokens, tokens)), None)
    if group is None and len(candidates) >= MAX_GROUPS:
        group = candidates[-1]
    if group is None:
        candidates.append(_Group(tokens, [record]))
        return
    group.tokens = [a if a == b else ANY for a, b in zip(group.tokens, tokens, strict=True)]
    group.records.append(record)


def _is_alike(template: Sequence[str], tokens: Sequence[str]) -> bool:
    equal = sum(a == b for a, b in zip(template, tokens, strict=True))
    return equal >= MIN_EQUAL_SHARE * max(1, len(tokens))


def _finished(group: _Group) -> RecordGroup:
    best = next((record for record in group.records if record.is_trace), group.records[0])
    levels = {record.level for record in group.records}
    return RecordGroup(
        template=" ".join(group.tokens),
        records=tuple(group.records),
        level=next((level for level in LEVEL_ORDER if level in levels), group.records[0].level),
        first=min(record.at for record in group.records),
        last=max(record.at for record in group.records),
        best=best,
    )


def mask(text: str) -> str:
    """The text with every varying value replaced by its kind: `<uuid>`, `<time>`, `<n>` …"""
    for regex, name in MASKS:
        text = regex.sub(name, text)
    return text
