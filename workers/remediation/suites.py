"""The test suites of a project, and the commands that run them under the host's own runners.

A model chooses a path, never a command.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Any, Literal

from workers.remediation.project import Project

NODE_SUFFIXES = frozenset({".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".jsx", ".tsx"})
PYTEST_ARGUMENTS = ("-q", "-p", "no:cacheprovider")

Kind = Literal["unittest", "pytest", "script", "node", "tsx", "vitest", "jest", "mocha", "node script"]


@dataclass(frozen=True)
class Suite:
    """Tests that one runner runs.

    Attributes:
        command: how a person runs it, for display.
        root: the folder in which it runs, relative to the repository.
        arguments: further words for the runner.
        places: for unittest: what to load, see `runners/python_tests.py`.
    """

    kind: Kind
    command: str
    root: str = ""
    arguments: tuple[str, ...] = ()
    places: tuple[tuple[tuple[str, str], ...], ...] = ()

    @property
    def is_python(self) -> bool:
        return self.kind in ("unittest", "pytest", "script")

    def place_values(self) -> list[dict[str, Any]]:
        return [dict(place) for place in self.places]


def project_suites(project: Project) -> list[Suite]:
    """The suites that the host finds in the project's files, whatever its own check commands are."""
    suites = []
    if project.has_python_tests and project.uses_pytest:
        suites.append(Suite("pytest", "python3 -m pytest", project.root, PYTEST_ARGUMENTS))
    elif project.unittest_folders:
        places = tuple(_discovery_place(folder, top) for folder, top in project.unittest_folders)
        words = [
            f"-s {folder or '.'}" + (f" -t {top}" if top else "") for folder, top in project.unittest_folders
        ]
        command = " and ".join(f"python3 -m unittest discover {word}" for word in words)
        suites.append(Suite("unittest", command, project.root, (), places))
    if project.has_node_tests:
        kind = project.node_runner or "node"
        command, arguments = node_command(kind), project.node_arguments
        suites.append(Suite(kind, " ".join([command, *arguments]), project.root, arguments))  # type: ignore[arg-type]
    return suites


def node_command(kind: str) -> str:
    """How a person runs a Node.js test runner."""
    return {
        "vitest": "npx vitest run", "jest": "npx jest", "mocha": "npx mocha", "tsx": "node --import tsx --test",
    }.get(kind, "node --test")  # fmt: skip


def reproduction_suite(project: Project, path: str, kind: str, text: str) -> Suite | None:
    """The suite that runs one file, or None if there is no runner for its kind.

    Args:
        path: relative to the repository.
        kind: `test` or `script`.
        text: content of the file.
    """
    inside = project.root == "" or path.startswith(f"{project.root}/")
    root = project.root if inside else ""
    relative = path.removeprefix(f"{root}/") if root else path
    suffix = posixpath.splitext(path)[1]
    if kind == "script":
        if suffix == ".py":
            return Suite("script", f"python3 {relative}", root, (relative,))
        return (
            Suite("node script", f"node {relative}", root, (relative,)) if suffix in NODE_SUFFIXES else None
        )
    if suffix == ".py":
        return _python_suite(project, root, relative, text)
    if suffix in NODE_SUFFIXES:
        runner: Any = _node_runner(project, text)
        return Suite(runner, f"{node_command(runner)} {relative}", root, (relative,))
    return None


def _python_suite(project: Project, root: str, path: str, text: str) -> Suite:
    if project.uses_pytest or re.search(r"^\s*(?:import|from)\s+pytest\b", text, re.MULTILINE):
        return Suite("pytest", f"python3 -m pytest {path}", root, (*PYTEST_ARGUMENTS, path))
    parts = path.removesuffix(".py").split("/")
    folder = posixpath.dirname(path)
    if all(part.isidentifier() for part in parts):
        return Suite("unittest", f"python3 -m unittest {path}", root, (), ((("module", ".".join(parts)),),))
    # unittest imports a dotted name, which a folder such as `my-tests` cannot be part of.
    place = (("start", folder or "."), ("pattern", f"{parts[-1]}.py"))
    return Suite(
        "unittest", f"python3 -m unittest discover -s {folder or '.'} -p {parts[-1]}.py", root, (), (place,)
    )


def _discovery_place(folder: str, top: str) -> tuple[tuple[str, str], ...]:
    place = (("start", folder or "."),)
    return (*place, ("top", top)) if top else place


def _node_runner(project: Project, text: str) -> str:
    # A repository may use several: a file that names node's own runner is run by it.
    if re.search(r"""['"]node:test['"]""", text):
        return "tsx" if project.node_runner == "tsx" else "node"
    return project.node_runner or "node"
