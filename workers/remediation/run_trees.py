"""Fresh copies of a repository's tree, one per run, with the files that the host plants on top."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from workers.clients.git import safe_bytes, safe_write

MODULE_FOLDER = "node_modules"
CACHE_FOLDERS = frozenset({
    "__pycache__", ".pytest_cache", ".hypothesis", ".mypy_cache", ".ruff_cache", ".cache", ".nyc_output", "coverage",
    "htmlcov", MODULE_FOLDER, ".vite", ".git",
})  # fmt: skip
"""Folders that runners and tools write into, whose changes say nothing about a test."""
CACHE_FILES = (".coverage", ".pyc", "-wal", "-shm", "-journal", ".log")
"""Ends of file names that count as caches in the same way."""
DATABASES = (".sqlite", ".sqlite3", ".db")
"""Ends of names of databases that a test of an ordinary service writes to."""
MAX_COMPARED_BYTES = (
    64 * 2**20
)  # bytes of a tree that are compared after a run; larger files by size and time only

Overlay = Mapping[str, bytes | None]
"""Path → content that the host plants; None deletes the file."""


@dataclass(frozen=True)
class SourceTree:
    """A tree that runs are copied from, never run in.

    Attributes:
        folder: the code of one commit, or that after its dependencies were installed.
        overlay: files planted on top.
        modules: folder of installed Node.js packages, relative to the repository → its place outside the tree.
    """

    folder: Path
    overlay: Overlay = field(default_factory=dict)
    modules: Mapping[str, Path] = field(default_factory=dict)

    def planted(self, files: Overlay) -> SourceTree:
        """The same tree with further files on top."""
        return SourceTree(self.folder, {**self.overlay, **files}, self.modules)

    def read(self, path: str) -> bytes | None:
        """The content of a file of the tree; None if there is none."""
        return self.overlay[path] if path in self.overlay else safe_bytes(self.folder, path)

    def text(self, path: str) -> str | None:
        """The text of a file of the tree; None if there is none."""
        content = self.read(path)
        return None if content is None else content.decode(errors="replace")


@dataclass(frozen=True)
class RunFolder:
    """The folders of one run. Nothing of them reaches another run."""

    top: Path
    tree: Path
    home: Path
    tmp: Path


@contextmanager
def fresh_copy(source: SourceTree, folder: Path) -> Iterator[RunFolder]:
    """A copy of the tree under a random path, with an empty home, removed afterwards.

    Raises:
        Refused: a planted file would be written through a link.
    """
    top = folder / secrets.token_hex(3 + secrets.randbelow(6))
    run = RunFolder(top, top / secrets.token_hex(2 + secrets.randbelow(6)), top / "home", top / "tmp")
    try:
        for empty_folder in (run.home, run.tmp):
            empty_folder.mkdir(parents=True)
        copy_tree(source.folder, run.tree, linked=frozenset(source.modules))
        for path, content in source.overlay.items():
            executable = _is_executable(source.folder / path)
            safe_write(run.tree, path, content)
            if executable and content is not None:
                (run.tree / path).chmod(0o755)
        for path, modules in source.modules.items():
            link_modules(modules, run.tree / path)
        yield run
    finally:
        remove_tree(top)


def copy_tree(source: Path, target: Path, *, linked: frozenset[str] = frozenset()) -> None:
    """Copy a tree without its .git folder; links stay links.

    Args:
        linked: folders, relative to the tree, that are left out.
    """

    def ignore(folder: str, names: list[str]) -> set[str]:
        relative = os.path.relpath(folder, source)
        inside = "" if relative == "." else f"{relative}/"
        return {name for name in names if (not inside and name == ".git") or f"{inside}{name}" in linked}

    shutil.copytree(source, target, symlinks=True, ignore=ignore)


def link_modules(modules: Path, target: Path) -> None:
    """A folder of packages that are links to the installed ones, so that tools can write beside them.

    A workspace package is a relative link out of the folder; it is made again and so leads to this tree's own code.
    """
    target.mkdir(parents=True, exist_ok=True)
    for entry in modules.iterdir():
        if entry.is_symlink():
            (target / entry.name).symlink_to(entry.readlink())
        elif entry.name.startswith("@"):
            link_modules(entry, target / entry.name)
        else:
            (target / entry.name).symlink_to(entry)


def find_edits(source: SourceTree, run: RunFolder) -> list[str]:
    """Files of the tree that a run changed or deleted, outside caches and databases; new files do not count."""
    edits = []
    budget = MAX_COMPARED_BYTES
    for top, folders, names in os.walk(source.folder):
        inside = os.path.relpath(top, source.folder)
        folders[:] = [name for name in folders if name not in CACHE_FOLDERS]
        for name in names:
            path = name if inside == "." else f"{inside}/{name}"
            if path in source.overlay or name.endswith((*CACHE_FILES, *DATABASES)):
                continue
            original, copy = Path(top, name), run.tree / path
            budget -= original.lstat().st_size
            if _differs(original, copy, by_content=budget > 0):
                edits.append(path)
    planted = [path for path, content in source.overlay.items() if _content(run.tree / path) != content]
    return sorted([*edits, *planted])


def find_new_sources(source: SourceTree, run: RunFolder) -> list[str]:
    """Source files that a run created in its tree."""
    created = []
    for top, folders, names in os.walk(run.tree):
        inside = os.path.relpath(top, run.tree)
        folders[:] = [name for name in folders if name not in CACHE_FOLDERS]
        paths = [name if inside == "." else f"{inside}/{name}" for name in names]
        created += [
            path
            for path in paths
            if path.endswith((".py", ".js", ".mjs", ".cjs", ".ts", ".pth", ".toml", ".cfg", ".ini"))
            and path not in source.overlay
            and not os.path.lexists(source.folder / path)
        ]
    return sorted(created)


def remove_tree(folder: Path) -> None:
    """Delete a folder, even if a run removed permissions. A missing one is no error."""
    if not folder.exists():
        return
    for top, folders, _names in os.walk(folder):
        for name in folders:
            path = Path(top, name)
            if not path.is_symlink() and not os.access(path, os.R_OK | os.W_OK | os.X_OK):
                path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _is_executable(path: Path) -> bool:
    try:
        return bool(path.lstat().st_mode & stat.S_IXUSR)
    except OSError:
        return False


def _content(path: Path) -> bytes | None:
    try:
        if path.is_symlink():
            return os.fsencode(path.readlink())
        return path.read_bytes()
    except OSError:
        return None


def _differs(original: Path, copy: Path, *, by_content: bool) -> bool:
    try:
        before, after = original.lstat(), copy.lstat()
    except OSError:
        return True
    if stat.S_IFMT(before.st_mode) != stat.S_IFMT(after.st_mode) or before.st_size != after.st_size:
        return True
    if by_content:
        return _content(original) != _content(copy)
    return before.st_mtime_ns != after.st_mtime_ns
