"""The brake: mode, pause and mutes, asked before every effect."""

from __future__ import annotations

from workers.engine.journal_store import JournalStore
from workers.engine.schema import CONTROLS
from workers.errors import OnHold, Refused

RECHECK_SECONDS = 30.0
"""A journal that is held back looks so often whether the brake was released."""


def pause(journal: JournalStore) -> None:
    """No effect acts until `resume`; what is under way waits, nothing is lost."""
    journal.command("hset", CONTROLS, "paused", "1")


def resume(journal: JournalStore) -> None:
    journal.command("hdel", CONTROLS, "paused")


def mute(journal: JournalStore, service: str, until: float) -> None:
    """Nothing is done or told about a service (name or id) until then (epoch seconds); 0 or the past ends it."""
    journal.command("hset", CONTROLS, f"mute:{service}", str(until))


def state(journal: JournalStore, now: float) -> tuple[bool, dict[str, float]]:
    """Whether we are paused, and the services muted now with the end of it."""
    fields = journal.fields(CONTROLS)
    mutes = {name[5:]: float(until) for name, until in fields.items() if name.startswith("mute:")}
    return "paused" in fields, {name: until for name, until in mutes.items() if until > now}


def check(journal: JournalStore, services: tuple[str, ...], now: float) -> None:
    """Raises Held while we are paused, or one of these services (names or ids) is muted."""
    paused, mutes = state(journal, now)
    if paused:
        raise OnHold("paused", now + RECHECK_SECONDS)
    for service in services:
        if service in mutes:
            raise OnHold(f"{service} is muted", min(mutes[service], now + RECHECK_SECONDS))


def parse_duration(text: str) -> float:
    """Seconds of `90s`, `30m`, `4h`, `2d`. Raises Refused for anything else."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    number, unit = text[:-1], text[-1:]
    try:
        seconds = float(number) * units[unit]
    except (ValueError, KeyError):
        raise Refused(f"--for {text}: must read like 90s, 30m, 4h or 2d") from None
    if not 0 <= seconds <= 366 * 86_400:
        raise Refused(f"--for {text}: must lie between 0 and a year")
    return seconds
