"""Classification of the output of test runs."""

from __future__ import annotations

import pytest

from workers.remediation.test_output import classify_run, failed_tests
from workers.sandbox.commands import CommandResult


def finished(output: str, code: int | None = 1, *, timed_out: bool = False) -> CommandResult:
    return CommandResult(code, output, timed_out, 1.0)


@pytest.mark.parametrize(
    ("code", "output", "outcome"),
    [
        (0, "Ran 3 tests in 0.1s\n\nOK\n", "passed"),
        (0, "\nRan 0 tests in 0.000s\n\nOK\n", "not run"),
        (5, "NO TESTS RAN", "not run"),
        (5, "no tests ran in 0.01s", "not run"),
        (0, "Ran 2 tests in 0.1s\n\nOK (skipped=2)\n", "not run"),
        (0, "Ran 3 tests in 0.1s\n\nOK (skipped=2)\n", "passed"),
        (0, "2 skipped in 0.01s\n", "not run"),
        (0, "3 passed, 2 skipped in 0.01s\n", "passed"),
        (1, "/usr/bin/python3: No module named pytest\n", "not run"),
        (127, "npx: not found", "not run"),
        (0, "# tests 0\n# pass 0\n# fail 0\n", "not run"),
        (0, "# tests 1\n# pass 0\n# fail 0\n# skipped 1\n", "not run"),
        (1, "No tests found, exiting with code 1\n", "not run"),
        (1, "FAILED (failures=1)\n", "failed"),
        (1, "ModuleNotFoundError: No module named 'flask'\n", "not run"),
        (1, "ModuleNotFoundError: No module named 'shop.missing'\n", "failed"),
        (1, "Error: Cannot find module 'express'\n", "not run"),
    ],
)
def test_a_test_passes_or_fails_only_if_it_ran(code: int, output: str, outcome: str) -> None:
    assert classify_run(finished(output, code), None, lambda module: module == "shop").outcome == outcome


def test_a_run_that_exceeds_its_deadline_has_failed_with_a_reason() -> None:
    result = classify_run(finished("", None, timed_out=True), "tests/test_a.py", lambda _module: True)

    assert (result.outcome, result.unloadable, result.timed_out) == ("failed", False, True)
    assert "did not end" in result.reason


def test_failed_tests_are_named_as_the_runner_prints_them() -> None:
    output = (
        "FAIL: test_a (tests.test_x.T.test_a)\nERROR: test_b (tests.T)\nFAILED tests/x.py::test_c - assert\n"
        "not ok 2 - gift costs\n\u2716 takes a gift (1.2ms)\n  \u25cf shop \u203a sells\n"
    )

    assert failed_tests(output) == {
        "test_a (tests.test_x.T.test_a)", "test_b (tests.T)", "tests/x.py::test_c", "gift costs", "takes a gift",
        "shop \u203a sells",
    }  # fmt: skip


def test_hostile_output_is_classified_quickly() -> None:
    for text in ("\n" * 200_000, "E" * 200_000, "at (" * 50_000, "TypeError: " * 20_000, " " * 200_000):
        classify_run(
            finished(text), "tests/test_a.py", lambda _module: True
        )  # the test's own time is the promise
