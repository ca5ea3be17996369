"""Counter-checks of Python reproductions: each really runs here."""

from __future__ import annotations

import unittest
from types import ModuleType
from typing import Any

import pytest

from workers.remediation.changed_code import find_changed_code
from workers.remediation.python_assertions import fail_assertions
from workers.remediation.python_controls import break_code, fail_at_end, idle_code

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


@pytest.mark.parametrize("text", FUNCTIONS)
def test_an_idle_function_returns_a_value_that_equals_nothing_and_keeps_its_text(text: str) -> None:
    changed = find_changed_code(None, text, [1], [])
    assert changed

    idle = idle_code(text, changed)

    assert idle
    assert "return x" in idle
    assert load(idle)["f"](1) != 1


def test_a_changed_decorator_is_broken_in_front_of_it() -> None:
    text = "def guard(f):\n    return lambda x: 'no'\n\n\n@guard\ndef f(x):\n    return x\n"
    changed = find_changed_code(text.replace("@guard\n", ""), text, [5], [])
    assert changed

    broken, idle = break_code(text, changed, MARKER), idle_code(text, changed)

    assert load(text)["f"](1) == "no"
    with pytest.raises(KeyError, match=MARKER):
        load(broken or "")["f"](1)
    assert load(idle or "")["f"](1) != "no"


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


VALUES = ["1", "1.5", "'a'", "b'a'", "True", "None", "[1]", "{'a': 1}", "(1, 2)", "{1}", "x"]
EQUALITIES = [
    f"x = {value}; {check.format(value)}"
    for value in VALUES[:-1]
    for check in ("self.assertEqual(x, {})", "self.assertEqual({}, x)", "assert x == {}", "assert x == x")
]
ASSERTIONS = [
    *EQUALITIES, "self.assertTrue(1)", "self.assertFalse(0)", "self.assertLess(1, 2)", "self.assertGreaterEqual(2, 2)",
    "self.assertIn(1, [1])", "self.assertIsNone(None)", "self.assertIsNotNone(1)", "self.assertIs(self, self)",
    "self.assertIsInstance(1, int)", "self.assertAlmostEqual(1, 1)", "assert 1 < 2", "assert 'a' in 'ab'", "assert 1",
    "assert not 0", "self.assertRaises(ValueError, int, 'x')",
    "with self.assertRaises(ValueError):\n            int('x')",
    "with self.subTest():\n            assert 1 == 1",
]  # fmt: skip


@pytest.mark.parametrize("body", ASSERTIONS)
def test_a_real_assertion_fails_in_its_other_form(body: str) -> None:
    text = CASE.format(body=body)

    control = fail_assertions(text, MARKER)

    assert control
    assert control.tests == {"test_it"}
    assert control.text != text
    assert outcome(text) == outcome(control.text) == "passed", "each failed assertion is caught"


EQUAL = "x = type('E', (int,), {'__eq__': lambda *_: True, '__lt__': lambda *_: True, '__hash__': None})(1); "


@pytest.mark.parametrize(
    "body",
    [
        "self.assertEqual = print; self.assertEqual(1, 1)",
        "self.assertTrue = print; self.assertTrue(1)",
        "self.assertLess = print; self.assertLess(1, 2)",
        EQUAL + "self.assertEqual(x, 1)",
        EQUAL + "assert x == 1",
        EQUAL + "assert x < 5",
        EQUAL + "self.assertLess(x, 5)",
        "import contextlib as c; self.assertRaises = c.suppress\n        with self.assertRaises(ValueError): 1",
    ],
)
def test_an_assertion_that_asserts_nothing_is_detected(body: str) -> None:
    text = CASE.format(body=body)

    control = fail_assertions(text, MARKER)

    assert control
    assert outcome(text) == "passed"
    assert MARKER in outcome(control.text)


@pytest.mark.parametrize(
    "body", ["f()", "if self:\n            assert 1 == 1", "for _ in ():\n            assert 0"]
)
def test_a_test_without_an_assertion_that_always_runs_is_left_alone(body: str) -> None:
    assert fail_assertions(CASE.format(body=body), MARKER) is None
