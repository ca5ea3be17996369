"""Protections in Python code, such as checks of access and of signatures. Finds those that a patch removes. Pure.

A protection counts only where it takes effect: not in a comment, not in dead code, and not if its answer is unused.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from workers.remediation.policy.guard_names import ANSWERS, ESCAPES, GUARDS, PROTECTING, GuardNames
from workers.remediation.policy.occurrences import Level
from workers.remediation.policy.python_constants import UNKNOWN, fold, parse
from workers.remediation.policy.python_names import read_names

ACCESS_LIST = re.compile(
    r"tokens?$|^users$|admins?$|staff|^keys$|api_keys|allowed|allow_?list|white_?list|block_?list|roles?$|permissions?$|scopes$"
    r"|trusted|sessions$|members$|owners$|passwords?$|exempt|public_paths|open_paths|middleware|auth\w*_(?:backends|classes)",
    re.IGNORECASE,
)
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Guarded:
    """One function or class with the protections that take effect in it."""

    path: str
    guards: Counter[str] = field(default_factory=Counter)
    decorators: set[str] = field(default_factory=set)
    parameters: tuple[str, ...] = ()
    denials: Counter[str] = field(default_factory=Counter)
    """Reachable statements that turn a request away."""
    body: str = ""
    is_public: bool = True


def find_removed_guards(
    before: Mapping[str, str], after: Mapping[str, str], known: GuardNames
) -> list[tuple[Level, str]]:
    """Level and sentence for each protection that occurs less often in a function than before.

    Args:
        before: texts of the changed files by path; `after` with the patch. A function may move between the files.
        known: names of protections.
    """
    old, new = _read_all(before, known), _read_all(after, known)
    sentences: list[tuple[Level, str]] = []
    for name, function in old.items():
        heir = new.get(name) or _heir(function, old, new)
        missing = function.guards - (heir.guards if heir else Counter())
        for guard in sorted(missing):
            level = Level.DRAFT if ESCAPES.search(guard) and not GUARDS.search(guard) else Level.REFUSAL
            sentences.append(
                (level, f"the patch removes a protection (`{guard}`) from {name} in {function.path}")
            )
    for name, function in old.items():
        if name in new and new[name].denials.total() < function.denials.total():
            level = Level.REFUSAL if known.guards(name.split(".")[-1]) else Level.DRAFT
            sentences.append((level, f"the patch rejects fewer requests in {name} in {function.path}"))
        if name not in new and function.decorators and function.is_public:
            sentences.append((Level.DRAFT, f"the patch removes or renames {name} in {function.path}"))
    sentences += _changed_lists(before, after)
    sentences += _replaced_guards(before, after, known)
    return sentences + _open_views(old, new, known) + _changed_guards(old, new, known)


def _heir(function: Guarded, old: Mapping[str, Guarded], new: Mapping[str, Guarded]) -> Guarded | None:
    """The new name's function if a function was renamed: one with the same body, or with its guards and parameters."""
    added = [candidate for name, candidate in new.items() if name not in old]
    same = [candidate for candidate in added if candidate.body == function.body]
    alike = [
        candidate
        for candidate in added
        if candidate.parameters == function.parameters and not function.guards - candidate.guards
    ]
    return next(iter((*same, *alike)), None)


def _open_views(
    old: Mapping[str, Guarded], new: Mapping[str, Guarded], known: GuardNames
) -> list[tuple[Level, str]]:
    """New functions without the guard that functions beside them have."""
    sentences = []
    for name, function in new.items():
        if name in old or not function.is_public or "." in name:
            continue
        first = function.parameters[:1]
        neighbours = [
            other
            for other in (*new.values(), *old.values())
            if other.path == function.path and other is not function
        ]
        guarded = [
            other
            for other in neighbours
            if any(map(known.matches, other.decorators))
            and (other.parameters[:1] == first or function.decorators)
        ]
        if guarded and not any(map(known.matches, function.decorators)) and not function.guards:
            sentences.append(
                (
                    Level.DRAFT,
                    f"the patch adds {name} without the protection that functions beside it have ({function.path})",
                )
            )
    return sentences


