"""Finds the lines of the repository that traces and log lines name. Pure apart from reading files of the clone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from workers.investigation.code.built_code import Place, places_of
from workers.investigation.code.code_layout import Layout, layout_of
from workers.investigation.code.fault_order import in_order
from workers.investigation.code.named_places import named_places
from workers.investigation.code.stack_frames import frames
from workers.investigation.code.tree import Tree
from workers.investigation.logs.log_patterns import RecordGroup
from workers.investigation.logs.log_records import LogRecord
from workers.models import CodeLocation
from workers.runtime.redaction import redact

MAX_LOCATIONS = 8  # locations of all groups together
PLACES_PER_GROUP = 8  # places of one group, for the pattern
FIRST_PLACES = 2  # of the first group, before each other group shows one
RECORDS_PER_GROUP = 3  # different traces of one group that are read; equal headlines mostly mean equal traces
TROUBLE_LEVELS = frozenset({"error", "warning", "stderr"})
CONTEXT_LINES = 6  # lines before and after a location in its excerpt
MAX_EXCERPT_CHARS = 1_600
MAX_EXCERPT_LINE_CHARS = 160

Why = Literal["stack", "log", "build"]


@dataclass(frozen=True)
class GroupPlaces:
    """The places in own code that the records of one group name, the likely fault first."""

    places: tuple[Place, ...]
    count: int
    """Records of the group."""
    why: Why

    @property
    def lines(self) -> tuple[str, ...]:
        """The places as `file:line`; the line is 0 if only the file is known."""
        return tuple(f"{place.file}:{place.line}" for place in self.places)


def locate_groups(groups: Sequence[RecordGroup], tree: Tree) -> tuple[GroupPlaces, ...]:
    """For each group of records, the places in own code that its traces or lines name."""
    layout = layout_of(tree)
    return tuple(_locate_group(group, layout) for group in groups)


def locations_of(
    located: Sequence[GroupPlaces], tree: Tree, limit: int = MAX_LOCATIONS
) -> tuple[CodeLocation, ...]:
    """The places of all groups with excerpts: the likely fault of the first group first.

    Each group with places shows at least one of them before the first group shows more than two.
    """
    chosen: dict[tuple[str, int], CodeLocation] = {}
    for place, count, why in _by_importance(located):
        key = (place.file, place.line)
        earlier = chosen.get(key)
        if earlier is not None:
            chosen[key] = earlier.model_copy(update={"count": earlier.count + count})
        elif len(chosen) < limit:
            chosen[key] = CodeLocation(
                file=place.file, line=place.line, function=place.function, why=why, count=count,
                excerpt=excerpt(tree, place.file, place.line),
            )  # fmt: skip
    return tuple(chosen.values())


def _by_importance(located: Sequence[GroupPlaces]) -> Iterator[tuple[Place, int, Why]]:
    groups = [group for group in located if group.places]
    for rank, group in enumerate(groups):
        for place in group.places[: 1 if rank else FIRST_PLACES]:
            yield place, group.count, group.why
    rest = [group.places[1 if rank else FIRST_PLACES :] for rank, group in enumerate(groups)]
    for row in zip_longest(*rest):
        for place, group in zip(row, groups, strict=True):
            if place is not None:
                yield place, group.count, group.why


def _locate_group(group: RecordGroup, layout: Layout) -> GroupPlaces:
    if group.level not in TROUBLE_LEVELS:
        return GroupPlaces((), group.count, "log")
    places: list[Place] = []
    for record in _different(group):
        traced = trace_places(record.text, layout)
        places += [place for place in traced if place not in places]
    if places:
        return GroupPlaces(tuple(places[:PLACES_PER_GROUP]), group.count, "stack")
    return GroupPlaces(named_places(group.best.text, layout)[:PLACES_PER_GROUP], group.count, "log")


def _different(group: RecordGroup) -> list[LogRecord]:
    """The record that stands for the group, and records with other traces."""
    texts = {group.best.text: group.best}
    for record in group.records:
        if record.is_trace and len(texts) < RECORDS_PER_GROUP:
            texts.setdefault(record.text, record)
    return list(texts.values())


def trace_places(text: str, layout: Layout) -> list[Place]:
    """The places of a record's traces in own code, the likely fault first."""
    return in_order(places_of(frames(text), layout), layout)


def excerpt(tree: Tree, file: str, line: int) -> str:
    """The numbered, redacted lines around a line, which is marked with `>`. Empty if the file has no such line."""
    lines = redact("\n".join(tree.lines(file))).split("\n")
    if not 1 <= line <= len(lines) or not any(lines):
        return ""
    first, last = max(1, line - CONTEXT_LINES), min(len(lines), line + CONTEXT_LINES)
    numbered = [
        f"{'>' if number == line else ' '}{number:5} {lines[number - 1][:MAX_EXCERPT_LINE_CHARS]}"
        for number in range(first, last + 1)
    ]
    return "\n".join(numbered)[:MAX_EXCERPT_CHARS]
