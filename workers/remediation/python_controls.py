"""Counter-checks of a Python reproduction: files with which a test must fail, or its result proves nothing. Pure.

- `break_code`: the changed functions raise. A reproduction that still passes does not depend on them.
- `idle_code`: they do nothing. A reproduction that still passes does not check their effect.
- `fail_at_end`: every test raises at its end. A test that still counts as passed was not reported by the runner.

`python_assertions` has a third one.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

from workers.remediation.changed_code import ChangedCode, functions_of, is_docstring


@dataclass(frozen=True)
class Control:
    """A changed file, and the names of the tests that must fail with it."""

    text: str
    tests: frozenset[str] = frozenset()


def break_code(text: str, changed: ChangedCode, marker: str) -> str | None:
    """The file with a `raise` at the start of each changed function; None if nothing can be broken.

    Without changed functions the values of changed assignments become an object that equals nothing.
    """
    if changed.functions or changed.decorators:
        decorated = _decorate(text, changed, f"@(lambda _: lambda *_a, **_k: {{}}[{marker!r}])")
        return _put_first(decorated, changed, lambda _name: f"raise RuntimeError({marker!r})")
    return _break_constants(ast.parse(text), changed) if changed.constants else None


def idle_code(text: str, changed: ChangedCode) -> str | None:
    """The file in which each changed function only returns an object that equals nothing; None without a function."""
    if not changed.functions and not changed.decorators:
        return None
    text = _decorate(text, changed, "@(lambda _: lambda *_a, **_k: object())")
    return _put_first(text, changed, lambda name: "return" if name == "__init__" else "return object()")


def _decorate(text: str, changed: ChangedCode, decorator: str) -> str:
    """The file with another decorator in front of each changed one."""
    lines = text.splitlines(keepends=True)
    for line in sorted(changed.decorators, reverse=True):
        indent = lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())]
        lines.insert(line - 1, f"{indent}{decorator}\n")
    return "".join(lines)


def _put_first(text: str, changed: ChangedCode, action: Callable[[str], str]) -> str:
    """The file with a statement in front of the body of each changed function. The rest of its text stays."""
    lines = text.splitlines(keepends=True)
    tree = ast.parse(text)
    shifted = {line + sum(above < line for above in changed.decorators) for line in changed.functions}
    functions = [node for node in functions_of(tree) if node.lineno in shifted]
    # From the end, so that earlier line numbers stay right.
    for function in sorted(functions, key=lambda node: -node.lineno):
        body = function.body[1:] if is_docstring(function.body[0]) else function.body
        first = body[0] if body else function.body[0]
        indent = lines[first.lineno - 1][: first.col_offset]
        if first.lineno <= function.lineno or not indent.isspace():
            return _put_first_by_tree(tree, shifted, action)
        start = min([first.lineno, *(item.lineno for item in getattr(first, "decorator_list", []))])
        position = start - 1 if body else (first.end_lineno or first.lineno)
        # The condition keeps the compiler from dropping the rest of the function.
        lines.insert(position, f"{indent}if str: {action(function.name)}\n")
    return "".join(lines)


def _put_first_by_tree(tree: ast.Module, lines: set[int], action: Callable[[str], str]) -> str:
    for function in functions_of(tree):
        if function.lineno in lines:
            text = f"def f():\n    if str: {action(function.name)}"
            holder = ast.parse(text).body[0]
            position = 1 if is_docstring(function.body[0]) else 0
            function.body[position:position] = holder.body if isinstance(holder, ast.FunctionDef) else []
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
    for test in tests_of(tree):
        test.body = [_replace_returns(statement, error) for statement in test.body]
        test.body.append(error)
        names.add(test.name)
    return Control(ast.unparse(ast.fix_missing_locations(tree)), frozenset(names)) if names else None


def tests_of(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
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
