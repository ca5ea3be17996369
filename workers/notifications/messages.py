"""The outcome of an incident without a fix, as the stages record it. Pure.

The messages themselves are rendered from the records by `incident_posts`.
"""

from __future__ import annotations

from workers.models import Incident, Outcome, Verdict
from workers.notifications.cause_texts import CATEGORY_LABELS


def list_findings(incident: Incident) -> tuple[str, ...]:
    """The findings as they were measured, for an outcome without a verdict."""
    return tuple(finding.named_sentence for finding in incident.findings)


def announce_delay(verdict: Verdict, waits_for: str) -> Outcome:
    """The verdict, reported while its fix waits for a service that is away."""
    return summarise_verdict(verdict).model_copy(update={"kind": "delayed", "waits_for": waits_for})


def summarise_verdict(verdict: Verdict) -> Outcome:
    """The outcome of an incident that gets no fix: its verdict. Evidence and advice stay in their own records."""
    headline = f"{CATEGORY_LABELS[verdict.category]}: {verdict.summary}"
    return Outcome(kind="reported", headline=headline, states_verdict=True)
