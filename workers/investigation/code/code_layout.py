"""A tree with what its own setup files say about the paths of the running service. Pure reads of the clone."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from workers.investigation.code.tree import Tree

MAX_SETUP_FILES = 40  # Dockerfiles, go.mod and mix.exs that are read for one repository
GO_MODULE = re.compile(r"^module\s+\"?([\w./~-]{1,200})\"?\s*$", re.M)
MIX_APP = re.compile(r"\bapp:\s*:(\w{1,80})")
WORKDIR = re.compile(r"^\s*WORKDIR\s+[\"']?(/[\w./-]{1,120})", re.M | re.I)
PACKAGE_NAME = re.compile(r"\"name\"\s{0,4}:\s{0,4}\"(@?[\w./-]{1,120})\"")


@dataclass(frozen=True)
class Layout:
    """A tree, with what its own setup files say about the paths of the running service."""

    tree: Tree
    workdirs: tuple[str, ...] = ()
    """Folders of `WORKDIR` in Dockerfiles, the longest first."""
    go_modules: tuple[tuple[str, str], ...] = ()
    """Module path and folder of each go.mod."""
    applications: frozenset[str] = frozenset()
    """Names of the repository's Elixir applications."""
    workspaces: tuple[tuple[str, str], ...] = ()
    """Name and folder of each package of npm below the top of the repository."""
    is_package: bool = False
    """The repository can be installed as a Python package."""
    texts: dict[str, list[str]] = field(default_factory=dict, compare=False, repr=False)
    """Lines of files that were read."""
    definitions: dict[str, list[tuple[str, int]]] = field(default_factory=dict, compare=False, repr=False)
    """Files and lines that define the functions that were looked for."""

    def lines(self, file: str) -> list[str]:
        """The file's lines; each file is read once."""
        if file not in self.texts:
            self.texts[file] = self.tree.lines(file)
        return self.texts[file]


def layout_of(tree: Tree) -> Layout:
    """The tree with the folders, Go modules and Elixir applications that its setup files name."""
    dockerfiles = [
        file for name, files in tree.by_name.items() if "dockerfile" in name.lower() for file in files
    ]
    workdirs = {folder.rstrip("/") for text in _texts(tree, dockerfiles) for folder in WORKDIR.findall(text)}
    modules = [
        (match[1], posixpath.dirname(file))
        for file in tree.by_name.get("go.mod", ())[:MAX_SETUP_FILES]
        if (match := GO_MODULE.search("\n".join(tree.lines(file))))
    ]
    workspaces = [
        (match[1], posixpath.dirname(file))
        for file in tree.by_name.get("package.json", ())[:MAX_SETUP_FILES]
        if "/" in file and (match := PACKAGE_NAME.search("\n".join(tree.lines(file))))
    ]
    mixes = _texts(tree, tree.by_name.get("mix.exs", ()))
    return Layout(
        tree=tree,
        workdirs=tuple(sorted(workdirs - {""}, key=lambda folder: (-len(folder), folder))),
        go_modules=tuple(sorted(modules, key=lambda module: (-len(module[0]), module))),
        workspaces=tuple(sorted(workspaces)),
        is_package=any(name in tree.by_name for name in ("pyproject.toml", "setup.py", "setup.cfg")),
        applications=frozenset(name for text in mixes for name in MIX_APP.findall(text)[:1]),
    )


def _texts(tree: Tree, files: Sequence[str]) -> list[str]:
    return ["\n".join(tree.lines(file)) for file in sorted(files)[:MAX_SETUP_FILES]]
