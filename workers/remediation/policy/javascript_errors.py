"""JavaScript code that hides errors instead of fixing their cause. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from workers.remediation.policy.javascript_names import FUNCTIONS, JavaScriptNames, argument_list, read_names
from workers.remediation.policy.javascript_tree import Node
from workers.remediation.policy.occurrences import Level, Occurrence, Occurrences
from workers.remediation.policy.python_constants import UNKNOWN
from workers.remediation.policy.python_errors import CAUGHT, IGNORED

REPORT = re.compile(r"(?:^|\.)(?:log|error|warn|info|debug|trace|captureException|captureMessage|recordException"
                    r"|report|notify|push|inc"
                    r"|increment|emit|setTimeout|sleep|delay|write|setStatus)$")  # fmt: skip
PARSERS = re.compile(r"^\s*(?:return\s+|(?:const|let)\s+\w+\s*=\s*|\w+\s*=\s*)?(?:await\s+)?(?:JSON\.parse"
                     r"|decodeURIComponent|decodeURI|new URL|BigInt|atob"
                     r"|new RegExp|new Date)\s*\([\w.\[\]'\"$?!\s,]*\)\s*;?\s*$")  # fmt: skip
"""A block whose only step is to read text: a catch in JavaScript cannot be narrower."""
PASSED_ON = re.compile(
    r"\b(?:throw\b|reject\s*\(|next\s*\(\s*\w+|callback\s*\(\s*\w+|cb\s*\(\s*\w+|done\s*\(\s*\w+)"
)
NARROW = re.compile(
    r"^if\s*\(.{0,200}(?:instanceof|\.code|\.name|\.status|\.type)\b.{0,200}\)\s*\{?\s*throw\b", re.S
)
"""A condition that rethrows every error except one kind."""
OPTIONAL = re.compile(r"cache|redis|memo|lru|session_?store|metrics|analytics", re.I)


def find_hidden_errors(path: str, text: str) -> Occurrences:
    """The handlers of a file that hide errors."""
    names = read_names(path, text)
    if names is None:
        return Counter()
    return Counter(occurrence for node in names.nodes for occurrence in _hidden(names, node))


def _hidden(names: JavaScriptNames, node: Node) -> Iterator[Occurrence]:
    if node.type == "catch_clause" and (body := node.get("body")):
        yield from _catch(names, node, body)
    if node.type == "finally_clause":
        leaves = [
            child
            for child in node.walk()
            if child.type in ("return_statement", "break_statement", "continue_statement")
        ]
        if leaves:
            yield Occurrence(Level.REFUSAL, "the patch drops errors in a finally block", leaves[0].text)
    if (
        node.type != "call_expression"
        or not (function := node.get("function"))
        or function.type != "member_expression"
    ):
        return
    prop, arguments = function.get("property"), argument_list(node)
    handler = None
    if prop is not None and prop.text == "catch" and arguments:
        handler = arguments[0]
    elif (prop is not None and prop.text == "then" and len(arguments) > 1) or (
        prop is not None
        and prop.text in ("on", "once", "addListener")
        and len(arguments) > 1
        and names.constant(arguments[0]) == "error"
    ):
        handler = arguments[1]
    if handler is not None and not (handler.type in ("null", "undefined") or handler.text == "undefined"):
        yield from _rejection(names, node, handler)


def _catch(names: JavaScriptNames, node: Node, body: Node) -> Iterator[Occurrence]:
    statements = body.children
    if statements and _passes_on(statements[-1]):
        return
    if any(NARROW.search(statement.text) for statement in statements if statement.type == "if_statement"):
        yield Occurrence(Level.NOTE, "the patch returns a fixed result after an error", "catch")
        return
    attempt = node.parent.get("body") if node.parent else None
    if attempt is not None and PARSERS.match(
        attempt.text.strip().removeprefix("{").removesuffix("}").strip()
    ):
        yield Occurrence(Level.NOTE, "the patch returns a fixed result for unreadable text", "catch")
    elif all(_is_trivial(names, statement) for statement in statements):
        yield Occurrence(Level.REFUSAL, IGNORED, "catch")
    else:
        yield Occurrence(Level.DRAFT, CAUGHT, "catch")


def _rejection(names: JavaScriptNames, call: Node, handler: Node) -> Iterator[Occurrence]:
    if handler.type not in FUNCTIONS:
        is_report = REPORT.search(handler.text) or re.search(r"noop|ignore|swallow", handler.text, re.I)
        if is_report:
            yield Occurrence(Level.REFUSAL, IGNORED, handler.text)
        elif not re.fullmatch(
            r"next|reject|done|callback|cb|fail|onError|handleError|abort", handler.text.split(".")[-1]
        ):
            yield Occurrence(Level.DRAFT, CAUGHT, handler.text)
        return
    body = handler.get("body")
    if body is None:
        return
    if body.type == "statement_block":
        if body.children and _passes_on(body.children[-1]):
            return
        trivial = all(_is_trivial(names, statement) for statement in body.children)
    else:
        trivial = _is_fixed(names, body) or _is_report(body)
        if PASSED_ON.match(body.text):
            return
    if not trivial:
        yield Occurrence(Level.DRAFT, CAUGHT, "catch")
    elif _is_optional(call):
        yield Occurrence(Level.NOTE, "the patch continues if an optional call fails", call.text)
    else:
        yield Occurrence(Level.REFUSAL, IGNORED, "catch")


def _is_optional(call: Node) -> bool:
    """True for `const x = await cache.get(…).catch(() => null)` if another way follows where x is missing."""
    function = call.get("function")
    source = function.get("object") if function else None
    if source is None or not OPTIONAL.search(source.text.partition("(")[0]):
        return False
    holder = call.parent
    while holder is not None and holder.type in ("await_expression", "parenthesized_expression"):
        holder = holder.parent
    name = holder.get("name") if holder is not None and holder.type == "variable_declarator" else None
    if name is None:
        return False
    block = holder.parent.parent if holder and holder.parent else None
    text = re.escape(name.text)
    follows = (
        rf"\b{text}\b\s*(?:\?\?|\|\|)\s*[\w.]+\(|if\s*\(\s*!?\s*{text}\b"
        rf"|\b{text}\b\s*(?:[!=]==?\s*(?:null|undefined))"
    )
    return block is not None and re.search(follows, block.text) is not None


def _passes_on(statement: Node) -> bool:
    if statement.type in ("throw_statement",):
        return True
    text = statement.text
    return statement.type in ("expression_statement", "return_statement") and bool(
        re.match(
            r"(?:return\s+)?(?:await\s+)?(?:Promise\.reject|reject|next|callback|cb|done)\s*\(\s*[\w.]+", text
        )
    )


def _is_trivial(names: JavaScriptNames, statement: Node) -> bool:
    match statement.type:
        case "empty_statement" | "continue_statement" | "break_statement":
            return True
        case "return_statement":
            return not statement.children or _is_fixed(names, statement.children[0])
        case "expression_statement":
            inner = statement.children[0] if statement.children else None
            if inner is not None and inner.type == "assignment_expression":
                return _is_fixed(names, inner.get("right"))
            return inner is None or _is_report(inner)
        case "lexical_declaration" | "variable_declaration":
            return all(_is_fixed(names, child.get("value")) for child in statement.children)
        case "if_statement" | "else_clause" | "statement_block":
            parts = [child for child in statement.children if child.type != "parenthesized_expression"]
            return all(_is_trivial(names, part) for part in parts)
    return False


def _is_fixed(names: JavaScriptNames, value: Node | None) -> bool:
    if (
        value is None
        or names.constant(value) is not UNKNOWN
        or value.type in ("identifier", "member_expression", "template_string", "undefined")
    ):
        return True
    if value.type in (
        "object",
        "array",
        "pair",
        "parenthesized_expression",
        "unary_expression",
        "binary_expression",
    ):
        return all(
            _is_fixed(names, child)
            for child in value.children
            if child.type not in ("property_identifier", "string")
        )
    if value.type == "call_expression" and (function := value.get("function")):
        return function.text in ("Promise.resolve", "String", "Number") or (
            not argument_list(value) and function.type == "identifier"
        )
    return value.type == "new_expression" and not argument_list(value)


def _is_report(value: Node) -> bool:
    if value.type == "await_expression" and value.children:
        return _is_report(value.children[0])
    function = value.get("function") if value.type == "call_expression" else None
    return function is not None and REPORT.search(function.text) is not None
