"""The changes of a patch, read from the patch and from the trees without and with it."""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from workers.clients.git import FileDiff, read_diff, safe_read

SYMLINK_MODE = "120000"  # file modes of git's tree objects
SUBMODULE_MODE = "160000"
REGULAR_MODE = "100644"
INDEX_LINE = re.compile(r"index [0-9a-f]+\.\.[0-9a-f]+ (\d{6})")
MOVE_LINE = re.compile(r"(rename|copy) (from|to) (.+)")


class MalformedPatch(ValueError):
    """The patch can be read in more than one way, so it cannot be judged."""


@dataclass(frozen=True)
class Change:
    """One path that a patch touches."""

    path: str
    old: str | None
    """The text without the patch; None if there is no such file or it cannot be read."""
    new: str | None
    """The text with the patch; None as for `old`."""
    existed: bool
    exists: bool
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    binary: bool = False
    mode: str | None = None
    """The mode if it is new, changed, or that of a link; None for an unchanged mode."""
    is_linked: bool = False
    """True if the path is a link or lies below one, in either tree."""

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)


def read_changes(patch: str, before: Path, after: Path) -> list[Change]:
    """The changed paths. A rename or a copy counts as a deleted (or unchanged) and a new file.

    Raises:
        MalformedPatch: headers and hunks contradict each other.
    """
    files = read_diff(patch)
    headers = _read_headers(patch)
    if len(files) != len(headers):
        raise MalformedPatch("the patch is malformed: its hunks and headers contradict each other")
    changes: dict[str, Change] = {}
    for file, header in zip(files, headers, strict=True):
        for change in _read_file(file, header, before, after):
            if change.path in changes:
                raise MalformedPatch(f"the patch names {change.path} twice")
            changes[change.path] = change
    return list(changes.values())


def _read_headers(patch: str) -> list[dict[str, str]]:
    """Per file, what read_diff leaves out: the mode of the index line, and renames and copies."""
    headers: list[dict[str, str]] = []
    for line in patch.split("\n"):
        if line.startswith("diff --git "):
            headers.append({})
        elif headers and (match := INDEX_LINE.fullmatch(line)):
            headers[-1]["index mode"] = match[1]
        elif headers and (match := MOVE_LINE.fullmatch(line)):
            headers[-1][f"{match[1]} {match[2]}"] = match[3].strip('"')
    return headers


def _read_file(file: FileDiff, header: dict[str, str], before: Path, after: Path) -> list[Change]:
    mode = file.mode
    if mode is None and header.get("index mode") in (SYMLINK_MODE, SUBMODULE_MODE):
        mode = header["index mode"]
    removed = tuple(text for _, text in file.removed)
    target = header.get("rename to") or header.get("copy to")
    if target is None:
        added = tuple(text for _, text in file.added)
        return [
            _change(file.path, before, after, added=added, removed=removed, binary=file.binary, mode=mode)
        ]
    whole = tuple((safe_read(after, target) or "").splitlines())
    changes = [_change(target, before, after, added=whole, binary=file.binary, mode=mode)]
    if source := header.get("rename from"):
        old = tuple((safe_read(before, source) or "").splitlines())
        changes.append(_change(source, before, after, removed=old))
    return changes


def _change(
    path: str, before: Path, after: Path, *,
    added: tuple[str, ...] = (), removed: tuple[str, ...] = (), binary: bool = False, mode: str | None = None,
) -> Change:  # fmt: skip
    return Change(
        path=path,
        old=safe_read(before, path),
        new=safe_read(after, path),
        existed=os.path.lexists(before / path) if _is_inside(path) else False,
        exists=os.path.lexists(after / path) if _is_inside(path) else False,
        added=added,
        removed=removed,
        binary=binary,
        mode=mode,
        is_linked=_is_linked(before, path) or _is_linked(after, path),
    )


def _is_inside(path: str) -> bool:
    return "\0" not in path and not path.startswith("/") and ".." not in path.split("/")


def _is_linked(tree: Path, path: str) -> bool:
    if not _is_inside(path):
        return True
    parts = path.split("/")
    return any(tree.joinpath(*parts[: end + 1]).is_symlink() for end in range(len(parts)))
