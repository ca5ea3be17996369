"""How a repository is installed and tested: `.trackwalker.toml`, else its manifests.

Only the base branch is read, before an agent has written to it: a patch cannot choose how it is verified.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from workers.clients.git import safe_read
from workers.errors import Refused
from workers.remediation.node_project import node_script_arguments
from workers.remediation.python_project import PYTHON_TEST, python_requirements, table, unittest_folders
from workers.remediation.repository_settings import SETTINGS_FILE, Command, read_repository_settings

NODE_TEST = re.compile(r".*[.-](?:test|spec)\.[cm]?[jt]sx?|test-.*\.[cm]?js")
NODE_RUNNERS = ("vitest", "jest", "mocha", "tsx")  # in the order of preference if package.json names several
IGNORED_FOLDERS = frozenset({
    ".git", "node_modules", "venv", ".venv", "env", "__pycache__", "dist", "build", "vendor", "site-packages", ".tox",
})  # fmt: skip
"""Folders of dependencies and build output, whose tests are not the repository's own."""
# Files that are searched for tests; repositories of ordinary services have fewer.
MAX_FILES = 20_000
NO_TEST_SCRIPT = "no test specified"  # part of the test script that `npm init` writes
DEPENDENCY_MANIFESTS = frozenset({"package.json", "pyproject.toml", "Pipfile"})


@dataclass(frozen=True)
class Project:
    """One service's code, as read before any of it runs. Folders are relative to the repository."""

    root: str = ""
    check_commands: tuple[Command, ...] = ()
    """The repository's own checks whose results only an exit code shows."""
    test_command: Command | None = None
    """Runs one test file, with `{path}` in its place; None if the runner follows from the manifests."""
    install_commands: tuple[Command, ...] | None = None
    """None if the installation follows from the manifests."""
    protected: tuple[str, ...] = ()
    """Globs of paths that no patch may touch, besides the built-in ones."""
    allow: tuple[str, ...] = ()
    """Globs of further paths that a patch may touch; it is then at best a draft."""
    python_requirements: tuple[str, ...] = ()
    """Arguments for `pip install`."""
    uses_pytest: bool = False
    has_python_tests: bool = False
    unittest_folders: tuple[tuple[str, str], ...] = ()
    """Topmost folders with unittest tests, each with its top-level folder; empty for a folder that is no package."""
    has_node_tests: bool = False
    has_node_dependencies: bool = False
    node_runner: str = ""
    """One of NODE_RUNNERS, if package.json names one."""
    node_arguments: tuple[str, ...] = ()
    """Words that package.json gives to the test runner."""


def read_project(tree: Path, root: str, service: str) -> Project:
    """The project that the tree describes.

    Args:
        root: the service's root directory. One that does not exist or leaves the repository counts as the
            repository's root.
        service: name of the service, which selects a section of `.trackwalker.toml`.

    Raises:
        Refused: `.trackwalker.toml` is malformed; the message names the key.
    """
    root = posixpath.normpath(root.strip("/") or ".").removeprefix("./")
    root = "" if root == "." or root.startswith("..") or not (tree / root).is_dir() else root
    settings = read_repository_settings(safe_read(tree, SETTINGS_FILE), service)
    files = _list_files(tree, root)
    package = _read_package(tree, root)
    requirements, uses_pytest = python_requirements(tree, root, files)
    tests = [file for file in files if PYTHON_TEST.fullmatch(posixpath.basename(file))]
    node = _node_tests(files, package)
    return Project(
        root=root,
        check_commands=settings.get("check", node.check_commands),
        test_command=settings.get("test"),
        install_commands=settings.get("install"),
        protected=settings.get("protected", ()),
        allow=settings.get("allow", ()),
        python_requirements=requirements,
        uses_pytest=uses_pytest,
        has_python_tests=bool(tests),
        unittest_folders=() if uses_pytest else tuple(unittest_folders(tree, root, tests)),
        has_node_tests=node.has_tests,
        node_arguments=node.arguments,
        has_node_dependencies=any(package.get(key) for key in ("dependencies", "devDependencies")),
        node_runner=node.runner,
    )


def protected_globs(tree: Path, service: str) -> tuple[str, ...]:
    """The globs of paths that the repository protects for the service; none if `.trackwalker.toml` is malformed.

    The verification reads the file again, on the base branch, and reports what is malformed.
    """
    try:
        settings = read_repository_settings(safe_read(tree, SETTINGS_FILE), service)
    except Refused:
        return ()
    return tuple(settings.get("protected", ()))


def with_patched_requirements(project: Project, after: Path, files: Sequence[str]) -> Project:
    """The project with the dependencies that a patch adds; the patch policy allows that for a failed deployment.

    Args:
        after: the tree with the patch.
        files: the files that the patch touches.
    """
    names = {posixpath.basename(file) for file in files}
    if not any(name in DEPENDENCY_MANIFESTS or "requirements" in name for name in names):
        return project
    patched = read_project(after, project.root, "")
    return replace(
        project,
        python_requirements=patched.python_requirements,
        has_node_dependencies=patched.has_node_dependencies,
    )


def _list_files(tree: Path, root: str) -> list[str]:
    """The files below the root, relative to it."""
    files: list[str] = []
    start = tree / root
    for folder, subfolders, names in os.walk(start):
        subfolders[:] = sorted(name for name in subfolders if name not in IGNORED_FOLDERS)
        files += [Path(folder, name).relative_to(start).as_posix() for name in sorted(names)]
        if len(files) > MAX_FILES:
            break
    return files[:MAX_FILES]


class _NodeTests(NamedTuple):
    runner: str
    arguments: tuple[str, ...]
    has_tests: bool
    check_commands: tuple[Command, ...]


def _node_tests(files: list[str], package: dict[str, Any]) -> _NodeTests:
    """The tests of package.json and of the files, and the test script if it is more than one runner's command."""
    script = table(package, "scripts").get("test")
    given = isinstance(script, str) and bool(script.strip()) and NO_TEST_SCRIPT not in script
    runner = _node_runner(package)
    arguments: tuple[str, ...] = ()
    recognised = node_script_arguments(script) if given and isinstance(script, str) else None
    if recognised:
        named, arguments = recognised
        runner = runner if named == "node" and runner == "tsx" else named
    has_tests = any(NODE_TEST.fullmatch(posixpath.basename(file)) for file in files)
    checks: tuple[Command, ...] = (("npm", "test", "--silent"),) if given and not recognised else ()
    return _NodeTests(runner, arguments, has_tests or recognised is not None, checks)


def _read_package(tree: Path, root: str) -> dict[str, Any]:
    try:
        package = json.loads(safe_read(tree / root, "package.json") or "{}")
    except (ValueError, RecursionError):
        return {}
    return package if isinstance(package, dict) else {}


def _node_runner(package: dict[str, Any]) -> str:
    packages = {**table(package, "dependencies"), **table(package, "devDependencies")}
    return next((runner for runner in NODE_RUNNERS if runner in packages), "")
