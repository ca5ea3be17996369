"""The memory of a service as it was measured, and its limit. Pure."""

from __future__ import annotations

from workers.investigation.diagnosis.context import DiagnosisContext
from workers.models import FactKind


def memory_limit_gb(context: DiagnosisContext) -> float:
    """The memory limit of a replica; 0.0 if it is unknown."""
    limits = [finding.numbers.get("limit_gb", 0.0) for finding in context.alerting]
    service = context.incident.service
    return (service.memory_limit if service else None) or max(limits, default=0.0)


def memory_peak_percent(context: DiagnosisContext) -> float | None:
    """The highest measured memory as a share of its limit; None if it was not measured."""
    facts = [fact for fact in context.evidence.facts if fact.kind is FactKind.MEMORY_HEADROOM]
    peaks = [fact.numbers["peak_percent"] for fact in facts if "peak_percent" in fact.numbers]
    service, limit = context.incident.service, memory_limit_gb(context)
    if service is not None and limit:
        peaks += [100 * value / limit for replica in service.usage for _, value in replica.memory]
    return max(peaks, default=None)
