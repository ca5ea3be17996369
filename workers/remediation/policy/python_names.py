"""Resolves the names of a Python file: `run` to `os.system` after `from os import system as run`.

The resolution ignores the order of statements and the scopes of names, so a name may stand for several things.
"""

from __future__ import annotations

import ast
import builtins
import functools
from collections.abc import Iterator
from typing import Any

from workers.remediation.policy.python_constants import CACHED_TEXTS, UNKNOWN, fold, parse

MAX_DEPTH = 25  # nested expressions that are followed
MAX_ROUNDS = 4  # aliases of aliases that are followed
MAX_MEANINGS = 12  # meanings of one name
BUILTINS = frozenset(dir(builtins))
GETATTR = ("builtins.getattr", "operator.attrgetter", "inspect.getattr_static")
IMPORTERS = ("builtins.__import__", "importlib.import_module", "importlib.__import__")
NAMESPACES = ("builtins.globals", "builtins.locals", "builtins.vars")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Names:
    """The names of one file."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.nodes = list(ast.walk(tree))
        self.bindings: dict[str, set[str]] = {}
        self.attributes: dict[str, set[str]] = {}
        self.constants: dict[str, Any] = _single_constants(self.nodes)
        self.defined = _defined(tree)
        self.stars: list[str] = []
        self.imports: set[str] = set()
        self._bind_imports()
        for _ in range(MAX_ROUNDS):
            if not self._bind_assignments():
                break

    def constant(self, node: ast.AST | None) -> Any:
        """The constant value of an expression, or UNKNOWN."""
        return fold(node, self.constants)

    def meanings(self, node: ast.AST | None, depth: int = 0) -> set[str]:
        """The dotted names that the expression may stand for; empty if none is known."""
        if node is None or depth > MAX_DEPTH:
            return set()
        meanings = self._meanings(node, depth + 1)
        return set(sorted(meanings)[:MAX_MEANINGS]) if len(meanings) > MAX_MEANINGS else meanings

    def _meanings(self, node: ast.AST, depth: int) -> set[str]:
        match node:
            case ast.Name():
                meanings = self.bindings.get(node.id, set())
                if node.id == "__builtins__":
                    return {"builtins"}
                is_builtin = node.id in BUILTINS and node.id not in self.defined
                return meanings | {f"builtins.{node.id}"} if is_builtin else meanings
            case ast.Attribute():
                return self._attribute(node.value, node.attr, depth) | self.attributes.get(node.attr, set())
            case ast.Call():
                return self._call(node, depth)
            case ast.Subscript():
                return self._subscript(node, depth)
            case ast.IfExp():
                return self.meanings(node.body, depth) | self.meanings(node.orelse, depth)
            case ast.BoolOp():
                return {name for value in node.values for name in self.meanings(value, depth)}
            case ast.NamedExpr() | ast.Starred() | ast.Await():
                return self.meanings(node.value, depth)
            case ast.List() | ast.Tuple() | ast.Set():
                return {name for item in node.elts for name in self.meanings(item, depth)}
            case ast.Dict():
                return {name for item in node.values for name in self.meanings(item, depth)}
            case ast.Lambda():
                return (
                    self.meanings(node.body, depth)
                    if isinstance(node.body, ast.Name | ast.Attribute)
                    else set()
                )
        return set()

    def _attribute(self, value: ast.expr, attribute: str, depth: int) -> set[str]:
        owners = self.meanings(value, depth)
        if attribute == "__dict__":
            return owners
        return {_canonical(f"{owner}.{attribute}") for owner in owners}

    def _call(self, node: ast.Call, depth: int) -> set[str]:
        called = self.meanings(node.func, depth)
        arguments = node.args
        if called & set(GETATTR[::2]) and len(arguments) >= 2:
            name = self.constant(arguments[1])
            return self._attribute(arguments[0], name, depth) if isinstance(name, str) else set()
        if called & set(IMPORTERS) and arguments:
            name = self.constant(arguments[0])
            return {name} if isinstance(name, str) else set()
        if called & set(NAMESPACES):
            return self.meanings(arguments[0], depth) if arguments else {"builtins"}
        if "functools.partial" in called and arguments:
            return self.meanings(arguments[0], depth)
        if isinstance(node.func, ast.Call) and "operator.attrgetter" in self.meanings(node.func.func, depth):
            name = self.constant(node.func.args[0]) if node.func.args else None
            return (
                self._attribute(arguments[0], name, depth) if isinstance(name, str) and arguments else set()
            )
        if "builtins.type" in called:
            return set()
        return {name.removeprefix("call:") for name in called if name.startswith("call:")}

    def _subscript(self, node: ast.Subscript, depth: int) -> set[str]:
        owners = self.meanings(node.value, depth)
        key = self.constant(node.slice)
        if isinstance(node.value, ast.List | ast.Tuple | ast.Dict | ast.Name) and not isinstance(key, str):
            return owners
        if "sys.modules" in owners and isinstance(key, str):
            return {"sys.modules", key}
        if isinstance(key, str):
            direct = owners if isinstance(node.value, ast.Dict | ast.Name) else set()
            return direct | {_canonical(f"{owner}.{key}") for owner in owners} | self.bindings.get(key, set())
        return set()

    def _bind_imports(self) -> None:
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    self.bindings.setdefault(alias.asname or top, set()).add(
                        alias.name if alias.asname else top
                    )
                    self.imports.add(alias.name)
            elif isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                for alias in node.names:
                    self._bind_from(module, alias)

    def _bind_from(self, module: str, alias: ast.alias) -> None:
        self.imports.add(f"{module}.{alias.name}")
        if alias.name == "*":
            self.stars.append(module)
            return
        self.bindings.setdefault(alias.asname or alias.name, set()).add(_canonical(f"{module}.{alias.name}"))

    def _bind_assignments(self) -> bool:
        before = sum(map(len, self.bindings.values())) + sum(map(len, self.attributes.values()))
        for target, value in _assignments(self.nodes):
            meanings = self.meanings(value)
            if isinstance(value, FunctionNode):
                returned = [node.value for node in ast.walk(value) if isinstance(node, ast.Return)]
                meanings = {
                    f"call:{name}" for item in returned for name in self.meanings(item) if "call:" not in name
                }
            if not meanings:
                continue
            if isinstance(target, ast.Name):
                self.bindings.setdefault(target.id, set()).update(meanings)
            elif isinstance(target, ast.Attribute) and len(meanings) <= MAX_MEANINGS:
                self.attributes.setdefault(target.attr, set()).update(meanings)
        return sum(map(len, self.bindings.values())) + sum(map(len, self.attributes.values())) > before


@functools.lru_cache(maxsize=CACHED_TEXTS)
def read_names(text: str) -> Names | None:
    """The names of a file; None if its text does not parse."""
    tree = parse(text)
    return None if tree is None else Names(tree)


def _canonical(name: str) -> str:
    """One name for each thing: `__builtins__` is the module builtins, `posix` is os."""
    for alias, real in (("builtins.__builtins__", "builtins"), ("posix", "os"), ("nt", "os"), ("_io", "io")):
        if name == alias or name.startswith(f"{alias}."):
            return real + name.removeprefix(alias)
    return name


def _defined(tree: ast.Module) -> set[str]:
    """Names that the module itself defines at its top, where they hide a builtin."""
    names = {node.name for node in tree.body if isinstance(node, FunctionNode | ast.ClassDef)}
    deleted = {target.id for node in ast.walk(tree) if isinstance(node, ast.Delete)
               for target in node.targets if isinstance(target, ast.Name)}  # fmt: skip
    return names - deleted


def _assignments(nodes: list[ast.AST]) -> Iterator[tuple[ast.expr, ast.AST]]:
    """Target and value of everything that binds a name."""
    for node in nodes:
        match node:
            case ast.Assign():
                for target in node.targets:
                    yield from _pairs(target, node.value)
            case ast.AnnAssign(value=ast.expr()) | ast.NamedExpr():
                yield node.target, node.value  # type: ignore[misc]
            case ast.With() | ast.AsyncWith():
                yield from (
                    (item.optional_vars, item.context_expr) for item in node.items if item.optional_vars
                )
            case ast.For() | ast.AsyncFor() | ast.comprehension():
                yield from _pairs(node.target, node.iter)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield ast.Name(node.name), node
                yield from _defaults(node.args)
            case ast.Lambda():
                yield from _defaults(node.args)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.AST]]:
    if isinstance(target, ast.Tuple | ast.List):
        values = (
            value.elts
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
            else None
        )
        for index, part in enumerate(target.elts):
            yield part, values[index] if values else value
    else:
        yield target, value


def _defaults(arguments: ast.arguments) -> Iterator[tuple[ast.expr, ast.AST]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    for argument, default in zip(reversed(positional), reversed(arguments.defaults), strict=False):
        yield ast.Name(argument.arg), default
    for argument, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if value is not None:
            yield ast.Name(argument.arg), value


def _single_constants(nodes: list[ast.AST]) -> dict[str, Any]:
    """Names that are bound once, to a constant."""
    values: dict[str, list[Any]] = {}
    for target, value in _assignments(nodes):
        if isinstance(target, ast.Name):
            values.setdefault(target.id, []).append(fold(value, {}))
    for node in nodes:
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            values.setdefault(node.target.id, []).append(UNKNOWN)
        elif isinstance(node, ast.arg):
            values.setdefault(node.arg, []).append(UNKNOWN)
    return {
        name: assigned[0]
        for name, assigned in values.items()
        if len(assigned) == 1 and assigned[0] is not UNKNOWN
    }
