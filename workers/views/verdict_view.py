"""The verdict with the other categories that were considered, and why it is none of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from workers.models import Category, Evidence, Fact, FactKind, Incident, Verdict
from workers.views.bounds import MAX_ITEMS, line, lines
from workers.views.shapes import ConsideredCategory, VerdictView

WhyNot = tuple[str, tuple[str, ...]]


def verdict_view(verdict: Verdict, incident: Incident, evidence: Evidence) -> VerdictView:
    """The verdict for people."""
    return VerdictView(
        category=verdict.category,
        summary=line(verdict.summary),
        action=line(verdict.action),
        next_checks=lines(verdict.next_checks),
        supports=verdict.supports[:MAX_ITEMS],
        contradicts=verdict.contradicts[:MAX_ITEMS],
        confidence=verdict.confidence,
        considered=considered(verdict, incident, evidence),
    )


def considered(verdict: Verdict, incident: Incident, evidence: Evidence) -> tuple[ConsideredCategory, ...]:
    """Every other category: those for which facts speak come first."""
    rows = []
    for category, explain in EXPLANATIONS.items():
        if category is verdict.category:
            continue
        why_not, facts = explain(evidence.facts, incident)
        rows.append(ConsideredCategory(category=category, why_not=line(why_not), facts=facts[:MAX_ITEMS]))
    return tuple(sorted(rows, key=lambda row: not row.facts))


def _ids(facts: Sequence[Fact], *kinds: FactKind) -> tuple[str, ...]:
    return tuple(fact.id for fact in facts if fact.kind in kinds and fact.id)


def _code(facts: Sequence[Fact], _incident: Incident) -> WhyNot:
    traced = tuple(fact.id for fact in facts if fact.location is not None and fact.location.why == "stack")
    if traced:
        return "A stack trace points to our code, but an earlier or deeper fault explains it.", traced
    changed = _ids(facts, FactKind.CHANGED_FILES)
    if changed:
        return "A commit changed files before the onset, but no error leads to them.", changed
    return "No stack trace, route or commit points to our code.", ()


def _deployment(facts: Sequence[Fact], _incident: Incident) -> WhyNot:
    deployed = _ids(facts, FactKind.EXAMINED_DEPLOYMENT, FactKind.DEPLOYMENT)
    return "The deployment was built and started.", deployed[:1]


def _resource_limit(facts: Sequence[Fact], incident: Incident) -> WhyNot:
    headroom = _ids(facts, FactKind.CPU_HEADROOM, FactKind.MEMORY_HEADROOM)
    if headroom:
        return "CPU and memory have headroom.", headroom
    high = tuple(
        fact.id
        for fact in facts
        if fact.finding is not None
        and fact.finding.service_id == incident.subject.key
        and fact.finding.kind in ("cpu", "memory", "memory_growth", "oom_killed", "volume")
    )
    if high:
        return "A limit is reached, but not through honest need: the usage has another cause.", high
    return "No finding shows a limit that was reached.", ()


def _configuration(facts: Sequence[Fact], _incident: Incident) -> WhyNot:
    settings = _ids(facts, FactKind.SETTING, FactKind.MODULE)
    if settings:
        return (
            "Variables and modules were compared with the errors, and explain none that came first.",
            settings,
        )
    return "No error names a variable, port, address or start command.", ()


def _upstream(facts: Sequence[Fact], _incident: Incident) -> WhyNot:
    states = {fact.id: fact.upstream.state for fact in facts if fact.upstream is not None}
    troubled = tuple(name for name, state in states.items() if state in ("degraded", "down"))
    if troubled:
        return "An outside service is in trouble, but the errors do not come from calls to it.", troubled
    if states:
        return "The outside services that it calls report no trouble.", tuple(states)
    siblings = tuple(fact.id for fact in facts if fact.sibling is not None)
    return "No error comes from a call to another service.", siblings


def _platform(_facts: Sequence[Fact], _incident: Incident) -> WhyNot:
    return "Railway reported no incident of its own that explains it.", ()


def _traffic(facts: Sequence[Fact], _incident: Incident) -> WhyNot:
    steady, grew = _ids(facts, FactKind.LOAD_STEADY), _ids(facts, FactKind.LOAD_GREW)
    if steady:
        return "The load did not grow.", steady
    if grew:
        return "The load grew, but another fault explains the problem.", grew
    return "No rise of the load was measured.", ()


def _transient(facts: Sequence[Fact], incident: Incident) -> WhyNot:
    ongoing = any(finding.ongoing for finding in incident.findings)
    cited = tuple(fact.id for fact in facts if fact.finding is not None and fact.finding.ongoing)
    return ("It is ongoing.", cited) if ongoing else ("It has a cause that can come back.", ())


Explanation = Callable[[Sequence[Fact], Incident], WhyNot]
EXPLANATIONS: dict[Category, Explanation] = {
    Category.CODE: _code,
    Category.DEPLOYMENT: _deployment,
    Category.CONFIGURATION: _configuration,
    Category.RESOURCE_LIMIT: _resource_limit,
    Category.UPSTREAM: _upstream,
    Category.TRAFFIC: _traffic,
    Category.PLATFORM: _platform,
    Category.TRANSIENT: _transient,
}
"""Why a verdict is not of a category, and the facts that say so."""
