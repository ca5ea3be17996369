"""Ends the active part of an incident: with its outcome, or because a sweep suppressed it as a symptom."""

from __future__ import annotations

import logging

from workers.engine import records, reservations, schema
from workers.engine.claim import Claim
from workers.engine.schema import journal_id
from workers.incidents import budget
from workers.models import Outcome, Usage

log = logging.getLogger("trackwalker.pipeline")


def notification_of(claim: Claim) -> str:
    """The notification journal of a claimed incident or alert. A sweep has none, and waking none does nothing."""
    return schema.notification_key(claim.id)


def conclude(claim: Claim, outcome: Outcome) -> None:
    """End the active part of an incident: the outcome is reported, and `watch` waits until the trouble is gone."""
    _settle_budget(claim)
    claim.record(records.OUTCOME, outcome)
    facts = {"journal": claim.id, "kind": outcome.kind, "headline": outcome.headline, "link": outcome.link}
    log.info("incident concluded", extra=facts)
    claim.advance("watch", notify=notification_of(claim))


def stop_if_suppressed(claim: Claim) -> bool:
    """Send an incident that a sweep suppressed as a symptom to `watch`; False if its stage may run.

    A pull request that may be open already is followed to its end, and a fix that a person asked for is made.
    """
    may_have_pull = claim.stage == "propose" and claim.has(records.REMOTE)
    if not claim.text("suppressed_by") or claim.text("fix_requests") or may_have_pull:
        return False
    reservations.release(claim)
    _settle_budget(claim)
    cause = journal_id(claim.text("suppressed_by"))
    log.info("incident suppressed", extra={"journal": claim.id, "stage": claim.stage, "cause": cause})
    claim.advance("watch", reason=f"a symptom of {cause}", notify=notification_of(claim))
    return True


def _settle_budget(claim: Claim) -> None:
    usage = claim.get(records.USAGE) or Usage()
    budget.settle(claim.store, claim, usage.cost_usd)
