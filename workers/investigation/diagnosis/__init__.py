"""Diagnosis: which lane would end the trouble, by rules over the facts, with the facts for and against. Pure.

The rules are asked in order and the first that answers wins: what nobody can mend in the code comes before the code,
and whatever the facts do not carry is inconclusive. `signs` reads words, `case` holds what several rules ask.
"""

from __future__ import annotations

from collections.abc import Callable

from workers.investigation.diagnosis import external, internal, no_traffic
from workers.investigation.diagnosis.context import DiagnosisContext, inconclusive
from workers.models import Category, Evidence, Incident, Verdict

MOST_CHECKS = 5
Rule = Callable[[DiagnosisContext], Verdict | None]
RULES: tuple[Rule, ...] = (
    external.platform, no_traffic.missing, internal.never_started, no_traffic.stuck, external.configuration,
    external.edge_only, external.neighbour, external.upstream, no_traffic.traffic_lost, internal.traced,
    internal.refuses, internal.leaks_or_slow, external.traffic, internal.limit, internal.ended, internal.transient,
)  # fmt: skip


def diagnose(incident: Incident, evidence: Evidence) -> Verdict:
    """The lane, with facts for and against, what to do where nothing is mended, and up to five next checks."""
    case = DiagnosisContext(incident, evidence)
    verdict = _answer(case)
    against = [one for one in _against(case, verdict.category) if one not in verdict.supports]
    return verdict.model_copy(
        update={
            "supports": tuple(dict.fromkeys(verdict.supports)),
            "contradicts": tuple(dict.fromkeys(against)),
            "next_checks": tuple(dict.fromkeys(verdict.next_checks))[:MOST_CHECKS],
        }
    )


def _answer(case: DiagnosisContext) -> Verdict:
    if not case.evidence.facts or not case.incident.findings:
        return inconclusive(case, f"nothing is known of {case.name} but that it was asked about")
    for rule in RULES:
        if (answer := rule(case)) is not None:
            return answer
    return inconclusive(case, f"the facts do not carry a cause for what ails {case.name}")


def _against(case: DiagnosisContext, lane: Category) -> tuple[str, ...]:
    """Facts that speak for another lane than the one found."""
    doubts = {
        Category.CODE: ("page says degraded", "page says down", "load grew:"),
        Category.UPSTREAM: ("page says operational", "stack traces name", "that commit changed"),
        Category.TRAFFIC: ("load did not grow", "that commit changed"),
        Category.RESOURCE_LIMIT: ("load grew:", "that commit changed"),
    }
    return case.facts(
        *doubts.get(lane, ("stack traces name", "page says degraded", "page says down", "load grew:"))
    )
