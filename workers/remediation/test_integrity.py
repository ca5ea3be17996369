"""Whether a patch leaves the tests as strict as they were: none removed, skipped, emptied, or run differently. Pure."""

from __future__ import annotations

import ast
import posixpath
import re
from collections import Counter
from dataclasses import dataclass

from workers.remediation.project import NODE_TEST, PYTHON_TEST

TEST_FOLDERS = {"tests", "test", "__tests__", "spec", "specs"}
RUNNER_FILES = re.compile(
    r"pytest\.ini|tox\.ini|noxfile\.py|conftest\.py|\.?jest\.config\..*|vitest\.(?:config|workspace)\..*|\.mocharc.*"
    r"|karma\.conf\..*|playwright\.config\..*|\.coveragerc|Makefile"
)
PYTHON_SKIPS = {"skip", "skipif", "skipunless", "skiptest", "xfail", "expectedfailure", "importorskip"}
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


@dataclass(frozen=True)
class Tests:
    """What a test file holds: the assertions of each test by its name, and how often it skips."""

    assertions: dict[str, int]
    skips: int


def is_test(path: str) -> bool:
    """Whether a file is a test or belongs to the tests."""
    *folders, name = path.split("/")
    named = PYTHON_TEST.fullmatch(name) or NODE_TEST.fullmatch(name) or name == "conftest.py"
    return bool(named) or any(folder.lower() in TEST_FOLDERS for folder in folders)


def weakened_tests(before: dict[str, str | None], after: dict[str, str | None]) -> list[str]:
    """One sentence per weakened test; the texts of all changed files by path, None where there is no such file."""
    said = []
    moved = Counter(
        name for path, text in after.items() if is_test(path) for name in read_tests(path, text).assertions
    )
    for path, text in before.items():
        if text is None or not is_test(path):
            continue
        if after.get(path) is None and not set(read_tests(path, text).assertions) <= set(moved):
            said.append(f"it removes the test file {path}")
        elif after.get(path) is not None:
            said += _weakened(path, read_tests(path, text), read_tests(path, after[path]), moved)
    fresh = [path for path in after if before.get(path) is None and is_test(path)]
    said += [f"the new test {path} skips itself" for path in fresh if read_tests(path, after[path]).skips]
    return said


def changed_runner(path: str, old: str | None, new: str | None) -> str | None:
    """A sentence where the patch changes how tests are found or run; a new conftest.py that only helps is fine."""
    name = posixpath.basename(path)
    if name == "conftest.py" and (old is None or new is not None):
        hides = re.compile(
            r"collect_ignore|pytest_(?:ignore_collect|collection_modifyitems|runtest_\w+|sessionfinish)"
        )
        grown = len(hides.findall(new or "")) > len(hides.findall(old or ""))
        return f"{path} changes which tests are run, or their results" if grown else None
    if RUNNER_FILES.fullmatch(name):
        return f"it changes how the tests are run ({path})"
    return None


def read_tests(path: str, text: str | None) -> Tests:
    """The tests of a Python or JavaScript file; of anything else none."""
    if text is None:
        return Tests({}, 0)
    if path.endswith(".py"):
        return _python(text)
    if re.search(r"\.[cm]?[jt]sx?$", path):
        return _node(text)
    return Tests({}, 0)


def _weakened(path: str, old: Tests, new: Tests, moved: Counter[str]) -> list[str]:
    said = []
    gone = [name for name in old.assertions if name not in new.assertions and not moved[name]]
    said += [f"it removes the test {name} from {path}" for name in gone[:3]]
    fewer = [name for name, count in old.assertions.items() if new.assertions.get(name, count) < count]
    said += [f"it takes assertions out of the test {name} in {path}" for name in fewer[:3]]
    if new.skips > old.skips:
        said.append(f"it skips tests in {path}")
    return said


def _python(text: str) -> Tests:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Tests({}, 0)
    assertions: dict[str, int] = {}
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    holders: list[ast.Module | ast.ClassDef] = [tree, *classes]
    for holder in holders:
        prefix = f"{holder.name}." if isinstance(holder, ast.ClassDef) else ""
        for node in holder.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
                assertions[prefix + node.name] = sum(_asserts(one) for one in ast.walk(node))
    names = [_name(node).lower() for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)]
    return Tests(assertions, sum(name in PYTHON_SKIPS for name in names))


def _asserts(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    called = _name(node.func) if isinstance(node, ast.Call) else ""
    return called.lower().startswith(("assert", "fail")) or called in ("raises", "warns", "check")


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _node(text: str) -> Tests:
    found = list(NODE_NAME.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    assertions = {
        match["name"]: len(NODE_ASSERT.findall(text, match.end(), end))
        for match, end in zip(found, ends, strict=False)
    }
    return Tests(assertions, len(NODE_SKIP.findall(text)))
