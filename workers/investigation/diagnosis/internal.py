"""Rules for causes inside the service: a deployment that never ran, its code, its limits, its process."""

from __future__ import annotations

from workers.investigation.diagnosis.conclusion import Conclusion
from workers.investigation.diagnosis.context import (
    DOMINANT_SHARE,
    LONG_AFTER,
    SOON_AFTER,
    DiagnosisContext,
    inconclusive,
    is_saturated,
)
from workers.investigation.diagnosis.external import configuration_error, upstream_failure
from workers.investigation.diagnosis.patterns import UNHEALTHY, full_text, is_traced_to, quote_of
from workers.models import Category, FactKind, Finding, VerdictReason

LIMIT_HEADROOM = 1.5  # a raised limit is the peak and half as much again
KINDS_BEFORE_FAILED_DEPLOYMENT = frozenset({"server_errors", "latency", "restart_loop", "cpu"})
"""Findings of the deployment that serves: they are diagnosed before a newer deployment that failed. A crash is
not among them, because the failed deployment itself may have crashed at its start."""
FAILURE_KINDS = frozenset(
    {"server_errors", "client_errors", "crashed", "restart_loop", "stopped", "failed_deployment"}
)
"""Findings that an exception in the code can cause directly."""


def failed_deployment(context: DiagnosisContext) -> Conclusion | None:
    """The newest deployment failed, and the one that serves is healthy."""
    if "failed_deployment" not in context.kinds or context.kinds & KINDS_BEFORE_FAILED_DEPLOYMENT:
        return None
    patterns = (*context.evidence.build_patterns, *context.evidence.patterns)
    if not patterns:
        return inconclusive(context, VerdictReason.NO_LOGS_OF_FAILED_DEPLOYMENT)
    other_cause = configuration_error(context) or upstream_failure(context)
    if other_cause is not None:
        return other_cause
    unhealthy = any(UNHEALTHY.search(full_text(pattern)) for pattern in patterns)
    return Conclusion(
        context.service_name,
        VerdictReason.HEALTH_CHECK_FAILED if unhealthy else VerdictReason.BUILD_OR_START_FAILED,
        Category.DEPLOYMENT,
        confidence=0.8 if context.errors else 0.5,
        supports=(
            *context.measured,
            *context.cite_patterns(*context.errors[:3]),
            *context.cited_locations,
        ),
        quote=quote_of(next(iter(context.errors), patterns[-1])),
    )


def error_in_code(context: DiagnosisContext) -> Conclusion | None:
    """Stack traces of errors name the service's own code at the deployed commit."""
    locations = context.locations("stack")
    if not locations or context.evidence.repository is None or context.out_of_memory or context.disk_full:
        return None
    if not context.kinds & FAILURE_KINDS and (
        # Slowness without a better location may come from the code that raises.
        context.locations("route", "changed") or not context.kinds & {"latency", "cpu"}
    ):
        return None
    first, suspect = locations[0], context.evidence.suspect
    changed = suspect is not None and first.file in suspect.files
    # Lines that accompany the trace, as those of an access log, may be more frequent than the trace itself.
    errors = sorted(context.errors, key=lambda pattern: not is_traced_to(pattern, first))
    commit = context.cite(FactKind.SUSPECT, FactKind.CHANGED_FILES) if changed else ()
    return Conclusion(
        context.service_name,
        VerdictReason.ERROR_IN_CODE,
        Category.CODE,
        confidence=0.9 if changed else 0.8,
        supports=(
            *context.measured,
            *context.cited_locations,
            *context.cite_patterns(*errors[:3]),
            *commit,
        ),
        location=first,
        quote=quote_of(errors[0]) if errors else "",
    )


def refused_requests(context: DiagnosisContext) -> Conclusion | None:
    """Requests are refused that used to succeed: the code after a recent commit, else keys or callers."""
    if not context.refuses_requests or (context.load_grew and _mostly_refused_with(context, 429)):
        return None
    changed, locations = context.locations("changed"), context.locations("route", "changed")
    recent = context.evidence.repository is not None and bool(changed) and context.began_within(SOON_AFTER)
    if not recent and not (context.kinds == {"client_errors"} and _mostly_refused_with(context, 401, 403)):
        return None
    refused = context.cite_where(lambda fact: fact.request is not None and _is_refused(fact.request.status))
    # The handler of the refused route is the better location if the commit changed its file.
    changed_files = {location.file for location in changed}
    first = next((location for location in locations if location.file in changed_files), None)
    if not recent or first is None:
        return Conclusion(
            context.service_name,
            VerdictReason.CALLERS_LOCKED_OUT,
            Category.CONFIGURATION,
            confidence=0.5,
            supports=(*context.measured, *refused),
        )
    commit = set(context.cite(FactKind.SUSPECT, FactKind.CHANGED_FILES))
    return Conclusion(
        context.service_name,
        VerdictReason.REFUSES_SINCE_COMMIT,
        Category.CODE,
        confidence=0.7,
        supports=(
            *context.measured,
            *context.cite_where(lambda fact: fact.id in refused or fact.id in commit),
            *context.cited_locations,
        ),
        location=first,
    )


def _is_refused(status: int) -> bool:
    return 400 <= status < 500


