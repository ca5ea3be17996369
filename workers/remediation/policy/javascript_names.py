"""Resolves names of a JavaScript file: `run` to `child_process.exec` after `const { exec: run } = require(…)`.

As for Python, the order of statements and the scopes of names are ignored.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from workers.remediation.policy.javascript_tree import Node, parse_source
from workers.remediation.policy.path_names import NODE_BUILTINS
from workers.remediation.policy.python_constants import CACHED_TEXTS, UNKNOWN

MAX_DEPTH = 25  # nested expressions that are followed
MAX_ROUNDS = 4  # aliases of aliases that are followed
MAX_LENGTH = 20_000  # characters of a computed text
GLOBALS = frozenset({
    "eval", "Function", "process", "require", "module", "exports", "global", "globalThis", "window", "self",
    "root", "Reflect",
    "Object", "Array", "String", "Number", "Promise", "Error", "Symbol", "Proxy", "WebAssembly", "fetch",
    "XMLHttpRequest",
    "WebSocket", "EventSource", "navigator", "document", "setTimeout", "setInterval", "setImmediate",
    "queueMicrotask", "jest",
    "vi", "vitest", "describe", "expect", "mocha", "jasmine", "beforeEach", "afterEach", "beforeAll", "afterAll",
    "Deno", "Bun",
    "JSON", "Math", "Date", "console", "Buffer", "Map", "Set", "RegExp", "Boolean", "Intl", "__dirname", "__filename",
    "Image", "importScripts", "arguments", "Atomics", "SharedArrayBuffer", "FinalizationRegistry", "WeakRef",
    "AsyncFunction",
})  # fmt: skip
SPACES = ("globalThis.", "global.", "window.", "self.", "root.")
FUNCTIONS = frozenset({"function_declaration", "function_expression", "arrow_function", "method_definition",
                       "generator_function", "generator_function_declaration"})  # fmt: skip


class JavaScriptNames:
    """The names of one file."""

    def __init__(self, root: Node) -> None:
        self.nodes = list(root.walk())
        self.bindings: dict[str, set[str]] = {}
        self.imports: set[str] = set()
        self.constants = _single_constants(self.nodes)
        self.defined = {name.text for node in self.nodes if node.type in FUNCTIONS | {"class_declaration"}
                        and node.parent is root and (name := node.get("name"))}  # fmt: skip
        for node in self.nodes:
            if node.type == "import_statement":
                self._bind_import(node)
        for _ in range(MAX_ROUNDS):
            before = sum(map(len, self.bindings.values()))
            for node in self.nodes:
                self._bind(node)
            if sum(map(len, self.bindings.values())) == before:
                break

    def constant(self, node: Node | None) -> Any:
        """The constant value of an expression, or UNKNOWN; null and undefined are None."""
        return fold(node, self.constants)

    def meanings(self, node: Node | None, depth: int = 0) -> set[str]:
        """The dotted names that the expression may stand for."""
        if node is None or depth > MAX_DEPTH:
            return set()
        depth += 1
        match node.type:
            case "identifier" | "shorthand_property_identifier":
                meanings = self.bindings.get(node.text, set())
                return meanings | (
                    {node.text}
                    if node.text in GLOBALS and node.text not in self.defined and not meanings
                    else set()
                )
            case "member_expression" | "subscript_expression":
                return self._member(node, depth)
            case "call_expression" | "new_expression":
                return self._call(node, depth)
            case (
                "parenthesized_expression"
                | "await_expression"
                | "as_expression"
                | "non_null_expression"
                | "satisfies_expression"
            ):
                return self.meanings(node.children[0] if node.children else None, depth)
            case "sequence_expression":
                return self.meanings(node.children[-1] if node.children else None, depth)
            case "assignment_expression":
                return self.meanings(node.get("right"), depth)
            case "ternary_expression" | "binary_expression" | "array":
                return {name for child in node.children for name in self.meanings(child, depth)}
            case "meta_property":
                return {"import.meta"}
        return set()

    def _member(self, node: Node, depth: int) -> set[str]:
        owners = self.meanings(node.get("object"), depth)
        if node.type == "member_expression":
            key: Any = (prop := node.get("property")) and prop.text
        else:
            key = self.constant(node.get("index"))
        if not isinstance(key, str):
            return {
                f"{owner}.*"
                for owner in owners
                if owner in ("process", "globalThis", "global", "require", "module")
            }
        return {_canonical(f"{owner}.{key}") for owner in owners}

    def _call(self, node: Node, depth: int) -> set[str]:
        called = self.meanings(node.get("function") or node.get("constructor"), depth)
        function = node.get("function")
        arguments = argument_list(node)
        if ("require" in called or (function is not None and function.type == "import")) and arguments:
            name = self.constant(arguments[0])
            return {module_name(name)} if isinstance(name, str) else set()
        if any(name in ("module.createRequire", "createRequire") for name in called):
            return {"require"}
        if (
            "Reflect.get" in called
            and len(arguments) > 1
            and isinstance(key := self.constant(arguments[1]), str)
        ):
            return {_canonical(f"{owner}.{key}") for owner in self.meanings(arguments[0], depth)}
        if any(name.endswith((".bind", ".promisify", ".call", ".apply")) for name in called):
            inner = {
                name.rpartition(".")[0] for name in called if name.endswith((".bind", ".call", ".apply"))
            }
            return inner | {name for argument in arguments[:1] for name in self.meanings(argument, depth)}
        return set()

    def _bind_import(self, node: Node) -> None:
        source = node.get("source")
        module = module_name(string_value(source) or "")
        self.imports.add(module)
        for child in node.walk():
            if child.type == "import_specifier" and (name := child.get("name")):
                alias = child.get("alias") or name
                member = string_value(name) or name.text
                self._add(alias.text, {module if member == "default" else _canonical(f"{module}.{member}")})
            elif (child.type == "namespace_import" and child.children) or (
                child.type == "import_clause" and child.children and child.children[0].type == "identifier"
            ):
                self._add(child.children[0].text, {module})

    def _bind(self, node: Node) -> None:
        if node.type == "variable_declarator":
            self._bind_pattern(node.get("name"), self.meanings(node.get("value")))
        elif node.type == "assignment_expression" or node.type == "assignment_pattern":
            self._bind_pattern(node.get("left"), self.meanings(node.get("right")))
        elif node.type == "call_expression":
            called = self.meanings(node.get("function"))
            if (
                ("require" in called or (node.children and node.children[0].type == "import"))
                and (arguments := argument_list(node))
                and isinstance(name := self.constant(arguments[0]), str)
            ):
                self.imports.add(module_name(name))

    def _bind_pattern(self, target: Node | None, meanings: set[str]) -> None:
        if target is None or not meanings:
            return
        if target.type == "identifier":
            self._add(target.text, meanings)
        elif target.type == "array_pattern":
            for child in target.children:
                self._bind_pattern(child, meanings)
        elif target.type == "object_pattern":
            for child in target.children:
                if child.type == "shorthand_property_identifier_pattern":
                    self._add(child.text, {_canonical(f"{name}.{child.text}") for name in meanings})
                elif child.type == "pair_pattern" and (key := child.get("key")):
                    name = string_value(key) or key.text
                    self._bind_pattern(
                        child.get("value"), {_canonical(f"{owner}.{name}") for owner in meanings}
                    )
                elif child.type == "object_assignment_pattern" and child.children:
                    self._add(
                        child.children[0].text,
                        {_canonical(f"{name}.{child.children[0].text}") for name in meanings},
                    )
                elif child.type == "rest_pattern" and child.children:
                    self._bind_pattern(child.children[0], meanings)

    def _add(self, name: str, meanings: set[str]) -> None:
        self.bindings.setdefault(name, set()).update(meanings)


@functools.lru_cache(maxsize=CACHED_TEXTS)
def read_names(path: str, text: str) -> JavaScriptNames | None:
    """The names of a file; None if it cannot be parsed."""
    parsed = parse_source(path, text)
    return None if parsed is None else JavaScriptNames(parsed.root)


def argument_list(node: Node) -> list[Node]:
    """The arguments of a call."""
    arguments = node.get("arguments")
    return arguments.children if arguments and arguments.type == "arguments" else []


def module_name(name: str) -> str:
    """The module's name without the prefix `node:`; `fs/promises` becomes `fs`."""
    plain = name.removeprefix("node:")
    first = plain.partition("/")[0]
    if name == "node:test" or name.startswith("node:test/"):
        return "node:test"
    return first if first in NODE_BUILTINS else plain


