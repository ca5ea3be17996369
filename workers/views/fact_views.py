"""The numbered facts with the lines that they quote. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from workers.models import Evidence, Fact, FactKind, LogPattern, describe_gap
from workers.views.bounds import MAX_TEXT, first, line, lines, text
from workers.views.shapes import FactView

MAX_FACTS = 60
MAX_GAPS = 20


def fact_views(evidence: Evidence) -> tuple[tuple[FactView, ...], int]:
    """The facts, and the number of those that are left out."""
    shown, left_out = first(evidence.facts, MAX_FACTS)
    return tuple(_fact(fact, evidence) for fact in shown), left_out


def gap_texts(evidence: Evidence) -> tuple[str, ...]:
    """The reads that failed, each as a sentence."""
    return lines((describe_gap(gap) for gap in evidence.failed_reads), MAX_GAPS)


def _fact(fact: Fact, evidence: Evidence) -> FactView:
    return FactView(
        id=fact.id[:8],
        kind=fact.kind.value,
        text=line(fact.text),
        quote=text(_quote(fact, evidence), MAX_TEXT),
        count=_count(fact),
    )


def _quote(fact: Fact, evidence: Evidence) -> str:
    """The lines of the log, the code or the commit that the fact rests on; "" if it rests on numbers."""
    if fact.pattern is not None:
        return _sample(fact.pattern, (*evidence.patterns, *evidence.build_patterns))
    if fact.kind is FactKind.CODE_LOCATION and fact.location is not None:
        position = fact.location.position
        excerpts = (place.excerpt for place in evidence.locations if place.position == position)
        return fact.location.excerpt or next(excerpts, "")
    if fact.request is not None:
        request = fact.request
        return f"{request.method} {request.path} → {request.status}"
    if fact.suspect is not None:
        return (
            (fact.suspect.message or "") if fact.kind is FactKind.SUSPECT else "\n".join(fact.suspect.files)
        )
    return fact.upstream.description if fact.upstream is not None else ""


def _sample(pattern: LogPattern, patterns: Sequence[LogPattern]) -> str:
    """The whole record of the pattern, which the evidence keeps once."""
    samples = (other.sample for other in patterns if other.template == pattern.template and other.sample)
    return pattern.sample or next(samples, "") or pattern.headline


def _count(fact: Fact) -> int:
    if fact.pattern is not None:
        return fact.pattern.count
    return fact.request.count if fact.request is not None else 0
