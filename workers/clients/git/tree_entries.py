"""Walks an untrusted tree and classifies its entries: links that leave it, names that no person can read, devices.

git can store links and names of any kind, so a repository may hold them. It cannot store devices, pipes, sockets,
hard links or nested repositories.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from workers.errors import Refused

MAX_FILES = 50_000
"""Files and folders of a tree; far above an ordinary service's repository."""
MAX_TREE_BYTES = 2**30
"""Total size of a tree in bytes; far above an ordinary service's repository."""
MAX_DEPTH = 60
"""Folders above an entry. Deeper trees exhaust the recursion of the standard library's own walks."""
MAX_LINKS = 40
"""Links that the kernel follows in one path before it answers ELOOP (MAXSYMLINKS in <linux/namei.h>)."""

GIT_NAMES = (".git", "git~1")
"""Names of a repository's own folder. Windows and macOS take `.GIT`, `.git.` and the short name `git~1` for it, and
GitHub refuses them as well."""


class Entry(NamedTuple):
    """A file, folder, link or other entry of a tree."""

    path: str
    """Relative to the tree, with `/`. Bytes that are not UTF-8 are surrogates, as in `os.fsdecode`."""
    status: os.stat_result

    @property
    def name(self) -> str:
        """The last part of the path."""
        return posixpath.basename(self.path)

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_link(self) -> bool:
        """True for a symbolic link."""
        return stat.S_ISLNK(self.status.st_mode)


def entries(
    root: Path, below: str = "", *, skip: Callable[[Entry], bool] = lambda _entry: False
) -> Iterator[Entry]:
    """Every entry of the tree but its `.git`, folders before their content, sorted by name. No link is followed.

    Args:
        root: the tree.
        below: the folder to start in, relative to the tree.
        skip: entries for which it is true are left out, a folder with its content.

    Raises:
        Refused: the tree is deeper than MAX_DEPTH.
    """
    if below.count("/") >= MAX_DEPTH:
        raise Refused(f"the repository holds folders more than {MAX_DEPTH} levels deep: {below[:80]!r}")
    with os.scandir(root / below) as scan:
        items = sorted(scan, key=lambda item: item.name)
    for item in items:
        entry = Entry(posixpath.join(below, item.name), item.stat(follow_symlinks=False))
        if entry.path == ".git" or skip(entry):
            continue
        yield entry
        if entry.is_folder:
            yield from entries(root, entry.path, skip=skip)


def check_entry(entry: Entry) -> None:
    """Refuse what git cannot store, so that no repository can hold it.

    Raises:
        Refused: a device, a pipe, a socket, a hard link (it may be another name of a file outside), or a nested
            repository.
    """
    if entry.name.lower().rstrip(" .") in GIT_NAMES:
        raise Refused(f"the agent's copy holds a nested repository: {entry.path!r}")
    mode = entry.status.st_mode
    if not (stat.S_ISDIR(mode) or stat.S_ISLNK(mode)) and not (
        stat.S_ISREG(mode) and entry.status.st_nlink == 1
    ):
        raise Refused(f"the agent's copy holds a device, a pipe or a hard link: {entry.path!r}")


def check_tree(root: Path) -> None:
    """Refuse a tree that `trees.copy_tree` would refuse to copy whatever the agent does in it.

    Raises:
        Refused: an entry that `check_entry` refuses, or too many files, bytes or levels.
    """
    size = Size()
    for entry in entries(root):
        check_entry(entry)
        size.add(entry)


class Size:
    """The number and the bytes of the entries so far, within the limits of a tree."""

    def __init__(self) -> None:
        self.files = self.bytes = 0

    def add(self, entry: Entry) -> None:
        """Count an entry. Raises Refused once there are more than MAX_FILES entries or MAX_TREE_BYTES bytes."""
        self.files, self.bytes = self.files + 1, self.bytes + entry.status.st_size
        if self.files > MAX_FILES or self.bytes > MAX_TREE_BYTES:
            raise Refused(
                f"the agent's copy holds more than {MAX_FILES} files or {MAX_TREE_BYTES // 2**20} MiB"
            )


def link_text(link: Path) -> str:
    """The link's target, as the link names it."""
    # Path.readlink normalises: `root/../` would lose its slash, and the patch would change the link.
    return os.readlink(link)  # noqa: PTH115


def stays_inside(root: Path, path: str, absent: frozenset[str] = frozenset()) -> bool:
    """True if the link leads, without a step out of the tree or into `.git`, to an entry of the tree that exists.

    Resolved part by part as the kernel does, because a `..` after a link starts from where the link leads: with
    `a/d -> ../..`, the path `a/d/..` is outside although it looks like `a`.

    Args:
        root: the tree.
        path: the link, relative to the tree; no folder above it is a link.
        absent: paths that count as missing.
    """
    here, pending, links = path.split("/")[:-1], [posixpath.basename(path)], 0
    while pending:
        part = pending.pop()
        if part == ".." and not here:
            return False
        if part in ("", ".", ".."):
            here = here[:-1] if part == ".." else here
            continue
        here = [*here, part]
        mode = _mode(root, here, absent)
        if mode is None or (pending and not (stat.S_ISDIR(mode) or stat.S_ISLNK(mode))):
            return False
        if stat.S_ISLNK(mode):
            target = link_text(root.joinpath(*here))
            links += 1
            if target.startswith("/") or links > MAX_LINKS:
                return False
            here = here[:-1]
            pending += reversed(target.split("/"))
    return True


def _mode(root: Path, parts: list[str], absent: frozenset[str]) -> int | None:
    """The mode of an entry, None if it is absent, unreachable, or `.git` itself."""
    if parts[0] == ".git" or "/".join(parts) in absent:
        return None
    try:
        return root.joinpath(*parts).lstat().st_mode
    except (OSError, ValueError):
        return None
