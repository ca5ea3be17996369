"""Counter-checks of a Python reproduction: files with which a test must fail, or its result proves nothing. Pure.

- `break_code`: the changed functions raise. A reproduction that still passes does not depend on them.
- `fail_at_end`: every test raises at its end. One that is still reported as passed was not reported by the runner.
- `change_expectations`: every test expects another value. One that still passes compares nothing.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from workers.remediation.changed_code import ChangedCode, functions_of, is_docstring

EQUALITY_METHODS = frozenset({
    "assertEqual", "assertEquals", "assertListEqual", "assertDictEqual", "assertTupleEqual", "assertSetEqual",
    "assertMultiLineEqual", "assertSequenceEqual", "assertCountEqual", "assertIs",
})  # fmt: skip
NUMBER_SHIFT = 7919
"""Added to an expected number: a prime, so that no ordinary result is both values."""


@dataclass(frozen=True)
class Control:
    """A changed file, and the names of the tests that must fail with it."""

    text: str
    tests: frozenset[str] = frozenset()


def break_code(text: str, changed: ChangedCode, marker: str) -> str | None:
    """The file with a `raise` at the start of each changed function; None if nothing can be broken.

    Without changed functions the values of changed assignments become an object that equals nothing.
    """
    lines = text.splitlines(keepends=True)
    tree = ast.parse(text)
    if changed.functions:
        functions = [node for node in functions_of(tree) if node.lineno in changed.functions]
        # From the end, so that earlier line numbers stay right.
        for function in sorted(functions, key=lambda node: -node.lineno):
            body = function.body[1:] if is_docstring(function.body[0]) else function.body
            first = body[0] if body else function.body[0]
            if first.lineno <= function.lineno or not lines[first.lineno - 1][: first.col_offset].isspace():
                return _break_by_tree(tree, changed, marker)
            start = min([first.lineno, *(item.lineno for item in getattr(first, "decorator_list", []))])
            position = start - 1 if body else (first.end_lineno or first.lineno)
            indent = (
                " " * first.col_offset
                if "\t" not in lines[first.lineno - 1][: first.col_offset]
                else (lines[first.lineno - 1][: first.col_offset])
            )
            # The condition keeps the compiler from dropping the rest of the function.
            lines.insert(position, f"{indent}if str: raise RuntimeError({marker!r})\n")
        return "".join(lines)
    return _break_constants(tree, changed) if changed.constants else None


def _break_by_tree(tree: ast.Module, changed: ChangedCode, marker: str) -> str:
    statement = ast.parse(f"if str: raise RuntimeError({marker!r})").body[0]
    for function in functions_of(tree):
        if function.lineno in changed.functions:
            position = 1 if is_docstring(function.body[0]) else 0
            function.body.insert(position, statement)
    return ast.unparse(ast.fix_missing_locations(tree))


def _break_constants(tree: ast.Module, changed: ChangedCode) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.lineno in changed.constants:
            node.value = ast.parse("object()", mode="eval").body
    return ast.unparse(ast.fix_missing_locations(tree))


def fail_at_end(text: str, marker: str, *, script: bool) -> Control | None:
    """The reproduction in which every test, or the script, raises where it would have ended."""
    tree = ast.parse(text)
    error = ast.parse(f"raise RuntimeError({marker!r})").body[0]
    if script:
        _raise_instead_of_exits(tree, error)
        tree.body.append(error)
        return Control(ast.unparse(ast.fix_missing_locations(tree)))
    names = set()
    for test in _tests(tree):
        test.body = [_replace_returns(statement, error) for statement in test.body]
        test.body.append(error)
        names.add(test.name)
    return Control(ast.unparse(ast.fix_missing_locations(tree)), frozenset(names)) if names else None


def change_expectations(text: str, marker: str) -> Control | None:
    """The reproduction in which each test expects other values; None if it compares no plain value."""
    tree = ast.parse(text)
    names = set()
    for test in _tests(tree):
        changes = [_change_expectation(statement, marker) for statement in _straight(test.body)]
        if any(changes):
            names.add(test.name)
    return Control(ast.unparse(ast.fix_missing_locations(tree)), frozenset(names)) if names else None


def _tests(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The test functions of the module and its classes."""
    holders: list[ast.Module | ast.ClassDef] = [
        tree,
        *(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)),
    ]
    return [
        node
        for holder in holders
        for node in holder.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.name.startswith("test") or node.name == "runTest")
    ]


