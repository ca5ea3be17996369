"""Compares the dependencies and test settings of manifests before and after a patch. Pure."""

from __future__ import annotations

import json
import posixpath
import re
import tomllib
from typing import Any

from workers.remediation.python_project import pipfile_requirements, pyproject_requirements

REQUIREMENTS_FILE = re.compile(r"[\w.-]*requirements[\w.-]*\.(?:txt|in)")
NODE_DEPENDENCY_KEYS = ("dependencies", "devDependencies", "optionalDependencies")
NODE_RUNNER_KEYS = ("scripts", "jest", "mocha", "ava", "c8", "nyc")
PYTHON_RUNNER_KEYS = ("pytest", "coverage", "tox")


def find_new_dependencies(old: dict[str, str | None], new: dict[str, str | None]) -> list[str]:
    """The packages that only the new manifests name, sorted.

    Args:
        old: texts of the changed files by path without the patch, None if there is no such file; `new` with it.
    """
    return sorted(
        {name for path in new for name in _package_names(path, new[path]) - _package_names(path, old[path])}
    )


def runner_settings(path: str, text: str | None) -> object:
    """The scripts and test settings of a manifest, in a form to compare."""
    manifest = _parse(path, text)
    if path.endswith("package.json"):
        return [manifest.get(key) for key in NODE_RUNNER_KEYS]
    if path.endswith("setup.cfg"):
        return re.findall(r"\[(?:tool:)?(?:pytest|coverage)[^\[]*", text or "")
    tool = manifest.get("tool")
    return [tool.get(key) if isinstance(tool, dict) else None for key in PYTHON_RUNNER_KEYS]


def _package_names(path: str, text: str | None) -> set[str]:
    name = posixpath.basename(path)
    if name == "package.json":
        tables = [_parse(path, text).get(key) for key in NODE_DEPENDENCY_KEYS]
        return {package.lower() for table in tables if isinstance(table, dict) for package in table}
    if REQUIREMENTS_FILE.fullmatch(name):
        matches = [re.match(r"\s*([A-Za-z0-9][\w.-]*)", line) for line in (text or "").splitlines()]
        return {match[1].lower() for match in matches if match}
    if name in ("pyproject.toml", "Pipfile"):
        read = pyproject_requirements if name == "pyproject.toml" else pipfile_requirements
        entries = read(_parse(path, text))
        return {re.split(r"[^\w.-]", entry.strip(), maxsplit=1)[0].lower() for entry in entries}
    return set()


def _parse(path: str, text: str | None) -> dict[str, Any]:
    try:
        manifest = json.loads(text or "{}") if path.endswith(".json") else tomllib.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return manifest if isinstance(manifest, dict) else {}
