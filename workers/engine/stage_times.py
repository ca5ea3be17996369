"""When the stages of an incident ran, and when its records were made: read from the fields of its journal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

RUN_PREFIX = "s:"
TIME_PREFIX = "t:"
MAX_MS = 253_402_300_799_000  # the end of the year 9999, the last that datetime can represent
MAX_DIGITS = 15  # of MAX_MS; Python refuses to read a number of thousands of digits


class StageRuns(NamedTuple):
    """All runs of one stage."""

    started: datetime
    """The start of the first run."""
    ended: datetime
    """The end of the last run."""
    seconds: float
    """The time of all runs together, without the waits between them."""
    runs: int
    failures: int
    """Runs that failed or whose worker crashed."""


def read_runs(fields: Mapping[str, bytes], stage: str) -> StageRuns | None:
    """The runs of a stage; None if it did not run, or the field cannot be read."""
    numbers = _numbers(fields.get(RUN_PREFIX + stage, b""))
    if len(numbers) != 5:
        return None
    first, last, busy_ms, runs, failures = numbers
    return StageRuns(moment(first), moment(last), busy_ms / 1000, runs, failures)


def read_times(fields: Mapping[str, bytes], record: str) -> tuple[datetime, datetime] | None:
    """When a record was first made and when it was last made anew; None if it is unknown."""
    numbers = _numbers(fields.get(TIME_PREFIX + record, b""))
    return (moment(numbers[0]), moment(numbers[-1])) if numbers else None


def read_moment(fields: Mapping[str, bytes], name: str) -> datetime | None:
    """A plain field that holds milliseconds, such as `opened`; None if it is missing or unreadable."""
    numbers = _numbers(fields.get(name, b""))
    return moment(numbers[0]) if len(numbers) == 1 else None


def moment(milliseconds: int) -> datetime:
    """A time of Redis's clock."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _numbers(value: bytes) -> list[int]:
    """The numbers of a field; [] if any of them is none or no time can be that large."""
    parts = value.split()
    if not all(part.isdigit() and len(part) <= MAX_DIGITS for part in parts):
        return []
    numbers = [int(part) for part in parts]
    return numbers if all(number <= MAX_MS for number in numbers) else []
