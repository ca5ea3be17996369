"""How a repository says that it is installed and tested: `.trackwalker.toml`, else its manifests.

Only the base branch is asked, before any agent wrote: a patch cannot choose how it is judged.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.clients.git import safe_read
from workers.errors import Refused

SETTINGS = ".trackwalker.toml"
KEYS = ("check", "test", "install", "protected")
REQUIREMENTS = re.compile(r"(?:requirements[\w.-]*|[\w.-]+-requirements)\.(?:txt|in)")
PYTHON_TEST = re.compile(r"test_.*\.py|.*_test\.py|tests?\.py")
NODE_TEST = re.compile(r".*[.-](?:test|spec)\.[cm]?[jt]sx?|test-.*\.[cm]?js")
PASSED_OVER = {
    ".git", "node_modules", "venv", ".venv", "env", "__pycache__", "dist", "build", "vendor", "site-packages", ".tox",
}  # fmt: skip
MOST_FILES = 20_000
"""Files of a repository that are looked at for tests."""
TEST_GROUPS = ("test", "tests", "testing", "dev")
NO_TEST = "no test specified"
"""What `npm init` writes as test script."""

Command = tuple[str, ...]


@dataclass(frozen=True)
class Project:
    """What is known of one service's code before anything of it is run. Folders are relative to the repository."""

    root: str = ""
    check: tuple[Command, ...] = ()
    test: Command | None = None
    """How one test file is run, with `{path}`; None: by the manifests."""
    install: tuple[Command, ...] | None = None
    protected: tuple[str, ...] = ()
    python_needs: tuple[str, ...] = ()
    """Arguments for `pip install`."""
    pytest: bool = False
    python_tests: bool = False
    node_needs: bool = False
    node_tool: str = ""
    """vitest, jest, mocha or tsx, where package.json names one."""


def read_project(tree: Path, root: str, service: str) -> Project:
    """The project as the tree describes it. Raises Refused naming the key of `.trackwalker.toml` that is malformed."""
    root = posixpath.normpath(root.strip("/") or ".").removeprefix("./")
    root = "" if root == "." or root.startswith("..") or not (tree / root).is_dir() else root
    said = read_settings(safe_read(tree, SETTINGS), service)
    files = _files(tree, root)
    package = _package(tree, root)
    needs, pytest = _python_needs(tree, root, files)
    tests = [file for file in files if PYTHON_TEST.fullmatch(posixpath.basename(file))]
    check = said["check"] if "check" in said else _checks(tree, root, files, tests, pytest, package)
    return Project(
        root=root,
        check=check,
        test=said.get("test"),
        install=said.get("install"),
        protected=said.get("protected", ()),
        python_needs=needs,
        pytest=pytest,
        python_tests=bool(tests),
        node_needs=any(package.get(key) for key in ("dependencies", "devDependencies")),
        node_tool=_node_tool(package),
    )


def read_settings(text: str | None, service: str) -> dict[str, Any]:
    """`.trackwalker.toml` for one service, its own section before the general one. Raises Refused naming the key."""
    try:
        table = tomllib.loads(text or "")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Refused(f"{SETTINGS} is no valid TOML: {error}") from error
    services = table.get("services", {})
    if not isinstance(services, dict) or not all(isinstance(part, dict) for part in services.values()):
        raise Refused(f"{SETTINGS}: services must be tables, [services.<name>]")
    general = {key: value for key, value in table.items() if key != "services"}
    found = _valid(general, "")
    own = next((name for name in services if name.lower() == service.lower()), None)
    checked = {name: _valid(part, f"services.{name}.") for name, part in services.items()}
    protected = (*found.get("protected", ()), *checked.get(own or "", {}).get("protected", ()))
    return found | checked.get(own or "", {}) | ({"protected": protected} if protected else {})


