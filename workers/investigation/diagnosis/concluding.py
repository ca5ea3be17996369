"""Draws conclusions: of a cause in the logs, of nothing that explains an incident, and what surrounds both. Pure."""

from __future__ import annotations

from typing import Any

from workers.investigation.diagnosis.conclusion import Circumstances, Conclusion
from workers.investigation.diagnosis.context import SOON_AFTER, DiagnosisContext
from workers.investigation.diagnosis.error_causes import Cause
from workers.models import Category, LogPattern, SignKind, VerdictReason

MIN_LEAD_COUNT = 3  # equal warnings that are worth naming where nothing else explains an incident


def cause_conclusion(
    context: DiagnosisContext, cause: Cause, reason: VerdictReason, category: Category, confidence: float, *,
    supports: tuple[str, ...] = (), **fields: Any,
) -> Conclusion:  # fmt: skip
    """The conclusion that a cause in the logs decides. It cites the findings and the patterns of the cause.

    Args:
        supports: ids of further facts that it rests on.
        fields: further fields of the conclusion, for its texts.
    """
    cited = (*context.measured, *context.cite_patterns(*cause.patterns[:3]), *supports)
    values = {"quote": quote_of(cause.patterns[0]), "finding": next(iter(context.alerting), None)} | fields
    return Conclusion(context.service_name, reason, category, confidence, cited, **values)


def quote_of(pattern: LogPattern) -> str:
    """The line of the pattern that names the problem, with its values."""
    return pattern.headline or pattern.template


def circumstances(context: DiagnosisContext) -> Circumstances:
    """The statements of every summary beside the cause."""
    chronic = any(finding.chronic for finding in context.alerting)
    dropped = [
        sign.numbers.get("lines", 1.0)
        for pattern in context.patterns_with(SignKind.LINES_DROPPED)
        for sign in pattern.signs
        if sign.kind is SignKind.LINES_DROPPED
    ]
    service = context.incident.service
    serving = service.serving if service else None
    ended = context.kinds & {"restart_loop", "crashed", "stopped", "oom_killed"}
    return Circumstances(
        is_chronic=chronic,
        dropped_lines=int(max(dropped, default=0)),
        shows_success=bool(ended) and serving is not None and serving.status == "SUCCESS",
    )


def inconclusive(context: DiagnosisContext, reason: VerdictReason) -> Conclusion:
    """A conclusion without a cause. It cites what was measured and logged, and lists the failed reads."""
    first = next((cause.patterns[0] for cause in context.causes), None)
    lead = _best_lead(context) if first is None else None
    supports = (
        (*context.measured, *context.cite_patterns(*context.errors[:3])) if context.incident.findings else ()
    )
    named = first or lead
    return Conclusion(
        service=context.service_name,
        reason=reason,
        category=Category.INCONCLUSIVE,
        confidence=0.3,
        supports=(*supports, *(context.cite_patterns(lead) if lead else ())),
        quote=quote_of(named) if named is not None else "",
        numbers={"lead_count": float(lead.count)} if lead else {},
        commit=_recent_commit(context),
        names=context.evidence.suspect.files[:2] if context.evidence.suspect else (),
        kinds=frozenset(context.kinds),
        gaps=context.evidence.failed_reads,
    )


def _best_lead(context: DiagnosisContext) -> LogPattern | None:
    """The warning that is logged most often, such as that of a slow query; None if none is repeated."""
    repeated = [
        pattern
        for pattern in context.evidence.patterns
        if pattern.level == "warning" and pattern.count >= MIN_LEAD_COUNT
    ]
    return max(repeated, key=lambda pattern: pattern.count, default=None)


def _recent_commit(context: DiagnosisContext) -> str:
    """The suspect commit if it was deployed shortly before the onset and changed files; else empty."""
    suspect = context.evidence.suspect
    recent = suspect is not None and bool(suspect.files) and context.began_within(SOON_AFTER)
    return context.suspect_commit if recent else ""
