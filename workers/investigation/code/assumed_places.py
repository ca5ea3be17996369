"""The places that stack traces name in a service whose repository could not be read. Pure.

A trace names the file and the line of the fault even where no clone can show them. Paths of runtimes and packages, and
absolute paths outside the folders to which builders copy an application, are no own code.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workers.investigation.code.built_code import Place
from workers.investigation.code.deployed_paths import DEPLOYED_UNDER, is_foreign, plain_path
from workers.investigation.code.locations import PLACES_PER_GROUP, TROUBLE_LEVELS, GroupPlaces
from workers.investigation.code.stack_frames import frames
from workers.investigation.code.tree import SOURCE_SUFFIXES, Tree
from workers.investigation.logs.log_patterns import RecordGroup

UNREADABLE = Tree(Path("/nonexistent"), ())
"""A tree without files, for the places that no clone can show."""


def assumed_places(groups: Sequence[RecordGroup]) -> tuple[GroupPlaces, ...]:
    """For each group of records, the own places that the trace of its best record names, innermost first."""
    return tuple(_places(group) for group in groups)


def _places(group: RecordGroup) -> GroupPlaces:
    if group.level not in TROUBLE_LEVELS:
        return GroupPlaces((), group.count, "log")
    named = (
        Place(file, frame.line, frame.function)
        for frame in frames(group.best.text)
        if (file := _own_path(frame.path))
    )
    return GroupPlaces(tuple(dict.fromkeys(named))[:PLACES_PER_GROUP], group.count, "stack")


def _own_path(path: str) -> str:
    """The path in the repository that a deployed path stands for; "" for the code of others."""
    if is_foreign(path) or not path.endswith(SOURCE_SUFFIXES):
        return ""
    name = DEPLOYED_UNDER.sub("", plain_path(path)).removeprefix("./")
    # An absolute path outside of the usual folders may be a runtime's.
    return "" if name.startswith(("/", "<")) or ".." in name.split("/") else name
