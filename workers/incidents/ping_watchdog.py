"""Pings that stay away: then nothing is looked at any more unless somebody asks, and that is told."""

from __future__ import annotations

from datetime import UTC, datetime

from workers.engine import scripts
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PINGS
from workers.incidents.intake import MISSED_PINGS_LIMIT

BOOT_SECONDS = 60.0
"""After a start the clock has so long for its first ping: it comes after five seconds."""
LOOK_AGAIN_SECONDS = 86_400.0


def start(journal: JournalStore, ping_seconds: float) -> None:
    """A worker has started: pings are waited for from now on, if they are not yet. Raises NotAvailable."""
    late = int(MISSED_PINGS_LIMIT * ping_seconds * 1000)
    journal.run(scripts.START_WATCHDOG, ping_watchdog=PINGS, late_ms=late, boot_ms=int(BOOT_SECONDS * 1000))


def check(claim: Claim, ping_seconds: float, now: datetime) -> str:
    """What is to be told of the pings, "" for nothing. `usual_seconds` is how far apart they come by the setting.

    The same words until `let_go`, however often it is looked: so they are told once.
    """
    last, told = _last(claim), claim.text("reported") == "1"
    late = (now - last).total_seconds() > _patience(claim, ping_seconds)
    if late and not told:
        return (
            f"no ping since {last:%Y-%m-%d %H:%M} UTC: nothing is looked at unless somebody asks. "
            "Is the clock up, and does TRACKWALKER_PUBLIC_URL lead to this receiver?"
        )
    if told and not late:
        before = _moment(claim.text("silent", "0"))
        return f"pings come again; the last one before was at {before:%Y-%m-%d %H:%M} UTC"
    return ""


def reschedule(claim: Claim, ping_seconds: float, now: datetime) -> None:
    """Remember what was told, and look again when the next pings would be late."""
    silent, patience = (now - _last(claim)).total_seconds(), _patience(claim, ping_seconds)
    late = silent > patience
    claim.set_fields(reported=str(int(late)), silent=claim.text("last") or claim.text("opened", "0"))
    after = LOOK_AGAIN_SECONDS if late else patience - silent
    claim.advance("pings", after=after, reason="pings stay away" if late else "")


def _patience(claim: Claim, usual_seconds: float) -> float:
    """Seconds without a ping that are not yet late: the clock may have been asked to let the next one wait."""
    return max(usual_seconds, float(claim.text("interval", "0"))) + (MISSED_PINGS_LIMIT - 1) * usual_seconds


def _last(claim: Claim) -> datetime:
    """The last ping, or, before the first one, since when they are waited for."""
    return _moment(claim.text("last") or claim.text("opened", "0"))


def _moment(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
