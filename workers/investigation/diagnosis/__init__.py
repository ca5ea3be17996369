"""Diagnosis: finds the category of an incident's cause by rules over typed facts. Pure.

The first rule that applies decides. Most rules ask for the first and deepest error of the logs (`error_causes`), which
has a rule for each of its signs; an incident that no rule explains is inconclusive. `context` holds the questions of
several rules, `peers` finds out who a call was made to, and `verdict_sentences` renders the result.
"""

from __future__ import annotations

from collections.abc import Callable

from workers.investigation.diagnosis import (
    connection_rules,
    deployment_rules,
    limit_rules,
    own_code_rules,
    platform_rules,
    setting_rules,
)
from workers.investigation.diagnosis.concluding import circumstances, inconclusive
from workers.investigation.diagnosis.conclusion import Conclusion
from workers.investigation.diagnosis.context import DiagnosisContext
from workers.investigation.diagnosis.error_causes import CALL_SIGNS, ROOT_SIGNS, Cause
from workers.investigation.diagnosis.verdict_sentences import render_verdict
from workers.models import Category, Evidence, Fact, FactKind, Incident, SignKind, Verdict, VerdictReason

MAX_CHECKS = 5  # next checks of a verdict: more than five are not read during an incident
LINES_DROPPED_COST = 0.15  # confidence that is lost if Railway dropped log lines, which may have told more
LEAST_CONFIDENCE = 0.2  # of a verdict that is given at all

Rule = Callable[[DiagnosisContext], Conclusion | None]
CauseRule = Callable[[DiagnosisContext, Cause], Conclusion | None]
CAUSE_RULES: dict[SignKind, CauseRule] = {
    SignKind.SETTING_MISSING: setting_rules.setting,
    SignKind.SETTING_INVALID: setting_rules.setting,
    SignKind.CREDENTIALS_REJECTED: setting_rules.credentials,
    SignKind.WRONG_ADDRESS: setting_rules.wrong_address,
    SignKind.PORT_IN_USE: setting_rules.port_in_use,
    SignKind.POOL_EXHAUSTED: setting_rules.pool_exhausted,
    SignKind.ARCHIVING_BEHIND: setting_rules.archiving_behind,
    SignKind.RUNTIME_CEILING: setting_rules.runtime_ceiling,
    SignKind.DISK_FULL: limit_rules.disk_full,
    SignKind.MODULE_MISSING: deployment_rules.module_missing,
    SignKind.LIBRARY_MISSING: deployment_rules.library_missing,
    SignKind.COMMAND_MISSING: deployment_rules.command_missing,
    SignKind.WORKER_TIMEOUT: own_code_rules.worker_timeout,
    **dict.fromkeys(CALL_SIGNS, connection_rules.failed_call),
}
"""The rule for each sign that decides before code, slowness and limits are judged."""
UNRELATED_KINDS = frozenset(
    {
        "cpu",
        "memory",
        "memory_growth",
        "volume",
        "traffic_lost",
        "traffic_drop",
        "traffic_surge",
        "oom_killed",
    }
)
"""Findings that errors in the logs rarely explain: beside these alone, only certain signs decide."""
CERTAIN_SIGNS = (ROOT_SIGNS | CALL_SIGNS) - {SignKind.CREDENTIALS_REJECTED}


def diagnose(incident: Incident, evidence: Evidence) -> Verdict:
    """The verdict: category and reason, the facts for and against, advice to people and up to five next checks."""
    context = DiagnosisContext(incident, evidence)
    conclusion = _conclude(context)
    around = circumstances(context)
    texts = render_verdict(conclusion, around)
    contradicts = context.cite_where(lambda fact: _is_doubt(fact, conclusion.category))
    confidence = conclusion.confidence - (LINES_DROPPED_COST if around.dropped_lines else 0.0)
    return Verdict(
        category=conclusion.category,
        reason=conclusion.reason,
        summary=texts.summary,
        supports=tuple(dict.fromkeys(conclusion.supports)),
        contradicts=tuple(fact for fact in contradicts if fact not in conclusion.supports),
        action=texts.action,
        next_checks=tuple(dict.fromkeys(texts.next_checks))[:MAX_CHECKS],
        confidence=round(max(confidence, LEAST_CONFIDENCE), 2),
    )


def _conclude(context: DiagnosisContext) -> Conclusion:
    if not context.evidence.facts or not context.incident.findings:
        return inconclusive(context, VerdictReason.NO_FACTS)
    for rule in RULES:
        if (conclusion := rule(context)) is not None:
            return conclusion
    return inconclusive(context, VerdictReason.NO_RULE_APPLIES)


def _failed_deployment(context: DiagnosisContext) -> Conclusion | None:
    return deployment_rules.failed_deployment(context, _cause_outside_of_the_build(context))


def _stuck_deployment(context: DiagnosisContext) -> Conclusion | None:
    return deployment_rules.stuck_deployment(context, _cause_outside_of_the_build(context))


def _cause_outside_of_the_build(context: DiagnosisContext) -> Conclusion | None:
    """The conclusion about the first error of a deployment that was never live, if it shows a sign."""
    for cause in context.causes[:1]:
        if cause.kind in CAUSE_RULES and cause.kind is not SignKind.WORKER_TIMEOUT:
            conclusion = CAUSE_RULES[cause.kind](context, cause)
            is_known = conclusion is not None and conclusion.category is not Category.INCONCLUSIVE
            return conclusion if is_known else None
    return None


def _logged_cause(context: DiagnosisContext) -> Conclusion | None:
    """The first and deepest error that the logs show, judged by its sign."""
    cause = next(iter(context.causes), None)
    if cause is None or (context.kinds <= UNRELATED_KINDS and cause.kind not in CERTAIN_SIGNS):
        return None
    if cause.kind in CAUSE_RULES:
        conclusion = CAUSE_RULES[cause.kind](context, cause)
        if conclusion is not None:
            return conclusion
    return None


def _traced_error(context: DiagnosisContext) -> Conclusion | None:
    """An error whose trace names own code."""
    cause = next(iter(context.causes), None)
    return own_code_rules.error_in_code(context, cause) if cause is not None else None


def _memory_ran_out(context: DiagnosisContext) -> Conclusion | None:
    cause = next(iter(context.causes), None)
    kinds = (SignKind.OUT_OF_MEMORY, SignKind.RUNTIME_CEILING)
    return limit_rules.out_of_memory(context, cause) if cause is not None and cause.kind in kinds else None


RULES: tuple[Rule, ...] = (
    platform_rules.platform_incident,
    platform_rules.service_missing,
    platform_rules.schedule,
    platform_rules.egress,
    _failed_deployment,
    _stuck_deployment,
    platform_rules.stopped_by_platform,
    _logged_cause,
    platform_rules.edge_answers,
    platform_rules.traffic_lost,
    _traced_error,
    connection_rules.gateway_errors,
    own_code_rules.refused_requests,
    own_code_rules.leak_or_slowness,
    limit_rules.traffic_growth,
    _memory_ran_out,
    limit_rules.resource_limit,
    limit_rules.process_ended,
    platform_rules.idle_worker,
    limit_rules.recovered,
)


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
