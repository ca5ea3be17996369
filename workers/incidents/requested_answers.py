"""Answers the checks that people asked for: in the incident from which they asked, or in the alert itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from workers.engine import records, scripts
from workers.engine.journal_store import JournalStore
from workers.engine.schema import alert_key, alert_notification_key, journal_key, notification_key
from workers.models import Alert, Answer, CheckResult


def is_requested(alert: Alert) -> bool:
    """True if a person asked for the check with a button, a form or a command."""
    return alert.source == "person"


def record_answer(store: JournalStore, alert: Alert, answer: Answer, at: datetime) -> None:
    """Note the answer. It edits the incident's message and posts nothing, because one person asked.

    Args:
        at: the end of the checked window.
    """
    result = CheckResult(asked_by=alert.asked_by, asked_at=alert.received_at, at=at, answer=answer)
    record = records.CHECKED.pack(result)
    targets = [(alert_key(alert.id), alert_notification_key(alert.id))]
    if alert.incident_id:
        targets.append((journal_key(alert.incident_id), notification_key(alert.incident_id)))
    for journal, notification in targets:
        store.run(
            scripts.NOTE_IN_INCIDENT, journal=journal, notification=notification, field=records.CHECKED.field,
            record=record,
        )  # fmt: skip


def requested(alerts: Sequence[Alert]) -> list[Alert]:
    """The alerts of a sweep that people asked for."""
    return [alert for alert in alerts if is_requested(alert)]