def string_value(node: Node | None) -> str | None:
    """The value of a string literal; None for anything else."""
    value = fold(node, {}) if node is not None and node.type in ("string", "template_string") else None
    return value if isinstance(value, str) else None


def _canonical(name: str) -> str:
    for space in SPACES:
        while name.startswith(space):
            name = name.removeprefix(space)
    return name.replace(".default.", ".").replace("fs.promises.", "fs.").removesuffix(".default")


def _single_constants(nodes: list[Node]) -> dict[str, Any]:
    values: dict[str, list[Any]] = {}
    for node in nodes:
        name = (
            node.get("name")
            if node.type == "variable_declarator"
            else node.get("left")
            if "assignment" in node.type
            else None
        )
        if name is not None and name.type == "identifier":
            values.setdefault(name.text, []).append(fold(node.get("value") or node.get("right"), {}))
        elif node.type in ("update_expression", "formal_parameters", "required_parameter"):
            for child in node.children:
                values.setdefault(child.text, []).append(UNKNOWN)
    return {
        name: assigned[0]
        for name, assigned in values.items()
        if len(assigned) == 1 and assigned[0] is not UNKNOWN
    }


def fold(node: Node | None, names: dict[str, Any], depth: int = 0) -> Any:
    """The constant value of an expression, or UNKNOWN."""
    if node is None or depth > MAX_DEPTH:
        return UNKNOWN
    depth += 1
    match node.type:
        case "string":
            return _unescape(node.text[1:-1])
        case "number":
            return _number(node.text)
        case "true" | "false":
            return node.type == "true"
        case "null" | "undefined":
            return None
        case "identifier":
            return None if node.text == "undefined" else names.get(node.text, UNKNOWN)
        case "template_string":
            return _template(node, names, depth)
        case "parenthesized_expression" | "as_expression" | "non_null_expression":
            return fold(node.children[0], names, depth) if node.children else UNKNOWN
        case "array":
            items = [fold(child, names, depth) for child in node.children]
            return UNKNOWN if UNKNOWN in items else items
        case "unary_expression":
            value = fold(node.get("argument"), names, depth)
            if node.operator == "void":
                return None
            if value is UNKNOWN:
                return UNKNOWN
            return (
                not value
                if node.operator == "!"
                else -value
                if node.operator == "-" and isinstance(value, int | float)
                else UNKNOWN
            )
        case "binary_expression":
            return _binary(node, names, depth)
        case "call_expression":
            return _text_call(node, names, depth)
    return UNKNOWN


