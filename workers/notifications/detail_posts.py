"""The details of an incident for its thread: every fact by its number, the evidence, what could not be read. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from workers.clients.slack_text import escape, link
from workers.models import Evidence, Verdict, describe_gap
from workers.notifications.cause_texts import CATEGORY_LABELS
from workers.notifications.incident_posts import service_name
from workers.notifications.incident_state import IncidentState
from workers.notifications.presentation import Presentation
from workers.notifications.progress_texts import MAX_LINES
from workers.notifications.slack_post import SlackPost
from workers.runtime.text import safe_line

MAX_FACTS = 20  # the page shows all of them
MAX_FACT = 300  # characters
MAX_GAPS = 3
MAX_CHECKS = 5
MAX_OUTCOME_LINES = 8  # after those that the outcome shows


def details_post(state: IncidentState, look: Presentation) -> SlackPost | None:
    """The reply with the details; None while there is no verdict."""
    verdict, evidence = state.verdict, state.evidence
    if verdict is None or evidence is None:
        return None
    lines = [f"*{CATEGORY_LABELS[verdict.category]}:* {_clean(verdict.summary)}"]
    lines += _numbered("Evidence", verdict.supports) + _numbered("Contradicting", verdict.contradicts)
    lines += [f"• {escape(fact.id)}: {_clean(fact.text)}" for fact in evidence.facts[:MAX_FACTS]]
    more = len(evidence.facts) - MAX_FACTS
    lines += [f"and {more} more facts"] if more > 0 else []
    lines += _open_points(verdict, evidence)
    if state.outcome is not None:
        rest = state.outcome.lines[MAX_LINES : MAX_LINES + MAX_OUTCOME_LINES]
        lines += [f"• {_clean(line)}" for line in rest]
    page = look.incident_url(state.incident.id)
    lines += [link(page, "Everything about this incident")] if page else []
    return SlackPost(f"*Details of {service_name(state)}*", tuple(lines), has_header=False)


def _numbered(label: str, ids: Sequence[str]) -> list[str]:
    return [f"{label}: {escape(', '.join(ids))}"] if ids else []


def _open_points(verdict: Verdict, evidence: Evidence) -> list[str]:
    lines = [f"Not available: {_clean(describe_gap(gap))}" for gap in evidence.failed_reads[:MAX_GAPS]]
    return lines + [f"Next step: {_clean(check)}" for check in verdict.next_checks[:MAX_CHECKS]]


def _clean(text: str) -> str:
    return escape(safe_line(text, MAX_FACT))
