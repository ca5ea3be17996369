"""Reads groups of log records: where in the code they come from, and what they show about the cause. Pure.

Signs are read from the text as it was logged and from the code as it is. What leaves here is redacted by the models.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workers.investigation.code.locations import MAX_LOCATIONS, stack_locations
from workers.investigation.code.tree import Tree
from workers.investigation.logs.log_patterns import RecordGroup, group_records, to_pattern
from workers.investigation.logs.log_records import LogRecord
from workers.investigation.signs import read_signs
from workers.models import CodeLocation, LogPattern, Sign

MAX_PATTERNS = 20  # patterns of one log, the most telling first
MAX_LATER_PATTERNS = 5  # further patterns that are kept because they have a sign, such as dropped lines
MAX_GROUPS = 120  # groups whose signs are read
MAX_WORDINGS = 8  # different headlines of one group whose signs are read: they may name different hosts
LINES_BEFORE, LINES_AFTER = 6, 2  # code around the innermost own frame: a variable is read, then checked
PROBLEM_LEVELS = ("error", "warning", "stderr")


@dataclass(frozen=True)
class ReadGroup:
    """A group of similar records, with its code locations and signs."""

    group: RecordGroup
    locations: tuple[CodeLocation, ...]
    """Own code that its trace names, innermost first."""
    signs: tuple[Sign, ...]
    wordings: tuple[tuple[tuple[Sign, ...], int], ...]
    """The signs of each of its wordings, and the number of records with it."""

    @property
    def is_problem(self) -> bool:
        return self.group.level in PROBLEM_LEVELS

    def pattern(self) -> LogPattern:
        """The group as evidence."""
        return to_pattern(self.group, self.signs, [f"{place.file}:{place.line}" for place in self.locations])


def read_groups(records: Sequence[LogRecord], tree: Tree | None) -> tuple[ReadGroup, ...]:
    """The groups of a log, the most telling first; less telling ones only with a sign."""
    groups = group_records(records, MAX_GROUPS)
    read = [_read(group, _locations(group, tree) if tree else (), tree) for group in groups]
    later = [group for group in read[MAX_PATTERNS:] if group.signs]
    return (*read[:MAX_PATTERNS], *later[:MAX_LATER_PATTERNS])


def _locations(group: RecordGroup, tree: Tree) -> tuple[CodeLocation, ...]:
    located = stack_locations([group.best], tree)
    return tuple(location.model_copy(update={"count": group.count}) for location in located)


def merge_locations(groups: Iterable[ReadGroup], limit: int = MAX_LOCATIONS) -> tuple[CodeLocation, ...]:
    """The code locations of all groups, each once with the sum of its counts, in the order of the groups."""
    merged: dict[tuple[str, int, str | None], CodeLocation] = {}
    for location in (location for group in groups for location in group.locations):
        key = (location.file, location.line, location.function)
        count = location.count + (merged[key].count if key in merged else 0)
        merged[key] = location.model_copy(update={"count": count})
    return tuple(merged.values())[:limit]


def _read(group: RecordGroup, locations: Sequence[CodeLocation], tree: Tree | None) -> ReadGroup:
    code = _code_around(locations[0], tree) if locations and tree else ()
    signs = read_signs(group.best.text, code)
    counts: dict[str, list[LogRecord]] = {}
    for record in group.records:
        counts.setdefault(record.headline, []).append(record)
    wordings = [
        (signs if group.best in alike else read_signs(alike[0].text, code), len(alike))
        for alike in list(counts.values())[:MAX_WORDINGS]
    ]
    return ReadGroup(group, tuple(locations), signs, tuple(wordings))


def _code_around(location: CodeLocation, tree: Tree) -> list[str]:
    """The lines of code at the location and around it, as they are in the file."""
    lines = tree.lines(location.file)
    return lines[max(0, location.line - 1 - LINES_BEFORE) : location.line + LINES_AFTER]


def all_signs(groups: Iterable[ReadGroup]) -> list[Sign]:
    """The signs of all groups, in their order."""
    return [sign for group in groups for sign in group.signs]
