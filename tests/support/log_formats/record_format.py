"""A piece of a log as a library prints it, with the records that it must become."""

from __future__ import annotations

from typing import NamedTuple


class Wanted(NamedTuple):
    """One record: level, class of the exception, a part of the headline, and its lines (0: any number)."""

    level: str
    exception: str
    headline: str
    lines: int = 0


class RecordFormat(NamedTuple):
    """Lines of one output, which Railway delivers one by one.

    `stream` is the level that Railway reports: `error` for standard error, `info` for standard output.
    """

    name: str
    stream: str
    text: str
    records: tuple[Wanted, ...]
