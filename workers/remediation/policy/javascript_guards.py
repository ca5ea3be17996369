"""Protections in JavaScript and TypeScript code, and those that a patch removes. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from workers.remediation.policy.guard_names import ANSWERS, ESCAPES, GUARDS, GuardNames
from workers.remediation.policy.javascript_names import FUNCTIONS, argument_list, fold
from workers.remediation.policy.javascript_tree import Node, parse_source
from workers.remediation.policy.occurrences import Level
from workers.remediation.policy.python_constants import UNKNOWN
from workers.remediation.policy.python_guards import changed_level

ROUTE = re.compile(r"\.(?:get|post|put|patch|delete|all|use|route|head|options)$")
Owners = dict[str, Counter[str]]


def find_removed_guards(
    before: Mapping[str, str], after: Mapping[str, str], known: GuardNames
) -> list[tuple[Level, str]]:
    """Level and sentence for each protection that occurs less often in a route or a function than before.

    Args:
        before: texts of the changed files by path; `after` with the patch. Code may move between the files.
        known: names of protections.
    """
    old, new = _read_all(before, known), _read_all(after, known)
    added = [guards for owner, guards in new.items() if owner not in old]
    sentences = []
    for owner, guards in old.items():
        heirs = [new[owner]] if owner in new else [other for other in added if not guards - other]
        missing = guards - (heirs[0] if heirs else Counter())
        for guard in sorted(missing):
            level = Level.DRAFT if ESCAPES.search(guard) and not GUARDS.search(guard) else Level.REFUSAL
            sentences.append((level, f"the patch removes a protection (`{guard}`) from {owner}"))
    return sentences + _open_routes(old, new) + _changed_guards(before, after, known)


def _open_routes(old: Owners, new: Owners) -> list[tuple[Level, str]]:
    """New routes without the guard that most routes beside them have."""
    routes = {
        owner: guards
        for owner, guards in new.items()
        if owner.startswith("the route ") and " use " not in owner
    }
    guarded = [owner for owner, guards in routes.items() if guards and owner in old]
    return [
        (Level.DRAFT, f"the patch adds {owner} without the protection that routes beside it have")
        for owner, guards in routes.items()
        if owner not in old and not guards and guarded
    ]


def _changed_guards(
    before: Mapping[str, str], after: Mapping[str, str], known: GuardNames
) -> list[tuple[Level, str]]:
    old, new = _bodies(before), _bodies(after)
    return [
        (changed_level(name, body, new[name]), f"the patch changes the protection {name}")
        for name, body in old.items()
        if name in new and new[name] != body and known.guards(name)
    ]


def _bodies(texts: Mapping[str, str]) -> dict[str, str]:
    bodies: dict[str, str] = {}
    for path, text in texts.items():
        parsed = parse_source(path, text)
        for node in parsed.root.walk() if parsed else ():
            if node.type in FUNCTIONS and (name := _function_name(node)) and (body := node.get("body")):
                bodies[name] = re.sub(r"\s+", " ", body.text)
    return bodies


def _read_all(texts: Mapping[str, str], known: GuardNames) -> Owners:
    owners: Owners = {}
    for path, text in texts.items():
        parsed = parse_source(path, text)
        for node in parsed.root.walk() if parsed else ():
            _read(node, owners, known)
    return owners


def _read(node: Node, owners: Owners, known: GuardNames) -> None:
    if node.type in FUNCTIONS and (name := _function_name(node)):
        owners.setdefault(f"the function {name}", Counter())
    if node.type == "call_expression" and (route := _route(node)):
        owners.setdefault(route, Counter())
    if node.type == "decorator":
        owner = _decorated(node)
        owners.setdefault(owner, Counter())
        if known.matches(node.text):
            owners[owner][re.sub(r"\s+", "", node.text)] += 1
        return
    name = _guard(node, known)
    if name and _is_effective(node):
        owners.setdefault(_owner(node), Counter())[name] += 1


def _guard(node: Node, known: GuardNames) -> str:
    """The name of the guard that is called or passed here; empty if there is none."""
    if node.type == "call_expression" and (function := node.get("function")):
        last = function.get("property") or function
        return (
            last.text
            if known.matches(last.text) and last.type in ("identifier", "property_identifier")
            else ""
        )
    is_passed = (
        node.type in ("identifier", "member_expression")
        and node.parent is not None
        and node.parent.type in ("arguments", "array")
    )
    if is_passed:
        last = node.get("property") or node
        return last.text if known.matches(last.text) else ""
    return ""


def _is_effective(node: Node) -> bool:
    """False in dead code, and where the answer of a guard is unused."""
    parent = node.parent
    if (
        parent is not None
        and parent.type == "expression_statement"
        and node.type == "call_expression"
        and ANSWERS.search(node.text.partition("(")[0])
    ):
        return False
    while parent is not None:
        if parent.type == "binary_expression" and parent.operator in ("||", "&&"):
            sides = [fold(parent.get("left"), {}), fold(parent.get("right"), {})]
            if any(side is not UNKNOWN and bool(side) == (parent.operator == "||") for side in sides):
                return False
        if parent.type == "if_statement" and (condition := parent.get("condition")):
            value = fold(condition, {})
            consequence = parent.get("consequence")
            is_empty = (
                consequence is not None and consequence.type == "statement_block" and not consequence.children
            )
            if (value is not UNKNOWN and not value) or is_empty:
                return False
        if parent.type == "statement_block" and _follows_return(parent, node):
            return False
        parent = parent.parent
    return True


def _follows_return(block: Node, node: Node) -> bool:
    for statement in block.children:
        if statement.start <= node.start < statement.end:
            return False
        if statement.type in ("return_statement", "throw_statement"):
            return True
    return False


def _owner(node: Node) -> str:
    """The route or the named function around a node."""
    parent = node.parent
    while parent is not None:
        if parent.type == "call_expression" and (route := _route(parent)):
            return route
        if parent.type in FUNCTIONS and (name := _function_name(parent)):
            return f"the function {name}"
        parent = parent.parent
    return "the module"


def _route(node: Node) -> str:
    function = node.get("function")
    if function is None or not ROUTE.search(function.text):
        return ""
    arguments = argument_list(node)
    first = fold(arguments[0], {}) if arguments else UNKNOWN
    method = function.text.rpartition(".")[2]
    if isinstance(first, str):
        return f"the route {method} {first}"
    return "the route use" if method == "use" else ""


def _function_name(node: Node) -> str:
    if name := node.get("name"):
        return name.text
    parent = node.parent
    target = parent and (parent.get("name") or parent.get("key") or parent.get("left"))
    is_value = parent is not None and parent.type in (
        "variable_declarator",
        "pair",
        "assignment_expression",
        "public_field_definition",
    )
    return target.text.rpartition(".")[2] if is_value and target else ""


def _decorated(node: Node) -> str:
    """The class or method that a decorator stands before."""
    parent = node.parent
    if parent is None:
        return "the module"
    following = [child for child in parent.children if child.start > node.start and child.type != "decorator"]
    target = following[0] if parent.type in ("class_body", "program") and following else parent
    name = target.get("name")
    return f"the declaration {name.text if name else target.type}"
