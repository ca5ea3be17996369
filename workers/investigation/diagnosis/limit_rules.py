"""Judges resources that run out, load that grows, processes that end, and failures that are over. Pure."""

from __future__ import annotations

from workers.investigation.diagnosis.concluding import cause_conclusion
from workers.investigation.diagnosis.conclusion import Conclusion
from workers.investigation.diagnosis.context import NEAR_LIMIT_PERCENT, DiagnosisContext, is_saturated
from workers.investigation.diagnosis.error_causes import Cause
from workers.investigation.diagnosis.memory_usage import memory_peak_percent
from workers.models import Category, FactKind, Finding, SignKind, VerdictReason

LIMIT_HEADROOM = 1.5  # a raised limit is the peak and half as much again
OVERLOAD_KINDS = frozenset({"cpu", "memory", "latency", "server_errors", "client_errors", "oom_killed"})
"""Findings that more load alone can cause."""


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


def out_of_memory(context: DiagnosisContext, cause: Cause) -> Conclusion | None:
    """The logs report that memory ran out; None if the measured memory contradicts a mere guess of theirs."""
    peak = memory_peak_percent(context)
    guessed = cause.kind is SignKind.OUT_OF_MEMORY and not context.killed_for_memory
    if guessed and peak is not None and peak < NEAR_LIMIT_PERCENT:
        return None
    near = [finding for finding in context.alerting if finding.kind in ("memory", "oom_killed")]
    return cause_conclusion(
        context, cause, VerdictReason.MEMORY_LIMIT, Category.RESOURCE_LIMIT, 0.65,
        subject=cause.subject,
        finding=next(iter(near), None),
        numbers={
            **_new_limit(context, next(iter(near), None), VerdictReason.MEMORY_LIMIT),
            "ceiling_mb": cause.number("limit_mb"),
        },
    )  # fmt: skip


def disk_full(context: DiagnosisContext, cause: Cause) -> Conclusion:
    """A volume, or the disk of the container, is full."""
    volumes = [finding for finding in context.alerting if finding.kind == "volume"]
    if volumes:
        return cause_conclusion(
            context, cause, VerdictReason.VOLUME_FULL, Category.RESOURCE_LIMIT, 0.75, finding=volumes[0]
        )
    return cause_conclusion(
        context, cause, VerdictReason.DISK_FULL, Category.RESOURCE_LIMIT, 0.7, subject=cause.subject
    )


def resource_limit(context: DiagnosisContext) -> Conclusion | None:
    """Legitimate need above the limit: near it without growth, out of memory without a suspect, or a full volume."""
    if "memory_growth" in context.kinds:
        return None
    near = [
        finding
        for finding in context.alerting
        if finding.kind in ("cpu", "memory", "oom_killed", "volume")
        and (finding.kind != "cpu" or is_saturated(finding))
    ]
    worst = next(iter(near), None)
    if worst is None:
        return None
    if context.errors and not context.out_of_memory and worst.kind != "volume":
        return None
    unconfirmed = context.logs_missing and worst.kind != "volume"
    reason = _limit_reason(worst)
    return Conclusion(
        context.service_name,
        reason,
        Category.RESOURCE_LIMIT,
        confidence=0.5 if unconfirmed else 0.7,
        supports=(
            *context.measured,
            *context.cite(FactKind.LOAD_STEADY, FactKind.NO_LOG_ERRORS),
            *context.cite_patterns(*context.errors[:2]),
        ),
        finding=worst,
        numbers={**_new_limit(context, worst, reason), **_steady_load(context, reason)},
    )


def _limit_reason(worst: Finding) -> VerdictReason:
    reasons = {"volume": VerdictReason.VOLUME_FULL, "cpu": VerdictReason.CPU_LIMIT}
    return reasons.get(worst.kind, VerdictReason.MEMORY_LIMIT)


def _steady_load(context: DiagnosisContext, reason: VerdictReason) -> dict[str, float]:
    """`steady_load` if more CPU is used for the same requests: a loop or a regression is likelier than real need."""
    is_same_load = reason is VerdictReason.CPU_LIMIT and context.cite(FactKind.LOAD_STEADY)
    return {"steady_load": 1.0} if is_same_load else {}


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
    if not context.is_over:
        return None
    return Conclusion(
        context.service_name,
        VerdictReason.RECOVERED,
        Category.TRANSIENT,
        confidence=0.6,
        supports=context.measured,
    )
