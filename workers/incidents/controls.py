"""The operators' controls: pause and mutes, checked before every effect."""

from __future__ import annotations

from workers.engine.journal_store import JournalStore
from workers.engine.schema import CONTROLS
from workers.errors import OnHold, Refused

MUTE_PREFIX = "mute:"  # hash fields of CONTROLS: `mute:<service name or id>`, value: end in epoch seconds
RECHECK_SECONDS = 30.0  # delay before a journal on hold checks the controls again
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
MAX_DURATION_SECONDS = 366 * 86_400


def pause(store: JournalStore) -> None:
    """Stop every effect until `resume`. Work in progress waits, and nothing is lost."""
    store.command("hset", CONTROLS, "paused", "1")


def resume(store: JournalStore) -> None:
    """End the pause."""
    store.command("hdel", CONTROLS, "paused")


def mute(store: JournalStore, service: str, until: float) -> None:
    """Neither fix nor report a service until a time.

    Args:
        service: its name or id.
        until: epoch seconds; a time in the past ends the mute.
    """
    store.command("hset", CONTROLS, MUTE_PREFIX + service, str(until))


def state(store: JournalStore, now: float) -> tuple[bool, dict[str, float]]:
    """Whether the product is paused, and the end of each mute (epoch seconds) by the service's name or id."""
    fields = store.fields(CONTROLS)
    mutes = {
        name.removeprefix(MUTE_PREFIX): float(until)
        for name, until in fields.items()
        if name.startswith(MUTE_PREFIX)
    }
    return "paused" in fields, {service: until for service, until in mutes.items() if until > now}


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
