"""An incident with its evidence, and the questions that several rules ask about them. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from workers.investigation.diagnosis.conclusion import Conclusion
from workers.investigation.diagnosis.patterns import DISK_FULL, OUT_OF_MEMORY, full_text
from workers.investigation.onset import onset_of, request_rates
from workers.models import (
    Category,
    CodeLocation,
    Evidence,
    Fact,
    FactKind,
    Finding,
    GapPart,
    Incident,
    LogPattern,
    VerdictReason,
)

DOMINANT_SHARE = 0.5  # share of all logged errors from which one kind of error counts as the failure itself
LOAD_EXPLAINS_GROWTH = 1.8
"""Growth of the request rate that explains a failure without any other cause. Above `NOTABLE_LOAD_GROWTH` in evidence
on purpose: services are usually sized for half as much load again, but not for nearly twice the load."""
# A surge that begins later after the onset is a consequence: callers retry failed requests.
SURGE_SLACK = timedelta(minutes=5)
NEAR_LIMIT_PERCENT = 70.0  # below this share of its limit, CPU is higher than usual but not throttled
ONE_ROUTE_SHARE = 0.8  # share of the slow requests on one route that makes its handler the suspect
SOON_AFTER = timedelta(hours=2)  # a failure within this time of a deployment is attributed to it
# A deployment that was healthy for longer is not suspected of a slow leak either.
LONG_AFTER = timedelta(days=14)
LOG_PARTS = frozenset({GapPart.DEPLOYMENT_LOGS, GapPart.ERROR_LOGS, GapPart.BUILD_LOGS})
"""Parts whose gaps leave the service's own logs incomplete."""
WINDOW_START_SHARE = 0.1  # an onset in this first share of the window may lie before the window


@dataclass(frozen=True)
class DiagnosisContext:
    """The input of every rule."""

    incident: Incident
    evidence: Evidence

    @property
    def service_name(self) -> str:
        return self.incident.subject.name

    @property
    def alerting(self) -> tuple[Finding, ...]:
        """The findings that opened the incident."""
        return self.incident.opening_findings

    @property
    def kinds(self) -> set[str]:
        return {finding.kind for finding in self.alerting}

    @property
    def onset(self) -> datetime:
        return onset_of(self.incident)

    @property
    def errors(self) -> tuple[LogPattern, ...]:
        """Patterns of level error, those of the failed build first."""
        patterns = (*self.evidence.build_patterns, *self.evidence.patterns)
        return tuple(pattern for pattern in patterns if pattern.level == "error")

    def error_share(self, matches: Callable[[LogPattern], bool]) -> float:
        """The share of all logged errors that match, 0.0 to 1.0; 0.0 without any error."""
        total = sum(pattern.count for pattern in self.errors)
        return sum(pattern.count for pattern in self.errors if matches(pattern)) / total if total else 0.0

    def locations(self, *reasons: str) -> tuple[CodeLocation, ...]:
        """Code locations found for one of the reasons: `stack`, `route`, `changed`."""
        return tuple(location for location in self.evidence.locations if location.why in reasons)

    # ---- citing facts ----

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

    # ---- questions of several rules ----

    @property
    def logs_missing(self) -> bool:
        return any(gap.part in LOG_PARTS for gap in self.evidence.failed_reads)

    @property
    def out_of_memory(self) -> bool:
        killed = any(
            finding.kind == "oom_killed" or (finding.kind == "memory" and finding.numbers.get("restarts"))
            for finding in self.alerting
        )
        return killed or self.error_share(_mentions_memory) >= DOMINANT_SHARE

    @property
    def disk_full(self) -> bool:
        """True if a volume is full and most logged errors are about it."""
        return "volume" in self.kinds and self.error_share(_mentions_full_disk) >= DOMINANT_SHARE

    @property
    def busy(self) -> bool:
        """True if CPU is far above its baseline and far below its limit, as in an endless loop."""
        cpu = [finding for finding in self.alerting if finding.kind == "cpu"]
        return bool(cpu) and not any(is_saturated(finding) for finding in cpu)

    def began_within(self, limit: timedelta) -> bool:
        """True if the failure began at most `limit` after the suspect was deployed."""
        suspect = self.evidence.suspect
        return suspect is not None and self.onset - suspect.at <= limit

    @property
    def began_before_window(self) -> bool:
        """True if the failure was there when the window began: its true onset is unknown then."""
        window = self.incident.window
        return self.onset - window.start <= WINDOW_START_SHARE * (window.end - window.start)

    @property
    def one_route(self) -> bool:
        """True if nearly all slow requests ask for one route, and the code of a route is known."""
        failing_status = 400 if self.refuses_requests else 500
        slow = [request.count for request in self.evidence.requests if request.status < failing_status]
        return bool(self.locations("route")) and sum(slow) > 0 and max(slow) >= ONE_ROUTE_SHARE * sum(slow)

    @property
    def refuses_requests(self) -> bool:
        return "client_errors" in self.kinds

    @property
    def load_grew(self) -> bool:
        """True if the load grew enough to explain the failure; False if too little traffic was measured."""
        surges = [finding for finding in self.incident.findings if finding.kind == "traffic_surge"]
        if any(surge.since <= self.onset + SURGE_SLACK for surge in surges):
            return True
        service = self.incident.service
        rates = request_rates(service, self.onset) if service else None
        return rates is not None and rates.growth >= LOAD_EXPLAINS_GROWTH


def is_saturated(cpu: Finding) -> bool:
    """True if the limit throttles the CPU.

    A finding against the baseline names either its share of the limit or, if the limit is unknown, only the baseline:
    then nothing shows that a limit throttles it.
    """
    fallback = 0.0 if "baseline_vcpu" in cpu.numbers else 100.0
    return cpu.numbers.get("mean_percent", fallback) >= NEAR_LIMIT_PERCENT


def inconclusive(context: DiagnosisContext, reason: VerdictReason) -> Conclusion:
    """A conclusion without a cause. It cites what was measured and logged, and lists the failed reads."""
    supports = (
        (*context.measured, *context.cite_patterns(*context.errors[:3])) if context.incident.findings else ()
    )
    return Conclusion(
        service=context.service_name,
        reason=reason,
        category=Category.INCONCLUSIVE,
        confidence=0.3,
        supports=supports,
        kinds=frozenset(context.kinds),
        gaps=context.evidence.failed_reads,
    )


def _finding_key(finding: Finding) -> tuple[object, ...]:
    return (finding.service_id, finding.kind, finding.severity, finding.since, finding.deployment_id)


def _mentions_memory(pattern: LogPattern) -> bool:
    return OUT_OF_MEMORY.search(full_text(pattern)) is not None


def _mentions_full_disk(pattern: LogPattern) -> bool:
    return DISK_FULL.search(full_text(pattern)) is not None
