"""The story of an incident in one sentence. Pure."""

from __future__ import annotations

from workers.engine import records
from workers.models import Category, Finding
from workers.views.bounds import line
from workers.views.follow_up_views import follow_up_text
from workers.views.incident_source import IncidentSource, worst_first
from workers.views.shapes import IncidentState

MAX_STORY = 600  # characters
MAX_CAUSE = 260  # characters of the cause inside the story


def story(source: IncidentSource, state: IncidentState) -> str:
    """`checkout: 94 % of requests fail since 14:02 UTC. Cause (code): … #41 waits for review.`"""
    incident = source.incident
    if incident is None:
        return "The record of this incident cannot be read."
    finding = worst_first(incident.findings)[0]
    parts = [
        f"{incident.subject.name}: {line(finding.sentence, 240)}",
        _cause(source),
        _present(source, state, finding),
    ]
    return line(" ".join(_sentence(part) for part in parts if part), MAX_STORY)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _cause(source: IncidentSource) -> str:
    verdict = source.get(records.VERDICT)
    if verdict is None:
        return ""
    if verdict.category is Category.INCONCLUSIVE:
        return "The cause is not known yet" if not source.is_ended else "The cause was not found"
    return f"Cause ({verdict.category.value}): {line(verdict.summary, MAX_CAUSE)}"


def _present(source: IncidentSource, state: IncidentState, finding: Finding) -> str:
    pull, outcome = source.get(records.PULL), source.get(records.OUTCOME)
    follow_up = source.get(records.FOLLOW_UP)
    number = f"#{pull.number}" if pull else "The fix"
    if follow_up is not None:
        return follow_up_text(follow_up)
    sentences = {
        IncidentState.INVESTIGATING: "It is being investigated",
        IncidentState.FIXING: "A fix is being made",
        IncidentState.WAITING_FOR_APPROVAL: "A fix waits for approval",
        IncidentState.FIX_READY: f"{number} waits for review",
        IncidentState.FIX_MERGED: f"{number} is merged and its effect is being measured",
        IncidentState.SUPPRESSED: "It is a symptom of another incident",
        IncidentState.NOT_A_PROBLEM: "A person declared that it is not a problem",
        IncidentState.CANCELLED: "A person cancelled it",
    }
    if state in sentences:
        return sentences[state]
    if source.is_ended:
        return line(source.text("outcome"), 240)
    ongoing = "It is ongoing" if finding.ongoing else "It is over"
    return f"{line(outcome.headline, 240)}. {ongoing}" if outcome and not outcome.states_verdict else ongoing
