"""How a sweep that did not find an incident's trouble saw its service. Pure.

Only a window that is well against the time before the onset counts towards an incident's end. What could not be read,
a window without requests, and a notice of the same kind are no recovery.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum

from workers.engine import records
from workers.incidents.before_onset import detect_against
from workers.incidents.wellness import assess_kind, quiet_minutes
from workers.incidents.wellness_case import Wellness
from workers.models import (
    Finding,
    FollowUp,
    FollowUpResult,
    GapPart,
    Incident,
    RecoveryProgress,
    Service,
    Severity,
    Summary,
    Survey,
    alerting_findings,
)

CLEAN_SWEEPS = 2  # consecutive checks without the trouble: a single one may fall between two bursts of errors
# Consecutive checks without the service. Two could be incomplete answers of Railway, which must not end an incident.
REMOVED_SWEEPS = 3
RELAPSE_FACTOR = 2  # trouble that came back is over after twice the longest time for which it had stayed away
# Shortest time without trouble that ends an incident: checks of an open one come every minute, and bursts do not.
MIN_QUIET_MINUTES = 10.0
MAX_QUIET_MINUTES = 24 * 60.0  # longest time without trouble that an incident waits for


class Recovery(StrEnum):
    """How a sweep that did not find an incident's trouble saw its service. Stored in the journal's field `recovery`."""

    HEALTHY = "healthy"
    """Well, as before the onset."""
    REMOVED = "removed"
    """Railway no longer lists the service."""
    STILL_SICK = "still_sick"
    """The trouble is there under another name: part of another cause, a notice, or by now the service's baseline."""


def required_sweeps(recovery: str) -> int:
    """The number of consecutive sweeps with this view that end an incident."""
    return REMOVED_SWEEPS if recovery == Recovery.REMOVED else CLEAN_SWEEPS


def recovery_progress(fields: Mapping[str, bytes]) -> RecoveryProgress | None:
    """How far the recovery of an open incident is, from its journal's fields; None while its trouble is found."""
    clean_checks = int(fields.get("clean_sweeps", b"0"))
    if not clean_checks:
        return None
    recovery = fields.get("recovery", b"").decode()
    measured = records.MEASURED.read(fields)
    found_at = int(fields.get("found_at", b"0"))
    return RecoveryProgress(
        clean_checks=clean_checks,
        required_checks=required_sweeps(recovery),
        removed=recovery == Recovery.REMOVED,
        healthy_since=datetime.fromtimestamp(found_at / 1000, UTC) if found_at else None,
        minutes=measured.minutes if measured else None,
        requests=measured.requests if measured else 0,
        failed_requests=measured.failed_requests if measured else 0,
    )


def required_quiet_ms(trouble: Sequence[Finding], relapse_ms: int, verify_minutes: float = 30.0) -> int:
    """The time since the trouble was last found after which it counts as over.

    Args:
        trouble: everything that the incident was about.
        relapse_ms: the longest time after which the trouble came back.
        verify_minutes: the time for which a merged fix is measured; a recovery needs no longer time than that.
    """
    least = min(MIN_QUIET_MINUTES, verify_minutes)
    needed = max(max(least, quiet_minutes(trouble)) * 60_000, RELAPSE_FACTOR * relapse_ms)
    return int(min(MAX_QUIET_MINUTES * 60_000, needed))


def assess_recovery(
    incident: Incident, newest: list[Finding], survey: Survey, findings: list[Finding], *,
    before: Sequence[Summary] = (), min_duration_minutes: float = 0.0,
) -> Recovery | None:  # fmt: skip
    """The sweep's view of an incident whose cause it did not report; None if it cannot tell.

    Args:
        newest: what the latest sweep that did report the incident found.
        findings: all findings of this sweep.
        before: the windows of the service from before the onset.
    """
    subject = incident.subject
    if subject.kind == "platform":
        return _assess_platform(survey)
    service = next((service for service in survey.services if service.id == subject.key), None)
    if service is None:
        incomplete = any(gap.part is GapPart.ENVIRONMENT for gap in survey.failed_reads)
        return None if incomplete else Recovery.REMOVED
    trouble = alerting_findings((*incident.findings, *newest))
    own = [finding for finding in findings if finding.service_id == subject.key]
    against = own
    if before:
        detected = detect_against(service, survey, before, min_duration_minutes)
        # What matches the time before the onset is as it was.
        against = [finding for finding in detected if not finding.is_baseline]
    if _is_still_sick(trouble, own, against):
        return Recovery.STILL_SICK
    return _measured_recovery(incident, trouble, service, survey, before)


def _assess_platform(survey: Survey) -> Recovery | None:
    """Railway's incident is over once Railway says so; what is wrong afterwards is an incident of its service."""
    if any(gap.part is GapPart.PLATFORM_STATUS for gap in survey.failed_reads):
        return None
    if survey.platform_incident:
        return Recovery.STILL_SICK
    return None if survey.gaps_for("") else Recovery.HEALTHY


def _is_still_sick(trouble: Sequence[Finding], own: Sequence[Finding], against: Sequence[Finding]) -> bool:
    """Whether the trouble goes on, maybe as a notice, or as what the history of the trouble makes the baseline.

    Args:
        own: the findings of the service against its whole history.
        against: its findings against the time before the onset.
    """
    kinds = {finding.kind for finding in trouble}
    if any(finding.kind == "missing" for finding in own):
        return True
    return any(_shows_trouble(finding) for finding in against if finding.kind in kinds)


def _shows_trouble(finding: Finding) -> bool:
    return finding.ongoing or finding.is_baseline or finding.severity is not Severity.NOTICE


def _measured_recovery(
    incident: Incident,
    trouble: Sequence[Finding],
    service: Service,
    survey: Survey,
    before: Sequence[Summary],
) -> Recovery | None:
    kinds = dict.fromkeys(finding.kind for finding in trouble)
    # A gap that was there when the trouble was detected does not hide it, but it may hide a kind found later.
    detected = {finding.kind for finding in incident.findings}
    harmless = incident.failed_reads if kinds.keys() <= detected else ()
    if any(gap not in harmless for gap in survey.gaps_for(service.name)):
        return None
    views = {
        assess_kind(kind, [item for item in trouble if item.kind == kind], service, survey, before)
        for kind in kinds
    }
    if Wellness.SICK in views:
        return Recovery.STILL_SICK
    return None if Wellness.UNKNOWN in views else Recovery.HEALTHY


def measure_service(incident: Incident, survey: Survey) -> FollowUp:
    """The sweep's measurements of the incident's service, for the message of its end."""
    service = next((service for service in survey.services if service.id == incident.subject.key), None)
    traffic = service.traffic if service else ()
    affected = {finding.service for finding in alerting_findings(incident.findings)}
    return FollowUp(
        result=FollowUpResult.RESOLVED,
        minutes=survey.window.minutes,
        requests=sum(minute.requests for minute in traffic),
        failed_requests=sum(minute.server_errors for minute in traffic),
        still_affected=() if incident.subject.kind == "service" else _silent_services(affected, survey),
    )


def _silent_services(names: Collection[str], survey: Survey) -> tuple[str, ...]:
    """Public services without a request: after an outage of Railway they may answer nothing until a restart."""
    return tuple(
        service.name
        for service in survey.services
        if service.name in names and service.public and not any(step.requests for step in service.traffic)
    )
