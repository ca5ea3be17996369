"""The typed result of a diagnosis rule. `verdict_sentences` renders it; no rule writes a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from workers.models import Category, CodeLocation, Finding, Gap, Upstream, VerdictReason


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
