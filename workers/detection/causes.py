"""Root causes: a service with evidence of its own is a cause; a failing caller of it is a symptom. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from workers.models import WAY_IN_KEY, Finding, FindingKind, Severity, Subject, Survey, alerting_findings

# Kinds that a service may show only because of a service that it calls or that calls it.
SYMPTOM_KINDS: set[FindingKind] = {
    "server_errors", "latency", "client_errors", "traffic_lost", "traffic_surge", "error_logs", "traffic_drop",
}  # fmt: skip
SEVERITIES = tuple(Severity)
# Calls followed from a symptom to its cause, through services whose traffic is not visible.
MAX_CALL_DEPTH = 4
# Seconds between the onsets of services that lost their traffic together: one step of a minute and its rounding.
SAME_MINUTE_SECONDS = 90.0
MIN_LOST_TOGETHER = 2
PLATFORM = Subject(kind="platform", key="platform", name="Railway")
WAY_IN = Subject(kind="platform", key=WAY_IN_KEY, name="the way in")
"""The cause if most services of an environment lose their traffic in the same minute."""

Groups = Mapping[str, list[Finding]]
"""All findings of each failing service, by service id."""
Calls = Mapping[str, set[str]]
"""The ids of the services that each service calls."""


class CauseGroup(NamedTuple):
    """A root cause with its findings, notices included, and the findings of its symptoms."""

    subject: Subject
    findings: list[Finding]
    symptoms: list[Finding]


def group_by_cause(findings: list[Finding], survey: Survey) -> list[CauseGroup]:
    """The root causes that incidents are opened about, likeliest first.

    A service that shows only failing or slow requests and calls a failing service is a symptom of that service. While
    Railway reports an incident of its own and several services fail, all of them are one `platform` cause. Services
    that lost their traffic in the same minute are one cause too, if they are most of the public ones: the way in.
    """
    groups = _failing_services(findings)
    if survey.platform_incident and len(groups) > 1:
        own = [finding for finding in findings if finding.service_id in groups]
        return [CauseGroup(PLATFORM, own, [])]
    together = _lost_together(groups, survey)
    if together:
        own = [finding for service in together for finding in groups.pop(service)]
        return [CauseGroup(WAY_IN, own, []), *_by_service(groups, survey)]
    return _by_service(groups, survey)


def _by_service(groups: Groups, survey: Survey) -> list[CauseGroup]:
    calls = _calls(survey)
    roots = {service: _root(service, groups, calls) for service in groups}
    symptoms: dict[str, list[Finding]] = defaultdict(list)
    for service, root in roots.items():
        if service != root:
            symptoms[root] += groups[service]
    ordered = sorted(
        dict.fromkeys(roots.values()),
        key=lambda root: (_calls_a_cause(root, groups, calls), _rank(groups[root]), -len(symptoms[root])),
    )
    return [
        CauseGroup(
            Subject(kind="service", key=root, name=groups[root][0].service), groups[root], symptoms[root]
        )
        for root in ordered
    ]


def _lost_together(groups: Groups, survey: Survey) -> list[str]:
    """The services that lost their traffic in the same minute, if they are most of the public ones; otherwise []."""
    lost = {
        service: finding
        for service, group in groups.items()
        for finding in alerting_findings(group)
        if finding.kind == "traffic_lost" and len(alerting_findings(group)) == 1
    }
    public = sum(service.public and not service.sleeps for service in survey.services)
    together: list[str] = []
    for first in lost.values():
        same = [service for service, finding in lost.items() if _is_same_onset(first, finding)]
        together = max(together, same, key=len)
    is_most = len(together) >= MIN_LOST_TOGETHER and 2 * len(together) > public
    return together if is_most else []


def _is_same_onset(one: Finding, other: Finding) -> bool:
    """Whether both began in the same minute, or in the same earlier window."""
    apart = abs((one.since - other.since).total_seconds())
    windows = [finding.numbers.get("silent_windows", 0.0) for finding in (one, other)]
    return apart <= SAME_MINUTE_SECONDS and windows[0] == windows[1]


def rank_suspects(findings: list[Finding], survey: Survey) -> list[str]:
    """Names of the failing services: the likeliest cause first, services that only show symptoms last."""
    groups = group_by_cause(findings, survey)
    causes = [finding.service for group in groups for finding in group.findings]
    symptoms = [finding.service for group in groups for finding in group.symptoms]
    return list(dict.fromkeys([*causes, *symptoms]))


def _failing_services(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.service_id].append(finding)
    return {service: group for service, group in groups.items() if alerting_findings(group)}


def _calls(survey: Survey) -> dict[str, set[str]]:
    calls: dict[str, set[str]] = defaultdict(set)
    for caller, callee in survey.calls:
        if caller != callee:
            calls[caller].add(callee)
    return calls


def _has_own_evidence(group: Sequence[Finding]) -> bool:
    """Whether an alerting finding can only come from the service itself, such as CPU at its limit."""
    return any(finding.kind not in SYMPTOM_KINDS for finding in alerting_findings(group))


def _calls_a_cause(service: str, groups: Groups, calls: Calls) -> bool:
    """Whether the service calls one with evidence of its own, which may drive it by retries or waiting requests."""
    callees = _failing_callees(service, groups, calls) - {service}
    return any(_has_own_evidence(groups[callee]) for callee in callees)


def _rank(group: Sequence[Finding]) -> tuple[bool, bool, int, float, float]:
    """Sort key of causes: own evidence, ongoing, severe, a high share of failures, and early come first.

    The share of failures is higher at the cause than at its callers, because callers also have requests that do not
    reach it.
    """
    alerting = alerting_findings(group)
    worst = max(SEVERITIES.index(finding.severity) for finding in group)
    is_over = not any(finding.ongoing for finding in alerting)
    failed_percent = max(
        (
            finding.numbers.get("failed_percent", 0.0)
            for finding in alerting
            if finding.kind == "server_errors"
        ),
        default=0.0,
    )
    onset = min(finding.since for finding in alerting).timestamp()
    return not _has_own_evidence(group), is_over, -worst, -failed_percent, onset


def _root(service: str, groups: Groups, calls: Calls) -> str:
    """The service that explains this failing service: itself, or the best of the failing services below it."""
    root, visited = service, {service}
    while not _has_own_evidence(groups[root]):
        below = _failing_callees(root, groups, calls) - visited
        if not below:
            break
        root = min(below, key=lambda callee: (_rank(groups[callee]), callee))
        visited.add(root)
    # In a circle of calls neither service explains the other: take the same one of both.
    return min(service, root) if _is_circular(service, root, groups, calls) else root


def _failing_callees(service: str, groups: Groups, calls: Calls) -> set[str]:
    """The nearest failing services that the service calls.

    Services between them may look healthy, because calls in the private network are not measured.
    """
    level, visited = calls.get(service, set()), {service}
    for _ in range(MAX_CALL_DEPTH):
        failing = {callee for callee in level if callee in groups}
        if failing or not level:
            return failing
        visited |= level
        level = {deeper for callee in level for deeper in calls.get(callee, set())} - visited
    return set()


def _is_circular(service: str, root: str, groups: Groups, calls: Calls) -> bool:
    """Whether two services without evidence of their own call each other."""
    if service == root or _has_own_evidence(groups[root]):
        return False
    return service in _failing_callees(root, groups, calls)
