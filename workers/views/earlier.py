"""Earlier and later occurrences of the same cause, each in a sentence. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from workers.engine.schema import EndedAs
from workers.models import PastOccurrence
from workers.runtime.text import format_duration, plural
from workers.views.bounds import first, web_url
from workers.views.shapes import EarlierRow, PullLink

MAX_EARLIER = 10
NEW_YEAR_DAYS = 300  # a date that is older is written with its year

Ended = tuple[PastOccurrence, datetime]


def earlier_rows(
    own_id: str, opened_at: datetime | None, since: datetime | None, past: Sequence[Ended]
) -> tuple[tuple[EarlierRow, ...], int]:
    """The other occurrences, newest first, and the number of those that are left out.

    Args:
        opened_at, since: the incident's opening and its onset.
        past: the ended occurrences of the cause, each with its end, newest first.
    """
    rows, next_onset = [], since
    for occurrence, ended_at in past:
        if occurrence.id == own_id:
            continue
        is_later = (
            opened_at is not None and occurrence.opened_at is not None and occurrence.opened_at > opened_at
        )
        rows.append(_row(occurrence, ended_at, None if is_later else next_onset, later=is_later))
        if not is_later:
            next_onset = occurrence.since or occurrence.opened_at
    return first(rows, MAX_EARLIER)


def _row(
    occurrence: PastOccurrence, ended_at: datetime, next_onset: datetime | None, *, later: bool
) -> EarlierRow:
    number, url = occurrence.pull_number, web_url(occurrence.pull_url)
    pull = PullLink(number=number, url=url, state=occurrence.pull_state) if number else None
    return EarlierRow(
        id=occurrence.id,
        opened_at=occurrence.opened_at,
        ended_at=ended_at,
        text=_sentence(occurrence, ended_at, next_onset),
        pull=pull,
        later=later,
    )


def _sentence(occurrence: PastOccurrence, ended_at: datetime, next_onset: datetime | None) -> str:
    """`#29 fixed this on 3 Oct; the fix lasted 41 days`."""
    day = f"{ended_at.day} {ended_at:%b}"
    if next_onset is not None and next_onset - ended_at > timedelta(days=NEW_YEAR_DAYS):
        day = f"{day} {ended_at.year}"
    gone = next_onset - ended_at if next_onset is not None else None
    lasted = _days(gone) if gone is not None and gone > timedelta(0) else ""
    number = f"#{occurrence.pull_number}" if occurrence.pull_number else "A fix"
    if occurrence.ended_as == EndedAs.FIX_VERIFIED:
        return f"{number} fixed this on {day}" + (f"; the fix lasted {lasted}" if lasted else "")
    if occurrence.ended_as == EndedAs.FIX_FAILED:
        return f"{number} was merged and did not end this ({day})"
    if occurrence.ended_as in (EndedAs.CANCELLED, EndedAs.FAILED):
        return f"Ended without a result on {day}"
    return f"Went away by itself on {day}" + (f"; it was back after {lasted}" if lasted else "")


def _days(duration: timedelta) -> str:
    """`41 days`; shorter times as `format_duration` writes them."""
    return plural(duration.days, "day") if duration.days >= 2 else format_duration(duration.total_seconds())
