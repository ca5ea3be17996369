"""Which one is the cause: own evidence first, then who calls whom; a symptom belongs to its cause. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from workers.models import Finding, Severity, Subject, Survey

SYMPTOM_KINDS = {"server_errors", "latency", "client_errors", "traffic_lost", "traffic_surge", "error_logs"}
"""Kinds that a service may only suffer: failing and slow answers may come from whom it calls."""
SEVERITIES = tuple(Severity)
MAX_CALL_DEPTH = 4
"""Calls that are followed from a symptom down to its cause."""


class CauseGroup(NamedTuple):
    """A cause, what was found there (notices are evidence only), and what others suffer because of it."""

    subject: Subject
    findings: list[Finding]
    symptoms: list[Finding]


def group_by_cause(findings: list[Finding], survey: Survey) -> list[CauseGroup]:
    """Whom incidents are opened about, likeliest first.

    A service that shows nothing but failing or slow answers, and calls a sick one, is a symptom of that one. While
    Railway reports trouble of its own and several services are sick, all of it is one `platform` cause.
    """
    groups = _sick(findings)
    if survey.platform_incident and len(groups) > 1:
        everything = [finding for finding in findings if finding.service_id in groups]
        return [CauseGroup(Subject(kind="platform", key="platform", name="Railway"), everything, [])]
    roots = _roots(groups, survey)
    suffering: dict[str, list[Finding]] = defaultdict(list)
    for sick, root in roots.items():
        if sick != root:
            suffering[root] += groups[sick]
    return [
        CauseGroup(
            Subject(kind="service", key=root, name=groups[root][0].service), groups[root], suffering[root]
        )
        for root in sorted(
            dict.fromkeys(roots.values()),
            key=lambda one: (_calls_a_cause(one, groups, survey), _rank(groups[one]), -len(suffering[one])),
        )
    ]


def rank_suspects(findings: list[Finding], survey: Survey) -> list[str]:
    """Names of the sick services, the likeliest cause first, those that only suffer last."""
    opened = group_by_cause(findings, survey)
    first = [one.service for trouble in opened for one in trouble.findings]
    return list(dict.fromkeys([*first, *(one.service for trouble in opened for one in trouble.symptoms)]))


def _calls_a_cause(service: str, groups: Mapping[str, list[Finding]], survey: Survey) -> bool:
    """Whether it calls a service that has evidence of its own: that one may drive it (retries, waiting)."""
    below = _sick_below(service, groups, _callees(survey)) - {service}
    return any(_own(groups[one]) for one in below)


def _callees(survey: Survey) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for caller, callee in survey.calls:
        if caller != callee:
            found[caller].add(callee)
    return found


def _sick(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """All that was found at each service that is above the line."""
    every: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        every[finding.service_id].append(finding)
    return {
        key: group
        for key, group in every.items()
        if any(one.severity is not Severity.NOTICE for one in group)
    }


def _own(group: list[Finding]) -> bool:
    """Whether something above the line is this service's own and no neighbour's."""
    return any(one.kind not in SYMPTOM_KINDS and one.severity is not Severity.NOTICE for one in group)


def _rank(group: list[Finding]) -> tuple[bool, bool, int, float, float]:
    """Own evidence first, then what goes on, then severity, then the share that fails (callers dilute it), then age."""
    worst = max(SEVERITIES.index(one.severity) for one in group)
    loud = [one for one in group if one.severity is not Severity.NOTICE]
    over = not any(one.ongoing for one in loud)
    failing = max(
        (one.numbers.get("failed_percent", 0.0) for one in loud if one.kind == "server_errors"), default=0.0
    )
    return (not _own(group), over, -worst, -failing, min(one.since for one in loud).timestamp())


def _roots(groups: Mapping[str, list[Finding]], survey: Survey) -> dict[str, str]:
    """For each sick service the one that explains it: itself, or the best of the sick ones that it calls."""
    callees = _callees(survey)
    found: dict[str, str] = {}
    for sick in groups:
        found[sick] = _root(sick, groups, callees)
    return found


def _root(sick: str, groups: Mapping[str, list[Finding]], callees: Mapping[str, set[str]]) -> str:
    """Walks down from symptom to cause; stops where a service has evidence of its own or calls nobody sick."""
    here, seen = sick, {sick}
    while not _own(groups[here]):
        below = _sick_below(here, groups, callees) - seen
        if not below:
            break
        here = min(below, key=lambda one: (_rank(groups[one]), one))
        seen.add(here)
    return here if not _turns_back(sick, here, groups, callees) else min(sick, here)


def _sick_below(here: str, groups: Mapping[str, list[Finding]], callees: Mapping[str, set[str]]) -> set[str]:
    """The nearest sick services that it calls, also through some that look well: inside calls are not seen."""
    level, seen = callees.get(here, set()), {here}
    for _ in range(MAX_CALL_DEPTH):
        sick = {one for one in level if one in groups}
        if sick or not level:
            return sick
        seen |= level
        level = {deeper for one in level for deeper in callees.get(one, set())} - seen
    return set()


def _turns_back(
    sick: str, root: str, groups: Mapping[str, list[Finding]], callees: Mapping[str, set[str]]
) -> bool:
    """Whether two services without evidence of their own call each other: then neither explains the other."""
    if sick == root or _own(groups[root]):
        return False
    return sick in _sick_below(root, groups, callees)
