"""When an incident counts as recovered. Pure: a sweep's survey and findings in, its view of the incident out."""

from __future__ import annotations

from enum import StrEnum

from workers.models import Finding, GapPart, Incident, Survey, alerting_findings

CLEAN_SWEEPS = 2  # consecutive checks without the trouble: a single one may fall between two bursts of errors
# Consecutive checks without the service. Two could be incomplete answers of Railway, which must not end an incident.
REMOVED_SWEEPS = 3


class Recovery(StrEnum):
    """How a sweep that did not find an incident's trouble saw its service. Stored in the journal's field `recovery`."""

    HEALTHY = "healthy"
    REMOVED = "removed"
    """Railway no longer lists the service."""
    STILL_SICK = "still_sick"
    """The trouble is there under another name: part of another cause, or by now the service's baseline."""


def required_sweeps(recovery: str) -> int:
    """The number of consecutive sweeps with this view that end an incident."""
    return REMOVED_SWEEPS if recovery == Recovery.REMOVED else CLEAN_SWEEPS


def assess_recovery(
    incident: Incident, newest: list[Finding], survey: Survey, findings: list[Finding]
) -> Recovery | None:
    """The sweep's view of an incident whose cause it did not report; None if a failed read may hide the trouble.

    Args:
        newest: what the latest sweep that did report the incident found.
        findings: all findings of this sweep.
    """
    subject = incident.subject
    if subject.kind == "service" and all(service.id != subject.key for service in survey.services):
        incomplete = any(gap.part is GapPart.ENVIRONMENT for gap in survey.failed_reads)
        return None if incomplete else Recovery.REMOVED
    kinds = {finding.kind for finding in alerting_findings((*incident.findings, *newest))}
    own = [finding for finding in findings if finding.service_id == subject.key]
    # Chronic trouble became the baseline, and a service without a deployment serves no requests: neither has recovered.
    if any(finding.kind == "missing" or (finding.is_baseline and finding.kind in kinds) for finding in own):
        return Recovery.STILL_SICK
    # A gap that was there when the trouble was detected does not hide it, but it may hide a kind found later.
    detected = {finding.kind for finding in incident.findings}
    harmless = incident.failed_reads if kinds <= detected else ()
    hidden = any(gap not in harmless for gap in survey.gaps_for(subject.name))
    return None if hidden else Recovery.HEALTHY
