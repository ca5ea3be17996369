"""Trouble that a window shows to be over: when it ended, and the window from then on.

A window of half an hour holds trouble for half an hour after its end. What counts for an incident is the time since
that end. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from workers.detection.sentences import TimeFormat, render_sentence
from workers.models import Finding, Incident, Service, Survey, Window, alerting_findings

MIN_QUIET = timedelta(seconds=90)  # after the end of trouble, before a check counts as one without it


def trouble_end(findings: Sequence[Finding]) -> datetime | None:
    """The end of the last of the alerting findings; None if one goes on, has no known end, or there is none."""
    alerting = alerting_findings(findings)
    ends = [finding.last_seen for finding in alerting if not finding.ongoing and finding.last_seen]
    return max(ends) if ends and len(ends) == len(alerting) else None


def end_in_window(
    incident: Incident, newest: Sequence[Finding], survey: Survey, findings: Sequence[Finding]
) -> datetime | None:
    """When the incident's trouble ended, if the window shows that; a minute of quiet is the least that shows it."""
    kinds = {finding.kind for finding in (*incident.findings, *newest)}
    own = [
        finding
        for finding in findings
        if finding.service_id == incident.subject.key and finding.kind in kinds
    ]
    end = trouble_end(own)
    return end if end and survey.window.end - end >= MIN_QUIET else None


def ended_by(finding: Finding, end: datetime | None) -> bool:
    """True for a finding that is over by this time."""
    if end is None or finding.ongoing or finding.last_seen is None:
        return False
    return finding.last_seen <= end


def survey_since(survey: Survey, at: datetime) -> Survey:
    """The survey as if its window began at this time."""
    if at <= survey.window.start or at >= survey.window.end:
        return survey
    services = tuple(service_since(service, at) for service in survey.services)
    return survey.model_copy(update={"window": Window(start=at, end=survey.window.end), "services": services})


def service_since(service: Service, at: datetime) -> Service:
    """The service with its traffic, samples and events from this time on."""
    begin = at.timestamp()
    return service.model_copy(
        update={
            "traffic": tuple(minute for minute in service.traffic if minute.at >= begin),
            "usage": tuple(
                usage.model_copy(
                    update={
                        name: tuple(point for point in getattr(usage, name) if point[0] >= begin)
                        for name in ("cpu", "memory")
                    }
                )
                for usage in service.usage
            ),
            "starts": tuple(start for start in service.starts if start.at >= at),
            "events": tuple(event for event in service.events if event.at >= at),
            "egress": tuple(point for point in service.egress if point[0] >= begin),
            "error_lines": tuple(point for point in service.error_lines if point[0] >= begin),
        }
    )


def traffic_since(survey: Survey, since: dict[str, datetime]) -> Survey:
    """The survey without the traffic of these services, by id, from before their times."""
    services = tuple(
        service.model_copy(
            update={
                "traffic": tuple(
                    minute for minute in service.traffic if minute.at >= since[service.id].timestamp()
                )
            }
        )
        if service.id in since
        else service
        for service in survey.services
    )
    return survey.model_copy(update={"services": services})


def with_onset(findings: Sequence[Finding], opening: Incident, survey: Survey) -> list[Finding]:
    """The newest findings with the onsets of the incident's own: an onset does not move with the window."""
    onsets = {(finding.service_id, finding.kind): finding.since for finding in opening.findings}
    times = TimeFormat(Window(start=opening.window.start, end=survey.window.end), survey.step_seconds)
    return [
        _moved(finding, onsets.get((finding.service_id, finding.kind), finding.since), times)
        for finding in findings
    ]


def _moved(finding: Finding, onset: datetime, times: TimeFormat) -> Finding:
    if onset >= finding.since:
        return finding
    moved = finding.model_copy(update={"since": onset})
    try:
        return moved.model_copy(update={"sentence": render_sentence(moved, times)})
    except KeyError:  # a finding of another version lacks a number that the sentence names
        return moved