def _changed_lists(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[Level, str]]:
    """Constants that list permissions: only a person can judge a change of one."""
    old, new = (
        {f"{name} in {path}": value for path, text in texts.items() for name, value in _access_lists(text)}
        for texts in (before, after)
    )
    return [
        (Level.DRAFT, f"the patch changes a list of permissions: {name}")
        for name in old
        if name in new and old[name] != new[name]
    ]


def _access_lists(text: str) -> Iterator[tuple[str, str]]:
    tree = parse(text)
    for node in tree.body if tree else ():
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            if (
                isinstance(target, ast.Name)
                and ACCESS_LIST.search(target.id)
                and isinstance(node, ast.Assign)
            ):
                yield target.id, ast.unparse(node.value)


def _replaced_guards(
    before: Mapping[str, str], after: Mapping[str, str], known: GuardNames
) -> list[tuple[Level, str]]:
    """Protections that a file imported, and whose names now stand for something else."""
    sentences = []
    for path, text in after.items():
        old, new = read_names(before.get(path, "")), read_names(text)
        for name, meanings in old.bindings.items() if old and new else ():
            other = new.bindings.get(name, set()) if new else set()
            is_taken = (
                bool(new) and new is not None and (name in new.defined or (other and other != meanings))
            )
            if known.matches(name) and is_taken and old is not None and name not in old.defined:
                sentences.append((Level.REFUSAL, f"the patch replaces the protection {name} in {path}"))
    return sentences


def _changed_guards(
    old: Mapping[str, Guarded], new: Mapping[str, Guarded], known: GuardNames
) -> list[tuple[Level, str]]:
    """Functions that are protections themselves: only a person can judge a change of their effect."""
    return [
        (
            changed_level(name, function.body, new[name].body),
            f"the patch changes the protection {name} in {new[name].path}",
        )
        for name, function in old.items()
        if name in new
        and function.body != new[name].body
        and (known.guards(name.split(".")[-1]) or known.guards(name.split(".")[0]))
    ]


def changed_level(name: str, old: str, new: str) -> Level:
    """An escape that escapes more than before is only noted."""
    is_escape = ESCAPES.search(name) is not None and GUARDS.search(name) is None
    grows = set(re.findall(r"'[^']*'|\w+\(", old)) <= set(re.findall(r"'[^']*'|\w+\(", new))
    return Level.NOTE if is_escape and grows else Level.DRAFT


def _read_all(texts: Mapping[str, str], known: GuardNames) -> dict[str, Guarded]:
    functions: dict[str, Guarded] = {}
    for path, text in texts.items():
        tree = parse(text)
        for name, node in _functions(tree, "") if tree else ():
            functions[name if name not in functions else f"{name} ({path})"] = _read(path, name, node, known)
        if tree is not None:
            # Guards that are called or passed outside of any function: middleware, dependencies of routers.
            functions[f"the module {path}"] = Guarded(
                path, _effective(_top_statements(tree), known), is_public=False, body=path
            )
    return functions


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, FunctionNode | ast.ClassDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FunctionNode | ast.ClassDef):
            name = f"{prefix}{child.name}"
            yield name, child
            if isinstance(child, ast.ClassDef):
                yield from _functions(child, f"{name}.")
        elif isinstance(child, ast.If | ast.Try | ast.With):
            yield from _functions(child, prefix)


def _top_statements(tree: ast.Module) -> list[ast.stmt]:
    return [
        statement
        for statement in tree.body
        if not isinstance(statement, FunctionNode | ast.ClassDef | ast.Import | ast.ImportFrom)
    ]


