"""The operators' controls: pauses and mutes, checked before every effect."""

from __future__ import annotations

from datetime import UTC, datetime

from workers.engine.journal_store import JournalStore
from workers.errors import OnHold, Refused
from workers.incidents import decisions
from workers.models import DecisionKind

RECHECK_SECONDS = 30.0  # delay before a journal on hold checks the controls again
FOREVER = float("inf")  # the end of a mute that lasts until somebody undoes it
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
MAX_DURATION_SECONDS = 366 * 86_400


def state(store: JournalStore, now: float) -> tuple[bool, dict[str, float]]:
    """Whether the product is paused, and the end of each mute (epoch seconds) by the service's name and by its id."""
    active = decisions.active(store, datetime.fromtimestamp(now, UTC))
    mutes = {
        service: decision.until.timestamp() if decision.until else FOREVER
        for decision in active
        if decision.kind is DecisionKind.MUTE
        for service in (decision.service_id, decision.service_name)
        if service
    }
    return any(decision.kind is DecisionKind.PAUSE for decision in active), mutes


def check(store: JournalStore, services: tuple[str, ...], now: float) -> None:
    """Raises OnHold while the product is paused or one of these services (names or ids) is muted."""
    paused, mutes = state(store, now)
    if paused:
        raise OnHold("paused", now + RECHECK_SECONDS)
    for service in services:
        if service in mutes:
            raise OnHold(f"{service} is muted", min(mutes[service], now + RECHECK_SECONDS))


def parse_duration(text: str) -> float:
    """Seconds of `90s`, `30m`, `4h` or `2d`. Raises Refused for anything else."""
    number, unit = text[:-1], text[-1:]
    try:
        seconds = float(number) * UNIT_SECONDS[unit]
    except (ValueError, KeyError):
        raise Refused(f"--for {text}: is not a duration. Write it as 90s, 30m, 4h or 2d") from None
    # NaN fails this comparison, too.
    if not 0 <= seconds <= MAX_DURATION_SECONDS:
        raise Refused(f"--for {text}: is out of range. Choose a duration of at most a year")
    return seconds
