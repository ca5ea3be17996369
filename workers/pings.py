"""Pings that stay away: then nothing is looked at any more unless somebody asks, and that is told."""

from __future__ import annotations

from datetime import UTC, datetime

from workers import scripts
from workers.intake import LATE_PINGS, PINGS
from workers.journal import DUE, Claim, Journal

BOOT_SECONDS = 60.0
"""After a start the clock has so long for its first ping: it comes after five seconds."""
LOOK_AGAIN_SECONDS = 86_400.0


def expect(journal: Journal, ping_seconds: float) -> None:
    """A worker has started: pings are waited for from now on, if they are not yet. Raises NotAvailable."""
    late = int(LATE_PINGS * ping_seconds * 1000)
    journal.script(scripts.EXPECT_PINGS, [PINGS, DUE], late, int(BOOT_SECONDS * 1000))


def look(claim: Claim, apart_seconds: float, now: datetime) -> str:
    """What is to be told of the pings, "" for nothing. `apart_seconds` is how far apart they should come."""
    last, told = _last(claim), claim.text("told") == "1"
    late = (now - last).total_seconds() > LATE_PINGS * apart_seconds
    if late and not told:
        minutes = (now - last).total_seconds() / 60
        return (
            f"no ping for {minutes:.0f} minutes (the last at {last:%H:%M} UTC): nothing is looked at unless somebody "
            "asks. Is the clock up, and does TRACKWALKER_PUBLIC_URL lead to this receiver?"
        )
    if told and not late:
        return f"pings come again since {last:%Y-%m-%d %H:%M} UTC"
    return ""


def let_go(claim: Claim, apart_seconds: float, now: datetime) -> None:
    """Remember what was told, and look again when the next pings would be late."""
    silent = (now - _last(claim)).total_seconds()
    late = silent > LATE_PINGS * apart_seconds
    claim.mark(told=str(int(late)))
    after = LOOK_AGAIN_SECONDS if late else LATE_PINGS * apart_seconds - silent
    claim.hand_on("pings", after=after, reason="pings stay away" if late else "")


def _last(claim: Claim) -> datetime:
    """The last ping, or, before the first one, since when they are waited for."""
    return datetime.fromtimestamp(int(claim.text("last") or claim.text("opened", "0")) / 1000, UTC)
