"""Tells the writing agent how the host runs a test file."""

from __future__ import annotations

from pathlib import Path

from workers.remediation.project import read_project
from workers.remediation.suites import node_command


def runner_hint(clone: Path, root: str) -> str:
    """How the host runs a test file of this repository, for the writing agent's prompt.

    Args:
        root: the service's root directory inside the repository.
    """
    project = read_project(clone, root, "")
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
        hints.append(f"A JavaScript test file is run with `{node_command(project.node_runner)} <path>`.")
    if project.test_command:
        command = " ".join(project.test_command).replace("{path}", "<path>")
        hints.append(f"A test file of another language is run with `{command}`.")
    folder = f" from the folder `{project.root}`" if project.root else ""
    return " ".join(hints) + (
        f" All tests run without network{folder}; nothing more can be installed. Of your changes only that file and "
        "source files count: other tests, fixtures and configuration stay those of the repository."
    )
