"""The service's code as files and lines, read without following anything out of the clone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workers.clients.git import safe_read

MOST_FILES = 20_000
MOST_SEARCHED = 3_000
LARGEST_FILE = 400_000
"""Bytes; what is larger is generated or data."""
FOREIGN = {
    ".git", "node_modules", "site-packages", "dist-packages", "vendor", ".venv", "venv", "__pycache__",
    ".next", ".nuxt", ".svelte-kit", "coverage", ".tox", ".mypy_cache", "bower_components", ".yarn",
}  # fmt: skip
"""Folders that hold other people's code or what a tool made."""
SOURCES = (
    ".py", ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".jsx", ".go", ".rb", ".php", ".java", ".kt",
    ".rs", ".ex", ".exs", ".cs", ".scala", ".vue", ".svelte",
)  # fmt: skip
TESTS = re.compile(
    r"(^|/)(?:tests?|__tests__|spec|fixtures|e2e|mocks?|examples?|docs?)/|(^|/)(?:test_[^/]*|[^/]*[._](?:test|spec)\.\w+|conftest\.py)$"
)


@dataclass(frozen=True)
class Tree:
    """A checked out commit: its folder, its files relative to that, the service's root in it (`""`: all)."""

    folder: Path
    files: tuple[str, ...]
    root: str = ""

    def lines(self, path: str) -> list[str]:
        """The file's lines; none where it is no plain file in the tree, or too large."""
        text = safe_read(self.folder, path, max_bytes=LARGEST_FILE)
        return text.splitlines() if text else []

    def own(self, path: str) -> bool:
        """Whether the file stands under the service's root folder."""
        return not self.root or path.startswith(f"{self.root}/")

    def sources(self) -> Iterator[str]:
        """The service's source files without tests and examples; the rest of the repository after its own."""
        found = [path for path in self.files if path.endswith(SOURCES) and not TESTS.search(path)]
        found.sort(key=lambda path: (not self.own(path), path.count("/"), path))
        yield from found[:MOST_SEARCHED]


def tree_of(folder: Path, root: str | None = None) -> Tree:
    """The files below the folder, other people's code left out, links not followed."""
    files: list[str] = []
    for place, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(one for one in folders if one not in FOREIGN)
        relative = Path(place).relative_to(folder).as_posix()
        prefix = "" if relative == "." else f"{relative}/"
        files += [prefix + name for name in sorted(names)]
        if len(files) >= MOST_FILES:
            break
    return Tree(folder, tuple(files[:MOST_FILES]), (root or "").strip("/"))
