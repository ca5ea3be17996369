"""The effect of a merged fix: whether the signature of its incident is there in the time after the deployment. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from workers.incidents import merges
from workers.models import (
    Finding,
    FindingKind,
    FollowUp,
    FollowUpResult,
    Gap,
    Incident,
    Severity,
    Summary,
    Survey,
    affected_services,
)

MAX_STILL_AFFECTED = 4  # names of symptom services in a follow-up
MAX_NAME_CHARACTERS = 60
EARLY_AFTER = timedelta(seconds=120)  # after the deployment: until then its start explains failures
EARLY_DURATION_MINUTES = 2.0  # for which trouble must hold in the first minutes after a deployment
EARLY_REQUESTS = 20  # of the new deployment, before their share of failures says anything
AS_BEFORE_SHARE = 0.5  # of the measure of the trouble: a fix that halved it is measured to the end
AS_BEFORE_NUMBERS: dict[FindingKind, str] = {
    "server_errors": "failed_percent", "client_errors": "refused_percent", "latency": "p95_ms",
}  # fmt: skip
"""The number of a finding that tells whether requests fare as before."""
EVENT_KINDS: frozenset[FindingKind] = frozenset(
    {"crashed", "restart_loop", "oom_killed", "stopped", "missing", "failed_deployment"}
)
"""Kinds that one event proves."""


def compare(
    incident: Incident, survey: Survey, findings: list[Finding], before: Sequence[Summary] = ()
) -> FollowUp:
    """Whether the signature of the incident is gone in a survey of the time after the deployment. Pure.

    A notice of the same kind that goes on is the trouble in a milder form, and what was not measured is not gone. A
    notice that accompanied the trouble was not part of it and may stay.

    Args:
        findings: what was found against the windows `before` the onset, if they are known.
    """
    remaining = _remaining(incident, findings, before)
    service = next((service for service in survey.services if service.id == incident.subject.key), None)
    requests, failed = count_requests(incident, survey)
    measured = FollowUp(
        result=FollowUpResult.FAILED if remaining else FollowUpResult.VERIFIED,
        minutes=survey.window.minutes,
        requests=requests,
        failed_requests=failed,
        remaining=remaining[0] if remaining else None,
        still_affected=() if remaining else _still_affected(incident, findings),
    )
    gaps = new_gaps(incident, survey)
    if not remaining and (service is None or gaps):
        return FollowUp(result=FollowUpResult.UNMEASURED, gaps=tuple(gaps))
    if not remaining and merges.shows_nothing(incident, survey, before):
        return FollowUp(result=FollowUpResult.UNMEASURED, reason=merges.NO_REQUESTS)
    return measured


def _remaining(incident: Incident, findings: Sequence[Finding], before: Sequence[Summary]) -> list[Finding]:
    """The findings that show the incident's trouble, worst first."""
    kinds = {finding.kind for finding in incident.opening_findings}
    return [
        finding
        for finding in findings
        if finding.service_id == incident.subject.key
        and finding.kind in kinds
        # What matches the time before the onset is as it was.
        and not (finding.is_baseline and before)
        and (finding.is_baseline or finding.ongoing or finding.severity is not Severity.NOTICE)
    ]


def early_failure(
    incident: Incident, survey: Survey, findings: list[Finding], before: Sequence[Summary] = ()
) -> FollowUp | None:
    """The failure of a fix that its first minutes prove; None while they prove nothing. Pure.

    Only trouble as bad as before counts: a fix that made things better is measured for the whole window.
    """
    proofs = [
        item for item in _remaining(incident, findings, before) if _is_as_before(item, incident, survey)
    ]
    if not proofs:
        return None
    measured = compare(incident, survey, findings, before)
    return measured.model_copy(update={"remaining": proofs[0]})


def _is_as_before(finding: Finding, incident: Incident, survey: Survey) -> bool:
    if finding.severity is Severity.NOTICE or not finding.ongoing:
        return False
    if finding.kind in EVENT_KINDS:
        return True
    name = AS_BEFORE_NUMBERS.get(finding.kind, "")
    known = [item.numbers.get(name) for item in incident.opening_findings if item.kind == finding.kind]
    worst = max((number for number in known if number is not None), default=None)
    if worst is None or name not in finding.numbers:
        return False
    service = next((service for service in survey.services if service.id == finding.service_id), None)
    requests = sum(minute.requests for minute in service.traffic) if service else 0
    return requests >= EARLY_REQUESTS and finding.numbers[name] >= AS_BEFORE_SHARE * worst


def new_gaps(incident: Incident, survey: Survey) -> list[Gap]:
    """Failed reads that may hide the trouble; a read that failed at detection, too, hides nothing of it."""
    return [gap for gap in survey.gaps_for(incident.subject.name) if gap not in incident.failed_reads]


def _still_affected(incident: Incident, findings: list[Finding]) -> tuple[str, ...]:
    """Symptom services that are unhealthy still: their trouble has another cause, at least in part."""
    affected = affected_services(findings)
    names = dict.fromkeys(
        symptom.service[:MAX_NAME_CHARACTERS]
        for symptom in incident.symptoms
        if symptom.service_id in affected
    )
    return tuple(names)[:MAX_STILL_AFFECTED]


def count_requests(incident: Incident, survey: Survey) -> tuple[int, int]:
    """The requests of the incident's service in a survey, and those of them that were answered with 5xx."""
    services = [service for service in survey.services if service.id == incident.subject.key]
    minutes = [minute for service in services for minute in service.traffic]
    return sum(minute.requests for minute in minutes), sum(minute.server_errors for minute in minutes)


def opening_requests(incident: Incident) -> tuple[int, int]:
    """The failed requests of the window in which the incident was opened, and all of them; zeros if unknown."""
    for finding in incident.opening_findings:
        if finding.kind == "server_errors" and "requests" in finding.numbers:
            return round(finding.numbers["failed"]), round(finding.numbers["requests"])
    return 0, 0
