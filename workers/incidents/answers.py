"""Answers that belong to no incident: an alert whose trouble a sweep does not see, and reports about Trackwalker."""

from __future__ import annotations

import re

from workers.engine import records
from workers.engine.codec import pack
from workers.engine.journal_store import JournalStore
from workers.engine.schema import (
    alert_key,
    alert_notification_key,
    no_problem_key,
    operational_notification_key,
)
from workers.incidents.intake import RECHECK_SUFFIX, is_problem_alert
from workers.models import Alert, Answer, AnswerKind, DropReason, Survey, digest

# Delay of the second check of an alert whose service looks healthy, because metrics may lag behind.
RECHECK_SECONDS = 300.0


def answer_no_problem(store: JournalStore, survey: Survey, alert: Alert, scope: str) -> None:
    """Answer an alert whose trouble the sweep does not see, and schedule one more check.

    A forwarded text that names no service of the environment may be about anything and gets no answer.

    Args:
        scope: alerts with the same scope share one answer until the second check.
    """
    if not is_problem_alert(alert) or alert.id.endswith(RECHECK_SUFFIX):
        return
    has_service = alert.source == "railway" or alert.service_id or alert.service_name
    if not has_service and not any(mentions(alert.message, service.name) for service in survey.services):
        return
    key = alert_notification_key(alert.id)
    answer = Answer(
        kind=AnswerKind.NO_PROBLEM, minutes=survey.window.minutes, failed_reads=survey.failed_reads
    )
    if _is_answered_recently(store, survey, alert, scope):
        store.wake(key, drop_reason=DropReason.ANSWERED_RECENTLY.value)
    elif not store.wake(key, answer=pack(answer, Answer)):
        # No acknowledgement was scheduled for a forwarded alert, so it has no notification yet.
        fields = {records.ALERT.field: records.ALERT.pack(alert), "answer": pack(answer, Answer)}
        store.open_with(key, "notify", fields)
    recheck = alert.model_copy(update={"id": alert.id + RECHECK_SUFFIX})
    fields = {records.ALERT.field: records.ALERT.pack(recheck)}
    store.open_with(alert_key(recheck.id), "intake", fields, after=RECHECK_SECONDS)


def answer_alert(store: JournalStore, alert_id: str, answer: Answer) -> bool:
    """Store the answer in the alert's notification and wake it. False if the alert has no notification."""
    return store.wake(alert_notification_key(alert_id), answer=pack(answer, Answer))


def report(store: JournalStore, name: str, answer: Answer) -> None:
    """Notify people about something that concerns no alert; once per name while its notification is kept."""
    store.open_journal(operational_notification_key(name), "notify", answer=pack(answer, Answer))


def mentions(text: str, service: str) -> bool:
    """True if a forwarded text contains the service's name as a separate word."""
    return re.search(rf"(?<![\w-]){re.escape(service)}(?![\w-])", text, re.IGNORECASE) is not None


def _is_answered_recently(store: JournalStore, survey: Survey, alert: Alert, scope: str) -> bool:
    """True if another alert with the same scope was answered since the last recheck began."""
    key = no_problem_key(digest(survey.environment_id, scope))
    # SET NX: the first alert answers; the same alert asks again when its sweep is repeated after a crash.
    is_first = store.command("set", key, alert.id, int(RECHECK_SECONDS), None, True)
    return not is_first and store.command("get", key) != alert.id.encode()
