"""Checks that a patch leaves the tests as strict as they were: none removed, skipped or emptied. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from workers.remediation.policy.javascript_tree import GRAMMARS, suffix_of
from workers.remediation.policy.python_cases import read_python_tests
from workers.remediation.policy.syntax_cases import count_words, read_syntax_tests
from workers.remediation.policy.test_cases import Case, Tests
from workers.remediation.policy.test_files import is_test, is_test_name

MAX_NAMED_TESTS = 3  # tests of one file that refusals name
HOOK = "pytest_"  # functions of a conftest.py with this prefix are hooks of pytest


def find_weakened_tests(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> list[str]:
    """One sentence per weakened test. A test that moves to another file is not weakened.

    Args:
        before: texts of the changed files by path without the patch, None if there is no such file; `after` with it.
    """
    remaining = Counter(
        name for path, text in after.items() if is_test(path) for name in read_tests(path, text).cases
    )
    sentences = []
    for path, text in before.items():
        if text is None or not is_test(path):
            continue
        old, new = read_tests(path, text), read_tests(path, after.get(path))
        if after.get(path) is None:
            moved = bool(old.cases) and set(old.cases) <= set(remaining)
            sentences += [] if moved else [f"the patch removes the test file {path}"]
            continue
        sentences += _compare(path, old, new, remaining)
        sentences += _compare_words(path, text, after.get(path) or "")
    return sentences + _new_tests(before, after)


def read_tests(path: str, text: str | None) -> Tests:
    """The tests of a file; none for None and for languages without a parser here."""
    if text is None:
        return Tests()
    if path.endswith(".py"):
        return read_python_tests(text)
    return read_syntax_tests(path, text) if suffix_of(path) in GRAMMARS else Tests()


def _new_tests(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> list[str]:
    sentences = []
    for path, text in after.items():
        if before.get(path) is not None or text is None or not is_test_name(path):
            continue
        tests = read_tests(path, text)
        if tests.skips:
            sentences.append(f"the new test {path} skips itself")
        if path.endswith(".py") and any(
            name in tests.switches for name in ("load_tests", "__test__", "collect_ignore")
        ):
            sentences.append(f"the new test {path} decides which tests are run")
    return sentences


def _compare(path: str, old: Tests, new: Tests, remaining: Counter[str]) -> list[str]:
    removed = [name for name in old.cases if name not in new.cases and not remaining[name]]
    sentences = [f"the patch removes the test {name} from {path}" for name in removed[:MAX_NAMED_TESTS]]
    weaker = [
        (name, problem)
        for name, case in old.cases.items()
        if name in new.cases and (problem := _weakness(case, new.cases[name]))
    ]
    sentences += [
        f"the patch {problem} the test {name} in {path}" for name, problem in weaker[:MAX_NAMED_TESTS]
    ]
    emptied = [name for name, count in old.helpers.items() if new.helpers.get(name, 0) < count]
    sentences += [
        f"the patch removes assertions from the helper {name} in {path}" for name in emptied[:MAX_NAMED_TESTS]
    ]
    if new.skips > old.skips:
        sentences.append(f"the patch skips tests in {path}")
    switches = sorted(new.switches - old.switches)
    sentences += [
        f"the patch changes which tests are run, or on what, in {path} (`{name}`)"
        for name in switches[:MAX_NAMED_TESTS]
    ]
    hooks = [name for name in new.helpers if name.startswith(HOOK) and name not in old.helpers]
    sentences += [f"the patch adds the pytest hook {name} in {path}" for name in hooks]
    lost = sorted(old.imports - new.imports) if old.cases else []
    given = {name for other in new.imports for name in _names(other)} | (new.defined - old.defined)
    if any(_names(line) & given for line in lost):
        sentences.append(f"the patch imports other code under the same name in {path}")
    return sentences


def _names(line: str) -> set[str]:
    """The names that an import binds, roughly."""
    return (
        {line.rpartition(" as ")[2]}
        if " as " in line
        else {
            word
            for word in line.replace("{", " ").replace("}", " ").split("=")[0].split()
            if word.isidentifier()
        }
    )


def _weakness(old: Case, new: Case) -> str:
    """The way in which a patch makes a test weaker, as a part of a sentence."""
    if new.assertions.total() < old.assertions.total() or (
        new.assertions.total() + new.conditional < old.assertions.total() + old.conditional
    ):
        return "removes assertions from"
    if new.returns > old.returns:
        return "adds an early exit to"
    if new.conditional > old.conditional and old.assertions - new.assertions:
        return "makes assertions conditional in"
    if new.parameters < old.parameters:
        return "removes parameters from"
    return "changes how to run" if new.frame != old.frame else ""


def _compare_words(path: str, old: str, new: str) -> list[str]:
    if path.endswith(".py") or suffix_of(path) in GRAMMARS or not is_test_name(path):
        return []
    (old_asserts, old_skips), (new_asserts, new_skips) = count_words(old), count_words(new)
    sentences = [f"the patch removes assertions from {path}"] if new_asserts < old_asserts else []
    return sentences + ([f"the patch skips tests in {path}"] if new_skips > old_skips else [])
