"""Findings that people decided are no problem: they open no incident while the decision holds.

A decision covers exactly its kinds of findings of its service. A kind that was not critical when it was decided, and is
now, is reported in spite of the decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from workers.detection import group_by_cause
from workers.models import (
    Decision,
    DecisionKind,
    DismissedFinding,
    Finding,
    Severity,
    Subject,
    Survey,
    alerting_findings,
)


def dismiss(
    findings: Sequence[Finding], survey: Survey, decisions: Iterable[Decision]
) -> list[DismissedFinding]:
    """The findings that decisions cover, each with its decision. Pure.

    The findings of an upstream host or of the platform belong to several services. A decision about that cause covers
    them only together.

    Args:
        decisions: those that hold now.
    """
    ours = [decision for decision in decisions if decision.kind is DecisionKind.NOT_A_PROBLEM]
    if not ours:
        return []
    dismissed = [
        item for finding in alerting_findings(findings) if (item := _cover(finding, finding.service_id, ours))
    ]
    for cause in group_by_cause(without(findings, dismissed), survey):
        if cause.subject.kind != "service":
            causing = alerting_findings(cause.findings)
            covered = [item for finding in causing if (item := _cover(finding, cause.subject.key, ours))]
            dismissed += covered if len(covered) == len(causing) else []
    return dismissed


def without(findings: Sequence[Finding], dismissed: Sequence[DismissedFinding]) -> list[Finding]:
    """The findings that may open an incident. Pure."""
    gone = [item.finding for item in dismissed]
    return [finding for finding in findings if finding not in gone]


def exceptions(
    findings: Sequence[Finding], subject: Subject, decisions: Iterable[Decision]
) -> tuple[Decision, ...]:
    """The decisions about this cause that do not cover its findings, because they are critical now. Pure."""
    return tuple(
        decision
        for decision in decisions
        if decision.kind is DecisionKind.NOT_A_PROBLEM
        and decision.service_id == subject.key
        and any(
            finding.kind in decision.finding_kinds
            and finding.severity is Severity.CRITICAL
            and finding.kind not in decision.critical_kinds
            for finding in findings
        )
    )


def _cover(finding: Finding, key: str, decisions: Sequence[Decision]) -> DismissedFinding | None:
    is_critical = finding.severity is Severity.CRITICAL
    for decision in decisions:
        kinds = decision.critical_kinds if is_critical else decision.finding_kinds
        if decision.service_id == key and finding.kind in kinds:
            return DismissedFinding(finding=finding, decision=decision)
    return None
