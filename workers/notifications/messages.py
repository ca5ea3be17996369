"""Renders every text that Slack shows about an incident. Pure.

Values come in, texts go out: nothing here decides, and nothing else decides by these texts. Names, sentences and
headlines come from outside and are escaped here; links are our own and are not.
"""

from __future__ import annotations

from collections.abc import Sequence

from workers.clients.slack_text import escape, link
from workers.models import (
    Category,
    Evidence,
    Exact,
    Finding,
    FollowUp,
    Incident,
    Model,
    Outcome,
    Severity,
    Verdict,
    describe_gap,
)
from workers.notifications.follow_up_texts import format_follow_up
from workers.runtime.text import format_milliseconds, plural, safe_line

MAX_SYMPTOM_NAMES = 4  # names in "Also affected": more do not help to find the cause
MAX_NAME_CHARACTERS = 60  # Railway limits no name, and its text appears in the Slack channel
MAX_FINDINGS = 5  # findings of an incident that its message lists, worst first
MAX_GAPS = 3  # failed reads that a message names
MAX_SUPPORTING_FACTS = 4
MAX_CONTRADICTING_FACTS = 2
MAX_NEXT_CHECKS = 5
SEVERITY_MARKS = {Severity.NOTICE: "⚪", Severity.WARNING: "🟠", Severity.CRITICAL: "🔴"}
LOOKING = "Looking into it."
CHRONIC_LINE = "Chronic trouble is reported once, until it is over."

CATEGORY_LABELS = {
    Category.CODE: "Bug in the code",
    Category.DEPLOYMENT: "Failed deployment",
    Category.RESOURCE_LIMIT: "Resource limit",
    Category.CONFIGURATION: "Configuration",
    Category.UPSTREAM: "Upstream",
    Category.PLATFORM: "Railway",
    Category.TRAFFIC: "Traffic",
    Category.TRANSIENT: "Transient",
    Category.INCONCLUSIVE: "Cause unknown",
}


class IncidentMessages(Model):
    """The texts of an incident's messages, escaped; a text is "" while there is nothing to say."""

    ack: Exact
    outcome: Exact = ""
    follow_up: Exact = ""
    suppressed: Exact = ""


# ---- an incident -----------------------------------------------------------------------------


def render(
    incident: Incident, verdict: Verdict | None, outcome: Outcome | None, follow_up: FollowUp | None,
    reason: str, firings: int = 1, symptom_of: str = "",
) -> IncidentMessages:  # fmt: skip
    """The messages of an incident as its journal stands.

    Args:
        reason: why the incident's work waits, "" if it does not.
        firings: number of sweeps that detected the incident.
        symptom_of: the cause, escaped, with a reference to its incident, if a sweep calls this one a symptom.
    """
    headline = format_headline(incident)
    others = incident.findings[1:MAX_FINDINGS]
    lines = [headline, *(f"• {escape(_format_finding(finding, incident))}" for finding in others)]
    lines += [CHRONIC_LINE] if incident.is_chronic else []
    lines += _symptom_lines(incident.symptoms)
    lines += [f"This looks like a symptom of {symptom_of}"] if symptom_of else []
    if verdict is not None and not (outcome and outcome.states_verdict):
        lines.append(_format_verdict(verdict))
    if outcome is not None:
        lines.append(escape(outcome.headline))
    elif not symptom_of:
        lines.append(f"Waiting: {escape(reason)}" if reason else LOOKING)
    if firings > 1:
        lines.append(f"Detected in {plural(firings, 'check')}.")
    name = f"*{format_name(incident.subject.name)}*"
    return IncidentMessages(
        ack="\n".join(lines),
        outcome=_render_outcome(headline, incident, outcome, verdict) if outcome else "",
        # Both name the service: an incoming webhook has no thread that would.
        follow_up=f"{name}: {escape(format_follow_up(follow_up))}" if follow_up else "",
        suppressed=f"{name}: this looks like a symptom of {symptom_of}" if symptom_of else "",
    )


def format_headline(incident: Incident) -> str:
    """Service, trouble with a number, and since when: a lock screen shows only this line of a message."""
    where = escape(safe_line(f"{incident.project_name}/{incident.environment_name}"))
    headline = f"{SEVERITY_MARKS[incident.severity]} *{format_name(incident.subject.name)}* in {where}"
    if not incident.findings:
        return headline
    return f"{headline}: {escape(_format_finding(incident.findings[0], incident))}"


