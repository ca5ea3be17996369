"""Times for people, in the zone of TRACKWALKER_TIMEZONE. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from workers.runtime.text import format_duration

UTC_NAME = "UTC"


@lru_cache(maxsize=8)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@dataclass(frozen=True)
class LocalClock:
    """Formats moments in one time zone.

    Args:
        zone: IANA name. Times in UTC say so; local times do not name their zone.
    """

    zone: str = UTC_NAME

    @property
    def tzinfo(self) -> ZoneInfo:
        """The zone itself."""
        return _zone(self.zone)

    def at(self, moment: datetime, reference: datetime | None = None) -> str:
        """`03:12`, or `27 Nov 03:12` if the reference is on another local day."""
        local = moment.astimezone(_zone(self.zone))
        day = ""
        if reference is not None and reference.astimezone(_zone(self.zone)).date() != local.date():
            day = f"{local.day} {local:%b} "
        return f"{day}{local:%H:%M}{' UTC' if self.zone == UTC_NAME else ''}"

    def span(self, start: datetime, end: datetime, reference: datetime | None = None) -> str:
        """`03:36–03:46 (10 min)`."""
        first = self.at(start, reference or end).removesuffix(" UTC")
        return f"{first}–{self.at(end, reference or end)} ({format_duration((end - start).total_seconds())})"

    def next_at(self, hour: int, now: datetime) -> datetime:
        """The next moment after `now` at which local clocks show that full hour."""
        zone = _zone(self.zone)
        local = now.astimezone(zone)
        today = local.replace(hour=hour, minute=0, second=0, microsecond=0, fold=0)
        if today > local:
            return today
        # The date is advanced, not the time by 24 h: a day with a clock change is shorter or longer.
        return datetime.combine(today.date().fromordinal(today.toordinal() + 1), today.time(), zone)