def _binary(node: Node, names: dict[str, Any], depth: int) -> Any:
    left, right = fold(node.get("left"), names, depth), fold(node.get("right"), names, depth)
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if node.operator == "+" and isinstance(left, str) and isinstance(right, str | int):
        return left + str(right) if len(left) < MAX_LENGTH else UNKNOWN
    if node.operator == "|" and isinstance(left, int) and isinstance(right, int):
        return left | right
    return UNKNOWN


def _template(node: Node, names: dict[str, Any], depth: int) -> Any:
    parts: list[str] = []
    for child in node.children:
        if child.type in ("string_fragment", "escape_sequence"):
            parts.append(_unescape(child.text))
        else:
            value = fold(child.children[0], names, depth) if child.children else UNKNOWN
            if value is UNKNOWN:
                return UNKNOWN
            parts.append(str(value))
    return "".join(parts)


def _text_call(node: Node, names: dict[str, Any], depth: int) -> Any:
    """`['a', 'b'].join('')`, `'x'.concat('y')`, `String.fromCharCode(1, 2)`, and reversals by split and join."""
    function = node.get("function")
    owner, prop = (function.get("object"), function.get("property")) if function else (None, None)
    arguments = [fold(child, names, depth) for child in argument_list(node)]
    if owner is None or prop is None or UNKNOWN in arguments:
        return UNKNOWN
    if owner.text == "String" and prop.text == "fromCharCode":
        return "".join(chr(code) for code in arguments if isinstance(code, int) and 0 <= code < 0x110000)
    value = fold(owner, names, depth)
    if isinstance(value, list) and prop.text == "join":
        return str(arguments[0] if arguments else ",").join(map(str, value))
    if isinstance(value, list) and prop.text == "reverse":
        return value[::-1]
    if isinstance(value, str) and prop.text == "split" and arguments == [""]:
        return list(value)
    if isinstance(value, str) and prop.text in ("concat", "toLowerCase", "toUpperCase", "trim", "toString"):
        plain = {
            "toLowerCase": value.lower(),
            "toUpperCase": value.upper(),
            "trim": value.strip(),
            "toString": value,
        }
        return plain.get(prop.text, value + "".join(map(str, arguments)))
    return UNKNOWN


def _number(text: str) -> Any:
    plain = text.replace("_", "").rstrip("n")
    try:
        if re.fullmatch(r"0[0-7]+", plain):
            return int(plain, 8)
        return int(plain, 0)
    except ValueError:
        try:
            return float(plain)
        except ValueError:
            return UNKNOWN


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    text = re.sub(r"\\u\{([0-9a-fA-F]{1,6})\}|\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})", _character, text)
    return re.sub(r"\\(.)", r"\1", text)


def _character(match: re.Match[str]) -> str:
    code = int(match[1] or match[2] or match[3], 16)
    return chr(code) if code < 0x110000 else ""
