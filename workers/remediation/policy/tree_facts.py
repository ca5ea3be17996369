"""Facts about the tree without the patch: files, test folders, dependencies, and files that checks run."""

from __future__ import annotations

import functools
import json
import os
import posixpath
import re
import shlex
import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.clients.git import safe_read
from workers.remediation.policy.guard_names import GuardNames, find_own_guards
from workers.remediation.policy.test_files import is_test_name
from workers.remediation.project import IGNORED_FOLDERS
from workers.remediation.repository_settings import SETTINGS_FILE

MAX_FILES = 20_000  # files of a tree that are listed; repositories of ordinary services have fewer
MAX_GUARD_FILES = 400  # source files that are searched for protections
GUARD_FILES = re.compile(r"\.(?:py|[cm]?[jt]sx?)$")
MANIFESTS = re.compile(
    r"(?:[\w.-]*requirements[\w.-]*\.(?:txt|in)|pyproject\.toml|Pipfile|package\.json|setup\.cfg)"
)
IMPORT_NAMES = {
    "pyyaml": "yaml", "pillow": "pil", "beautifulsoup4": "bs4", "scikit_learn": "sklearn", "pyjwt": "jwt",
    "python_dateutil": "dateutil", "python_dotenv": "dotenv", "opencv_python": "cv2", "psycopg2_binary": "psycopg2",
    "attrs": "attr", "msgpack_python": "msgpack", "python_jose": "jose", "python_multipart": "multipart",
    "protobuf": "google", "mysqlclient": "mysqldb", "djangorestframework": "rest_framework", "pyserial": "serial",
}  # fmt: skip
"""Distribution → imported module, where the two differ, for the packages that services use most."""
HARMLESS_SCRIPTS = frozenset({"start", "dev", "serve", "worker", "start:prod", "start:dev"})
"""Scripts of package.json that start the service; a file that one of them names is source code."""


@dataclass(frozen=True)
class TreeFacts:
    """Facts about the tree without the patch. Paths are relative to the repository."""

    root: str
    files: frozenset[str]
    test_folders: frozenset[str]
    """Folders that hold test files."""
    dependencies: frozenset[str]
    """Lower-case import names of listed packages."""
    check_files: frozenset[str]
    """Files that the commands of `.trackwalker.toml` and package.json name."""

    @functools.cached_property
    def folders(self) -> frozenset[str]:
        """All folders, and the empty name for the repository itself."""
        return frozenset({"", *(folder for file in self.files for folder in parents(file))})

    @functools.cached_property
    def folded(self) -> dict[str, str]:
        """Files and folders by their name without case and compatibility forms."""
        return {fold(path): path for path in (*self.folders, *self.files)}

    def siblings(self, folder: str) -> list[str]:
        """Names of the files and folders of a folder."""
        entries = (*self.files, *self.folders)
        return [posixpath.basename(path) for path in entries if path and posixpath.dirname(path) == folder]


def read_tree(tree: Path, root: str) -> TreeFacts:
    """The facts about a tree.

    Args:
        root: the service's folder; empty for the repository itself.
    """
    files = frozenset(_list_files(tree))
    tests = {posixpath.dirname(file) for file in files if is_test_name(file)}
    manifests = [file for file in files if MANIFESTS.fullmatch(posixpath.basename(file))]
    names = {name for file in manifests for name in _package_names(file, safe_read(tree, file) or "")}
    check_files = _check_files(tree, root, files)
    return TreeFacts(root, files, frozenset(tests), frozenset(names), frozenset(check_files))


def read_guards(tree: Path, facts: TreeFacts) -> GuardNames:
    """The names of the service's protections, among them its own functions that turn requests away."""
    files = [file for file in sorted(facts.files) if GUARD_FILES.search(file) and is_below(file, facts.root)]
    own = [
        find_own_guards(safe_read(tree, file) or "")
        for file in files[:MAX_GUARD_FILES]
        if not is_test_name(file)
    ]
    names = frozenset(name for guards, _ in own for name in guards)
    return GuardNames(names, frozenset(name for _, strict in own for name in strict))


def is_below(path: str, root: str) -> bool:
    """True if the path lies below the service's folder."""
    return not root or path.startswith(f"{root}/")


def parents(path: str) -> list[str]:
    """The folders above a path, without the repository itself."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def fold(path: str) -> str:
    """The path as a file system sees it that ignores case and Unicode's compatibility forms."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())


def _list_files(tree: Path) -> Iterable[str]:
    count = 0
    for folder, subfolders, names in os.walk(tree):
        subfolders[:] = sorted(name for name in subfolders if name not in IGNORED_FOLDERS)
        for name in sorted(names):
            count += 1
            yield Path(folder, name).relative_to(tree).as_posix()
        if count > MAX_FILES:
            return


def _package_names(path: str, text: str) -> set[str]:
    if path.endswith(".json"):
        tables = _json(text)
        keys = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
        return {name.lower() for key in keys if isinstance(tables.get(key), dict) for name in tables[key]}
    # Every word that begins a line or a string is taken for a package: too many names only make fewer names free.
    words = re.findall(r"""(?:^|["'])\s*([A-Za-z][\w.-]{0,80})""", text, re.MULTILINE)
    names = {re.sub(r"[-.]+", "_", word.lower()) for word in words} - {"project", "tool", "name", "version"}
    return names | {IMPORT_NAMES[name] for name in names if name in IMPORT_NAMES}


def _check_files(tree: Path, root: str, files: frozenset[str]) -> set[str]:
    scripts = _json(safe_read(tree, posixpath.join(root, "package.json")) or "").get("scripts")
    table = scripts if isinstance(scripts, dict) else {}
    lines = [str(line) for name, line in table.items() if name not in HARMLESS_SCRIPTS]
    try:
        settings = tomllib.loads(safe_read(tree, SETTINGS_FILE) or "")
    except (tomllib.TOMLDecodeError, RecursionError):
        settings = {}
    words = [word for line in lines for word in _words(line)] + list(_strings(settings))
    paths = {posixpath.normpath(posixpath.join(base, word)) for word in words for base in ("", root)}
    return {path for path in paths if path in files}


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _strings(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
