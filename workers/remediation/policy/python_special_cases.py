"""Python code that answers one input instead of fixing the cause, and queries that are made of text. Pure."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from workers.remediation.policy.occurrences import Level, Occurrence, Occurrences
from workers.remediation.policy.python_constants import UNKNOWN
from workers.remediation.policy.python_names import Names, read_names

ORDINARY = (None, "", 0, 1, -1, True, False, 100, 1000, 2, 10)
LONG_TEXT = 12  # characters of a text that names one input
IMAGE = re.compile(r"[\[{(].*[:,'\"].*[\]})]$", re.S)  # the text of a whole value
SQL = re.compile(
    r"\b(?:select\b.+\bfrom|insert\s+into|update\b.+\bset|delete\s+from|drop\s+table|alter\s+table|where)\b",
    re.I | re.S,
)
SQL_CALLS = frozenset(
    {
        "execute",
        "executemany",
        "executescript",
        "raw",
        "text",
        "fetch",
        "fetchrow",
        "fetchval",
        "query",
        "read_sql",
    }
)
PLACEHOLDERS = re.compile(
    r"^(?:[\"'](?:, ?)?[\"']\.join\(.*[\"'](?:\?|%s)[\"'].*\)|[A-Z][A-Z0-9_]*|self\.[A-Z_]+|\w*(?:placeholders?"
    r"|marks|table(?:_name)?|columns?|fields)\w*)$"
)


def find_special_cases(text: str) -> Occurrences:
    """Comparisons of whole inputs that decide a fixed answer, and queries made of text."""
    names = read_names(text)
    if names is None:
        return Counter()
    occurrences = Counter(occurrence for node in names.nodes for occurrence in _special(names, node))
    occurrences.update(occurrence for node in names.nodes for occurrence in _queries(names, node))
    return occurrences


def _special(names: Names, node: ast.AST) -> Iterator[Occurrence]:
    if isinstance(node, ast.If | ast.IfExp):
        body = node.body if isinstance(node, ast.If) else [ast.Return(node.body)]
        answers = [
            part
            for statement in body
            for part in ast.walk(statement)
            if isinstance(part, ast.Return | ast.Assign)
        ]
        if any(names.constant(part.value) is not UNKNOWN for part in answers):
            yield from _condition(names, node.test)
    if isinstance(node, ast.match_case) and isinstance(node.pattern, ast.MatchSequence | ast.MatchMapping):
        parts = node.pattern.patterns
        if parts and all(isinstance(part, ast.MatchValue | ast.MatchMapping) for part in parts):
            yield Occurrence(
                Level.REFUSAL,
                "the patch handles one input instead of fixing the cause",
                ast.unparse(node.pattern),
            )
    if isinstance(node, ast.Dict) and any(
        isinstance(key := names.constant(part), str) and IMAGE.match(key) for part in node.keys
    ):
        yield Occurrence(Level.REFUSAL, "the patch handles one input instead of fixing the cause", "")
    if isinstance(node, ast.Dict) and any(
        isinstance(key, ast.Tuple) and names.constant(key) is not UNKNOWN for key in node.keys
    ):
        yield Occurrence(Level.DRAFT, "the patch handles single inputs with a table of answers", "")


def _condition(names: Names, test: ast.expr) -> Iterator[Occurrence]:
    for part in ast.walk(test):
        if not isinstance(part, ast.Compare) or not isinstance(part.ops[0], ast.Eq | ast.Is | ast.In):
            continue
        sides = [part.left, *part.comparators]
        constants = [value for value in map(names.constant, sides) if value is not UNKNOWN]
        if len(constants) == len(sides):
            continue
        for value in constants:
            if level := _input_level(value, part.ops[0]):
                yield Occurrence(
                    level, "the patch handles one input instead of fixing the cause", ast.unparse(part)
                )
    for part in ast.walk(test):
        if isinstance(part, ast.Compare) and any(_is_image(side) for side in (part.left, *part.comparators)):
            yield Occurrence(
                Level.DRAFT, "the patch handles one input instead of fixing the cause", ast.unparse(part)
            )
    if sum(isinstance(part, ast.Compare) and isinstance(part.ops[0], ast.Eq) for part in ast.walk(test)) > 2:
        yield Occurrence(
            Level.DRAFT, "the patch handles one input instead of fixing the cause", ast.unparse(test)
        )


def _is_image(node: ast.expr) -> bool:
    """True for the text of a whole value, as in `str(cart)`."""
    called = ast.unparse(node.func) if isinstance(node, ast.Call) and node.args else ""
    return called in ("repr", "json.dumps", "hash", "pickle.dumps") or (
        called == "str" and isinstance(node, ast.Call) and isinstance(node.args[0], ast.Name)
    )


def _input_level(value: object, operator: ast.cmpop) -> Level | None:
    if isinstance(value, list | dict):
        is_whole = not isinstance(operator, ast.In) and len(value) > 0
        nested = isinstance(value, list) and any(isinstance(item, list | dict) for item in value)
        return Level.REFUSAL if is_whole or nested else None
    if value in ORDINARY and not isinstance(value, float):
        return None
    if isinstance(value, str):
        return Level.DRAFT if len(value) >= LONG_TEXT or re.search(r"[\[{(]", value) else None
    return Level.DRAFT if isinstance(value, int | float) and not isinstance(operator, ast.In) else None


def _queries(names: Names, node: ast.AST) -> Iterator[Occurrence]:
    if not isinstance(node, ast.Call) or not node.args:
        return
    name = (
        node.func.attr
        if isinstance(node.func, ast.Attribute)
        else node.func.id
        if isinstance(node.func, ast.Name)
        else ""
    )
    if name not in SQL_CALLS:
        return
    query = node.args[0]
    if isinstance(query, ast.Name):
        assigned = [other.value for other in names.nodes if isinstance(other, ast.Assign)
                    and any(isinstance(target, ast.Name) and target.id == query.id for target in other.targets)
                    ]  # fmt: skip
        query = assigned[0] if assigned else query
    inserted = list(_inserted(names, query))
    if SQL.search(ast.unparse(query)) and inserted:
        is_harmless = all(PLACEHOLDERS.match(ast.unparse(part)) for part in inserted)
        level = Level.DRAFT if is_harmless else Level.REFUSAL
        if not is_harmless or isinstance(query, ast.JoinedStr | ast.BinOp):
            yield Occurrence(Level.NOTE if is_harmless else level, "the patch builds a query from text", name)


def _inserted(names: Names, query: ast.expr) -> Iterator[ast.expr]:
    """The parts of a query that are not constant."""
    if names.constant(query) is not UNKNOWN:
        return
    if isinstance(query, ast.JoinedStr):
        yield from (
            part.value
            for part in query.values
            if isinstance(part, ast.FormattedValue) and names.constant(part.value) is UNKNOWN
        )
    elif isinstance(query, ast.BinOp):
        for side in (query.left, query.right):
            if isinstance(side, ast.BinOp | ast.JoinedStr):
                yield from _inserted(names, side)
            elif isinstance(side, ast.Tuple):
                yield from (item for item in side.elts if names.constant(item) is UNKNOWN)
            elif names.constant(side) is UNKNOWN:
                yield side
    elif (
        isinstance(query, ast.Call)
        and isinstance(query.func, ast.Attribute)
        and query.func.attr in ("format", "join", "replace")
    ):
        yield from (argument for argument in query.args if names.constant(argument) is UNKNOWN)
        yield from (keyword.value for keyword in query.keywords if names.constant(keyword.value) is UNKNOWN)
