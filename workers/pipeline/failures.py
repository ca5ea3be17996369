"""How a stage ends when its work does not: concluded, put aside, tried again later, given up. Every ending is told."""

from __future__ import annotations

import logging
from datetime import datetime

from workers.engine import records, reservations, retries, schema
from workers.engine.claim import Claim, Unreadable
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX, EndedAs
from workers.engine.stage_table import Stage, maker_of
from workers.errors import NotAvailable, OnHold, Superseded, TrackwalkerError
from workers.incidents import budget, opening
from workers.models import FollowUp, Outcome, Usage, digest
from workers.notifications import notify

PINGS_AGAIN_SECONDS = 3600.0
"""So soon it is waited for pings again where that broke too often."""

log = logging.getLogger("trackwalker.line")


def notification_key(claim: Claim) -> str:
    """The tell's journal that belongs to an incident or alert; there is none of a sweep."""
    return schema.notification_key(claim.id)


def conclude(claim: Claim, outcome: Outcome) -> None:
    """The active part of a round is over: it is told, and the trouble is watched until it is gone."""
    budget.settle(claim.store, claim, (claim.get(records.USAGE) or Usage()).cost_usd)
    claim.record(records.OUTCOME, outcome)
    log.info("concluded", extra={"journal": claim.id, "kind": outcome.kind, "what": outcome.headline})
    claim.advance("watch", notify=notification_key(claim))


def is_suppressed(claim: Claim) -> bool:
    """Whether a sweep called it a symptom of another incident: then nothing further begins, it waits in `watch`.

    A pull request that may be open already is seen to its end, and what a person asked for is done.
    """
    began = claim.stage == "propose" and claim.has(records.REMOTE)
    if not claim.text("suppressed_by") or claim.text("fix_requests") or began:
        return False
    reservations.release(claim)
    budget.settle(claim.store, claim, (claim.get(records.USAGE) or Usage()).cost_usd)
    holder = claim.text("suppressed_by").removeprefix(PREFIX)
    log.info("stands aside", extra={"journal": claim.id, "stage": claim.stage, "cause": holder})
    claim.advance("watch", reason=f"a symptom of {holder}", notify=notification_key(claim))
    return True


def handle_error(claim: Claim, error: TrackwalkerError, now: datetime) -> None:
    """The error's class says what follows. Raises Superseded again: there is nothing to let go of."""
    if isinstance(error, Superseded):
        raise error
    try:
        _apply(claim, error, now)
    except NotAvailable as away:
        # Also an ending may need what is not there now, as a record that only a newer version reads.
        _retry_later(claim, away, now)


def _apply(claim: Claim, error: TrackwalkerError, now: datetime) -> None:
    if isinstance(error, OnHold):
        wait = max(0.5, error.until - now.timestamp())
        claim.advance(claim.stage, after=wait, reason=str(error))
    elif isinstance(error, NotAvailable):
        _retry_later(claim, error, now)
    elif isinstance(error, Unreadable) and (maker := _can_make_again(claim, error)):
        # Emptied, so that the stage does not wait for the newer worker that left it a second time.
        claim.set_fields(**{f"again:{error.name}": "1", f"r:{error.name}": ""})
        claim.advance(maker.name, reason=f"{error.name} is made again")
    else:
        give_up(claim, str(error), now)


def _can_make_again(claim: Claim, error: Unreadable) -> Stage | None:
    """The stage that makes the unreadable record, unless it did so already in vain."""
    return None if claim.text(f"again:{error.name}") else maker_of(error.name)


def _retry_later(claim: Claim, error: NotAvailable, now: datetime) -> None:
    telling_it = claim.stage == "notify"
    if claim.failing_seconds > retries.patience(error, telling=telling_it).give_up:
        give_up(claim, str(error), now)
        return
    wait = retries.wait(error, claim.attempts, telling=telling_it)
    log.warning("tried again later", extra={"journal": claim.id, "why": str(error), "seconds": wait})
    tell_key = "" if telling_it or claim.stage == "pings" else notification_key(claim)
    claim.advance(claim.stage, after=wait, blocked=True, reason=str(error), failed=True, notify=tell_key)


def give_up(claim: Claim, why: str, now: datetime) -> None:
    """No sense in going on: the round ends, and that is told with the raw facts. Who lost the claim ends nothing."""
    claim.set_fields(given_up=why[:500])
    log.error("given up", extra={"journal": claim.id, "stage": claim.stage, "why": why})
    if claim.stage == "notify":
        claim.end(EndedAs.FAILED, f"given up: {why}")
    elif claim.stage == "pings":
        # Waiting for pings has no end.
        report_operational_error(claim.store, f"pings are not looked after: {why}", now)
        claim.advance("pings", after=PINGS_AGAIN_SECONDS)
    elif claim.id.startswith("incident:"):
        _give_up_incident(claim, why, now)
    else:
        _give_up_check(claim, why, now)


def _give_up_incident(claim: Claim, why: str, now: datetime) -> None:
    if claim.get(records.PULL) is None:
        reservations.release(claim)
    incident = claim.get(records.INCIDENT)
    if incident is None:
        # Nobody could be told under its name: the next sweep that sees the trouble opens a new round.
        report_operational_error(claim.store, f"{claim.id} cannot be worked out: {why}", now)
        claim.end(EndedAs.FAILED, f"given up: {why}")
        return
    if claim.stage == "watch":
        claim.record(records.FOLLOW_UP, FollowUp(verified=False, sentence=f"not watched any more: {why}"))
        claim.end(EndedAs.FAILED, f"given up watching: {why}", notify=notification_key(claim))
        return
    lines = (*notify.list_findings(incident), f"given up during {claim.stage}: {why}")
    conclude(claim, Outcome(kind="failed", headline="could not be worked out", lines=lines))


def _give_up_check(claim: Claim, why: str, now: datetime) -> None:
    """A sweep or alert that cannot be worked on: everyone who asked hears so, a failing ping once a day."""
    journal, note = claim.store, f"could not look: {why}"
    alerts = opening.alerts_of(claim) or [one for one in [claim.get(records.ALERT)] if one]
    told = [journal.wake(schema.alert_notification_key(alert.id), answer=note) for alert in alerts]
    if not any(told):
        report_operational_error(journal, note, now)
    claim.end(EndedAs.FAILED, f"given up: {why}")


def abandon(claim: Claim, error: Exception, now: datetime) -> None:
    """Where giving up itself breaks again and again: the journal ends, and that is told."""
    why = f"{claim.id} can neither be worked on nor given up: {type(error).__name__}"
    report_operational_error(claim.store, why, now)
    claim.end(EndedAs.FAILED, f"abandoned: {type(error).__name__}")


def report_operational_error(journal: JournalStore, note: str, now: datetime) -> None:
    """Trouble of our own that no alert or incident is told of; the same once a day."""
    key = schema.operational_notification_key(digest(note, f"{now:%Y%m%d}"))
    journal.open_journal(key, "notify", answer=note)
