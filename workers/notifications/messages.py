"""The words of an incident, made from what its journal says and nothing else. Pure.

Names, sentences and headlines come from outside: all of it is escaped here, links of our own are not.
"""

from __future__ import annotations

from collections.abc import Sequence

from workers.clients.slack import escape
from workers.models import (
    Category,
    Evidence,
    Finding,
    FollowUp,
    Incident,
    Model,
    Outcome,
    Severity,
    Verdict,
    describe_gap,
)

MOST_NAMES = 4
LONGEST_NAME = 60
"""Of a service: Railway cuts none, and whoever can name one writes into our channel."""
MARKS = {Severity.NOTICE: "⚪", Severity.WARNING: "🟠", Severity.CRITICAL: "🔴"}


class IncidentMessages(Model):
    """What Slack should show of an incident: texts, empty where there is nothing to say yet."""

    ack: str
    outcome: str = ""
    follow_up: str = ""
    suppressed: str = ""


def render(
    incident: Incident, verdict: Verdict | None, outcome: Outcome | None, follow_up: FollowUp | None, reason: str,
    firings: int = 1, symptom_of: str = "",
) -> IncidentMessages:  # fmt: skip
    """The texts for an incident as its journal stands; the outcome's last line is the link.

    `symptom_of` names the cause, and where to read of it, once a sweep called this incident a symptom.
    """
    mark = MARKS[incident.severity]
    where = f"{incident.project_name}/{incident.environment_name}"
    head = f"{mark} *{escape(incident.subject.name)}* in {escape(where)}"
    lines = [head, *(f"• {escape(_sentence(finding, incident))}" for finding in incident.findings[:5])]
    lines += [line for line in [_suffering(incident.symptoms)] if line]
    aside = f"This looks like a symptom of {symptom_of}" if symptom_of else ""
    lines += [aside] if aside else []
    if verdict is not None and not (outcome and verdict.summary in outcome.headline):
        lines.append(f"Verdict: {verdict.category.value}: {escape(verdict.summary)}")
    if outcome is not None:
        lines.append(escape(outcome.headline))
    elif reason and not aside:
        lines.append(f"Waiting: {escape(reason)}")
    elif not aside:
        lines.append("Looking into it.")
    if firings > 1:
        lines.append(f"Seen {firings} times.")
    return IncidentMessages(
        ack="\n".join(lines),
        outcome=_outcome(head, incident, outcome, verdict) if outcome else "",
        # With the name, as behind a webhook there is no thread to say it.
        follow_up=f"*{escape(incident.subject.name)}*: {escape(follow_up.sentence)}" if follow_up else "",
        suppressed=f"*{escape(incident.subject.name)}*: this looks like a symptom of {symptom_of}"
        if aside
        else "",
    )


def _sentence(finding: Finding, incident: Incident) -> str:
    """The finding's sentence; an incident of the platform has findings of several services and names each."""
    return finding.sentence if finding.service == incident.subject.name else finding.named_sentence


def format_name(service: str) -> str:
    """A service's name inside a sentence: one line, not too long, harmless."""
    name = " ".join(service.split())
    return escape(name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…")


def _suffering(symptoms: Sequence[Finding]) -> str:
    """`web and checkout suffer from it: 12 % of requests failed, …`; empty where nobody does."""
    worst: dict[str, Finding] = {}
    for one in sorted(symptoms, key=lambda one: -list(Severity).index(one.severity)):
        worst.setdefault(one.service, one)
    names = [format_name(service) for service in worst]
    if not names:
        return ""
    more = [f"{len(names) - MOST_NAMES} more"] if len(names) > MOST_NAMES else []
    *others, last = [*names[:MOST_NAMES], *more]
    who = f"{', '.join(others)} and {last} suffer" if others else f"{last} suffers"
    shown = list(worst.values())[:MOST_NAMES]
    return f"{who} from it: {', '.join(dict.fromkeys(_briefly(one) for one in shown))}"


def _briefly(finding: Finding) -> str:
    """A symptom in a few words, its figure first; nothing of it was written by others."""
    numbers = finding.numbers
    if finding.kind == "server_errors" and "failed_percent" in numbers:
        return f"{numbers['failed_percent']:.3g} % of requests failed"
    if finding.kind == "latency" and "p95_ms" in numbers:
        return f"the slowest 5 % took {numbers['p95_ms']:.0f} ms"
    if finding.kind == "client_errors" and "refused_percent" in numbers:
        return f"{numbers['refused_percent']:.3g} % of requests were refused"
    return finding.kind.replace("_", " ")


def _outcome(head: str, incident: Incident, outcome: Outcome, verdict: Verdict | None) -> str:
    lines = [f"{head}: {escape(outcome.headline)}"]
    if verdict is not None and verdict.summary not in outcome.headline:
        lines.append(f"• {verdict.category.value}: {escape(verdict.summary)}")
    lines += [f"• {line}" for line in [_suffering(incident.symptoms)] if line]
    lines += [f"• {escape(line)}" for line in outcome.lines]
    return "\n".join([*lines, outcome.link] if outcome.link else lines)


def list_findings(incident: Incident) -> tuple[str, ...]:
    """The bare facts, for endings without a verdict."""
    return tuple(finding.named_sentence for finding in incident.findings)


def inconclusive(verdict: Verdict, evidence: Evidence) -> Outcome:
    """What is told where nothing is mended: the lane, what would end it, what was not seen, what to check next."""
    lines = [verdict.action] if verdict.action else []
    facts = {fact.id: fact.text for fact in evidence.facts}
    lines += [f"for: {facts[name]}" for name in verdict.supports[:4] if name in facts]
    lines += [f"against: {facts[name]}" for name in verdict.contradicts[:2] if name in facts]
    lines += [f"not seen: {describe_gap(gap)}" for gap in evidence.failed_reads[:3]]
    lines += [f"next: {check}" for check in verdict.next_checks[:5]]
    what = "no cause found" if verdict.category is Category.INCONCLUSIVE else verdict.category.value
    return Outcome(kind="reported", headline=f"{what}: {verdict.summary}", lines=tuple(lines))
