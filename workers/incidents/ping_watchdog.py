"""Watches for the clock's pings. Without pings only alerts start a check, so missing pings are reported."""

from __future__ import annotations

from datetime import UTC, datetime

from workers.engine import scripts
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PINGS
from workers.incidents.intake import MISSED_PINGS_LIMIT
from workers.models import Answer, AnswerKind

STARTUP_SECONDS = 60.0  # time after a worker's start for the clock's first ping, which it sends after 5 s
RECHECK_SECONDS = 86_400.0  # delay before the next look during a reported silence; a ping wakes the watchdog


def start(store: JournalStore, ping_seconds: float) -> None:
    """Expect pings from now on, unless they are expected already. Called when a worker starts.

    Raises NotAvailable.
    """
    overdue = int(MISSED_PINGS_LIMIT * ping_seconds * 1000)
    startup = int(STARTUP_SECONDS * 1000)
    store.run(scripts.START_WATCHDOG, ping_watchdog=PINGS, late_ms=overdue, startup_ms=startup)


def check(claim: Claim, ping_seconds: float, now: datetime) -> Answer | None:
    """The report that is due: pings are missing, or they have resumed.

    The report stays equal until `reschedule` runs, even after crashes in between, so that it is reported once.

    Args:
        ping_seconds: the configured interval of the pings.
    """
    last, reported = _last_ping(claim), claim.text("reported") == "1"
    overdue = (now - last).total_seconds() > _tolerance_seconds(claim, ping_seconds)
    if overdue and not reported:
        return Answer(kind=AnswerKind.PINGS_MISSING, at=last)
    if reported and not overdue:
        return Answer(kind=AnswerKind.PINGS_RESUMED, at=_moment(claim.text("silent", "0")))
    return None


def reschedule(claim: Claim, ping_seconds: float, now: datetime) -> None:
    """Record what was reported, and look again when the next pings would be overdue."""
    silence, tolerance = (now - _last_ping(claim)).total_seconds(), _tolerance_seconds(claim, ping_seconds)
    overdue = silence > tolerance
    claim.set_fields(reported=str(int(overdue)), silent=claim.text("last") or claim.text("opened", "0"))
    after = RECHECK_SECONDS if overdue else tolerance - silence
    claim.advance("pings", after=after, reason="pings are missing" if overdue else "")


def _tolerance_seconds(claim: Claim, ping_seconds: float) -> float:
    """Silence that is not overdue yet. `interval` is the longer wait that the receiver may have asked the clock for."""
    interval = max(ping_seconds, float(claim.text("interval", "0")))
    return interval + (MISSED_PINGS_LIMIT - 1) * ping_seconds


def _last_ping(claim: Claim) -> datetime:
    """The last ping, or, before the first one, the time since which pings are expected."""
    return _moment(claim.text("last") or claim.text("opened", "0"))


def _moment(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
