"""Finds the code that a patch changes in a Python file: lines, and the functions and constants around them. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T", bound=ast.stmt)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class ChangedCode:
    """The changed code of one file with the patch. Lines are those of the patched file, from 1."""

    lines: frozenset[int] = frozenset()
    """Lines of which at least one runs if the changed code runs."""
    functions: frozenset[int] = frozenset()
    """First lines of the innermost functions that hold changes."""
    constants: frozenset[int] = frozenset()
    """First lines of changed assignments outside of functions."""
    decorators: frozenset[int] = frozenset()
    """Lines of changed decorators: such a change need not run the function below it."""
    literals_only: bool = False
    """True if only plain values of assignments outside functions changed."""


@dataclass
class _Collected:
    lines: set[int] = field(default_factory=set)
    functions: set[int] = field(default_factory=set)
    constants: set[int] = field(default_factory=set)
    decorators: set[int] = field(default_factory=set)
    other: bool = False


def find_changed_code(
    before: str | None, after: str, added: Iterable[int], deletions: Iterable[int]
) -> ChangedCode | None:
    """The changed code; None if only comments, docstrings or blank lines differ, or if `after` cannot be parsed.

    Args:
        before: the file without the patch; None for a new file.
        added: numbers of added lines.
        deletions: numbers of lines in the patched file at which lines were only deleted.
    """
    tree = _parse(after)
    old = _parse(before) if before is not None else None
    if tree is None or (old is not None and _shape(tree) == _shape(old)):
        return None
    collected = _Collected()
    for line in added:
        _collect_added(tree, line, collected)
    for line in deletions:
        _collect_deleted(tree, line, collected)
    literals = bool(collected.constants) and not collected.functions and not collected.other
    return ChangedCode(
        frozenset(collected.lines), frozenset(collected.functions), frozenset(collected.constants),
        frozenset(collected.decorators), literals,
    )  # fmt: skip


def function_lines(text: str, line: int) -> range:
    """The lines of the body of the innermost function around a line; the line alone if there is none.

    The header of a function runs when its module is imported, so it shows nothing about a call.
    """
    tree = _parse(text)
    function = _innermost_function(tree, line) if tree else None
    return range(function.body[0].lineno, _last(function) + 1) if function else range(line, line + 1)


def is_docstring(statement: ast.stmt) -> bool:
    """True for a statement that is only a string."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def functions_of(tree: ast.AST) -> Iterator[Function]:
    """All functions of a tree, at any depth."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _parse(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _shape(tree: ast.Module) -> str:
    """The tree as text, without positions and docstrings."""
    copy = ast.parse(ast.unparse(tree))
    for node in ast.walk(copy):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and is_docstring(body[0]):
            body[0] = ast.Pass()
    return ast.dump(copy)


def _collect_added(tree: ast.Module, line: int, collected: _Collected) -> None:
    statement = _innermost_statement(tree, line)
    if statement is None or is_docstring(statement):
        return
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and line < statement.lineno:
        collected.decorators.add(line)
        collected.lines.add(line)
        collected.other = True
        return
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        # The header runs at import; only the body shows that the function was called.
        collected.functions.add(statement.lineno)
        collected.lines.update(range(statement.body[0].lineno, _last(statement) + 1))
        return
    function = _innermost_function(tree, line)
    if function is not None:
        collected.functions.add(function.lineno)
    elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
        collected.constants.add(statement.lineno)
        collected.other = collected.other or not _is_literal(statement.value)
    elif not isinstance(statement, ast.Import | ast.ImportFrom):
        collected.other = True
    has_body = isinstance(getattr(statement, "body", None), list)
    collected.lines.update([line] if has_body else range(statement.lineno, _last(statement) + 1))


def _collect_deleted(tree: ast.Module, line: int, collected: _Collected) -> None:
    function = _innermost_function(tree, line) or _innermost_function(tree, line - 1)
    if function is not None:
        collected.functions.add(function.lineno)
        collected.lines.update(range(function.body[0].lineno, _last(function) + 1))
        return
    collected.other = True
    collected.lines.update(range(max(1, line - 1), line + 2))


def _innermost_statement(tree: ast.Module, line: int) -> ast.stmt | None:
    return _smallest([
        node for node in ast.walk(tree) if isinstance(node, ast.stmt) and line in _extent(node)
    ])  # fmt: skip


def _innermost_function(tree: ast.Module, line: int) -> Function | None:
    return _smallest([node for node in functions_of(tree) if line in _extent(node)])


def _smallest(nodes: list[T]) -> T | None:
    return min(nodes, key=lambda node: len(_extent(node)), default=None)


def _extent(node: ast.stmt) -> range:
    decorators = [item.lineno for item in getattr(node, "decorator_list", [])]
    return range(min([node.lineno, *decorators]), _last(node) + 1)


def _last(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _is_literal(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True
