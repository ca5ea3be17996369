"""Python code that changes other modules or classes while it runs. Pure."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from workers.remediation.policy.occurrences import Level, Occurrence
from workers.remediation.policy.python_names import FunctionNode, Names

SENTENCE = "the patch changes another module at run time"
STANDARD = frozenset(sys.stdlib_module_names)


def find_patching(names: Names, node: ast.AST) -> Iterator[Occurrence]:
    """Assignments to attributes of imported modules and classes, and `setattr` on them."""
    for target, value in _targets(node):
        owner = target.value
        if isinstance(target, ast.Subscript):
            if isinstance(owner, ast.Attribute) and owner.attr == "__dict__":
                yield Occurrence(Level.REFUSAL, SENTENCE, ast.unparse(target))
            continue
        if isinstance(owner, ast.Name) and owner.id in ("self", "cls"):
            continue
        for meaning in names.meanings(owner) or ({""} if _is_class(names, owner) else set()):
            yield Occurrence(_level(meaning, names, value), SENTENCE, ast.unparse(target))
            break
    if (
        isinstance(node, ast.Call)
        and names.meanings(node.func) & {"builtins.setattr", "builtins.delattr"}
        and node.args
    ):
        for meaning in names.meanings(node.args[0]):
            yield Occurrence(Level.REFUSAL, SENTENCE, f"setattr({meaning}, …)")
            break
    if (
        isinstance(node, ast.Attribute)
        and node.attr in ("__class__", "__code__")
        and isinstance(node.ctx, ast.Store)
    ):
        yield Occurrence(Level.REFUSAL, SENTENCE, ast.unparse(node))


def _targets(node: ast.AST) -> Iterator[tuple[ast.Attribute | ast.Subscript, ast.expr | None]]:
    value: ast.expr | None
    if isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets, value = [node.target], node.value
    elif isinstance(node, ast.Delete):
        targets, value = node.targets, None
    else:
        return
    for target in targets:
        for part in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
            if isinstance(part, ast.Attribute | ast.Subscript):
                yield part, value


def _is_class(names: Names, owner: ast.expr) -> bool:
    return isinstance(owner, ast.Name) and any(
        isinstance(node, ast.ClassDef) and node.name == owner.id for node in names.nodes
    )


def _level(meaning: str, names: Names, value: ast.expr | None) -> Level:
    """A setting of a library may be set; functions of anything, and the standard library, may not be replaced."""
    top = meaning.partition(".")[0]
    functions = {node.name for node in names.nodes if isinstance(node, FunctionNode)}
    is_function = isinstance(value, ast.Lambda) or (isinstance(value, ast.Name) and value.id in functions)
    if value is None or is_function or top in STANDARD or top == "builtins":
        return Level.REFUSAL
    return Level.DRAFT
