"""Finds the facts that a verdict cites. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workers.investigation.diagnosis.error_causes import Cause
from workers.models import Evidence, Fact, FactKind, Finding, Incident, LogPattern


@dataclass(frozen=True)
class Citations:
    """An incident with its evidence, and the ids of the facts that state a part of it."""

    incident: Incident
    evidence: Evidence

    @property
    def alerting(self) -> tuple[Finding, ...]:
        """The findings that opened the incident."""
        return self.incident.opening_findings

    def cite_where(self, matches: Callable[[Fact], bool]) -> tuple[str, ...]:
        """Ids of the matching facts, in the order of the evidence."""
        return tuple(fact.id for fact in self.evidence.facts if matches(fact))

    def cite(self, *kinds: FactKind) -> tuple[str, ...]:
        """Ids of the facts of these kinds."""
        return self.cite_where(lambda fact: fact.kind in kinds)

    @property
    def measured(self) -> tuple[str, ...]:
        """Ids of the facts that state the alerting findings."""
        return self.cite_findings(*self.alerting)

    def cite_findings(self, *findings: Finding) -> tuple[str, ...]:
        """Ids of the facts that state these findings. Wordings are not compared."""
        keys = {_finding_key(finding) for finding in findings}
        return self.cite_where(
            lambda fact: (
                fact.kind is FactKind.FINDING
                and fact.finding is not None
                and _finding_key(fact.finding) in keys
            )
        )

    def cite_suspect(self) -> tuple[str, ...]:
        """Ids of the facts about the suspect commit."""
        return self.cite(FactKind.SUSPECT, FactKind.CHANGED_FILES)

    def cite_headroom(self) -> tuple[str, ...]:
        """Ids of the facts that rule out memory and CPU."""
        return self.cite(FactKind.MEMORY_HEADROOM, FactKind.CPU_HEADROOM)

    def cite_load_steady(self) -> tuple[str, ...]:
        """Ids of the facts that rule out more load."""
        return self.cite(FactKind.LOAD_STEADY)

    def cite_locations(self, cause: Cause) -> tuple[str, ...]:
        """Ids of the facts that name a place of the cause; all places if its patterns name none."""
        places = set(cause.places)
        return self.cite_where(
            lambda fact: (
                fact.location is not None
                and fact.location.why != "changed"
                and (not places or f"{fact.location.file}:{fact.location.line}" in places)
            )
        )

    @property
    def cited_locations(self) -> tuple[str, ...]:
        """Ids of the facts that name a code location."""
        return self.cite(FactKind.CODE_LOCATION)

    def cite_patterns(self, *patterns: LogPattern) -> tuple[str, ...]:
        """Ids of the facts that state these log patterns, of either log."""
        templates = {pattern.template for pattern in patterns}
        return self.cite_where(lambda fact: fact.pattern is not None and fact.pattern.template in templates)

    def cite_upstream(self, host: str) -> tuple[str, ...]:
        """Ids of the facts about the outside host."""
        return self.cite_where(lambda fact: fact.upstream is not None and fact.upstream.host == host)


def _finding_key(finding: Finding) -> tuple[object, ...]:
    return (finding.service_id, finding.kind, finding.severity, finding.since, finding.deployment_id)
