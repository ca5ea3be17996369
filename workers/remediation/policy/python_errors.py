"""Python code that hides errors instead of fixing their cause. Pure."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from workers.remediation.policy.occurrences import Level, Occurrence, Occurrences
from workers.remediation.policy.python_constants import UNKNOWN
from workers.remediation.policy.python_names import Names, read_names

BROAD = frozenset({"builtins.Exception", "builtins.BaseException", "builtins.object"})
MANY_ERRORS = 4  # kinds of errors: a handler of so many is meant for all of them
REPORTERS = frozenset({
    "print", "log", "debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "write", "print_exc",
    "format_exc", "capture_exception", "capture_message", "record_exception", "set_status", "incr", "increment", "inc",
    "append", "add", "flush", "sleep", "notify", "set_attribute", "str", "repr", "getLogger", "get_logger",
})  # fmt: skip
"""Calls that tell of an error and change nothing about the result."""
IGNORED = "the patch ignores every error instead of fixing the cause"
CAUGHT = "the patch catches every error"


def find_hidden_errors(text: str) -> Occurrences:
    """The handlers of a file that hide errors; none if it does not parse."""
    names = read_names(text)
    if names is None:
        return Counter()
    return Counter(occurrence for node in names.nodes for occurrence in _hidden(names, node))


def _hidden(names: Names, node: ast.AST) -> Iterator[Occurrence]:
    if isinstance(node, ast.ExceptHandler):
        yield from _handler(names, node)
    if isinstance(node, ast.Call) and "contextlib.suppress" in names.meanings(node.func):
        kinds = [ast.unparse(argument) for argument in node.args]
        if any(_is_broad(names, argument) for argument in node.args):
            yield Occurrence(Level.REFUSAL, IGNORED, "suppress")
        elif kinds:
            yield Occurrence(Level.NOTE, "the patch ignores an error", f"suppress({', '.join(kinds)})")
    if isinstance(node, ast.Try | ast.TryStar):
        leaves = [child for statement in node.finalbody for child in ast.walk(statement)
                  if isinstance(child, ast.Return | ast.Break | ast.Continue)]  # fmt: skip
        if leaves:
            yield Occurrence(
                Level.REFUSAL, "the patch drops errors in a finally block", ast.unparse(leaves[0])
            )
    if isinstance(node, ast.keyword) and node.arg == "return_exceptions" and names.constant(node.value):
        yield Occurrence(Level.NOTE, "the patch collects errors instead of raising them", "return_exceptions")


def _handler(names: Names, node: ast.ExceptHandler) -> Iterator[Occurrence]:
    raises = isinstance(node.body[-1], ast.Raise)
    kind = ast.unparse(node.type) if node.type else "every error"
    if raises:
        return
    is_trivial = all(_is_trivial(names, statement) for statement in node.body)
    if _is_broad(names, node.type):
        raises_sometimes = any(isinstance(child, ast.Raise) for statement in node.body for child in ast.walk(statement)
                               if not _is_dead(names, statement))  # fmt: skip
        hides = is_trivial or not (raises_sometimes or _answers(node))
        yield Occurrence(Level.REFUSAL if hides else Level.DRAFT, IGNORED if hides else CAUGHT, kind)
    elif isinstance(node.type, ast.Tuple) and len(node.type.elts) >= MANY_ERRORS:
        yield Occurrence(Level.DRAFT, CAUGHT, kind)
    elif is_trivial:
        yield Occurrence(Level.NOTE, "the patch returns a fixed result after an error", kind)


def _is_broad(names: Names, kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    if isinstance(kind, ast.Tuple | ast.List):
        return any(_is_broad(names, element) for element in kind.elts)
    if isinstance(kind, ast.Starred):
        return _is_broad(names, kind.value)
    if isinstance(kind, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
        meanings = names.meanings(kind)
        # An error class that cannot be resolved to a name is computed, so it may be any.
        return bool(meanings & BROAD) or isinstance(kind, ast.Call | ast.Subscript)
    return True


def _is_dead(names: Names, statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.If)
        and (value := names.constant(statement.test)) is not UNKNOWN
        and not value
    )


def _is_trivial(names: Names, statement: ast.stmt) -> bool:
    """True for statements that only report, do nothing, or give a fixed result."""
    match statement:
        case (
            ast.Pass()
            | ast.Continue()
            | ast.Break()
            | ast.Import()
            | ast.ImportFrom()
            | ast.Global()
            | ast.Nonlocal()
        ):
            return True
        case ast.Return():
            return _is_fixed(names, statement.value)
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            return _is_fixed(names, statement.value) or _is_report(statement.value)
        case ast.Expr():
            return isinstance(statement.value, ast.Constant) or _is_report(statement.value)
        case ast.If():
            return all(_is_trivial(names, part) for part in (*statement.body, *statement.orelse))
        case ast.With() | ast.Try():
            return all(_is_trivial(names, part) for part in statement.body)
    return False


def _is_fixed(names: Names, value: ast.expr | None) -> bool:
    if value is None or names.constant(value) is not UNKNOWN or isinstance(value, ast.Name | ast.JoinedStr):
        return True
    if isinstance(value, ast.Attribute):
        return True
    if isinstance(value, ast.Call):
        name = (
            value.func.id
            if isinstance(value.func, ast.Name)
            else value.func.attr
            if isinstance(value.func, ast.Attribute)
            else ""
        )
        return (not value.args and not value.keywords) or name in (
            "Decimal",
            "dict",
            "list",
            "set",
            "tuple",
            "str",
            "repr",
            "int",
            "float",
        )
    parts = [child for child in ast.iter_child_nodes(value) if isinstance(child, ast.expr)]
    return isinstance(value, ast.Dict | ast.List | ast.Tuple | ast.Set | ast.UnaryOp | ast.BinOp) and all(
        _is_fixed(names, part) for part in parts
    )


def _is_report(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Await):
        return _is_report(value.value)
    if not isinstance(value, ast.Call):
        return False
    return isinstance(value.func, ast.Name | ast.Attribute) and (
        (value.func.id if isinstance(value.func, ast.Name) else value.func.attr) in REPORTERS
    )


def _answers(node: ast.ExceptHandler) -> bool:
    """True if the handler does something of its own: answers a client, rolls back, calls another way."""
    calls = [child for statement in node.body for child in ast.walk(statement) if isinstance(child, ast.Call)]
    return any(not _is_report(call) for call in calls)