def _valid(part: dict[str, Any], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in part.items():
        if key not in KEYS:
            raise Refused(f"{SETTINGS}: {where}{key} is no key we know ({', '.join(KEYS)})")
        if key in ("check", "install"):
            if not isinstance(value, list) or not all(_is_words(one) and one for one in value):
                raise Refused(f'{SETTINGS}: {where}{key} must be a list of commands, [["make", "test"]]')
            found[key] = tuple(tuple(one) for one in value)
        elif not _is_words(value):
            raise Refused(f"{SETTINGS}: {where}{key} must be a list of words")
        else:
            found[key] = tuple(value)
    if "test" in found and "{path}" not in " ".join(found["test"]):
        raise Refused(f'{SETTINGS}: {where}test must hold "{{path}}", where the test file goes')
    return found


def _is_words(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(word, str) and word and "\0" not in word for word in value
    )


def _files(tree: Path, root: str) -> list[str]:
    """The files below the service's root, relative to it."""
    found: list[str] = []
    start = tree / root
    for top, folders, names in os.walk(start):
        folders[:] = sorted(name for name in folders if name not in PASSED_OVER)
        found += [Path(top, name).relative_to(start).as_posix() for name in sorted(names)]
        if len(found) > MOST_FILES:
            break
    return found[:MOST_FILES]


# ---- Python ----------------------------------------------------------------------------------


def _python_needs(tree: Path, root: str, files: list[str]) -> tuple[Command, bool]:
    """What pip is told to install, and whether the repository names pytest."""
    lists = [
        file for file in files if file.count("/") < 2 and REQUIREMENTS.fullmatch(posixpath.basename(file))
    ]
    lists = [file for file in lists if file.endswith(".txt") or f"{file[:-3]}.txt" not in lists]
    texts = [safe_read(tree / root, file) or "" for file in lists]
    manifest = _toml(safe_read(tree / root, "pyproject.toml"))
    listed = requirements(manifest) + pipfile(_toml(safe_read(tree / root, "Pipfile")))
    named = any(re.search(r"^\s*pytest\b", text, re.MULTILINE | re.IGNORECASE) for text in (*texts, *listed))
    uses = named or "pytest" in manifest.get("tool", {}) or _uses_pytest(tree / root, files)
    if uses and not named:
        listed.append("pytest")
    needs = [
        word for file, text in zip(lists, texts, strict=True) if _has_lines(text) for word in ("-r", file)
    ]
    return (*needs, *(one for one in listed if not one.startswith("-"))), uses


def _has_lines(text: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())


def _toml(text: str | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text or "")
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _uses_pytest(root: Path, files: list[str]) -> bool:
    if "pytest.ini" in files or "[tool:pytest]" in (safe_read(root, "setup.cfg") or ""):
        return True
    asked = [file for file in files if re.fullmatch(r"(?:.*/)?(?:conftest|test_[^/]*)\.py", file)][:200]
    pattern = re.compile(r"^\s*(?:import|from)\s+pytest\b", re.MULTILINE)
    return any(pattern.search(safe_read(root, file) or "") for file in asked)


def requirements(manifest: dict[str, Any]) -> list[str]:
    """What a parsed pyproject.toml asks for: PEP 621, dependency groups and Poetry."""
    project, poetry = _table(manifest, "project"), _table(_table(manifest, "tool"), "poetry")
    found = _words(project.get("dependencies"))
    for groups in (_table(project, "optional-dependencies"), _table(manifest, "dependency-groups")):
        for name in TEST_GROUPS:
            found += _words(groups.get(name))
    tables = [_table(poetry, "dependencies"), _table(poetry, "dev-dependencies")]
    tables += [_table(_table(_table(poetry, "group"), name), "dependencies") for name in TEST_GROUPS]
    return found + [
        _constraint(name, value) for table in tables for name, value in table.items() if name != "python"
    ]


def pipfile(manifest: dict[str, Any]) -> list[str]:
    """What a parsed Pipfile asks for."""
    tables = (_table(manifest, "packages"), _table(manifest, "dev-packages"))
    return [_constraint(name, value) for table in tables for name, value in table.items()]


def _table(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _words(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _constraint(name: str, value: object) -> str:
    """Poetry's `^1.2` and `~1.2`, Pipfile's `*`, as pip reads them."""
    version = value.get("version", "*") if isinstance(value, dict) else value
    if not isinstance(version, str) or version in ("", "*"):
        return name
    if match := re.fullmatch(r"([\^~])\s*(\d+)((?:\.\d+)*)", version):
        major, rest = int(match[2]), match[3]
        bound = f"{major + 1}" if match[1] == "^" and major else None
        return f"{name}>={major}{rest}" + (f",<{bound}" if bound else "")
    return f"{name}=={version}" if version[0].isdigit() else f"{name}{version}"


def _unittest(tree: Path, root: str, tests: list[str]) -> list[Command]:
    """One discovery per topmost folder that holds tests; without __init__.py it is its own top."""
    folders = sorted({posixpath.dirname(file) for file in tests})
    tops = [
        one
        for one in folders
        if not any(other != one and one.startswith(f"{other}/") for other in folders if other)
    ]
    found: list[Command] = []
    for folder in tops:
        if folder == "":
            found.append(("python3", "-m", "unittest", "discover"))
        elif (tree / root / folder / "__init__.py").is_file():
            found.append(("python3", "-m", "unittest", "discover", "-s", folder, "-t", "."))
        else:
            found.append(("python3", "-m", "unittest", "discover", "-s", folder))
    return found


# ---- Node ------------------------------------------------------------------------------------


def _package(tree: Path, root: str) -> dict[str, Any]:
    try:
        found = json.loads(safe_read(tree / root, "package.json") or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _node_tool(package: dict[str, Any]) -> str:
    named = {**_table(package, "dependencies"), **_table(package, "devDependencies")}
    return next((tool for tool in ("vitest", "jest", "mocha", "tsx") if tool in named), "")


def _checks(
    tree: Path, root: str, files: list[str], tests: list[str], pytest: bool, package: dict[str, Any]
) -> tuple[Command, ...]:
    """The repository's own checks, as its manifests and files name them."""
    found: list[Command] = []
    if tests and pytest:
        found.append(("python3", "-m", "pytest", "-q", "-p", "no:cacheprovider"))
    elif tests:
        found += _unittest(tree, root, tests)
    script = _table(package, "scripts").get("test")
    if isinstance(script, str) and script.strip() and NO_TEST not in script:
        found.append(("npm", "test", "--silent"))
    elif any(NODE_TEST.fullmatch(posixpath.basename(file)) for file in files):
        found.append(("node", "--test"))
    return tuple(found)
