"""Rules for causes that no code change would end: platform, configuration, upstreams, traffic."""

from __future__ import annotations

from workers.investigation.diagnosis.conclusion import Conclusion
from workers.investigation.diagnosis.context import DOMINANT_SHARE, SOON_AFTER, DiagnosisContext
from workers.investigation.diagnosis.patterns import (
    PROGRAMMING_ERROR,
    SIBLING_HOST,
    UNRESOLVED_NAME,
    full_text,
    is_about_configuration,
    is_failed_call,
    quote_of,
    variable_name,
)
from workers.models import Category, Fact, FactKind, LogPattern, Upstream, VerdictReason

NOT_RUNNING_KINDS = frozenset(
    {"crashed", "restart_loop", "stopped", "memory", "failed_deployment", "oom_killed"}
)
"""Findings of a service that does not run, or not without interruption: then the edge proxy has to respond itself."""
OVERLOAD_KINDS = frozenset({"cpu", "memory", "latency", "server_errors", "client_errors", "oom_killed"})
"""Findings that more load alone can cause."""


def platform_incident(context: DiagnosisContext) -> Conclusion | None:
    """Several services fail while Railway reports an incident of its own."""
    if context.incident.subject.kind != "platform":
        return None
    return Conclusion(
        context.service_name,
        VerdictReason.PLATFORM_INCIDENT,
        Category.PLATFORM,
        confidence=0.8,
        supports=context.measured,
        numbers={"services": len({finding.service_id for finding in context.alerting})},
    )


def configuration_error(context: DiagnosisContext) -> Conclusion | None:
    """A missing variable, an unreachable datastore of the project, or rejected credentials."""
    stack = context.locations("stack")
    matching = [pattern for pattern in context.errors if is_about_configuration(pattern, stack)]
    if not matching or not _dominate(matching, context):
        return None
    variable = next((name for pattern in matching if (name := variable_name(pattern))), "")
    return Conclusion(
        context.service_name,
        VerdictReason.VARIABLE_MISSING if variable else VerdictReason.VARIABLES_WRONG,
        Category.CONFIGURATION,
        confidence=0.85 if variable else 0.7,
        supports=(*context.measured, *context.cite_patterns(*matching[:3])),
        subject=variable,
        quote=quote_of(matching[0]),
    )


def not_listening(context: DiagnosisContext) -> Conclusion | None:
    """Only Railway's edge proxy responds while the service runs and logs no error: it listens on no usable port."""
    failing = [request for request in context.evidence.requests if request.status >= 500]
    if not failing or not all(request.platform_answer for request in failing):
        return None
    if context.errors or context.logs_missing or context.kinds & NOT_RUNNING_KINDS:
        return None
    service = context.incident.service
    answered = sum(sample.ok + sample.client_errors for sample in service.traffic) if service else 0
    # A service that answers most of its requests does listen: the edge fails for another reason.
    if answered > sum(request.count for request in failing):
        return None
    return Conclusion(
        context.service_name,
        VerdictReason.NOT_LISTENING,
        Category.CONFIGURATION,
        confidence=0.7,
        supports=(*context.measured, *context.cite_where(_shows_edge_only)),
    )


def _shows_edge_only(fact: Fact) -> bool:
    by_edge = fact.request is not None and fact.request.platform_answer
    return by_edge or fact.kind is FactKind.NO_LOG_ERRORS


def sibling_failure(context: DiagnosisContext) -> Conclusion | None:
    """Another service of the project does not respond, or is called by a wrong name."""
    matching = [
        pattern
        for pattern in context.errors
        if SIBLING_HOST.search(full_text(pattern)) and is_failed_call(pattern)
    ]
    if not matching or not _dominate(matching, context):
        return None
    text = full_text(matching[0])
    host = SIBLING_HOST.search(text)
    unresolved = UNRESOLVED_NAME.search(text) is not None
    return Conclusion(
        context.service_name,
        VerdictReason.SIBLING_UNKNOWN if unresolved else VerdictReason.SIBLING_DOWN,
        Category.CONFIGURATION if unresolved else Category.UPSTREAM,
        confidence=0.7,
        supports=(*context.measured, *context.cite_patterns(*matching[:3])),
        subject=host[1] if host else "",
    )


