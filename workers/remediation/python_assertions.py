"""The counter-check of a Python reproduction's assertions: each one is turned into one that must fail. Pure.

An assertion that holds in both forms asserts nothing: it was emptied, or the value equals everything.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

from workers.remediation.python_controls import Control, tests_of

NUMBER_SHIFT = 7919
"""Added to an expected number: a prime, so that no ordinary result is both values."""
OTHER_ERROR = "type('Other', (Exception,), {})"
NOTHING_EQUAL = "object()"
SECOND_ARGUMENTS: Mapping[str, str] = {
    "assertLess": "float('-inf')", "assertLessEqual": "float('-inf')", "assertGreater": "float('inf')",
    "assertGreaterEqual": "float('inf')", "assertIn": "()", "assertIs": NOTHING_EQUAL,
    "assertIsInstance": "type('Other', (), {})", "assertAlmostEqual": "float('inf')",
}  # fmt: skip
"""Method → a second argument with which it fails."""
EQUALITY_METHODS = frozenset({
    "assertEqual", "assertEquals", "assertListEqual", "assertDictEqual", "assertTupleEqual", "assertSetEqual",
    "assertMultiLineEqual", "assertSequenceEqual", "assertCountEqual",
})  # fmt: skip
FIRST_ARGUMENTS: Mapping[str, str] = {
    "assertTrue": "not ({})", "assertFalse": "not ({})", "assertIsNone": "[{}]", "assertIsNotNone": "({}, None)[1]",
}  # fmt: skip
"""Method → its first argument in a form with which it fails."""
COMPARATORS: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "float('-inf')", ast.LtE: "float('-inf')", ast.Gt: "float('inf')", ast.GtE: "float('inf')",
    ast.In: "()", ast.Is: NOTHING_EQUAL,
}  # fmt: skip
"""Operator → a right side with which a comparison is false."""


def fail_assertions(text: str, marker: str) -> Control | None:
    """The reproduction in which each assertion must fail, or the test raises the marker; None if it has none.

    Only assertions that always run are changed: none in branches, loops or `try`.
    """
    tree = ast.parse(text)
    names = set()
    for test in tests_of(tree):
        body, changed = _fail_all(test.body, marker)
        if changed:
            test.body = body
            names.add(test.name)
    return Control(ast.unparse(ast.fix_missing_locations(tree)), frozenset(names)) if names else None


def _fail_all(body: list[ast.stmt], marker: str) -> tuple[list[ast.stmt], bool]:
    statements: list[ast.stmt] = []
    changed = False
    for statement in body:
        failing = _failing(statement, marker)
        if failing is not None:
            changed = True
            statements.append(_must_fail(failing, marker))
            continue
        if isinstance(statement, ast.With | ast.AsyncWith) and not _expects_error(statement):
            statement.body, inner = _fail_all(statement.body, marker)
            changed = changed or inner
        statements.append(statement)
        if isinstance(statement, ast.Return):
            break
    return statements, changed


def _must_fail(statement: ast.stmt, marker: str) -> ast.stmt:
    block = ast.parse(f"try: pass\nexcept BaseException: pass\nelse: raise RuntimeError({marker!r})").body[0]
    if isinstance(block, ast.Try):
        block.body = [statement]
    return block


def _failing(statement: ast.stmt, marker: str) -> ast.stmt | None:
    """The statement in a form that must fail; None if it is no assertion that can be changed."""
    if isinstance(statement, ast.Assert):
        statement.test = _false(statement.test, marker)
        return statement
    if isinstance(statement, ast.With | ast.AsyncWith) and _expects_error(statement):
        call = statement.items[0].context_expr
        if isinstance(call, ast.Call) and call.args:
            call.args[0] = _parse(OTHER_ERROR)
            return statement
    if isinstance(statement, ast.Expr):
        call = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            return statement if _fail_call(call, call.func.attr, marker) else None
    return None


def _expects_error(statement: ast.With | ast.AsyncWith) -> bool:
    call = statement.items[0].context_expr
    name = call.func.attr if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else ""
    return name in ("assertRaises", "assertRaisesRegex", "raises")


def _fail_call(call: ast.Call, name: str, marker: str) -> bool:
    """Change the arguments of a method so that it must fail; False if it is none that is known."""
    if name in FIRST_ARGUMENTS and call.args:
        call.args[0] = _wrap(call.args[0], FIRST_ARGUMENTS[name])
    elif name in SECOND_ARGUMENTS and len(call.args) > 1:
        call.args[1] = _parse(SECOND_ARGUMENTS[name])
    elif name in EQUALITY_METHODS and len(call.args) > 1:
        sides = _other_side(call.args[:2], marker)
        call.args[:2] = sides
    elif name in ("assertRaises", "raises") and len(call.args) > 1:
        call.args[0] = _parse(OTHER_ERROR)
    else:
        return False
    return True


def _false(test: ast.expr, marker: str) -> ast.expr:
    """A condition that must be false, and that still uses the value."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        operator = type(test.ops[0])
        if operator is ast.Eq:
            test.left, test.comparators[0] = _other_side([test.left, test.comparators[0]], marker)
            return test
        if operator in COMPARATORS:
            test.comparators[0] = _parse(COMPARATORS[operator])
            return test
    return ast.UnaryOp(ast.Not(), test)


def _other_side(sides: list[ast.expr], marker: str) -> list[ast.expr]:
    """Both sides of an equality, one of them with another value: the expected one by convention stands second."""
    for index in (1, 0):
        other = _other_value(sides[index], marker)
        if other is not None:
            return [other if position == index else side for position, side in enumerate(sides)]
    return [sides[0], _parse(NOTHING_EQUAL)]


def _other_value(side: ast.expr, marker: str) -> ast.expr | None:
    """An expression of another value of the same type; None if the value is not plain."""
    try:
        value = ast.literal_eval(side)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    changes: list[tuple[type | tuple[type, ...], Callable[[], object]]] = [
        (bool, lambda: not value), ((int, float, complex), lambda: value + NUMBER_SHIFT),
        (str, lambda: value + marker), (bytes, lambda: value + marker.encode()), (tuple, lambda: (*value, marker)),
    ]  # fmt: skip
    other = next((change() for kind, change in changes if isinstance(value, kind)), [marker, repr(value)])
    return _parse(repr(other))


def _wrap(value: ast.expr, form: str) -> ast.expr:
    return _parse(form.format(ast.unparse(value)))


def _parse(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
