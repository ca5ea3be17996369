"""An incident with its evidence, and the questions that several rules ask of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from workers.investigation.diagnosis.patterns import DISK_FULL, MEMORY_GONE, words
from workers.models import (
    Category,
    CodeLocation,
    Evidence,
    Finding,
    GapPart,
    Incident,
    LogPattern,
    Severity,
    Verdict,
    describe_gap,
)

DOMINATES = 0.5
"""Share of all counted trouble from which on one kind of it is what happens."""
MORE_LOAD = 1.8
SURGE_SLACK = timedelta(minutes=5)
"""A surge that began later than so long after the onset comes of the trouble (callers try again)."""
NEAR_LIMIT_PERCENT = 70.0
"""CPU below this share of its limit is busier than usual, but the limit does not hold it back."""
ONE_ROUTE = 0.8
"""Share of the slow requests on one route: then it is this route's code, not the whole service."""
SOON_AFTER = timedelta(hours=2)
LOG_PARTS = frozenset({GapPart.DEPLOYMENT_LOGS, GapPart.ERROR_LOGS, GapPart.BUILD_LOGS})
"""Gaps that leave the service's own logs incomplete."""
LONG_AGO = timedelta(days=14)
"""A deployment that ran well for so long is not suspected of what begins now."""


@dataclass(frozen=True)
class DiagnosisContext:
    """What the rules judge."""

    incident: Incident
    evidence: Evidence

    @property
    def name(self) -> str:
        return self.incident.subject.name

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """The findings that opened the incident."""
        loud = tuple(one for one in self.incident.findings if one.severity is not Severity.NOTICE)
        return loud or self.incident.findings

    @property
    def kinds(self) -> set[str]:
        return {finding.kind for finding in self.alarms}

    @property
    def onset(self) -> datetime:
        return min(finding.since for finding in self.alarms)

    @property
    def trouble(self) -> tuple[LogPattern, ...]:
        """Patterns that say something is wrong, of the failed build too."""
        said = (*self.evidence.build_patterns, *self.evidence.patterns)
        return tuple(one for one in said if one.level == "error")

    def share(self, asked: Callable[[LogPattern], bool]) -> float:
        """Which part of the counted trouble the question is true of, 0.0 to 1.0."""
        total = sum(one.count for one in self.trouble)
        return sum(one.count for one in self.trouble if asked(one)) / total if total else 0.0

    def places(self, *why: str) -> tuple[CodeLocation, ...]:
        return tuple(one for one in self.evidence.locations if one.why in why)

    def facts(self, *needles: str) -> tuple[str, ...]:
        """Ids of the facts that hold one of the texts."""
        wanted = [needle[:200] for needle in needles if needle]
        return tuple(fact.id for fact in self.evidence.facts if any(needle in fact.text for needle in wanted))

    @property
    def measured(self) -> tuple[str, ...]:
        """The facts that say what was found."""
        return self.facts(*(finding.sentence for finding in self.alarms))

    @property
    def place_facts(self) -> tuple[str, ...]:
        return self.facts(*(f"{place.file}:{place.line}" for place in self.evidence.locations))

    def said(self, *patterns: LogPattern) -> tuple[str, ...]:
        """The facts that quote these patterns."""
        return self.facts(*(pattern.template for pattern in patterns))

    @property
    def logs_missing(self) -> bool:
        return any(gap.part in LOG_PARTS for gap in self.evidence.failed_reads)

    @property
    def out_of_memory(self) -> bool:
        ended = any(
            one.kind == "oom_killed" or (one.kind == "memory" and one.numbers.get("restarts"))
            for one in self.alarms
        )
        return ended or self.share(lambda one: bool(MEMORY_GONE.search(words(one)))) >= DOMINATES

    @property
    def disk_full(self) -> bool:
        """Whether a volume is full, and that is what the logs complain of."""
        full = "volume" in self.kinds
        return full and self.share(lambda one: bool(DISK_FULL.search(words(one)))) >= DOMINATES

    @property
    def busy(self) -> bool:
        """Whether CPU is far above what is usual and far below its limit: a loop, not honest need."""
        cpu = [one for one in self.alarms if one.kind == "cpu"]
        return bool(cpu) and not any(saturated(one) for one in cpu)

    def began_within(self, limit: timedelta) -> bool:
        """Whether the trouble began no longer than this after the suspect was deployed."""
        suspect = self.evidence.suspect
        return suspect is not None and self.onset - suspect.at <= limit

    @property
    def from_the_start(self) -> bool:
        """Whether it held when the window began: then it is not known how long before it began."""
        window = self.incident.window
        return self.onset - window.start <= 0.1 * (window.end - window.start)

    @property
    def one_route(self) -> bool:
        slow = [one.count for one in self.evidence.requests if one.status < (400 if self.refuses else 500)]
        return bool(self.places("route")) and sum(slow) > 0 and max(slow) >= ONE_ROUTE * sum(slow)

    @property
    def refuses(self) -> bool:
        return "client_errors" in self.kinds

    @property
    def load_grew(self) -> bool:
        """More requests than usual, or per step since the onset than before; False where that was hardly seen."""
        surges = [one for one in self.incident.findings if one.kind == "traffic_surge"]
        if any(one.since <= self.onset + SURGE_SLACK for one in surges):
            return True
        service = self.incident.service
        steps = service.traffic if service else ()
        before = [one.requests for one in steps if one.at < self.onset.timestamp()]
        since = [one.requests for one in steps if one.at >= self.onset.timestamp()]
        if len(before) < 3 or len(since) < 3 or not sum(before):
            return False
        return sum(since) / len(since) >= MORE_LOAD * sum(before) / len(before)


def saturated(cpu: Finding) -> bool:
    """Whether the limit holds it back; what is only unusual names its share of the limit, or what is usual."""
    unknown = 0.0 if "baseline_vcpu" in cpu.numbers else 100.0
    return cpu.numbers.get("mean_percent", unknown) >= NEAR_LIMIT_PERCENT


def short(text: str, longest: int = 160) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def inconclusive(case: DiagnosisContext, summary: str) -> Verdict:
    """What is known is told; what was not seen is what to look at next."""
    checks = [f"could not be read: {short(describe_gap(gap))}" for gap in case.evidence.failed_reads[:2]]
    if case.refuses:
        checks.append("who sends the refused requests, and what they ask for")
    if case.kinds & {"crashed", "restart_loop"}:
        checks.append("the last lines before the container ended, and its exit code in Railway")
    if case.kinds & {"server_errors"}:
        checks.append("one failing request by hand, and what the service logs for it")
    if case.kinds & {"latency", "cpu", "memory", "memory_growth"}:
        checks.append("a profile of the running service")
    checks += [
        "what changed at the onset: deployments, variables, data, callers",
        "the services that it calls",
    ]
    return Verdict(
        category=Category.INCONCLUSIVE,
        summary=summary,
        supports=(*case.measured, *case.said(*case.trouble[:3])) if case.incident.findings else (),
        action="a person has to look: what is known and what was not seen is listed",
        next_checks=tuple(checks[:5]),
        confidence=0.3,
    )
