"""Reads groups of log records: where in the code they come from, and what they show about the cause. Pure.

Signs are read from the text as it was logged and from the code as it is. What leaves here is redacted by the models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workers.investigation.code.assumed_places import assumed_places
from workers.investigation.code.build_problems import first_build_problem
from workers.investigation.code.built_code import Place
from workers.investigation.code.locations import GroupPlaces, locate_groups, locations_of
from workers.investigation.code.tree import Tree
from workers.investigation.logs.log_patterns import RecordGroup, group_records, to_pattern
from workers.investigation.logs.log_records import LogRecord
from workers.investigation.signs import read_signs
from workers.models import CodeLocation, LogPattern, Sign, SignKind

MAX_PATTERNS = 20  # patterns of one log, the most serious first
MAX_LATER_PATTERNS = 5  # further patterns that are kept because they have a sign, such as dropped lines
MAX_GROUPS = 120  # groups whose signs are read
MAX_WORDINGS = 8  # wordings of one group whose signs are read: they name different hosts
MAX_HOSTS = 4  # names of one headline by which wordings are told apart
MAX_HEADLINE_CHARS = 2_000  # of a headline that are searched for them
MAX_NOTICES = 500  # notices of the platform about dropped lines that are added up: one a second at most
HOST = re.compile(r"\b[\w-]{1,63}(?:\.[\w-]{1,63}){0,6}\.[A-Za-z]{2,24}\b")
LINES_BEFORE = 6  # lines of code before the innermost own frame: a variable is read, then checked
LINES_AFTER = 2  # lines of code after it
PROBLEM_LEVELS = ("error", "warning", "stderr")


@dataclass(frozen=True)
class ReadGroup:
    """A group of similar records, with its code locations and signs."""

    group: RecordGroup
    located: GroupPlaces | None
    """Own code that its traces or lines name, the likely fault first; None without a clone."""
    signs: tuple[Sign, ...]
    wordings: tuple[tuple[tuple[Sign, ...], int], ...]
    """The signs of each of its wordings, and the number of records with it."""

    @property
    def is_problem(self) -> bool:
        return self.group.level in PROBLEM_LEVELS

    def pattern(self) -> LogPattern:
        """The group as evidence."""
        return to_pattern(self.group, self.signs, self.located.lines if self.located else ())


def read_groups(records: Sequence[LogRecord], tree: Tree | None) -> tuple[ReadGroup, ...]:
    """The groups of a log, the most serious first; later ones only with a sign."""
    groups = group_records(records, MAX_GROUPS)
    located = locate_groups(groups, tree) if tree else assumed_places(groups)
    read = [_read(group, places, tree) for group, places in zip(groups, located, strict=True)]
    later = [group for group in read[MAX_PATTERNS:] if group.signs]
    return (*read[:MAX_PATTERNS], *later[:MAX_LATER_PATTERNS])


def read_build_groups(records: Sequence[LogRecord], tree: Tree | None) -> tuple[ReadGroup, ...]:
    """The groups of a build log: the line that says what is wrong first, whatever its level."""
    problem = first_build_problem(records, tree)
    if problem is None:
        return read_groups(records, tree)
    places = (problem.place,) if problem.place else ()
    located = GroupPlaces(places, 1, "build") if tree else None
    [group] = group_records([problem.record])
    rest = read_groups([record for record in records if record is not problem.source], tree)
    return (_read(group, located, tree), *rest)


def merge_locations(groups: Iterable[ReadGroup], tree: Tree) -> tuple[CodeLocation, ...]:
    """The code locations of all groups, each once with the sum of its counts, in the order of the groups."""
    return locations_of([group.located for group in groups if group.located], tree)


def _read(group: RecordGroup, located: GroupPlaces | None, tree: Tree | None) -> ReadGroup:
    code = _code_around(located.places[0], tree) if located and located.places and tree else ()
    signs = read_signs(group.best.text, code)
    wordings: dict[tuple[str, ...], list[LogRecord]] = {}
    for record in group.records:
        wordings.setdefault(_hosts(record), []).append(record)
    own = _hosts(group.best)
    counted = [
        (signs if hosts == own else read_signs(alike[0].text, code), len(alike))
        for hosts, alike in list(wordings.items())[:MAX_WORDINGS]
    ]
    return ReadGroup(group, located, _with_total(signs, group), tuple(counted))


def _hosts(record: LogRecord) -> tuple[str, ...]:
    """The names in the headline that may be hosts: records that differ in other values have the same signs."""
    return tuple(HOST.findall(record.headline[:MAX_HEADLINE_CHARS])[:MAX_HOSTS])


def _with_total(signs: tuple[Sign, ...], group: RecordGroup) -> tuple[Sign, ...]:
    """The signs, of which one about dropped lines counts the lines of all records."""
    if all(sign.kind is not SignKind.LINES_DROPPED for sign in signs):
        return signs
    dropped = sum(
        sign.numbers.get("lines", 0.0)
        for record in group.records[:MAX_NOTICES]
        for sign in read_signs(record.text)
        if sign.kind is SignKind.LINES_DROPPED
    )
    return tuple(
        sign.model_copy(update={"numbers": {**sign.numbers, "lines": dropped}})
        if sign.kind is SignKind.LINES_DROPPED
        else sign
        for sign in signs
    )


def _code_around(place: Place, tree: Tree) -> list[str]:
    """The lines of code at the place and around it, as they are in the file."""
    lines = tree.lines(place.file)
    return lines[max(0, place.line - 1 - LINES_BEFORE) : place.line + LINES_AFTER] if place.line else []


def all_signs(groups: Iterable[ReadGroup]) -> list[Sign]:
    """The signs of all groups, in their order."""
    return [sign for group in groups for sign in group.signs]
