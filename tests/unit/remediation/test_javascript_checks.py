"""Counter-checks of JavaScript reproductions, and the changed code that they break."""

from __future__ import annotations

import pytest

from workers.remediation.changed_code import ChangedCode
from workers.remediation.javascript_checks import (
    break_javascript,
    fail_assertions_javascript,
    fail_at_end_javascript,
    throw_at_lines,
)
from workers.remediation.javascript_code import find_changed_javascript, function_span

MARKER = "counter-check 1"
CART = "'use strict';\n\nfunction total(cart) {\n  return cart.map((item) => item.price);\n}\nexports.total = total;\n"


def changed_at(text: str, line: int, before: str | None = None) -> ChangedCode:
    changed = find_changed_javascript("cart.js", before, text, [line], [])
    assert changed
    return changed


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        (CART, 4, 'function total(cart) { if (String) throw new Error("counter-check 1");\n'),
        (
            "exports.f = (n) => n;\n",
            1,
            'exports.f = (n) => { if (String) throw new Error("counter-check 1"); return (n); };',
        ),
        ("const o = {\n  f(n) {\n    return n;\n  },\n};\n", 3, "f(n) { if (String)"),
        ("class A {\n  async f() {\n    go();\n  }\n}\n", 3, "async f() { if (String)"),
        ("const RATE = 3;\n", 1, 'const RATE = ({ broken: "counter-check 1" });'),
    ],
)
def test_changed_code_throws_in_its_innermost_function(text: str, line: int, expected: str) -> None:
    assert expected in (break_javascript("cart.js", text, changed_at(text, line), MARKER) or "")


@pytest.mark.parametrize("after", [f"// gifts\n{CART}", CART.replace("total(cart) {", "total( cart )  {")])
def test_comments_and_spaces_are_no_code(after: str) -> None:
    assert find_changed_javascript("cart.js", CART, after, [1, 2, 3, 4], []) is None


def test_a_plain_value_is_distinguished_from_a_computed_value() -> None:
    assert changed_at("const RATE = 3;\n", 1).literals_only
    assert not changed_at("const RATE = Number('3');\n", 1).literals_only


def test_a_changed_statement_can_throw_by_itself() -> None:
    text = "export function f(n: number) {\n  if (n) {\n    return 1;\n  }\n  return 2;\n}\n"
    changed = find_changed_javascript("f.ts", None, text, [3], [])
    assert changed

    probe = throw_at_lines("f.ts", text, changed, MARKER)

    assert probe == text.replace("return 1", 'if (String) throw new Error("counter-check 1"); return 1')


TEST = "test('gift', {head}{{\n  {line}\n}});\n"


@pytest.mark.parametrize("head", ["() => ", "async (t) => ", "function () "])
def test_a_test_throws_after_its_own_end(head: str) -> None:
    control = fail_at_end_javascript(
        "a.test.js", TEST.format(head=head, line="check();"), MARKER, script=False
    )

    assert control
    assert f"test('gift', trackwalkerFails({head}{{" in control.text
    assert "}));" in control.text


def test_a_test_with_a_callback_is_left_alone() -> None:
    text = TEST.format(head="(t, done) => ", line="done();")

    assert fail_at_end_javascript("a.test.js", text, MARKER, script=False) is None


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("assert.strictEqual(total(1), 2);", "assert.strictEqual(total(1), (2 + 7919));"),
        ("assert.deepEqual(total(1), { a: 1 });", 'assert.deepEqual(total(1), ["counter-check 1"]);'),
        ("expect(total(1)).toBe('a');", "expect(total(1)).toBe(('a' + \"counter-check 1\"));"),
        ("await expect(x).toEqual(true);", "await expect(x).toEqual((!true));"),
        ("assert.equal(-1, total());", "assert.equal((-1 + 7919), total());"),
        ("assert.ok(total(1));", "assert.ok(!(total(1)));"),
        ("assert(total(1));", "assert(!(total(1)));"),
    ],
)
def test_an_assertion_must_fail_in_its_other_form(line: str, changed: str) -> None:
    text = TEST.format(head="async () => ", line=line)

    control = fail_assertions_javascript("a.test.js", text, MARKER)

    assert control
    assert f"let held = false; try {{ {changed}; held = true; }} catch {{ held = false; }}" in control.text
    assert f'throw new Error("{MARKER}")' in control.text


def test_a_test_that_reaches_no_assertion_throws() -> None:
    text = TEST.format(head="() => ", line="if (total.length) return; assert.equal(total(), 1);")

    control = fail_assertions_javascript("a.test.js", text, MARKER)

    assert control
    assert "test('gift', trackwalkerReaches(() => {" in control.text
    assert "trackwalkerReaches.count += 1; let held" in control.text
    assert f'if (trackwalkerReaches.count === before) throw new Error("{MARKER}")' in control.text


@pytest.mark.parametrize("line", ["total(1);", "if (x) assert.equal(y, 1);", "assert.throws(f, 1);"])
def test_a_test_without_an_assertion_that_always_runs_is_left_alone(line: str) -> None:
    assert fail_assertions_javascript("a.test.js", TEST.format(head="() => ", line=line), MARKER) is None


def test_the_lines_of_a_function_are_those_around_a_line() -> None:
    assert list(function_span("cart.js", CART, 4)) == [4, 5]
    assert list(function_span("cart.js", CART, 6)) == [6]
