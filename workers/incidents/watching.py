"""Follows an incident until its trouble is gone.

A pull request is followed to the deployment of its merge, and the same signature is measured again. An incident
without one ends after consecutive clean sweeps. A pull request that a person closes is an answer, too.
"""

from __future__ import annotations

import logging
from datetime import datetime

from workers.clients.github import GitHub
from workers.clients.railway import Railway
from workers.engine import records, reservations
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import EndedAs
from workers.incidents import merge_watch, rejections
from workers.incidents.recovery import Recovery, required_quiet_ms, required_sweeps
from workers.models import FollowUp, FollowUpResult, PullRequest, alerting_findings
from workers.runtime.settings import Settings

RECHECK_SECONDS = 600.0  # a sweep that changes the incident wakes it earlier
MIN_POLL_SECONDS = 5.0  # shortest interval between two reads of a pull request
MAX_POLL_SECONDS = 300.0  # longest interval between them
POLLS_PER_AGE = 20  # an incident of age A reads its pull request every A / 20: fresh ones are merged soonest

log = logging.getLogger("trackwalker.watching")


def follow_up(
    claim: Claim, railway: Railway, github: GitHub, settings: Settings, store: JournalStore, now: datetime, *,
    notify: str,
) -> None:  # fmt: skip
    """Check the incident once, then release the claim: until the next check, or with the incident's end.

    Args:
        notify: key of the incident's notification journal, woken when there is something to report.
    """
    # An incident that cannot be read any more is given up, whatever else its journal holds.
    claim.need(records.INCIDENT)
    pull = claim.get(records.PULL)
    if not claim.text("suppressed_by") and pull is None and not claim.has(records.OUTCOME):
        # A sweep that no longer counts the incident as a symptom clears `suppressed_by`; its stages then continue.
        claim.advance(_next_stage(claim), notify=notify)
        return
    if pull is not None and pull.state == "open":
        pull = _refresh_pull(claim, github, store, pull)
    if pull is None or (pull.state == "closed" and claim.has(records.FOLLOW_UP)):
        _await_recovery(claim, settings, notify)
        return
    if pull.state == "open":
        claim.advance("watch", after=_poll_seconds(claim, now))
        return
    if pull.state == "closed":
        closed = FollowUp(result=FollowUpResult.CLOSED, pull_number=pull.number)
        claim.record(records.FOLLOW_UP, closed)
        claim.advance("watch", after=RECHECK_SECONDS, notify=notify)
        return
    merge_watch.follow_merge(claim, railway, settings, store, pull, now, notify=notify)


def _next_stage(claim: Claim) -> str:
    """The first stage without a record. `plan` comes last, as it reserves again what the suppression released."""
    stages = ((records.EVIDENCE, "enrich"), (records.VERDICT, "diagnose"))
    return next((stage for record, stage in stages if not claim.has(record)), "plan")


def _await_recovery(claim: Claim, settings: Settings, notify: str) -> None:
    recovery = claim.text("recovery")
    checks = required_sweeps(recovery)
    if int(claim.text("clean_sweeps", "0")) < checks or _is_too_soon(claim, settings):
        claim.advance("watch", after=RECHECK_SECONDS)
        return
    reported = claim.get(records.FOLLOW_UP)
    # The closed pull request was reported before; now the trouble itself is gone.
    if reported is None or not reported.is_recovered:
        removed = recovery == Recovery.REMOVED
        result = FollowUpResult.REMOVED if removed else FollowUpResult.RESOLVED
        measured = claim.get(records.MEASURED) or FollowUp(result=result)
        resolved = measured.model_copy(update={"result": result, "checks": checks})
        merge_watch.replace_follow_up(claim, resolved)
    # A sweep that found the trouble again in the meantime has raised the wake-up counter, and `end` refuses.
    if not claim.end(EndedAs.RESOLVED, "resolved", notify=notify, final=False):
        claim.advance("watch")


def _is_too_soon(claim: Claim, settings: Settings) -> bool:
    """True while the trouble has stayed away for less time than its kind, or its relapses, call for."""
    if claim.text("recovery") == Recovery.REMOVED:
        return False
    trouble = alerting_findings(
        (*claim.need(records.INCIDENT).findings, *(claim.get(records.LATEST_FINDINGS) or ()))
    )
    relapse_ms = int(float(claim.text("relapse_ms", "0")))
    needed = required_quiet_ms(trouble, relapse_ms, settings.verify_minutes)
    return int(float(claim.text("quiet_ms", "0"))) < needed


def _poll_seconds(claim: Claim, now: datetime) -> float:
    age = now.timestamp() - int(claim.text("opened", "0")) / 1000
    return min(MAX_POLL_SECONDS, max(MIN_POLL_SECONDS, age / POLLS_PER_AGE))


def _refresh_pull(claim: Claim, github: GitHub, store: JournalStore, pull: PullRequest) -> PullRequest:
    """The pull request as GitHub shows it now. One that has ended is recorded, and its reservations are released."""
    fresh = github.pull(claim.text("repository"), pull.number)
    if fresh.state == "open":
        return fresh
    reservations.release(claim)
    if fresh.state == "closed":
        rejections.record_rejection(store, reservations.reserved_keys(claim), f"#{fresh.number}")
    log.info("pull request ended", extra={"journal": claim.id, "state": fresh.state})
    return claim.record(records.PULL, fresh)
