"""The typed result of a diagnosis rule, and the texts that `verdict_sentences` renders from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from workers.models import Category, CodeLocation, Finding, Gap, Upstream, VerdictReason
from workers.runtime.text import truncate

MAX_QUOTE_CHARS = 160  # a log line or a failed read inside a sentence


@dataclass(frozen=True)
class Conclusion:
    """Why an incident happened, and everything that the texts of its verdict mention."""

    service: str
    reason: VerdictReason
    category: Category
    confidence: float
    supports: tuple[str, ...] = ()
    """Ids of the facts that the conclusion rests on."""
    subject: str = ""
    """The variable, sibling service or deployment that the conclusion is about."""
    quote: str = ""
    """The log line that shows the problem, as logged."""
    location: CodeLocation | None = None
    upstream: Upstream | None = None
    finding: Finding | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)
    kinds: frozenset[str] = frozenset()
    """Kinds of the alerting findings: they choose the next checks of an inconclusive verdict."""
    gaps: tuple[Gap, ...] = ()
    """Failed reads that an inconclusive verdict lists."""
    recently_deployed: bool = False


class Texts(NamedTuple):
    """The texts of a verdict: its cause, the advice to people, and the next checks."""

    summary: str
    action: str = ""
    next_checks: tuple[str, ...] = ()


def quote_text(conclusion: Conclusion) -> str:
    """The quoted log line, truncated for a sentence."""
    return truncate(conclusion.quote, MAX_QUOTE_CHARS)
