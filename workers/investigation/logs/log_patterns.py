"""Groups log records that are alike into patterns with counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import eq

from workers.investigation.logs.log_masks import masked_tokens
from workers.investigation.logs.log_records import LogRecord
from workers.investigation.logs.log_samples import shorten_lines
from workers.models import LogPattern, Sign
from workers.runtime.redaction import redact
from workers.runtime.text import truncate

MAX_PATTERNS = 20  # of one log; the errors come first
MAX_SAMPLE_CHARS = 4_000  # the exception, its innermost frames and the message before it
MAX_TEMPLATE_CHARS = 300  # one line of a sentence
MAX_COMPARED_CHARS = 2_000  # of the headline from which the template is made
MAX_HEADLINE_CHARS = 500  # of a pattern, after redaction
# Groups of one length and initial word; bounds the work for a log in which every line is different.
MAX_GROUPS = 100
# Share of equal words from which two headlines are of one pattern. Tuned on Loghub-2k, one value for all its logs.
MIN_EQUAL_SHARE = 0.65
MIN_EQUAL_SHARE_OF_TWO = 0.5  # of two words, so that `KeyError: 'a'` and `KeyError: 'b'` are alike
FREQUENT = 15  # records with the same words from which their words are no values; tuned in the same way
MAX_VARIANTS = (
    8  # frequent messages that differ in a word at the same place; from here on the word is a value
)
PUNCTUATION = "()[]:,."
HUGE_RATIO = 10  # times as many records as another group; below it, the group that began first comes first
ANY = "<*>"  # stands for a word that differs between the records of a group
LEVEL_ORDER = {"error": 0, "warning": 1, "stderr": 2}


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
    tokens: tuple[str, ...]
    records: list[LogRecord]
    frequent: tuple[str, ...] | None
    """The words from which the group began, if they are frequent by themselves."""


def group_records(records: Iterable[LogRecord], limit: int = MAX_PATTERNS) -> list[RecordGroup]:
    """At most `limit` groups: errors with traces first, then errors, warnings and standard error, then the rest.

    Errors are in the order in which they began, because the first is nearer to the cause. One that is rare beside the
    most frequent comes later, because a log of a busy service has stray errors of its own.
    """
    equal: dict[tuple[tuple[str, ...], bool], list[LogRecord]] = {}
    for record in records:
        key = masked_tokens(record.headline[:MAX_COMPARED_CHARS]), record.level == "error"
        equal.setdefault(key, []).append(record)
    # Only headlines of the same length and initial word are compared (the parse tree of the Drain algorithm):
    # this keeps the work linear for logs of any size.
    buckets: dict[tuple[int, str, bool], list[_Group]] = {}
    for (tokens, is_error), alike in equal.items():
        initial = tokens[0] if tokens and "<" not in tokens[0] else ANY
        group = _place(tokens, len(alike), buckets.setdefault((len(tokens), initial, is_error), []))
        group.records += alike
    finished = [_finished(group) for candidates in buckets.values() for group in candidates]
    return _ordered(finished)[:limit]


def _ordered(groups: Sequence[RecordGroup]) -> list[RecordGroup]:
    most: dict[tuple[int, bool], int] = {}
    for group in groups:
        most[_class(group)] = max(most.get(_class(group), 0), group.count)

    def rank(group: RecordGroup) -> tuple[int, bool, int, int, datetime, str]:
        is_problem = _class(group)[0] < len(LEVEL_ORDER) - 1
        is_rare = is_problem and group.count * HUGE_RATIO <= most[_class(group)]
        return *_class(group), is_rare, 0 if is_problem else -group.count, group.first, group.template

    return sorted(groups, key=rank)


def _class(group: RecordGroup) -> tuple[int, bool]:
    return LEVEL_ORDER.get(group.level, len(LEVEL_ORDER)), not group.best.is_trace


def to_pattern(group: RecordGroup, signs: Sequence[Sign] = (), locations: Sequence[str] = ()) -> LogPattern:
    """The group as evidence: redacted, and cut to the size of a model.

    Args:
        signs: what the records of the group show about their cause.
        locations: own code that the trace names, as `file:line`, innermost first.
    """
    best = group.best
    return LogPattern(
        template=truncate(_redacted_template(group), MAX_TEMPLATE_CHARS),
        count=group.count,
        level=group.level[:20],
        first=group.first,
        last=group.last,
        sample=sample_text(best, MAX_SAMPLE_CHARS),
        headline=truncate(redact(best.headline), MAX_HEADLINE_CHARS),
        exception=best.exception,
        signs=tuple(signs),
        locations=tuple(locations),
    )


def _redacted_template(group: RecordGroup) -> str:
    """The template, masked after redaction: a token whose digits are masked no longer has its format."""
    words = list(masked_tokens(redact(group.best.headline)[:MAX_COMPARED_CHARS]))
    varying = [word == ANY for word in group.template.split(" ")]
    if len(varying) == len(words):
        words = [ANY if varies else word for word, varies in zip(words, varying, strict=True)]
    return " ".join(words)


def sample_text(record: LogRecord, limit: int) -> str:
    """The redacted text of the record in at most `limit` characters. The innermost frames and the exception stay.

    It is redacted as a whole and before it is cut: half a token or half a key no longer has its format.
    """
    return "\n".join(shorten_lines(redact(record.text).split("\n"), limit))


def _place(tokens: tuple[str, ...], count: int, candidates: list[_Group]) -> _Group:
    """The group of these words, which joins `candidates` if it is new.

    Args:
        count: records with exactly these words.
    """
    needed = (MIN_EQUAL_SHARE if len(tokens) > 2 else MIN_EQUAL_SHARE_OF_TWO) * max(1, len(tokens))
    similar = [group for group in candidates if sum(map(eq, group.tokens, tokens)) >= needed]
    others = [group for group in similar if _is_other(group, tokens, count)]
    # Many frequent words at one place are values after all, such as the names of customers.
    group = next((group for group in similar if group not in others or len(others) >= MAX_VARIANTS), None)
    if group is None and len(candidates) < MAX_GROUPS:
        candidates.append(_Group(tokens, [], tokens if count >= FREQUENT else None))
        return candidates[-1]
    group = group or candidates[-1]
    if group.tokens != tokens:
        group.tokens = tuple([a if a == b else ANY for a, b in zip(group.tokens, tokens, strict=True)])
    return group


def _is_other(group: _Group, tokens: tuple[str, ...], count: int) -> bool:
    """True if both are frequent and differ in plain words only: `VM started`, `VM stopped` are no values."""
    if count < FREQUENT or group.frequent is None:
        return False
    return all(_is_word(a) and _is_word(b) for a, b in zip(group.frequent, tokens, strict=True) if a != b)


def _is_word(token: str) -> bool:
    """True for a plain word. A word in quotes is a value; a quote before it begins a longer text: `"GET /orders"`."""
    return token.strip(PUNCTUATION).lstrip('"').isalpha()


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
