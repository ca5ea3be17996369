"""Reads the requirements and tests of a Python project from its manifests."""

from __future__ import annotations

import posixpath
import re
import tomllib
from pathlib import Path
from typing import Any

from workers.clients.git import safe_read
from workers.remediation.repository_settings import Command

REQUIREMENTS_FILE = re.compile(r"(?:requirements[\w.-]*|[\w.-]+-requirements)\.(?:txt|in)")
PYTHON_TEST = re.compile(r"test_.*\.py|.*_test\.py|tests?\.py")
TEST_GROUPS = ("test", "tests", "testing", "dev")  # names under which projects list what their tests need
MAX_SCANNED_TESTS = 200  # test files that are searched for an import of pytest
MAX_REQUIREMENTS_DEPTH = 2  # folders: deeper requirement files belong to examples and vendored code


def python_requirements(tree: Path, root: str, files: list[str]) -> tuple[Command, bool]:
    """The arguments for `pip install`, and whether the project uses pytest.

    Args:
        root: the service's root directory.
        files: the files below the root, relative to it.
    """
    lists = [
        file
        for file in files
        if file.count("/") < MAX_REQUIREMENTS_DEPTH and REQUIREMENTS_FILE.fullmatch(posixpath.basename(file))
    ]
    # `requirements.in` is the source from which pip-tools compiles `requirements.txt`.
    lists = [file for file in lists if file.endswith(".txt") or f"{file[:-3]}.txt" not in lists]
    texts = [safe_read(tree / root, file) or "" for file in lists]
    manifest = _parse_toml(safe_read(tree / root, "pyproject.toml"))
    listed = pyproject_requirements(manifest) + pipfile_requirements(
        _parse_toml(safe_read(tree / root, "Pipfile"))
    )
    named = any(re.search(r"^\s*pytest\b", text, re.MULTILINE | re.IGNORECASE) for text in (*texts, *listed))
    uses_pytest = named or "pytest" in manifest.get("tool", {}) or _uses_pytest(tree / root, files)
    if uses_pytest and not named:
        listed.append("pytest")
    arguments = [
        word for file, text in zip(lists, texts, strict=True) if _has_entries(text) for word in ("-r", file)
    ]
    # An entry that begins with a dash would be read as an option of pip.
    return (*arguments, *(entry for entry in listed if not entry.startswith("-"))), uses_pytest


def pyproject_requirements(manifest: dict[str, Any]) -> list[str]:
    """The requirements of a parsed pyproject.toml: PEP 621, dependency groups (PEP 735) and Poetry."""
    project, poetry = table(manifest, "project"), table(table(manifest, "tool"), "poetry")
    entries = _strings(project.get("dependencies"))
    for groups in (table(project, "optional-dependencies"), table(manifest, "dependency-groups")):
        for name in TEST_GROUPS:
            entries += _strings(groups.get(name))
    tables = [table(poetry, "dependencies"), table(poetry, "dev-dependencies")]
    tables += [table(table(table(poetry, "group"), name), "dependencies") for name in TEST_GROUPS]
    return entries + [
        _pip_constraint(name, value)
        for dependencies in tables
        for name, value in dependencies.items()
        if name != "python"
    ]


def pipfile_requirements(manifest: dict[str, Any]) -> list[str]:
    """The requirements of a parsed Pipfile."""
    tables = (table(manifest, "packages"), table(manifest, "dev-packages"))
    return [_pip_constraint(name, value) for packages in tables for name, value in packages.items()]


def unittest_folders(tree: Path, root: str, tests: list[str]) -> list[tuple[str, str]]:
    """The topmost folders with tests, each with the top-level folder for `unittest discover`; empty for its own.

    Args:
        tests: the test files, relative to the root.
    """
    folders = sorted({posixpath.dirname(file) for file in tests})
    topmost = [
        folder
        for folder in folders
        if not any(other != folder and folder.startswith(f"{other}/") for other in folders if other)
    ]
    # A folder without __init__.py cannot be imported as a package and is its own top-level directory.
    return [
        (folder, "." if folder and (tree / root / folder / "__init__.py").is_file() else "")
        for folder in topmost
    ]


def table(values: dict[str, Any], key: str) -> dict[str, Any]:
    """The table under the key; empty if it is missing or something else."""
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def _has_entries(text: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())


def _parse_toml(text: str | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text or "")
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _uses_pytest(root: Path, files: list[str]) -> bool:
    if "pytest.ini" in files or "[tool:pytest]" in (safe_read(root, "setup.cfg") or ""):
        return True
    tests = [file for file in files if re.fullmatch(r"(?:.*/)?(?:conftest|test_[^/]*)\.py", file)]
    pattern = re.compile(r"^\s*(?:import|from)\s+pytest\b", re.MULTILINE)
    return any(pattern.search(safe_read(root, file) or "") for file in tests[:MAX_SCANNED_TESTS])


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _pip_constraint(name: str, value: object) -> str:
    """A constraint of Poetry (`^1.2`, `~1.2`) or Pipfile (`*`) in pip's syntax (PEP 508)."""
    version = value.get("version", "*") if isinstance(value, dict) else value
    if not isinstance(version, str) or version in ("", "*"):
        return name
    if match := re.fullmatch(r"([\^~])\s*(\d+)((?:\.\d+)*)", version):
        major, rest = int(match[2]), match[3]
        bound = f"{major + 1}" if match[1] == "^" and major else None
        return f"{name}>={major}{rest}" + (f",<{bound}" if bound else "")
    return f"{name}=={version}" if version[0].isdigit() else f"{name}{version}"
