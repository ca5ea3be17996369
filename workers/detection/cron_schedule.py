"""The times at which a cron schedule is due, in UTC as on Railway. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

MACROS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MAX_SCHEDULE = 200  # characters: a longer one is not read


class CronSchedule(NamedTuple):
    """The values at which each field matches; `weekdays` counts from Sunday, which is 0."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    def is_on(self, day: date) -> bool:
        """Whether the schedule is due on this day. If both kinds of days are restricted, either is enough (POSIX)."""
        in_month = day.day in self.days
        in_week = day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return day.month in self.months and in_month and in_week
        return day.month in self.months and (in_month or in_week)


def parse_schedule(text: str) -> CronSchedule | None:
    """The schedule, or None if it is not one of five fields as Railway takes them."""
    if len(text) > MAX_SCHEDULE:
        return None
    fields = MACROS.get(text.strip().lower(), text).split()
    if len(fields) != 5:
        return None
    try:
        weekdays = _values(fields[4], 0, 7, WEEKDAYS)
        return CronSchedule(
            _values(fields[0], 0, 59), _values(fields[1], 0, 23), _values(fields[2], 1, 31),
            _values(fields[3], 1, 12, ("", *MONTHS)), frozenset(value % 7 for value in weekdays),
            any_day=fields[2][0] in "*?", any_weekday=fields[4][0] in "*?",
        )  # fmt: skip
    except ValueError:
        return None


def _values(field: str, low: int, high: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    """The numbers that a field matches.

    Raises:
        ValueError: The field is not valid.
    """
    values: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        if span in ("*", "?"):
            first, last = low, high
        else:
            begin, has_end, end = span.partition("-")
            first = _number(begin, names)
            last = _number(end, names) if has_end else high if step else first
        width = int(step) if step else 1
        if not (low <= first <= last <= high and width > 0):
            raise ValueError(field)
        values.update(range(first, last + 1, width))
    return frozenset(values)


def _number(text: str, names: tuple[str, ...]) -> int:
    upper = text.upper()
    return names.index(upper) if upper and upper in names else int(text)


def due_times(schedule: CronSchedule, first: datetime, last: datetime) -> list[datetime]:
    """The times from `first` to `last` at which the schedule is due, ascending."""
    times = []
    day = first.astimezone(UTC).date()
    while day <= last.astimezone(UTC).date():
        if schedule.is_on(day):
            times += [
                at
                for hour in sorted(schedule.hours)
                for minute in sorted(schedule.minutes)
                if first <= (at := datetime.combine(day, time(hour, minute), UTC)) <= last
            ]
        day += timedelta(days=1)
    return times
