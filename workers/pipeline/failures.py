"""How a stage ends when its work does not: concluded, put aside, tried again later, given up. Every ending is told."""

from __future__ import annotations

import logging
from datetime import datetime

from workers.engine import retries, scripts
from workers.engine.journal import DUE, PREFIX, Claim, Journal, Unreadable
from workers.engine.stage_table import MADE_BY
from workers.errors import Held, NotAvailable, Superseded, TrackwalkerError
from workers.incidents import budget, opening
from workers.models import Alert, Incident, Outcome, PullRequest, Spent, Watch, digest
from workers.notifications import notify
from workers.remediation import attempt as mending

PINGS_AGAIN_SECONDS = 3600.0
"""So soon it is waited for pings again where that broke too often."""

log = logging.getLogger("trackwalker.line")


def tell_of(claim: Claim) -> str:
    """The tell's journal that belongs to an incident or alert; there is none of a sweep."""
    return f"{PREFIX}tell:{claim.id}"


def conclude(claim: Claim, outcome: Outcome) -> None:
    """The active part of a round is over: it is told, and the trouble is watched until it is gone."""
    budget.settle(claim.journal, claim, (claim.get("spent", Spent) or Spent()).cost_usd)
    claim.keep("outcome", Outcome, outcome)
    log.info("concluded", extra={"investigation": claim.id, "kind": outcome.kind, "what": outcome.headline})
    claim.hand_on("watch", tell=tell_of(claim))


def stands_aside(claim: Claim) -> bool:
    """Whether a sweep called it a symptom of another incident: then nothing further begins, it waits in `watch`.

    A pull request that may be open already is seen to its end, and what a person asked for is done.
    """
    began = claim.stage == "propose" and "r:remote" in claim.fields
    if not claim.text("joined") or claim.text("asked") or began:
        return False
    mending.release(claim, claim.journal)
    budget.settle(claim.journal, claim, (claim.get("spent", Spent) or Spent()).cost_usd)
    holder = claim.text("joined").removeprefix(PREFIX)
    log.info("stands aside", extra={"investigation": claim.id, "stage": claim.stage, "cause": holder})
    claim.hand_on("watch", reason=f"a symptom of {holder}", tell=tell_of(claim))
    return True


def failed(claim: Claim, error: TrackwalkerError, now: datetime) -> None:
    """The error's class says what follows. Raises Superseded again: there is nothing to let go of."""
    if isinstance(error, Superseded):
        raise error
    try:
        _follow(claim, error, now)
    except NotAvailable as away:
        # Also an ending may need what is not there now, as a record that only a newer version reads.
        _try_later(claim, away, now)


def _follow(claim: Claim, error: TrackwalkerError, now: datetime) -> None:
    if isinstance(error, Held):
        wait = max(0.5, error.until - now.timestamp())
        claim.hand_on(claim.stage, after=wait, reason=str(error))
    elif isinstance(error, NotAvailable):
        _try_later(claim, error, now)
    elif isinstance(error, Unreadable) and error.name in MADE_BY and not claim.text(f"again:{error.name}"):
        # Emptied, so that it is not waited for a second time where a newer version left it.
        claim.mark(**{f"again:{error.name}": "1", f"r:{error.name}": ""})
        claim.hand_on(MADE_BY[error.name], reason=f"{error.name} is made again")
    else:
        give_up(claim, str(error), now)


def _try_later(claim: Claim, error: NotAvailable, now: datetime) -> None:
    telling_it = claim.stage == "tell"
    if claim.failing_seconds > retries.patience(error, telling=telling_it).give_up:
        give_up(claim, str(error), now)
        return
    wait = retries.wait(error, claim.tries, telling=telling_it)
    log.warning("tried again later", extra={"investigation": claim.id, "why": str(error), "seconds": wait})
    tell_key = "" if telling_it or claim.stage == "pings" else tell_of(claim)
    claim.hand_on(claim.stage, after=wait, blocked=True, reason=str(error), failed=True, tell=tell_key)


def give_up(claim: Claim, why: str, now: datetime) -> None:
    """No sense in going on: the round ends, and that is told with the raw facts. Who lost the claim ends nothing."""
    claim.mark(given_up=why[:500])
    log.error("given up", extra={"investigation": claim.id, "stage": claim.stage, "why": why})
    if claim.stage == "tell":
        claim.end(f"given up: {why}")
    elif claim.stage == "pings":
        # Waiting for pings has no end.
        tell_trouble(claim.journal, f"pings are not looked after: {why}", now)
        claim.hand_on("pings", after=PINGS_AGAIN_SECONDS)
    elif claim.id.startswith("incident:"):
        _give_up_incident(claim, why, now)
    else:
        _give_up_look(claim, why, now)


def _give_up_incident(claim: Claim, why: str, now: datetime) -> None:
    if claim.get("pull", PullRequest) is None:
        mending.release(claim, claim.journal)
    incident = claim.get("incident", Incident)
    if incident is None:
        # Nobody could be told under its name: the next sweep that sees the trouble opens a new round.
        tell_trouble(claim.journal, f"{claim.id} cannot be worked out: {why}", now)
        claim.end(f"given up: {why}")
        return
    if claim.stage == "watch":
        claim.keep("watch", Watch, Watch(held=False, sentence=f"not watched any more: {why}"))
        claim.end(f"given up watching: {why}", tell=tell_of(claim))
        return
    lines = (*notify.raw_words(incident), f"given up during {claim.stage}: {why}")
    conclude(claim, Outcome(kind="failed", headline="could not be worked out", lines=lines))


def _give_up_look(claim: Claim, why: str, now: datetime) -> None:
    """A sweep or alert that cannot be worked on: everyone who asked hears so, a failing ping once a day."""
    journal, note = claim.journal, f"could not look: {why}"
    alerts = opening.alerts_of(claim) or [one for one in [claim.get("alert", Alert)] if one]
    told = [journal.raise_wanted(f"{PREFIX}tell:alert:{alert.id}", note=note) for alert in alerts]
    if not any(told):
        tell_trouble(journal, note, now)
    claim.end(f"given up: {why}")


def abandon(claim: Claim, error: Exception, now: datetime) -> None:
    """Where giving up itself breaks again and again: the journal ends, and that is told."""
    why = f"{claim.id} can neither be worked on nor given up: {type(error).__name__}"
    tell_trouble(claim.journal, why, now)
    claim.end(f"abandoned: {type(error).__name__}")


def tell_trouble(journal: Journal, note: str, now: datetime) -> None:
    """Trouble of our own that no alert or incident is told of; the same once a day."""
    key = f"{PREFIX}tell:trouble:{digest(note, f'{now:%Y%m%d}')}"
    journal.script(scripts.OPEN, [key, DUE], 0, "stage", "tell", "note", note)
