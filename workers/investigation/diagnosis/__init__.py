"""Diagnosis: finds the category of an incident's cause by rules over typed facts. Pure.

The first rule that applies decides. Causes that no code change can end are checked before the code itself, and an
incident that no rule explains is inconclusive. `context` holds the questions of several rules, `patterns` classifies
log text, and `verdict_sentences` renders the result.
"""

from __future__ import annotations

from collections.abc import Callable

from workers.investigation.diagnosis import external, internal, no_traffic
from workers.investigation.diagnosis.conclusion import Conclusion
from workers.investigation.diagnosis.context import DiagnosisContext, inconclusive
from workers.investigation.diagnosis.verdict_sentences import render_verdict
from workers.models import Category, Evidence, Fact, FactKind, Incident, Verdict, VerdictReason

MAX_CHECKS = 5  # next checks of a verdict: more than five are not read during an incident

Rule = Callable[[DiagnosisContext], Conclusion | None]
RULES: tuple[Rule, ...] = (
    external.platform_incident,
    no_traffic.service_missing,
    internal.failed_deployment,
    no_traffic.stuck_deployment,
    external.configuration_error,
    external.not_listening,
    external.sibling_failure,
    external.upstream_failure,
    no_traffic.traffic_lost,
    internal.error_in_code,
    internal.refused_requests,
    internal.leak_or_slowness,
    external.traffic_growth,
    internal.resource_limit,
    internal.process_ended,
    internal.recovered,
)


def diagnose(incident: Incident, evidence: Evidence) -> Verdict:
    """The verdict: category and reason, the facts for and against, advice to people and up to five next checks."""
    context = DiagnosisContext(incident, evidence)
    conclusion = _conclude(context)
    texts = render_verdict(conclusion)
    contradicts = context.cite_where(lambda fact: _is_doubt(fact, conclusion.category))
    return Verdict(
        category=conclusion.category,
        reason=conclusion.reason,
        summary=texts.summary,
        supports=tuple(dict.fromkeys(conclusion.supports)),
        contradicts=tuple(fact for fact in contradicts if fact not in conclusion.supports),
        action=texts.action,
        next_checks=tuple(dict.fromkeys(texts.next_checks))[:MAX_CHECKS],
        confidence=conclusion.confidence,
    )


def _conclude(context: DiagnosisContext) -> Conclusion:
    if not context.evidence.facts or not context.incident.findings:
        return inconclusive(context, VerdictReason.NO_FACTS)
    for rule in RULES:
        if (conclusion := rule(context)) is not None:
            return conclusion
    return inconclusive(context, VerdictReason.NO_RULE_APPLIES)


def _is_doubt(fact: Fact, category: Category) -> bool:
    """True if the fact points to another category than the one concluded."""
    upstream_troubled = fact.upstream is not None and fact.upstream.state in ("degraded", "down")
    upstream_healthy = fact.upstream is not None and fact.upstream.state == "operational"
    traced = fact.location is not None and fact.location.why == "stack"
    grew = fact.kind is FactKind.LOAD_GREW
    changed = fact.kind is FactKind.CHANGED_FILES
    doubts = {
        Category.CODE: upstream_troubled or grew,
        Category.UPSTREAM: upstream_healthy or traced or changed,
        Category.TRAFFIC: fact.kind is FactKind.LOAD_STEADY or changed,
        Category.RESOURCE_LIMIT: grew or changed,
    }
    return doubts.get(category, traced or upstream_troubled or grew)
