"""The service's code as files and lines. Links are not followed: a repository is untrusted and may point anywhere."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from workers.clients.git import safe_read

MAX_FILES = 20_000  # files of a clone that are listed
MAX_SOURCES = 3_000  # source files that are searched; more would take minutes
MAX_FILE_BYTES = 400_000  # larger files are generated or data
FOREIGN_FOLDERS = {
    ".git", "node_modules", "site-packages", "dist-packages", "vendor", ".venv", "venv", "__pycache__",
    ".next", ".nuxt", ".svelte-kit", "coverage", ".tox", ".mypy_cache", "bower_components", ".yarn",
}  # fmt: skip
"""Folders with third-party code or the output of a tool."""
SOURCE_SUFFIXES = (
    ".py", ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".jsx", ".go", ".rb", ".php", ".java", ".kt",
    ".rs", ".ex", ".exs", ".cs", ".scala", ".vue", ".svelte",
)  # fmt: skip
# Tests, fixtures, examples and documentation name routes and hosts that the service does not use.
TESTS = re.compile(
    r"(^|/)(?:tests?|__tests__|spec|fixtures|e2e|mocks?|examples?|docs?)/|(^|/)(?:test_[^/]*|[^/]*[._](?:test|spec)\.\w+|conftest\.py)$"
)


@dataclass(frozen=True)
class Tree:
    """A checked-out commit: its folder, and its files relative to the folder."""

    folder: Path
    files: tuple[str, ...]
    root: str = ""
    """Root folder of the service in the repository; empty if the service is the whole repository."""

    @cached_property
    def by_name(self) -> dict[str, tuple[str, ...]]:
        """The files by their name without folders."""
        named: dict[str, list[str]] = {}
        for path in self.files:
            named.setdefault(path.rsplit("/", 1)[-1], []).append(path)
        return {name: tuple(paths) for name, paths in named.items()}

    @cached_property
    def present(self) -> frozenset[str]:
        """The files, for look-ups."""
        return frozenset(self.files)

    def lines(self, path: str) -> list[str]:
        """The file's lines; none if it is no regular file inside the tree, or too large."""
        text = safe_read(self.folder, path, max_bytes=MAX_FILE_BYTES)
        return text.splitlines() if text else []

    def is_own(self, path: str) -> bool:
        """True if the file is below the service's root folder."""
        return not self.root or path.startswith(f"{self.root}/")

    def sources(self) -> Iterator[str]:
        """The source files without tests and examples: the service's own first, then the rest of the repository."""
        sources = [path for path in self.files if path.endswith(SOURCE_SUFFIXES) and not TESTS.search(path)]
        sources.sort(key=lambda path: (not self.is_own(path), path.count("/"), path))
        yield from sources[:MAX_SOURCES]


def list_tree(folder: Path, root: str | None = None) -> Tree:
    """The files below the folder, without third-party code.

    Args:
        root: root folder of the service, as Railway names it.
    """
    files: list[str] = []
    for current, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if name not in FOREIGN_FOLDERS)
        relative = Path(current).relative_to(folder).as_posix()
        prefix = "" if relative == "." else f"{relative}/"
        files += [prefix + name for name in sorted(names)]
        if len(files) >= MAX_FILES:
            break
    return Tree(folder, tuple(files[:MAX_FILES]), (root or "").strip("/"))