def _read(path: str, name: str, node: FunctionNode | ast.ClassDef, known: GuardNames) -> Guarded:
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    statements = (
        node.body
        if isinstance(node, FunctionNode)
        else [part for part in node.body if not isinstance(part, FunctionNode | ast.ClassDef)]
    )
    guards = _effective(statements, known)
    guards.update(_guard_name(decorator) for decorator in decorators if known.matches(decorator))
    parameters: tuple[str, ...] = ()
    if isinstance(node, FunctionNode):
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        parameters = tuple(argument.arg for argument in arguments)
        defaults = [*node.args.defaults, *(value for value in node.args.kw_defaults if value)]
        notes = [argument.annotation for argument in arguments if argument.annotation]
        guards.update(_calls([*defaults, *notes], known))
    body = "\n".join(ast.unparse(statement) for statement in node.body if not _is_docstring(statement))
    denials = Counter(
        ast.unparse(part)
        for part in _reachable(node.body)
        if isinstance(part, ast.Return | ast.Raise) and PROTECTING.search(ast.unparse(part))
    )
    is_public = not name.rsplit(".", maxsplit=1)[-1].startswith("_")
    return Guarded(path, guards, decorators, parameters, denials, body, is_public)


def _guard_name(decorator: str) -> str:
    return "@" + decorator


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _effective(statements: list[ast.stmt], known: GuardNames) -> Counter[str]:
    """The guards in reachable statements whose answers are used."""
    guards: Counter[str] = Counter()
    loaded = Counter(node.id for statement in statements for node in ast.walk(statement)
                     if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))  # fmt: skip
    for statement in _reachable(statements):
        if isinstance(statement, ast.Expr) and _is_answer(statement.value):
            continue
        if (
            isinstance(statement, ast.Assign)
            and _is_answer(statement.value)
            and not any(
                loaded[node.id]
                for target in statement.targets
                for node in ast.walk(target)
                if isinstance(node, ast.Name)
            )
        ):
            continue
        if isinstance(statement, ast.If) and all(
            isinstance(part, ast.Pass) or _is_docstring(part) for part in statement.body
        ):
            continue
        guards.update(_calls(_own_expressions(statement), known))
    return guards


def _is_answer(value: ast.expr) -> bool:
    called = value.func if isinstance(value, ast.Call) else None
    return called is not None and ANSWERS.search(ast.unparse(called)) is not None


def _reachable(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in statements:
        dead = False
        if isinstance(statement, ast.If | ast.While):
            value = fold(statement.test)
            dead = value is not UNKNOWN and not value
            if value is not UNKNOWN and value and isinstance(statement, ast.If):
                yield from _reachable(statement.body)
                if _ends(statement.body):
                    return
                continue
        if not dead:
            yield statement
        for block in ("body", "orelse", "finalbody"):
            part = getattr(statement, block, None)
            if isinstance(part, list) and not (dead and block == "body"):
                yield from _reachable([item for item in part if isinstance(item, ast.stmt)])
        for handler in getattr(statement, "handlers", []):
            yield from _reachable(handler.body)
        if _ends([statement]):
            return


def _ends(statements: list[ast.stmt]) -> bool:
    return bool(statements) and isinstance(statements[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)


def _own_expressions(statement: ast.stmt) -> list[ast.expr]:
    return [child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.expr)] + [
        item.context_expr for item in getattr(statement, "items", []) if isinstance(item, ast.withitem)
    ]


def _calls(expressions: list[ast.expr], known: GuardNames) -> list[str]:
    names: list[str] = []
    stack: list[ast.AST] = list(expressions)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.BoolOp):
            stack += _deciding(node)
            continue
        if isinstance(node, ast.Call | ast.Name | ast.Attribute):
            named = node.func if isinstance(node, ast.Call) else node
            text = (
                named.id
                if isinstance(named, ast.Name)
                else named.attr
                if isinstance(named, ast.Attribute)
                else ""
            )
            # Names count too, because `Depends(current_user)` passes a guard without a call.
            if text and known.matches(text) and isinstance(node, ast.Call | ast.Name):
                names.append(text)
        stack += list(ast.iter_child_nodes(node))
    return names


def _deciding(node: ast.BoolOp) -> list[ast.AST]:
    """The operands that can decide: nothing counts in `guard() or True` and `guard() and False`."""
    ends = isinstance(node.op, ast.Or)
    for value in node.values:
        constant = fold(value)
        if constant is not UNKNOWN and bool(constant) == ends:
            return []
    return list(node.values)