def _dominate(patterns: list[LogPattern], context: DiagnosisContext) -> bool:
    total = sum(pattern.count for pattern in context.errors)
    return sum(pattern.count for pattern in patterns) >= DOMINANT_SHARE * total


def upstream_failure(context: DiagnosisContext) -> Conclusion | None:
    """An outside host is down or slow, even if the stack traces end in the code of the service's own client."""
    if not context.errors or context.error_share(_is_programming_error) >= DOMINANT_SHARE:
        return None
    unanswered = context.error_share(is_failed_call) >= DOMINANT_SHARE
    blamed = [upstream for upstream in context.evidence.upstreams if upstream.errors > 0]
    for upstream in sorted(blamed, key=lambda host: (not _is_troubled(host), -host.errors)):
        troubled = _is_troubled(upstream)
        if _blame_share(upstream, context) >= DOMINANT_SHARE and (troubled or unanswered):
            # A client that was just changed is the likelier cause, unless the host itself reports trouble.
            return None if not troubled and _client_changed(context) else _upstream_down(context, upstream)
    if blamed or not unanswered:
        return None
    return _unnamed_upstream(context)


def _unnamed_upstream(context: DiagnosisContext) -> Conclusion | None:
    """The failing host if no log error names one: one that reports trouble, or the only one that the code calls."""
    if any(SIBLING_HOST.search(full_text(pattern)) for pattern in context.errors):
        return None
    in_code = [upstream for upstream in context.evidence.upstreams if upstream.in_code]
    troubled = [upstream for upstream in in_code if _is_troubled(upstream)]
    if troubled:
        return _upstream_down(context, troubled[0])
    if len(in_code) == 1 and not _client_changed(context):
        return _upstream_down(context, in_code[0])
    return None


def _is_programming_error(pattern: LogPattern) -> bool:
    return PROGRAMMING_ERROR.search(pattern.template) is not None and not is_failed_call(pattern)


def _is_troubled(upstream: Upstream) -> bool:
    return upstream.state in ("down", "degraded")


def _blame_share(upstream: Upstream, context: DiagnosisContext) -> float:
    """The share of the errors that name the host, by patterns or by records.

    A pattern keeps one sample only, so that each of the two counts may miss errors that the other sees.
    """
    total = sum(pattern.count for pattern in context.errors)
    by_pattern = context.error_share(lambda pattern: upstream.host in full_text(pattern).lower())
    return max(by_pattern, min(1.0, upstream.errors / total))


def _client_changed(context: DiagnosisContext) -> bool:
    """True if a commit shortly before the onset touched a file in which the calls fail."""
    suspect = context.evidence.suspect
    files = {location.file for location in context.locations("stack")}
    return suspect is not None and context.began_within(SOON_AFTER) and bool(files & set(suspect.files))


def _upstream_down(context: DiagnosisContext, upstream: Upstream) -> Conclusion:
    failed_calls = [pattern for pattern in context.errors if is_failed_call(pattern)]
    troubled = _is_troubled(upstream)
    return Conclusion(
        context.service_name,
        VerdictReason.UPSTREAM_DOWN,
        Category.UPSTREAM,
        confidence=0.9 if troubled and upstream.errors else 0.65 if upstream.errors or troubled else 0.5,
        supports=(
            *context.measured,
            *context.cite_upstream(upstream.host),
            *context.cite_patterns(*failed_calls[:3]),
        ),
        upstream=upstream,
    )


def traffic_growth(context: DiagnosisContext) -> Conclusion | None:
    """The load grew beyond what the service was sized for, and no log error suggests another cause."""
    if not context.kinds & OVERLOAD_KINDS or not context.load_grew or context.errors:
        return None
    surges = [finding for finding in context.incident.findings if finding.kind == "traffic_surge"]
    surge_facts = set(context.cite_findings(*surges))
    load_facts = context.cite_where(
        lambda fact: fact.id in surge_facts or fact.kind in (FactKind.LOAD_GREW, FactKind.NO_LOG_ERRORS)
    )
    return Conclusion(
        context.service_name,
        VerdictReason.MORE_TRAFFIC,
        Category.TRAFFIC,
        confidence=0.5 if context.logs_missing else 0.7,
        supports=(*context.measured, *load_facts),
    )
