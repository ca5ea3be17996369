"""Computes constant expressions of Python: `"ev" + "al"`, `not True` and `0o777` are seen as what they are. Pure."""

from __future__ import annotations

import ast
import base64
import binascii
import functools
import operator
import stat
from collections.abc import Callable, Mapping
from typing import Any

CACHED_TEXTS = 32  # texts of one patch that stay parsed: a patch has twelve files, each before and after
MAX_LENGTH = 20_000  # characters or elements of a computed value
MAX_DEPTH = 60  # nested expressions
MAX_NUMBER = 2**64
PARSE_ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError)
"""Everything that `ast.parse` raises for hostile text: NUL bytes are a ValueError, deep nesting the last two."""
OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.BitOr: operator.or_, ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}  # fmt: skip
TEXT_METHODS = frozenset(
    {"lower", "upper", "strip", "lstrip", "rstrip", "title", "swapcase", "capitalize", "decode", "encode"}
)


class Unknown:
    """The value of an expression that is not constant."""


UNKNOWN = Unknown()


@functools.lru_cache(maxsize=CACHED_TEXTS)
def parse(text: str) -> ast.Module | None:
    """The syntax tree, shared and not to be changed; None if the text does not parse."""
    try:
        return ast.parse(text)
    except PARSE_ERRORS:
        return None


def fold(node: ast.AST | None, names: Mapping[str, Any] | None = None, depth: int = 0) -> Any:
    """The constant value of an expression, or UNKNOWN.

    Args:
        names: values of names that are bound once, to a constant.
    """
    if node is None or depth > MAX_DEPTH:
        return UNKNOWN
    try:
        value = _fold(node, names or {}, depth + 1)
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, MemoryError, binascii.Error):
        return UNKNOWN
    too_long = isinstance(value, str | bytes | list | tuple) and len(value) > MAX_LENGTH
    return UNKNOWN if too_long else value


def _fold(node: ast.AST, names: Mapping[str, Any], depth: int) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return names.get(node.id, UNKNOWN)
        case ast.List() | ast.Tuple() | ast.Set():
            items = [fold(item, names, depth) for item in node.elts]
            return UNKNOWN if UNKNOWN in items else items
        case ast.Dict():
            keys = [fold(key, names, depth) for key in node.keys]
            values = [fold(value, names, depth) for value in node.values]
            return UNKNOWN if UNKNOWN in (*keys, *values) else dict(zip(keys, values, strict=True))
        case ast.BoolOp():
            return _logical(node, names, depth)
        case ast.UnaryOp():
            return _unary(node, names, depth)
        case ast.BinOp():
            return _binary(node, names, depth)
        case ast.JoinedStr():
            parts = [
                fold(part.value if isinstance(part, ast.FormattedValue) else part, names, depth)
                for part in node.values
            ]
            return UNKNOWN if UNKNOWN in parts else "".join(map(str, parts))
        case ast.Subscript():
            return _subscript(node, names, depth)
        case ast.Attribute(value=ast.Name(id="stat"), attr=attr):
            return getattr(stat, attr) if attr.startswith("S_I") else UNKNOWN
        case ast.Attribute(attr="CERT_NONE"):
            return "CERT_NONE"
        case ast.Call():
            return _call(node, names, depth)
        case ast.NamedExpr():
            return fold(node.value, names, depth)
    return UNKNOWN


def _logical(node: ast.BoolOp, names: Mapping[str, Any], depth: int) -> Any:
    """`x and False` is false and `x or True` is true, whatever x is."""
    values = [fold(value, names, depth) for value in node.values]
    is_or = isinstance(node.op, ast.Or)
    if any(value is not UNKNOWN and bool(value) == is_or for value in values):
        return is_or
    return UNKNOWN if UNKNOWN in values else not is_or


def _unary(node: ast.UnaryOp, names: Mapping[str, Any], depth: int) -> Any:
    value = fold(node.operand, names, depth)
    if value is UNKNOWN:
        return UNKNOWN
    if isinstance(node.op, ast.Not):
        return not value
    return -value if isinstance(node.op, ast.USub) else ~value if isinstance(node.op, ast.Invert) else value


def _binary(node: ast.BinOp, names: Mapping[str, Any], depth: int) -> Any:
    left, right = fold(node.left, names, depth), fold(node.right, names, depth)
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if isinstance(node.op, ast.Mult):
        sizes = [len(side) if isinstance(side, str | bytes | list) else abs(side) for side in (left, right)]
        return left * right if sizes[0] * sizes[1] <= MAX_LENGTH else UNKNOWN
    if isinstance(node.op, ast.Mod) and isinstance(left, str):
        return left % (tuple(right) if isinstance(right, list) else right)
    if isinstance(node.op, ast.LShift | ast.RShift):
        shifted: int = left << right if isinstance(node.op, ast.LShift) and right < 64 else left >> right
        return shifted
    value = OPERATORS[type(node.op)](left, right)
    return UNKNOWN if isinstance(value, int) and abs(value) > MAX_NUMBER else value


def _subscript(node: ast.Subscript, names: Mapping[str, Any], depth: int) -> Any:
    value = fold(node.value, names, depth)
    if value is UNKNOWN:
        return UNKNOWN
    if isinstance(node.slice, ast.Slice):
        bounds = [
            None if part is None else fold(part, names, depth)
            for part in (node.slice.lower, node.slice.upper, node.slice.step)
        ]
        return UNKNOWN if UNKNOWN in bounds else value[slice(*bounds)]
    index = fold(node.slice, names, depth)
    return UNKNOWN if index is UNKNOWN else value[index]


def _call(node: ast.Call, names: Mapping[str, Any], depth: int) -> Any:
    arguments = [fold(argument, names, depth) for argument in node.args]
    if UNKNOWN in arguments:
        return UNKNOWN
    if isinstance(node.func, ast.Name):
        return _builtin(node.func.id, arguments)
    if not isinstance(node.func, ast.Attribute):
        return UNKNOWN
    name = node.func.attr
    if name in ("b64decode", "urlsafe_b64decode", "standard_b64decode"):
        text = arguments[0] if isinstance(arguments[0], bytes) else str(arguments[0]).encode()
        return base64.b64decode(text.replace(b"-", b"+").replace(b"_", b"/") + b"==")
    if name in ("fromhex", "unhexlify", "a2b_hex"):
        return bytes.fromhex(arguments[0] if isinstance(arguments[0], str) else arguments[0].decode())
    value = fold(node.func.value, names, depth)
    if value is UNKNOWN or not isinstance(value, str | bytes):
        return UNKNOWN
    if name == "join":
        parts = arguments[0]
        return value.join(parts)
    if name == "replace" and len(value) * (1 + len(arguments[1])) <= MAX_LENGTH:
        return value.replace(arguments[0], arguments[1])
    if name == "format" and not node.keywords and isinstance(value, str) and ":" not in value:
        return value.format(*arguments)
    return getattr(value, name)(*arguments) if name in TEXT_METHODS else UNKNOWN


def _builtin(name: str, arguments: list[Any]) -> Any:
    value = arguments[0] if arguments else ""
    if name in ("bytes", "bytearray"):
        return bytes(value) if isinstance(value, list) else UNKNOWN
    if name in ("list", "tuple", "reversed"):
        items = list(value)
        return items[::-1] if name == "reversed" else items
    simple: dict[str, Callable[..., Any]] = {
        "chr": chr,
        "ord": ord,
        "int": int,
        "str": str,
        "bool": bool,
        "hex": hex,
        "oct": oct,
    }
    return simple[name](*arguments) if name in simple else UNKNOWN