class _Returns(ast.NodeTransformer):
    """Replaces the returns of a function, but not those of functions inside it."""

    def __init__(self, error: ast.stmt) -> None:
        self.error = error

    def visit_Return(self, node: ast.Return) -> ast.AST | list[ast.stmt]:
        return [ast.Expr(node.value), self.error] if node.value else self.error

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return node


def _replace_returns(statement: ast.stmt, error: ast.stmt) -> ast.stmt:
    block = ast.If(test=ast.Name("str", ast.Load()), body=[statement], orelse=[])
    visited = _Returns(error).visit(block)
    return visited if isinstance(visited, ast.stmt) else statement


def _raise_instead_of_exits(tree: ast.Module, error: ast.stmt) -> None:
    class Exits(ast.NodeTransformer):
        def visit_Raise(self, node: ast.Raise) -> ast.AST | list[ast.stmt]:
            if isinstance(node.exc, ast.Call) and ast.unparse(node.exc.func) == "SystemExit":
                return [*(ast.Expr(value) for value in node.exc.args), error]
            return node

        def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.stmt]:
            if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) in (
                "sys.exit",
                "exit",
                "quit",
            ):
                return [*(ast.Expr(value) for value in node.value.args), error]
            return node

    Exits().visit(tree)


def _straight(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements that always run: not those of branches, loops, `try`, or blocks that expect an exception."""
    statements: list[ast.stmt] = []
    for statement in body:
        statements.append(statement)
        if isinstance(statement, ast.With | ast.AsyncWith):
            text = " ".join(ast.unparse(item.context_expr) for item in statement.items)
            if not any(word in text for word in ("aises", "suppress", "arns")):
                statements += _straight(statement.body)
        if isinstance(statement, ast.Return):
            break
    return statements


def _change_expectation(statement: ast.stmt, marker: str) -> bool:
    """Change the first plain value of an equality in this statement; False if it holds none."""
    if isinstance(statement, ast.Assert):
        test = statement.test
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq | ast.Is):
            sides = [test.left, *test.comparators]
            return _change_one(sides, marker, lambda values: _set_sides(test, values))
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        if (
            isinstance(call.func, ast.Attribute)
            and call.func.attr in EQUALITY_METHODS
            and len(call.args) >= 2
        ):
            return _change_one(
                call.args[:2], marker, lambda values: call.args.__setitem__(slice(0, 2), values)
            )
    return False


def _set_sides(test: ast.Compare, values: list[ast.expr]) -> None:
    test.left, test.comparators = values[0], values[1:]


def _change_one(sides: list[ast.expr], marker: str, put: object) -> bool:
    # The second side is the expected one by convention; two plain values compare nothing in any case.
    for index in (1, 0):
        other = _other_value(sides[index], marker)
        if other is not None:
            values = list(sides)
            values[index] = other
            put(values)  # type: ignore[operator]
            return True
    return False


def _other_value(side: ast.expr, marker: str) -> ast.expr | None:
    """An expression of another value of the same type; None if the value is not plain."""
    try:
        value = ast.literal_eval(side)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    other: object
    if isinstance(value, bool) or value is None:
        other = (not value) if isinstance(value, bool) else marker
    elif isinstance(value, int | float | complex):
        other = value + NUMBER_SHIFT
    elif isinstance(value, str):
        other = value + marker
    elif isinstance(value, bytes):
        other = value + marker.encode()
    else:
        other = [marker, repr(value)] if not isinstance(value, tuple) else (*value, marker)
    return ast.parse(repr(other), mode="eval").body
