"""Words that the results of several actions share. Pure."""

from __future__ import annotations

from datetime import datetime, tzinfo

from workers.models import Person


def clock_time(at: datetime, zone: tzinfo, now: datetime) -> str:
    """`03:12`, or `3 Oct 03:12` for another day, with `UTC` where that is the zone."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    day = "" if local.date() == today else f"{local.day} {local:%b} "
    return f"{day}{local:%H:%M}{' UTC' if local.tzname() == 'UTC' else ''}"


def until_text(until: datetime | None, zone: tzinfo, now: datetime) -> str:
    """`until 03:12`, or `until somebody ends it`."""
    return f"until {clock_time(until, zone, now)}" if until else "until somebody ends it"


def person_name(person: Person) -> str:
    """The name of the person for other people."""
    return person.name or "somebody"
