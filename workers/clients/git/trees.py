"""Files that somebody hostile may have written, read and copied without following a link out of their tree."""

from __future__ import annotations

import os
import posixpath
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from workers.errors import Refused

MOST_FILES, MOST_BYTES = 50_000, 2**30
"""Of one tree that is copied: entries, and bytes in all."""
MAX_READ_BYTES = 2 * 2**20
TOOL_FOLDERS = {"node_modules", "__pycache__", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
"""Folders that running or checking code leaves behind; left out where the repository holds no such folder."""


def safe_read(root: Path, path: str, *, max_bytes: int = MAX_READ_BYTES) -> str | None:
    """The text of a file of the tree; None where it is no plain file in it, or larger than `most_bytes`."""
    content = safe_bytes(root, path, max_bytes=max_bytes)
    return None if content is None else content.decode(errors="replace")


def safe_bytes(root: Path, path: str, *, max_bytes: int = MAX_READ_BYTES) -> bytes | None:
    """Like `safe_read`, as bytes."""
    try:
        real = (root / path).resolve()
        if not real.is_relative_to(root.resolve()):
            return None
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError, RuntimeError):
        return None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(max_bytes)


def safe_write(root: Path, path: str, content: bytes | None) -> None:
    """Put a file into the tree, or take it away (None). Raises Refused for a path out of it or through a link."""
    parts = path.split("/")
    if path.startswith("/") or any(part in ("", ".", "..", ".git") for part in parts):
        raise Refused(f"{path!r} is no path inside the repository")
    folder = root
    for part in parts[:-1]:
        folder /= part
        if folder.is_symlink():
            raise Refused(f"{path!r} leads through a link")
        folder.mkdir(exist_ok=True)
    (folder / parts[-1]).unlink(missing_ok=True)
    if content is not None:
        (folder / parts[-1]).write_bytes(content)


def copy_tree(source: Path, target: Path, tracked: set[str]) -> None:
    """Everything in `source` but its .git, into the emptied `target`.

    `tracked` are the repository's own files. Raises Refused for a link that points outside, a nested .git, a
    device, a second name of some file (hard link), a name with control characters, or too much of it.
    """
    for entry in target.iterdir():
        if entry.name != ".git":
            remove(entry)
    kept = {posixpath.dirname(path) for path in tracked}
    files = size = 0
    for path, status in _entries(source, "", kept):
        files, size = files + 1, size + status.st_size
        if files > MOST_FILES or size > MOST_BYTES:
            raise Refused(f"the agent's copy holds more than {MOST_FILES} files or {MOST_BYTES // 2**20} MiB")
        _copy(source, target, path, status)


def remove(path: Path) -> None:
    """Delete a file or folder, also one whose permissions were taken away."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    path.chmod(0o700)
    for top, dirs, _files in os.walk(path):
        for folder in (Path(top, name) for name in dirs):
            if not folder.is_symlink():
                folder.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)


def _entries(root: Path, below: str, kept: set[str]) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(root / below) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        path, status = posixpath.join(below, entry.name), entry.stat(follow_symlinks=False)
        if below == "" and entry.name == ".git":
            continue
        _check_name(path, entry.name)
        is_folder = stat.S_ISDIR(status.st_mode)
        if (
            is_folder
            and entry.name in TOOL_FOLDERS
            and not any(f"{one}/".startswith(f"{path}/") for one in kept)
        ):
            continue
        yield path, status
        if is_folder:
            yield from _entries(root, path, kept)


def _check_name(path: str, name: str) -> None:
    if name.lower().rstrip(" .") in (".git", "git~1"):
        raise Refused(f"the agent's copy holds a nested repository: {path!r}")
    if not name.isprintable():
        raise Refused(f"the agent's copy holds a file name with unprintable characters: {path!r}")


def _copy(source: Path, target: Path, path: str, status: os.stat_result) -> None:
    here, there = source / path, target / path
    if stat.S_ISDIR(status.st_mode):
        there.mkdir()
    elif stat.S_ISLNK(status.st_mode):
        there.symlink_to(_inner_link(path, str(here.readlink())))
    elif stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
        _copy_file(here, there)
    else:
        raise Refused(f"the agent's copy holds a device, a pipe or a hard link: {path!r}")


def _copy_file(here: Path, there: Path) -> None:
    descriptor = os.open(here, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as original, there.open("xb") as copy:
        shutil.copyfileobj(original, copy)
        there.chmod(0o755 if os.fstat(descriptor).st_mode & 0o100 else 0o644)


def _inner_link(path: str, points_at: str) -> str:
    reached = posixpath.normpath(posixpath.join(posixpath.dirname(path), points_at))
    if posixpath.isabs(points_at) or reached.split("/")[0] in ("..", ".git"):
        raise Refused(f"the agent's copy holds a link that points outside: {path!r}")
    return points_at