def _mostly_refused_with(context: DiagnosisContext, *statuses: int) -> bool:
    """True if most of the refused requests got one of these statuses."""
    refused = [request for request in context.evidence.requests if _is_refused(request.status)]
    matching = sum(request.count for request in refused if request.status in statuses)
    return matching > DOMINANT_SHARE * sum(request.count for request in refused)


def leak_or_slowness(context: DiagnosisContext) -> Conclusion | None:
    """A leak, high CPU or slowness without a stack trace: the code, if a commit or a single route points to it."""
    grows = "memory_growth" in context.kinds
    affected = grows or context.out_of_memory or context.kinds & {"latency", "cpu"}
    if not affected or context.evidence.repository is None or (context.load_grew and not grows):
        return None
    changed, routes = context.locations("changed"), context.locations("route")
    # A leak takes days to show, and the true onset of a failure older than the window is unknown.
    slow_onset = grows or (context.began_before_window and not context.out_of_memory)
    recent = bool(changed) and context.began_within(LONG_AFTER if slow_onset else SOON_AFTER)
    one_slow_route = ("latency" in context.kinds or context.busy) and context.one_route
    if not recent and not one_slow_route:
        return None
    return Conclusion(
        context.service_name,
        _behaviour_reason(context, since_commit=recent),
        Category.CODE,
        confidence=0.75 if recent and context.began_within(SOON_AFTER) else 0.55,
        supports=(
            *context.measured,
            *context.cited_locations,
            *context.cite(FactKind.SUSPECT, FactKind.CHANGED_FILES, FactKind.LOAD_STEADY),
        ),
        location=changed[0] if recent else routes[0],
    )


def _behaviour_reason(context: DiagnosisContext, *, since_commit: bool) -> VerdictReason:
    if "memory_growth" in context.kinds or context.out_of_memory:
        return VerdictReason.LEAK_SINCE_COMMIT if since_commit else VerdictReason.LEAK_ON_ROUTE
    if "latency" in context.kinds:
        return VerdictReason.SLOW_SINCE_COMMIT if since_commit else VerdictReason.SLOW_ROUTE
    return VerdictReason.BUSY_SINCE_COMMIT if since_commit else VerdictReason.BUSY_ROUTE


def resource_limit(context: DiagnosisContext) -> Conclusion | None:
    """Legitimate need above the limit: near it without growth, out of memory without a suspect, or a full volume."""
    if "memory_growth" in context.kinds:
        return None
    kinds = {"volume"} if context.disk_full else {"cpu", "memory", "oom_killed", "volume"}
    near = [
        finding
        for finding in context.alerting
        if finding.kind in kinds and (finding.kind != "cpu" or is_saturated(finding))
    ]
    worst = next(iter(near), None)
    if worst is None and not context.out_of_memory:
        return None
    if context.errors and not context.out_of_memory and worst is not None and worst.kind != "volume":
        return None
    unconfirmed = context.logs_missing and worst is not None and worst.kind != "volume"
    reason = _limit_reason(worst)
    return Conclusion(
        context.service_name,
        reason,
        Category.RESOURCE_LIMIT,
        confidence=0.5 if worst is None or unconfirmed else 0.7,
        supports=(
            *context.measured,
            *context.cite(FactKind.LOAD_STEADY, FactKind.NO_LOG_ERRORS),
            *context.cite_patterns(*context.errors[:2]),
        ),
        finding=worst,
        numbers=_new_limit(context, worst, reason),
    )


def _limit_reason(worst: Finding | None) -> VerdictReason:
    # Without a finding near its limit, the logs report that memory ran out.
    reasons = {"volume": VerdictReason.VOLUME_FULL, "cpu": VerdictReason.CPU_LIMIT}
    return reasons.get(worst.kind if worst else "", VerdictReason.MEMORY_LIMIT)


def _new_limit(context: DiagnosisContext, worst: Finding | None, reason: VerdictReason) -> dict[str, float]:
    """`current` and `target` limit in vCPU or GB; empty if neither the limit nor the peak is known."""
    if reason is VerdictReason.VOLUME_FULL:
        return {}
    unit = "vcpu" if reason is VerdictReason.CPU_LIMIT else "gb"
    numbers = worst.numbers if worst else {}
    current = numbers.get(f"limit_{unit}", 0.0)
    service = context.incident.service
    if not current and service is not None:
        current = (service.cpu_limit if unit == "vcpu" else service.memory_limit) or 0.0
    target = LIMIT_HEADROOM * max(current, numbers.get(f"peak_{unit}", 0.0))
    return {"current": current, "target": target} if target else {}


def process_ended(context: DiagnosisContext) -> Conclusion | None:
    """The process exited and logged no error: nothing keeps it running."""
    if context.kinds != {"stopped"} or context.errors or context.logs_missing:
        return None
    return Conclusion(
        context.service_name,
        VerdictReason.PROCESS_ENDED,
        Category.CONFIGURATION,
        confidence=0.55,
        supports=(*context.measured, *context.cite(FactKind.NO_LOG_ERRORS)),
    )


def recovered(context: DiagnosisContext) -> Conclusion | None:
    """The failure is over, and the code does not explain it."""
    if any(finding.ongoing for finding in context.alerting):
        return None
    return Conclusion(
        context.service_name,
        VerdictReason.RECOVERED,
        Category.TRANSIENT,
        confidence=0.6,
        supports=context.measured,
    )
