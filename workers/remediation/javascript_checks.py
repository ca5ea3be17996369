"""Counter-checks of a JavaScript or TypeScript reproduction; see `python_controls.py` for what each one shows. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from workers.remediation.changed_code import ChangedCode
from workers.remediation.javascript_code import FUNCTIONS, Lines
from workers.remediation.policy.javascript_tree import Node, parse_source
from workers.remediation.python_assertions import NUMBER_SHIFT
from workers.remediation.python_controls import Control

TEST_CALL = re.compile(r"(?:test|it)(?:\.(?:only|concurrent|sequential|each\b.*))?|\w+\.(?:test|it)", re.S)
EQUALITY_CALL = re.compile(r"(?:assert(?:\.strict)?\.)?(?:strictEqual|deepStrictEqual|equal|deepEqual)")
TRUTH_CALL = re.compile(r"assert|assert(?:\.strict)?\.ok")
EXPECTATION_CALL = re.compile(
    r"expect\s*\(.*\)\s*\.(?:toBe|toEqual|toStrictEqual|to\.equal|to\.eql|to\.deep\.equal|to\.be\.equal)",
    re.S,
)
CALLBACK_NAMES = frozenset({"done", "cb", "callback"})
STATEMENTS = re.compile(r".*_statement|lexical_declaration|variable_declaration")
Edit = tuple[int, int, str]


def break_javascript(path: str, text: str, changed: ChangedCode, marker: str) -> str | None:
    """The file with a `throw` at the start of each changed function; None if nothing can be broken."""
    tree = parse_source(path, text)
    if tree is None:
        return None
    edits: list[Edit] = []
    for node in tree.root.walk():
        if node.type in FUNCTIONS and node.start in changed.functions:
            edits += _put_first(node, _throw(marker))
        elif not changed.functions and node.start in changed.constants and _is_value(node):
            edits.append((node.start, node.end, f"({{ broken: {json.dumps(marker)} }})"))
    return _apply(text, edits) if edits else None


def idle_javascript(path: str, text: str, changed: ChangedCode) -> str | None:
    """The file in which each changed function only returns an object that equals nothing; None without a function."""
    tree = parse_source(path, text)
    edits = [
        edit
        for node in (tree.root.walk() if tree else ())
        if node.type in FUNCTIONS and node.start in changed.functions
        for edit in _put_first(node, "if (String) return { idle: Symbol('idle') };")
    ]
    return _apply(text, edits) if edits else None


def throw_at_lines(path: str, text: str, changed: ChangedCode, marker: str) -> str | None:
    """The file with a `throw` in front of each changed statement; None if no statement can be found."""
    tree, lines = parse_source(path, text), Lines(text)
    if tree is None:
        return None
    edits: dict[int, Edit] = {}
    blocks = ("statement_block", "program")
    for line in changed.lines:
        start, end = lines.span(line)
        holders = [
            node
            for node in tree.root.walk()
            if STATEMENTS.fullmatch(node.type)
            and node.parent is not None
            and node.parent.type in blocks
            and node.start <= start < node.end
            and _is_in_function(node)
        ]
        if holders and end > start:
            statement = min(holders, key=lambda node: node.end - node.start)
            edits[statement.start] = (statement.start, statement.start, f"{_throw(marker)} ")
    return _apply(text, edits.values()) if edits else None


def fail_at_end_javascript(path: str, text: str, marker: str, *, script: bool) -> Control | None:
    """The reproduction in which every test throws where it would have ended; None if one test cannot be changed."""
    tree = parse_source(path, text)
    if script:
        return Control(_throw_instead_of_exits(tree.root, text, marker)) if tree else None
    tests = _tests(tree.root) if tree else []
    if not tests or any(_takes_callback(function) for _, function in tests):
        return None
    edits: list[Edit] = []
    for _, function in tests:
        edits += [(function.start, function.start, "trackwalkerFails("), (function.end, function.end, ")")]
    untyped, result = (": any", ": any") if re.search(r"\.[cm]?tsx?$", path) else ("", "")
    helper = (
        f"\nfunction trackwalkerFails(fn{untyped}){result} {{ return async function (...args) {{ "
        f"await fn.apply(undefined, args); throw new Error({json.dumps(marker)}); }}; }}\n"
    )
    return Control(_apply(text, edits) + helper)


def fail_assertions_javascript(path: str, text: str, marker: str) -> Control | None:
    """The reproduction in which each assertion must fail and one must be reached, or the test throws the marker.

    None if no assertion can be changed. A test that returns before its assertions asserts nothing.
    """
    tree = parse_source(path, text)
    edits: list[Edit] = []
    for _, function in _tests(tree.root) if tree else []:
        failing = _must_fail(function, marker)
        if failing and not _takes_callback(function):
            failing += [
                (function.start, function.start, "trackwalkerReaches("),
                (function.end, function.end, ")"),
            ]
        edits += failing
    untyped, result = (": any", ": any") if re.search(r"\.[cm]?tsx?$", path) else ("", "")
    helper = (
        f"\nfunction trackwalkerReaches(fn{untyped}){result} {{ return async function (...args) {{ "
        f"const before = trackwalkerReaches.count; await fn.apply(undefined, args); "
        f"if (trackwalkerReaches.count === before) throw new Error({json.dumps(marker)}); }}; }}\n"
        "trackwalkerReaches.count = 0;\n"
    )
    return Control(_apply(text, edits) + helper) if edits else None


# ---- tests ----


def _tests(root: Node) -> list[tuple[Node, Node]]:
    """The calls that register tests, each with the function of the test."""
    tests = []
    for node in root.walk():
        callee = node.get("function")
        if node.type != "call_expression" or callee is None or not TEST_CALL.fullmatch(callee.text):
            continue
        arguments = node.get("arguments")
        functions = [child for child in arguments.children if child.type in FUNCTIONS] if arguments else []
        if functions:
            tests.append((node, functions[-1]))
    return tests


def _takes_callback(function: Node) -> bool:
    parameters = function.get("parameters") or function.get("parameter")
    return parameters is not None and bool(CALLBACK_NAMES & set(re.findall(r"\w+", parameters.text)))


def _must_fail(function: Node, marker: str) -> list[Edit]:
    """Edits that make each assertion that always runs fail, or else throw the marker."""
    body = function.get("body")
    if body is None:
        return []
    is_block = body.type == "statement_block"
    edits = []
    for statement in body.children if is_block else [body]:
        call = statement
        while (
            call.type in ("expression_statement", "await_expression", "parenthesized_expression")
            and call.children
        ):
            call = call.children[0]
        for start, end, other in _other_argument(call, marker):
            content = statement.content
            failing = (
                content[statement.start : start] + other.encode() + content[end : statement.end]
            ).decode()
            throw_marker = f"if (held) throw new Error({json.dumps(marker)});"
            text = (
                f"{{ trackwalkerReaches.count += 1; let held = false; "
                f"try {{ {failing}; held = true; }} catch {{ held = false; }} {throw_marker} }}"
            )
            edits.append((statement.start, statement.end, text))
    return edits


def _other_argument(call: Node, marker: str) -> list[Edit]:
    callee, arguments = call.get("function"), call.get("arguments")
    if call.type != "call_expression" or callee is None or arguments is None:
        return []
    if TRUTH_CALL.fullmatch(callee.text) and arguments.children:
        value = arguments.children[0]
        return [(value.start, value.end, f"!({value.text})")]
    if EXPECTATION_CALL.fullmatch(callee.text):
        candidates = arguments.children[:1]
    elif EQUALITY_CALL.fullmatch(callee.text):
        candidates = [*arguments.children[1:2], *arguments.children[:1]]
    else:
        return []
    values = [(node, other) for node in candidates if (other := _other_value(node, marker))]
    return [(node.start, node.end, other) for node, other in values[:1]]


def _other_value(node: Node, marker: str) -> str:
    """An expression of another value of the same type; empty if the value is not plain."""
    text, word = node.text, json.dumps(marker)
    if node.type == "number" or (node.type == "unary_expression" and re.fullmatch(r"-\s*[\d._]+", text)):
        return f"({text} + {NUMBER_SHIFT})" if not text.endswith("n") else ""
    if node.type in ("string", "template_string"):
        return f"({text} + {word})"
    if node.type in ("true", "false"):
        return f"(!{text})"
    return f"[{word}]" if node.type in ("null", "undefined", "object", "array") else ""


# ---- edits ----


def _throw(marker: str) -> str:
    # The condition keeps linters and compilers from calling the rest unreachable.
    return f"if (String) throw new Error({json.dumps(marker)});"


def _put_first(function: Node, statement: str) -> list[Edit]:
    body = function.get("body")
    if body is None:
        return []
    if body.type == "statement_block":
        return [(body.start + 1, body.start + 1, f" {statement}")]
    return [(body.start, body.start, f"{{ {statement} return ("), (body.end, body.end, "); }")]


def _throw_instead_of_exits(root: Node, text: str, marker: str) -> str:
    error = f"(() => {{ throw new Error({json.dumps(marker)}); }})()"
    edits = [
        (node.start, node.end, error)
        for node in root.walk()
        if node.type == "call_expression"
        and (callee := node.get("function"))
        and callee.text == "process.exit"
    ]
    return f"{_apply(text, edits)}\n;{_throw(marker)}\n"


def _is_value(node: Node) -> bool:
    return node.parent is not None and node.parent.get("value") is node


def _is_in_function(node: Node) -> bool:
    holder = node.parent
    while holder is not None and holder.type not in FUNCTIONS:
        holder = holder.parent
    return holder is not None


def _apply(text: str, edits: Iterable[Edit]) -> str:
    content = text.encode(errors="replace")
    # From the end, so that earlier offsets stay right; of two edits at one place the longer one first.
    for start, end, replacement in sorted(edits, key=lambda edit: (-edit[0], -edit[1])):
        content = content[:start] + replacement.encode() + content[end:]
    return content.decode(errors="replace")
