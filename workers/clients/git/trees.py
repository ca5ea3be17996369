"""Reads, writes and copies files of untrusted trees without following a link out of the tree."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from workers.clients.git.tree_entries import Entry, Size, check_entry, entries, link_text, stays_inside
from workers.errors import Refused

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

    A link or a name of an unusual kind is copied only if the repository itself holds it, unchanged.

    Args:
        source: the agent's files.
        target: a fresh checkout of the commit from which the agent started.
        tracked: files that the repository tracks, to tell its own files and folders from those of agents and tools.

    Raises:
        Refused: `source` contains what git cannot store (see `check_entry`), a new link that leaves the tree, a new
            name that has unprintable characters or differs from another name in its case only, or too many files,
            bytes or levels.
    """
    own_paths = tracked | {folder for path in tracked for folder in _folders_above(path)}
    links = {entry.path: link_text(target / entry.path) for entry in entries(target) if entry.is_link}
    for item in target.iterdir():
        if item.name != ".git":
            remove(item)
    size, names = Size(), dict[str, str]()
    for entry in entries(source, skip=lambda entry: _is_tool_folder(entry, own_paths)):
        check_entry(entry)
        size.add(entry)
        _check_name(entry.path, own_paths, names)
        _copy(source, target, entry, links)


def _folders_above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _is_tool_folder(entry: Entry, own_paths: set[str]) -> bool:
    return entry.is_folder and entry.name in TOOL_FOLDERS and entry.path not in own_paths


def remove(path: Path) -> None:
    """Delete a file or folder, even if the agent removed the permissions for that. A missing path is no error."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    path.chmod(0o700)
    try:
        for top, dirs, _files in os.walk(path):
            for folder in (Path(top, name) for name in dirs):
                if not folder.is_symlink():
                    folder.chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)
    except RecursionError:
        # Both walks recurse, and the agent may have nested folders a thousand deep; rm(1) does not recurse.
        subprocess.run(["rm", "-rf", "--", str(path)], check=False)


def _check_name(path: str, own_paths: set[str], names: dict[str, str]) -> None:
    """Refuse a new name that is not readable, or that another system takes for an existing one.

    Args:
        path: the entry.
        own_paths: files and folders of the repository itself.
        names: the paths so far by their form without case; the path is added.
    """
    if path not in own_paths and not path.isprintable():
        raise Refused(f"the agent's copy holds a file name with unprintable characters: {path!r}")
    # macOS and Windows compare names without case, macOS also in another Unicode form.
    other = names.setdefault(unicodedata.normalize("NFC", path).casefold(), path)
    if other != path and not {other, path} <= own_paths:
        raise Refused(f"the agent's copy holds two names that differ in case only: {other!r} and {path!r}")


def _copy(source: Path, target: Path, entry: Entry, links: Mapping[str, str]) -> None:
    here, there = source / entry.path, target / entry.path
    if entry.is_folder:
        there.mkdir()
    elif entry.is_link:
        text = link_text(here)
        if links.get(entry.path) != text and not stays_inside(source, entry.path):
            raise Refused(f"the agent's copy holds a link that points outside: {entry.path!r}")
        there.symlink_to(text)
    else:
        _copy_file(here, there)


def _copy_file(here: Path, there: Path) -> None:
    # The agent's processes may still run: the file may become a link or a pipe after it was listed.
    descriptor = os.open(here, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as original, there.open("xb") as copy:
        shutil.copyfileobj(original, copy)
        there.chmod(0o755 if os.fstat(descriptor).st_mode & 0o100 else 0o644)
