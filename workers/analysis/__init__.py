"""Analysis: from the survey to findings, and from findings to causes. Pure; every rule needs minutes, never one sample.

`statistics` holds the arithmetic, `resources`, `traffic` and `deployments` one service's rules, `words` how it is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from workers.analysis.deployments import judge_deployments
from workers.analysis.resources import judge_resources
from workers.analysis.traffic import judge_traffic
from workers.models import Cause, Finding, Past, Service, Severity, Summary, Survey

OWN_EVIDENCE = (
    "crashed",
    "failed_deployment",
    "restart_loop",
    "stopped",
    "memory_growth",
    "memory",
    "cpu",
    "volume",
)
"""Kinds that show a service's own trouble; failing and slow answers may come from whom it calls."""
SEVERITIES = tuple(Severity)


class Trouble(NamedTuple):
    """A cause, what was found there (notices are evidence only), and what others suffer because of it."""

    cause: Cause
    findings: list[Finding]
    symptoms: list[Finding]


def judge(survey: Survey, *, persist_minutes: float, past: Past | None = None) -> list[Finding]:
    """What is sick in the window, worst first. A condition counts when it held for `persist_minutes`, or was told.

    Absent data gives no finding: what could not be read stands in `survey.not_seen`.
    """
    persist = max(0.0, persist_minutes) * 60
    known = past or {}
    found = [
        finding
        for service in survey.services
        for finding in judge_service(service, survey, persist, known.get(service.id, ()))
    ]
    return sorted(found, key=lambda one: (-SEVERITIES.index(one.severity), one.since, one.service, one.kind))


def judge_service(
    service: Service, survey: Survey, persist: float, _past: Sequence[Summary]
) -> list[Finding]:
    """The findings of one service; `persist` in seconds."""
    return [
        *judge_deployments(service, survey),
        *judge_resources(service, survey, persist),
        *judge_traffic(service, survey, persist),
    ]


def summarise(service: Service, survey: Survey) -> Summary:
    """The window of one service in the few numbers by which later windows are judged."""
    requests = sum(one.requests for one in service.traffic)
    return Summary(at=survey.window.end, minutes=survey.window.minutes, requests=requests)


def causes(findings: list[Finding], survey: Survey) -> list[Trouble]:
    """Whom incidents are opened about, likeliest first, with all that was found there (notices are evidence only).

    While Railway reports trouble of its own and several services are sick, all of it is one `platform` cause.
    """
    alarms = [finding for finding in findings if finding.severity is not Severity.NOTICE]
    sick = list(dict.fromkeys(finding.service_id for finding in alarms))
    if survey.platform_incident and len(sick) > 1:
        cause = Cause(kind="platform", key="platform", name="Railway")
        return [Trouble(cause, [finding for finding in findings if finding.service_id in sick], [])]
    grouped = [[finding for finding in findings if finding.service_id == key] for key in sick]
    grouped.sort(key=_rank)
    return [
        Trouble(Cause(kind="service", key=group[0].service_id, name=group[0].service), group, [])
        for group in grouped
    ]


def _rank(group: list[Finding]) -> tuple[bool, int, float]:
    """Own-resource evidence first, then severity, then age."""
    own = any(one.kind in OWN_EVIDENCE and one.severity is not Severity.NOTICE for one in group)
    worst = max(SEVERITIES.index(one.severity) for one in group)
    return (not own, -worst, min(one.since for one in group).timestamp())
