"""Reads the end that a person names: a time of the day, or a date with a time. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo

from workers.errors import Refused

FORMATS = ("%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d")


def read_until(text: str, now: datetime, zone: tzinfo) -> datetime:
    """The next time that the text names, in UTC.

    Args:
        text: `9:00`, `2026-12-24T09:00` or `2026-12-24`, in the zone.

    Raises:
        Refused: it cannot be read, or lies in the past.
    """
    end = _time_of_day(text, now, zone) or _date(text, zone)
    if end is None:
        raise Refused(f"--until {text}: is not a time. Write it as 9:00 or 2026-12-24T09:00")
    if end <= now:
        raise Refused(f"--until {text}: is in the past")
    return end.astimezone(UTC)


def _time_of_day(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    try:
        at = datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 (only the time of the day is used)
    except ValueError:
        return None
    return _next(at, now.astimezone(zone))


def _next(at: time, local: datetime) -> datetime:
    today = local.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
    return today if today > local else today + timedelta(days=1)


def _date(text: str, zone: tzinfo) -> datetime | None:
    for form in FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=zone)
        except ValueError:
            continue
    return None
