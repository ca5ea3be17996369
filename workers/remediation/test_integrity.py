"""Checks that a patch leaves the tests as strict as they were: none removed, skipped or emptied. Pure."""

from __future__ import annotations

import ast
import posixpath
import re
from collections import Counter
from dataclasses import dataclass

from workers.remediation.project import NODE_TEST
from workers.remediation.python_project import PYTHON_TEST
from workers.remediation.security_regressions import PARSE_ERRORS

TEST_FOLDERS = frozenset({"tests", "test", "__tests__", "spec", "specs"})
RUNNER_FILES = re.compile(
    r"pytest\.ini|tox\.ini|noxfile\.py|conftest\.py|\.?jest\.config\..*|vitest\.(?:config|workspace)\..*|\.mocharc.*"
    r"|karma\.conf\..*|playwright\.config\..*|\.coveragerc|Makefile"
)
PYTHON_SKIPS = frozenset(
    {"skip", "skipif", "skipunless", "skiptest", "xfail", "expectedfailure", "importorskip"}
)
NODE_NAME = re.compile(
    r"""\b(?:test|it)(?:\.\w+)*\s*\(\s*(?P<quote>["'`])(?P<name>(?:\\.|(?!(?P=quote)).)*)(?P=quote)"""
)
NODE_SKIP = re.compile(
    r"\b(?:x(?:it|test|describe)|(?:test|it|describe|suite|t|this)\.(?:skip|todo|only|failing|fails))\s*\("
    r"|\b(?:skip|todo|only)\s*:\s*(?!false\b)[\w'\"`]"
)
NODE_ASSERT = re.compile(
    r"\bexpect\s*\(|\bassert(?:\.\w+)*\s*\(|\bt\.(?:is|equal|deepEqual|true|false|throws|ok)\s*\(|\.should\b"
)
COLLECTION_HOOKS = re.compile(
    r"collect_ignore|pytest_(?:ignore_collect|collection_modifyitems|runtest_\w+|sessionfinish)"
)
"""Names by which a conftest.py can hide tests or change their results."""
MAX_NAMED_TESTS = 3  # tests of one file that refusals name


@dataclass(frozen=True)
class TestSummary:
    """The tests of one file."""

    assertions: dict[str, int]
    """Test name → number of assertions."""
    skips: int
    """Number of skip and expected-failure markers."""


def is_test(path: str) -> bool:
    """True for test files and everything in a test folder."""
    *folders, name = path.split("/")
    is_named = PYTHON_TEST.fullmatch(name) or NODE_TEST.fullmatch(name) or name == "conftest.py"
    return bool(is_named) or any(folder.lower() in TEST_FOLDERS for folder in folders)


def find_weakened_tests(before: dict[str, str | None], after: dict[str, str | None]) -> list[str]:
    """One sentence per weakened test. A test that moves to another file is not weakened.

    Args:
        before: texts of the changed files by path without the patch, None if there is no such file; `after` with it.
    """
    refusals = []
    remaining = Counter(
        name for path, text in after.items() if is_test(path) for name in read_tests(path, text).assertions
    )
    for path, text in before.items():
        if text is None or not is_test(path):
            continue
        old = read_tests(path, text)
        if after.get(path) is not None:
            refusals += _compare(path, old, read_tests(path, after[path]), remaining)
        elif not set(old.assertions) <= set(remaining):
            refusals.append(f"the patch removes the test file {path}")
    new = [path for path in after if before.get(path) is None and is_test(path)]
    return refusals + [
        f"the new test {path} skips itself" for path in new if read_tests(path, after[path]).skips
    ]


def find_runner_change(path: str, old: str | None, new: str | None) -> str | None:
    """A sentence if the patch changes how tests are found or run; None otherwise.

    A conftest.py with fixtures is allowed, because new tests may need it.
    """
    name = posixpath.basename(path)
    if name == "conftest.py" and (old is None or new is not None):
        increased = len(COLLECTION_HOOKS.findall(new or "")) > len(COLLECTION_HOOKS.findall(old or ""))
        return f"{path} changes which tests are run, or their results" if increased else None
    if RUNNER_FILES.fullmatch(name):
        return f"the patch changes how the tests are run ({path})"
    return None


def read_tests(path: str, text: str | None) -> TestSummary:
    """The tests of a Python or JavaScript file; none for any other file or for None."""
    if text is None:
        return TestSummary({}, 0)
    if path.endswith(".py"):
        return _python(text)
    if re.search(r"\.[cm]?[jt]sx?$", path):
        return _node(text)
    return TestSummary({}, 0)


def _compare(path: str, old: TestSummary, new: TestSummary, remaining: Counter[str]) -> list[str]:
    removed = [name for name in old.assertions if name not in new.assertions and not remaining[name]]
    refusals = [f"the patch removes the test {name} from {path}" for name in removed[:MAX_NAMED_TESTS]]
    fewer = [name for name, count in old.assertions.items() if new.assertions.get(name, count) < count]
    refusals += [
        f"the patch removes assertions from the test {name} in {path}" for name in fewer[:MAX_NAMED_TESTS]
    ]
    if new.skips > old.skips:
        refusals.append(f"the patch skips tests in {path}")
    return refusals


def _python(text: str) -> TestSummary:
    try:
        tree = ast.parse(text)
    except PARSE_ERRORS:
        return TestSummary({}, 0)
    assertions: dict[str, int] = {}
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    holders: list[ast.Module | ast.ClassDef] = [tree, *classes]
    for holder in holders:
        prefix = f"{holder.name}." if isinstance(holder, ast.ClassDef) else ""
        for node in holder.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
                assertions[prefix + node.name] = sum(_is_assertion(child) for child in ast.walk(node))
    names = [_name(node).lower() for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)]
    return TestSummary(assertions, sum(name in PYTHON_SKIPS for name in names))


def _is_assertion(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    called = _name(node.func) if isinstance(node, ast.Call) else ""
    return called.lower().startswith(("assert", "fail")) or called in ("raises", "warns", "check")


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _node(text: str) -> TestSummary:
    # Without a parser, a test is taken to end where the next one begins.
    tests = list(NODE_NAME.finditer(text))
    ends = [match.start() for match in tests[1:]] + [len(text)]
    assertions = {
        match["name"]: len(NODE_ASSERT.findall(text, match.end(), end))
        for match, end in zip(tests, ends, strict=False)
    }
    return TestSummary(assertions, len(NODE_SKIP.findall(text)))
