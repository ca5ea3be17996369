"""Counter-checks of Python reproductions: each really runs here."""

from __future__ import annotations

import unittest
from types import ModuleType
from typing import Any

import pytest

from workers.remediation.changed_code import find_changed_code
from workers.remediation.python_controls import break_code, change_expectations, fail_at_end

MARKER = "counter-check 1"


def load(text: str) -> dict[str, Any]:
    module = ModuleType("made")
    exec(compile(text, "made.py", "exec"), module.__dict__)  # noqa: S102 (text of this test)
    return module.__dict__


def outcome(text: str) -> str:
    """The error of the only test of the class `T`, or `passed`."""
    [test] = unittest.defaultTestLoader.loadTestsFromTestCase(load(text)["T"])
    result = unittest.TestResult()
    test.run(result)
    texts = [text for _, text in (*result.errors, *result.failures)]
    return texts[0].splitlines()[-1] if texts else "passed"


FUNCTIONS = [
    "def f(x):\n    return x\n",
    "def f(x):\n    'Doc.'\n    return x\n",
    "def f(x): return x\n",
    "def f(x):\n    def g():\n        return x\n    return g()\n",
    "def f(x):\n\tif x:\n\t\treturn x\n\treturn 0\n",
]


@pytest.mark.parametrize("text", FUNCTIONS)
def test_a_broken_function_raises_and_keeps_its_text(text: str) -> None:
    changed = find_changed_code(None, text, [1], [])
    assert changed

    broken = break_code(text, changed, MARKER)

    assert broken
    assert "return" in broken
    with pytest.raises(RuntimeError, match=MARKER):
        load(broken)["f"](1)


def test_a_broken_value_equals_nothing() -> None:
    changed = find_changed_code("A = 1\n", "A = 2\n", [1], [])
    assert changed

    assert load(break_code("A = 2\n", changed, MARKER) or "")["A"] != 2


CASE = "import unittest\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        {body}\n"


@pytest.mark.parametrize(
    "body",
    [
        "self.assertEqual(1, 1)",
        "return",
        "if self:\n            return\n        self.fail()",
        "for _ in (1,):\n            return",
        "with self.subTest():\n            pass",
    ],
)
def test_a_test_that_fails_at_its_end_fails_with_the_marker(body: str) -> None:
    control = fail_at_end(CASE.format(body=body), MARKER, script=False)

    assert control
    assert control.tests == {"test_it"}
    assert outcome(CASE.format(body=body)) in ("passed", "AssertionError: None")
    assert MARKER in outcome(control.text)


@pytest.mark.parametrize("end", ["raise SystemExit(1 != 1)", "import sys\nsys.exit(0)", "x = 1"])
def test_a_script_that_fails_at_its_end_raises_instead_of_exiting(end: str) -> None:
    control = fail_at_end(end, MARKER, script=True)

    assert control
    with pytest.raises(RuntimeError, match=MARKER):
        load(control.text)


VALUES = ["1", "1.5", "'a'", "b'a'", "True", "None", "[1]", "{'a': 1}", "(1, 2)", "{1}"]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("check", ["self.assertEqual(x, {})", "self.assertEqual({}, x)", "assert x == {}"])
def test_a_test_with_another_expected_value_fails(check: str, value: str) -> None:
    text = CASE.format(body=f"x = {value}; {check.format(value)}")

    control = change_expectations(text, MARKER)

    assert control
    assert control.tests == {"test_it"}
    assert outcome(text) == "passed"
    assert outcome(control.text) != "passed"


@pytest.mark.parametrize(
    "body", ["self.assertTrue(1)", "with self.assertRaises(E):\n            assert f() == 1", "assert 1 < 2"]
)
def test_a_test_without_a_plain_expected_value_is_left_alone(body: str) -> None:
    assert change_expectations(CASE.format(body=body), MARKER) is None
