"""Tells tests, their helpers and their data from source code, by path. Pure."""

from __future__ import annotations

import posixpath
import re

from workers.remediation.project import NODE_TEST
from workers.remediation.python_project import PYTHON_TEST

TEST_FOLDERS = frozenset({
    "tests", "test", "__tests__", "spec", "specs", "e2e", "__snapshots__", "__fixtures__", "testdata",
})  # fmt: skip
OTHER_TEST = re.compile(
    r".+_test\.(?:go|exs?|cc|cpp|dart)|.+_(?:spec|test)\.rb|test_.+\.rb|.+(?:Test|Tests|IT)\.(?:java|kt|cs|php|scala)"
    r"|.+Spec\.(?:scala|kt|groovy)"
)


def is_test_name(path: str) -> bool:
    """True if a runner of the file's language collects a file of this name."""
    name = posixpath.basename(path)
    return any(pattern.fullmatch(name) for pattern in (PYTHON_TEST, NODE_TEST, OTHER_TEST))


def in_test_folder(path: str) -> bool:
    """True below a folder that by its name holds tests."""
    return any(folder.lower() in TEST_FOLDERS for folder in path.split("/")[:-1])


def is_test(path: str) -> bool:
    """True for test files and everything in a test folder."""
    return is_test_name(path) or posixpath.basename(path) == "conftest.py" or in_test_folder(path)


def is_collected(path: str) -> bool:
    """True for a file that a runner collects by itself; other files of a test folder are helpers and data.

    `node --test` runs every script below a folder named `test`.
    """
    folders = path.split("/")[:-1]
    return is_test_name(path) or ("test" in folders and bool(re.search(r"\.[cm]?js$", path)))
