"""The command that runs one test file or script: from a fixed list of runners, never through a shell.

A model chooses a path, never a command.
"""

from __future__ import annotations

import posixpath
from pathlib import Path

from workers.clients.git import safe_bytes
from workers.remediation.project import Project, read_project
from workers.remediation.repository_settings import Command

NODE_SUFFIXES = frozenset({".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".jsx", ".tsx"})


def runner_hint(clone: Path, root: str) -> str:
    """How the host runs a test file of this repository, for the writing agent's prompt.

    Args:
        root: the service's root directory inside the repository.
    """
    project = read_project(clone, root, "")
    if project.test_command:
        return f"A test file is run with `{' '.join(project.test_command)}`."
    has_node = (clone / project.root / "package.json").is_file()
    hints = []
    if project.uses_pytest:
        hints.append("A Python test file is run with `python3 -m pytest <path>`.")
    elif project.has_python_tests or not has_node:
        hints.append(
            "A Python test file is run with `python3 -m unittest <path>`: use unittest.TestCase, "
            "pytest is not installed."
        )
    if has_node:
        command = " ".join(_node_test(project, "<path>"))
        hints.append(f"A JavaScript test file is run with `{command}`.")
    folder = f" from the folder `{project.root}`" if project.root else ""
    return " ".join(hints) + f" All tests run without network{folder}; nothing more can be installed."


def reproduction_command(project: Project, folder: Path, path: str, kind: str) -> Command | None:
    """The command that runs the file, or None if there is no runner for its kind.

    Args:
        folder: working directory of the command.
        path: the file, relative to the folder.
        kind: `test` or `script`.
    """
    suffix = posixpath.splitext(path)[1]
    if kind == "script":
        interpreter = "python3" if suffix == ".py" else "node" if suffix in NODE_SUFFIXES else None
        return (interpreter, path) if interpreter else None
    if project.test_command:
        return tuple(word.replace("{path}", path) for word in project.test_command)
    if suffix == ".py":
        return _python_test(project, folder, path)
    return _node_test(project, path) if suffix in NODE_SUFFIXES else None


def _python_test(project: Project, folder: Path, path: str) -> Command:
    content = (safe_bytes(folder, path) or b"").decode(errors="replace")
    if project.uses_pytest or "import pytest" in content:
        return ("python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", path)
    parts = path.removesuffix(".py").split("/")
    if all(part.isidentifier() for part in parts):
        return ("python3", "-m", "unittest", path)
    # unittest imports a path as a dotted name, which a folder such as `my-tests` cannot be part of.
    start = posixpath.dirname(path) or "."
    return ("python3", "-m", "unittest", "discover", "-s", start, "-p", f"{parts[-1]}.py")


def _node_test(project: Project, path: str) -> Command:
    return {
        "vitest": ("npx", "--no-install", "vitest", "run", path),
        "jest": ("npx", "--no-install", "jest", path),
        "mocha": ("npx", "--no-install", "mocha", path),
        "tsx": ("node", "--import", "tsx", "--test", path),
    }.get(project.node_runner, ("node", "--test", path))
