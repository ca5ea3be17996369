"""Reads, writes and copies files of untrusted trees without following a link out of the tree."""

from __future__ import annotations

import os
import posixpath
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from workers.errors import Refused

MAX_FILES = 50_000
"""Files and folders of a tree that is copied."""
MAX_TREE_BYTES = 2**30
"""Total size of a tree that is copied; both limits are far above an ordinary service's repository."""
MAX_READ_BYTES = 2 * 2**20
"""Default size up to which a file is read; source files are smaller, generated and data files are not worth reading."""
TOOL_FOLDERS = {"node_modules", "__pycache__", ".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
"""Folders that test runs and checks create. They are not copied, unless the repository itself tracks one."""


def safe_read(root: Path, path: str, *, max_bytes: int = MAX_READ_BYTES) -> str | None:
    """The text of a file; None if it is not a regular file inside the tree or is larger than `max_bytes`.

    Args:
        root: the tree.
        path: relative to the tree; may come from outside.
    """
    content = safe_bytes(root, path, max_bytes=max_bytes)
    return None if content is None else content.decode(errors="replace")


def safe_bytes(root: Path, path: str, *, max_bytes: int = MAX_READ_BYTES) -> bytes | None:
    """The content of a file; arguments and None as for `safe_read`."""
    try:
        real = (root / path).resolve()
        if not real.is_relative_to(root.resolve()):
            return None
        # O_NOFOLLOW: the file may be replaced by a link since the check. O_NONBLOCK: opening a pipe does not wait.
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
    """Write a file into the tree.

    Args:
        root: the tree.
        path: relative to the tree; may come from outside.
        content: None deletes the file.

    Raises:
        Refused: the path leaves the tree or leads through a symbolic link.
    """
    parts = path.split("/")
    if path.startswith("/") or any(part in ("", ".", "..", ".git") for part in parts):
        raise Refused(f"{path!r} is not a path inside the repository")
    folder = root
    for part in parts[:-1]:
        folder /= part
        if folder.is_symlink():
            raise Refused(f"{path!r} leads through a symbolic link")
        folder.mkdir(exist_ok=True)
    (folder / parts[-1]).unlink(missing_ok=True)
    if content is not None:
        (folder / parts[-1]).write_bytes(content)


def copy_tree(source: Path, target: Path, tracked: set[str]) -> None:
    """Replace the files of `target` by those of `source`. The .git folders of both stay where they are.

    Args:
        tracked: files that the repository tracks, to tell its own folders from those of tools.

    Raises:
        Refused: `source` contains a link that points outside, a nested repository, a device, a pipe, a hard link (it
            may be another name of a file outside), a name with control characters, or too many files or bytes.
    """
    for entry in target.iterdir():
        if entry.name != ".git":
            remove(entry)
    tracked_folders = {posixpath.dirname(path) for path in tracked}
    files = size = 0
    for path, status in _entries(source, "", tracked_folders):
        files, size = files + 1, size + status.st_size
        if files > MAX_FILES or size > MAX_TREE_BYTES:
            raise Refused(
                f"the agent's copy holds more than {MAX_FILES} files or {MAX_TREE_BYTES // 2**20} MiB"
            )
        _copy(source, target, path, status)


def remove(path: Path) -> None:
    """Delete a file or folder, even if the agent removed the permissions for that. A missing path is no error."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    path.chmod(0o700)
    for top, dirs, _files in os.walk(path):
        for folder in (Path(top, name) for name in dirs):
            if not folder.is_symlink():
                folder.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)


def _entries(root: Path, below: str, tracked_folders: set[str]) -> Iterator[tuple[str, os.stat_result]]:
    """Relative path and status of every entry to copy, folders before their content, sorted."""
    with os.scandir(root / below) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    for entry in entries:
        path, status = posixpath.join(below, entry.name), entry.stat(follow_symlinks=False)
        if below == "" and entry.name == ".git":
            continue
        _check_name(path, entry.name)
        is_folder = stat.S_ISDIR(status.st_mode)
        if (
            is_folder
            and entry.name in TOOL_FOLDERS
            and not any(f"{folder}/".startswith(f"{path}/") for folder in tracked_folders)
        ):
            continue
        yield path, status
        if is_folder:
            yield from _entries(root, path, tracked_folders)


def _check_name(path: str, name: str) -> None:
    # Windows and macOS take `.GIT`, `.git.` and the short name `git~1` for `.git`; GitHub refuses them as well.
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
    # The agent's processes may still run: the file may become a link or a pipe after it was listed.
    descriptor = os.open(here, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as original, there.open("xb") as copy:
        shutil.copyfileobj(original, copy)
        there.chmod(0o755 if os.fstat(descriptor).st_mode & 0o100 else 0o644)


def _inner_link(path: str, points_at: str) -> str:
    reached = posixpath.normpath(posixpath.join(posixpath.dirname(path), points_at))
    if posixpath.isabs(points_at) or reached.split("/")[0] in ("..", ".git"):
        raise Refused(f"the agent's copy holds a link that points outside: {path!r}")
    return points_at
