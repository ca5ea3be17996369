"""The typed result of a diagnosis rule, and the texts that `verdict_sentences` renders from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from workers.models import (
    Category,
    CodeLocation,
    Finding,
    Gap,
    ModuleDeclaration,
    SettingUse,
    Upstream,
    VerdictReason,
)
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
    """The variable, host, service, module, option or deployment that the conclusion is about."""
    names: tuple[str, ...] = ()
    """Further variables, hosts or places of the same kind."""
    quote: str = ""
    """The log line that shows the problem, as logged."""
    location: CodeLocation | None = None
    caller: CodeLocation | None = None
    """Own code that calls `location` and that the suspect commit changed."""
    commit: str = ""
    """The suspect commit, if it touched what fails."""
    setting: SettingUse | None = None
    module: ModuleDeclaration | None = None
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


class Circumstances(NamedTuple):
    """The statements of every summary beside the cause."""

    is_chronic: bool = False
    """The trouble is older than the history."""
    dropped_lines: int = 0
    """Log lines that Railway dropped in the window."""
    shows_success: bool = False
    """Railway shows the deployment of a service that does not run as successful."""


def quote_text(conclusion: Conclusion) -> str:
    """The quoted log line, truncated for a sentence."""
    return truncate(conclusion.quote, MAX_QUOTE_CHARS)


def place_text(location: CodeLocation | None) -> str:
    """`shop/pricing.py:5 in total`; empty without a location."""
    if location is None:
        return ""
    function = f" in {location.function}" if location.function else ""
    return f"{location.position}{function}"
