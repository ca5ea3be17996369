"""Handles the errors of a stage: waits, retries, has a record made again, or ends the attempt and reports that."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from workers.engine import records, reservations, retries
from workers.engine.claim import Claim, Unreadable
from workers.engine.journal_store import JournalStore
from workers.engine.schema import EndedAs
from workers.engine.stage_table import Stage, maker_of
from workers.errors import NotAvailable, OnHold, Superseded, TrackwalkerError
from workers.incidents import answers, opening, requested_answers, rollbacks
from workers.models import Answer, AnswerKind, FollowUp, FollowUpResult, Outcome, digest
from workers.notifications import messages
from workers.pipeline import delays
from workers.pipeline.outcomes import conclude, notification_of

PINGS_RETRY_SECONDS = 3600.0  # the ping watchdog never ends, so it tries again after it gave up
MIN_HOLD_SECONDS = 0.5  # shortest wait, so that a hold that is about to end does not make the journal spin
STAGE_TEXTS = {
    "enrich": "gathering evidence",
    "diagnose": "deciding the cause",
    "plan": "planning a fix",
    "fix": "writing and testing a fix",
    "propose": "opening the pull request",
}
"""The stages of an incident as people know them."""
MAX_REASON = 500  # characters of the field `given_up`

log = logging.getLogger("trackwalker.pipeline")


# ---- errors ----


def handle_error(claim: Claim, error: TrackwalkerError, now: datetime, ack_seconds: float) -> None:
    """Do what the error's class calls for: wait, retry, make a record again, or give up.

    Args:
        ack_seconds: after which a known verdict is reported although its fix still waits.

    Raises:
        Superseded: the error itself; another worker holds the claim, so there is nothing to release.
        NotAvailable: Redis does not answer. The lease expires, and another worker continues.
    """
    if isinstance(error, Superseded):
        raise error
    try:
        _apply(claim, error, now, ack_seconds)
    except NotAvailable as outage:
        # Giving up reads records too, and one of them may be of a newer version.
        _retry_later(claim, outage, now, ack_seconds)


def _apply(claim: Claim, error: TrackwalkerError, now: datetime, ack_seconds: float) -> None:
    if isinstance(error, OnHold):
        wait = max(MIN_HOLD_SECONDS, error.until - now.timestamp())
        claim.advance(claim.stage, after=wait, reason=str(error))
    elif isinstance(error, NotAvailable):
        _retry_later(claim, error, now, ack_seconds)
    elif isinstance(error, Unreadable) and (maker := _can_make_again(claim, error)):
        # The record is emptied, so that no stage waits again for the newer worker that wrote it.
        claim.set_fields(**{f"again:{error.name}": "1", f"r:{error.name}": ""})
        claim.advance(maker.name, reason=f"{error.name} is made again")
    else:
        give_up(claim, str(error), now)


def _can_make_again(claim: Claim, error: Unreadable) -> Stage | None:
    """The stage that makes the unreadable record, or None if that stage already made it again once."""
    return None if claim.text(f"again:{error.name}") else maker_of(error.name)


def _retry_later(claim: Claim, error: NotAvailable, now: datetime, ack_seconds: float) -> None:
    is_notification = claim.stage == "notify"
    if claim.failing_seconds > retries.patience(error, is_notification=is_notification).give_up:
        give_up(claim, str(error), now)
        return
    wait = retries.wait(error, claim.attempts, is_notification=is_notification)
    facts = {"journal": claim.id, "stage": claim.stage, "reason": str(error), "seconds": round(wait, 1)}
    log.warning("stage will be retried", extra=facts)
    notify_key = "" if is_notification or claim.stage == "pings" else notification_of(claim)
    if delays.is_overdue(claim, wait, ack_seconds, now.timestamp()):
        delays.report_delay(claim, delays.describe_away(error))
    claim.advance(claim.stage, after=wait, blocked=True, reason=str(error), failed=True, notify=notify_key)


# ---- giving up ----


def give_up(claim: Claim, reason: str, now: datetime) -> None:
    """End the attempt and report why. Raises Superseded for a claim that is lost, before anything is reported."""
    claim.set_fields(given_up=reason[:MAX_REASON])
    log.error("stage gave up", extra={"journal": claim.id, "stage": claim.stage, "reason": reason})
    if claim.stage == "notify":
        claim.end(EndedAs.FAILED, f"given up: {reason}")
    elif claim.stage == "pings":
        report_operational_error(claim.store, f"The ping watchdog failed: {reason}", now)
        claim.advance("pings", after=PINGS_RETRY_SECONDS)
    elif claim.stage == "roll_back":
        rollbacks.refuse(claim, claim.store, reason, now)
    elif claim.id.startswith("incident:"):
        _give_up_incident(claim, reason, now)
    else:
        _give_up_check(claim, reason, now)


def _give_up_incident(claim: Claim, reason: str, now: datetime) -> None:
    if claim.get(records.PULL) is None:
        reservations.release(claim)
    incident = claim.get(records.INCIDENT)
    if incident is None:
        # No message can name the service. The next sweep that finds the trouble opens a new occurrence.
        report_operational_error(claim.store, f"{claim.id} cannot be investigated: {reason}", now)
        claim.end(EndedAs.FAILED, f"given up: {reason}")
        return
    if claim.stage == "watch":
        claim.record(records.FOLLOW_UP, FollowUp(result=FollowUpResult.ABANDONED, reason=reason))
        claim.end(EndedAs.FAILED, f"given up watching: {reason}", notify=notification_of(claim))
        return
    stopped = f"Stopped while {STAGE_TEXTS[claim.stage]}"
    if claim.has(records.VERDICT):
        # The cause is known, and the message about the incident shows it.
        conclude(
            claim, Outcome(kind="failed", headline=f"No automatic fix: {reason}", lines=(f"{stopped}.",))
        )
        return
    lines = (*messages.list_findings(incident), f"{stopped}: {reason}")
    conclude(claim, Outcome(kind="failed", headline="Investigation failed", lines=lines))


def _give_up_check(claim: Claim, reason: str, now: datetime) -> None:
    """Answer the alerts of a sweep, or the alert itself, with the failure; a ping's failure is reported once a day."""
    since = now - timedelta(seconds=claim.failing_seconds) if claim.failing_seconds else None
    answer = Answer(kind=AnswerKind.CHECK_FAILED, reason=reason, at=since)
    alerts = opening.alerts_of(claim) or [alert for alert in [claim.get(records.ALERT)] if alert]
    for alert in requested_answers.requested(alerts):
        requested_answers.record_answer(claim.store, alert, answer, now)
    answered = [answers.answer_alert(claim.store, alert.id, answer) for alert in alerts]
    if not any(answered):
        report_once_a_day(claim.store, answer, now)
    claim.end(EndedAs.FAILED, f"given up: {reason}")


def abandon(claim: Claim, error: Exception, now: datetime) -> None:
    """End a journal whose stage crashes even when it gives up, and report it."""
    name = type(error).__name__
    report_operational_error(claim.store, f"{claim.id} can neither be continued nor given up: {name}", now)
    claim.end(EndedAs.FAILED, f"abandoned: {name}")


def report_operational_error(store: JournalStore, note: str, now: datetime) -> None:
    """Notify about a failure of Trackwalker itself that no alert or incident reports; the same note once a day."""
    report_once_a_day(store, Answer(kind=AnswerKind.OPERATIONAL_ERROR, reason=note), now)


def report_once_a_day(store: JournalStore, answer: Answer, now: datetime) -> None:
    """Notify about something that concerns no alert or incident; equal answers of one day are reported once."""
    # The time of an error changes with every attempt, and the error is the same.
    same = answer.model_copy(update={"at": None}) if answer.kind is AnswerKind.CHECK_FAILED else answer
    answers.report(store, digest(same.model_dump_json(), f"{now:%Y%m%d}"), answer)