def _format_finding(finding: Finding, incident: Incident) -> str:
    """The finding's sentence, with the service's name if the subject is another one: Railway, or an upstream host."""
    return finding.sentence if finding.service == incident.subject.name else finding.named_sentence


def _render_outcome(headline: str, incident: Incident, outcome: Outcome, verdict: Verdict | None) -> str:
    lines = [headline, escape(outcome.headline)]
    if verdict is not None and not outcome.states_verdict:
        lines.append(f"• {_format_verdict(verdict)}")
    lines += [f"• {line}" for line in _symptom_lines(incident.symptoms)]
    lines += [f"• {escape(line)}" for line in outcome.lines]
    return "\n".join([*lines, link(outcome.link)] if outcome.link else lines)


def _format_verdict(verdict: Verdict) -> str:
    return f"{CATEGORY_LABELS[verdict.category]}: {escape(verdict.summary)}"


def _symptom_lines(symptoms: Sequence[Finding]) -> list[str]:
    """`Also affected: web, checkout (12 % of requests failed)`: the worst finding of each service, critical first."""
    worst: dict[str, Finding] = {}
    for finding in sorted(symptoms, key=lambda finding: -list(Severity).index(finding.severity)):
        worst.setdefault(finding.service, finding)
    if not worst:
        return []
    names = ", ".join(format_name(service) for service in list(worst)[:MAX_SYMPTOM_NAMES])
    more = len(worst) - MAX_SYMPTOM_NAMES
    names += f" and {more} more" if more > 0 else ""
    figures = dict.fromkeys(describe_finding(finding) for finding in list(worst.values())[:MAX_SYMPTOM_NAMES])
    return [f"Also affected: {names} ({', '.join(figures)})"]


def describe_finding(finding: Finding) -> str:
    """The finding as a few words with its most important number, without any text from outside."""
    numbers = finding.numbers
    if finding.kind == "server_errors" and "failed_percent" in numbers:
        return f"{numbers['failed_percent']:.3g} % of requests failed"
    if finding.kind == "client_errors" and "refused_percent" in numbers:
        return f"{numbers['refused_percent']:.3g} % of requests were refused"
    if finding.kind == "latency" and "p95_ms" in numbers:
        return f"p95 latency {format_milliseconds(numbers['p95_ms'])}"
    if finding.kind == "volume" and "used_percent" in numbers:
        return f"volume {numbers['used_percent']:.0f} % full"
    share = numbers.get("now_percent", numbers.get("peak_percent", numbers.get("mean_percent")))
    if finding.kind in ("cpu", "memory", "memory_growth") and share is not None:
        resource = "CPU" if finding.kind == "cpu" else "memory"
        return f"{resource} at {share:.0f} % of its limit"
    return finding.kind.replace("_", " ")


def format_name(service: str) -> str:
    """A service's name inside a message: one line, limited length, escaped."""
    return escape(safe_line(service, MAX_NAME_CHARACTERS))


def list_findings(incident: Incident) -> tuple[str, ...]:
    """The findings as they were measured, for an outcome without a verdict."""
    return tuple(finding.named_sentence for finding in incident.findings)


def summarise_verdict(verdict: Verdict, evidence: Evidence) -> Outcome:
    """The outcome of an incident that gets no fix: category, action, facts, gaps and next checks."""
    facts = {fact.id: fact.text for fact in evidence.facts}
    supports = [facts[name] for name in verdict.supports[:MAX_SUPPORTING_FACTS] if name in facts]
    contradicts = [facts[name] for name in verdict.contradicts[:MAX_CONTRADICTING_FACTS] if name in facts]
    lines = [verdict.action] if verdict.action else []
    lines += [f"Evidence: {fact}" for fact in supports]
    lines += [f"Contradicting: {fact}" for fact in contradicts]
    lines += [f"Could not read: {describe_gap(gap)}" for gap in evidence.failed_reads[:MAX_GAPS]]
    lines += [f"Next step: {check}" for check in verdict.next_checks[:MAX_NEXT_CHECKS]]
    headline = f"{CATEGORY_LABELS[verdict.category]}: {verdict.summary}"
    return Outcome(kind="reported", headline=headline, lines=tuple(lines), states_verdict=True)
