"""Occurrences of dangerous code in a JavaScript or TypeScript file, by its syntax tree. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from workers.remediation.policy import javascript_tables as js
from workers.remediation.policy import python_tables as tables
from workers.remediation.policy.javascript_names import (
    FUNCTIONS,
    JavaScriptNames,
    argument_list,
    module_name,
    read_names,
    string_value,
)
from workers.remediation.policy.javascript_tree import Node
from workers.remediation.policy.occurrences import Level, Occurrence, Occurrences
from workers.remediation.policy.python_constants import UNKNOWN
from workers.remediation.policy.python_rules import SYSTEM_PATHS, TEST_RUN, TEST_SENTENCES, WORLD_WRITABLE
from workers.remediation.policy.python_settings import DSN_WITHOUT_TLS, TLS, WEB
from workers.remediation.policy.python_special_cases import SQL

Rule = Callable[[JavaScriptNames, Node], Iterator[Occurrence]]
HOOKS = frozenset({"asymmetricMatch", "toJSON", "valueOf", "__proto__", "__defineGetter__", "__lookupGetter__",
    "constructor", "caller",
                   "callee", "__coverage__", "__vitest_worker__", "__jest__"})  # fmt: skip
QUERY_CALLS = frozenset(
    {
        "query",
        "execute",
        "raw",
        "run",
        "exec",
        "all",
        "get",
        "$queryRawUnsafe",
        "$executeRawUnsafe",
        "prepare",
    }
)
MEMBERS = frozenset({"member_expression", "subscript_expression"})
MAX_NUMBERS = 8  # numbers in a list from which a program could be made


def find_occurrences(path: str, text: str, *, is_test: bool = False) -> Occurrences:
    """The occurrences in a file; none if it has no parser.

    Args:
        is_test: True for a test, which may use a test runner.
    """
    names = read_names(path, text)
    if names is None:
        return Counter()
    occurrences = Counter(
        occurrence for node in names.nodes for rule in RULES for occurrence in rule(names, node)
    )
    if is_test:
        occurrences = Counter(
            {key: count for key, count in occurrences.items() if key.sentence in TEST_SENTENCES}
        )
    return occurrences


def _references(names: JavaScriptNames, node: Node) -> Iterator[Occurrence]:
    if node.type not in (
        "identifier",
        "shorthand_property_identifier",
        "call_expression",
        *MEMBERS,
        "import_specifier",
        "meta_property",
    ):
        return
    if node.type == "identifier" and node.parent is not None and _is_declaration(node):
        return
    if node.type == "import_specifier" and (name := node.get("name")):
        candidates = names.bindings.get((node.get("alias") or name).text, set())
    else:
        candidates = names.meanings(node)
    for candidate in candidates:
        if rule := _rule(candidate):
            yield Occurrence(*rule, candidate)


def _is_declaration(node: Node) -> bool:
    parent = node.parent
    assert parent is not None  # noqa: S101
    return parent.type in ("formal_parameters", "required_parameter", "catch_clause") or (
        parent.type in (*FUNCTIONS, "variable_declarator", "class_declaration") and parent.get("name") is node
    )


def _rule(name: str) -> tuple[Level, str] | None:
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        prefix = ".".join(parts[:end])
        if prefix in js.REFERENCES:
            return (
                None if any(name.startswith(free) for free in js.CALLED_PROTOTYPES) else js.REFERENCES[prefix]
            )
    return None


def _imports(names: JavaScriptNames, node: Node) -> Iterator[Occurrence]:
    """Imports for their effect, and imports of computed names."""
    source = node.get("source") if node.type in ("import_statement", "export_statement") else None
    if source is not None and (rule := _rule(module_name(string_value(source) or ""))):
        yield Occurrence(*rule, source.text)
    if node.type != "call_expression" or not (function := node.get("function")):
        return
    arguments = argument_list(node)
    is_loader = function.type == "import" or "require" in names.meanings(function)
    if is_loader and (not arguments or not isinstance(names.constant(arguments[0]), str)):
        yield Occurrence(Level.REFUSAL, tables.LIBRARY, node.text)
    if (
        names.meanings(function) & {"setTimeout", "setInterval", "setImmediate"}
        and arguments
        and isinstance(names.constant(arguments[0]), str)
    ):
        yield Occurrence(Level.REFUSAL, tables.CODE, node.text)
    inner = function.get("property")
    if (inner is not None and inner.text == "constructor") or (
        function.type == "subscript_expression" and names.constant(function.get("index")) == "constructor"
    ):
        yield Occurrence(Level.REFUSAL, tables.CODE, node.text)


def _hooks(names: JavaScriptNames, node: Node) -> Iterator[Occurrence]:
    """Members through which code reaches the interpreter, or redefines equality."""
    name = _key(names, node)
    if name in HOOKS and not (name == "constructor" and node.type not in MEMBERS):
        if name == "constructor" and (
            node.get("property") is None or node.parent is None or node.parent.type not in MEMBERS
        ):
            return
        level = Level.DRAFT if name in ("toJSON", "valueOf") else Level.REFUSAL
        yield Occurrence(level, tables.INSPECT, name)
    if node.type == "computed_property_name" and "Symbol" in node.text:
        level = Level.NOTE if "iterator" in node.text.lower() else Level.DRAFT
        yield Occurrence(level, tables.INSPECT, node.text)
    if (
        node.type == "member_expression"
        and (prop := node.get("property"))
        and prop.text in ("includes", "match", "indexOf", "split", "test", "search", "startsWith")
        and (owner := node.get("object"))
        and owner.text.endswith(".stack")
    ):
        yield Occurrence(Level.REFUSAL, tables.INSPECT, node.text)
    if node.type == "member_expression" and re.match(r"\(?new\s+\w*Error\b.*\)\.stack$", node.text, re.S):
        yield Occurrence(Level.REFUSAL, tables.INSPECT, node.text)
    if (
        node.type == "unary_expression"
        and node.operator == "typeof"
        and re.search(r"\b(?:jest|vi|describe|it|test|expect|mocha|__\w+__)\b", node.text)
    ):
        yield Occurrence(Level.REFUSAL, TEST_RUN, node.text)


def _key(names: JavaScriptNames, node: Node) -> str:
    """The name of a member, a property or a method; empty for anything else."""
    if node.type == "member_expression":
        return ((prop := node.get("property")) and prop.text) or ""
    if node.type == "subscript_expression":
        value = names.constant(node.get("index"))
        return value if isinstance(value, str) else ""
    if node.type in ("pair", "method_definition"):
        key = node.get("key") or node.get("name")
        return (string_value(key) or key.text) if key else ""
    return ""


def _environment(names: JavaScriptNames, node: Node) -> Iterator[Occurrence]:
    if node.type in MEMBERS:
        owner, name = names.meanings(node.get("object")), _key(names, node)
        if (
            "process.env" in owner
            and (
                re.fullmatch(tables.TEST_VARIABLE, name)
                or (
                    not name
                    and node.type == "subscript_expression"
                    and names.constant(node.get("index")) is UNKNOWN
                    and False
                )
            )
            and (name != "NODE_ENV" or _tests_for(node, names))
        ):
            yield Occurrence(Level.REFUSAL, TEST_RUN, name)
    if (
        node.type in ("shorthand_property_identifier_pattern", "pair_pattern")
        and node.parent
        and node.parent.parent
    ):
        value = node.parent.parent.get("value")
        if "process.env" in names.meanings(value) and re.fullmatch(
            tables.TEST_VARIABLE, node.text.partition(":")[0].strip()
        ):
            yield Occurrence(Level.REFUSAL, TEST_RUN, node.text)
    if node.type == "call_expression" and any(
        "process.env" in names.meanings(argument) for argument in argument_list(node)
    ):
        yield Occurrence(Level.REFUSAL, TEST_RUN, node.text)
    if (
        node.type == "binary_expression"
        and node.operator == "in"
        and "process.env" in names.meanings(node.get("right"))
    ):
        yield Occurrence(Level.REFUSAL, TEST_RUN, node.text)


def _tests_for(node: Node, names: JavaScriptNames) -> bool:
    """False if NODE_ENV is compared with an ordinary stage, as in `=== 'production'`."""
    parent = node.parent
    if parent is None or parent.type != "binary_expression":
        return True
    other = parent.get("right") if parent.get("left") is node else parent.get("left")
    return names.constant(other) not in ("production", "development", "staging")


def _texts(names: JavaScriptNames, node: Node) -> Iterator[Occurrence]:
    if node.type not in ("string", "template_string", "binary_expression"):
        return
    value = names.constant(node)
    text = value if isinstance(value, str) else node.text if node.type == "template_string" else ""
    if match := SYSTEM_PATHS.search(text):
        yield Occurrence(Level.REFUSAL, "the patch names files of the system or of its tools", match[0])
    if match := DSN_WITHOUT_TLS.search(text):
        yield Occurrence(Level.REFUSAL, TLS, match[0])
    if len(text) < tables.MAX_WORD and (match := re.search(js.RUNNER_WORDS, text)):
        yield Occurrence(Level.REFUSAL, tables.RUNNER, match[0])
    if "NODE_TLS_REJECT_UNAUTHORIZED" in text:
        yield Occurrence(Level.REFUSAL, TLS, text)


def _settings(names: JavaScriptNames, node: Node) -> Iterator[Occurrence]:
    name, value_node = "", None
    if node.type == "pair":
        name, value_node = _key(names, node), node.get("value")
    elif node.type == "assignment_expression" and (left := node.get("left")):
        name, value_node = _key(names, left) or left.text, node.get("right")
    elif node.type in ("variable_declarator", "public_field_definition") and (target := node.get("name")):
        name, value_node = target.text, node.get("value")
    elif node.type == "method_definition" and _key(names, node) == "checkServerIdentity":
        yield Occurrence(Level.REFUSAL, TLS, "checkServerIdentity")
    if not name or value_node is None:
        return
    if name == "NODE_TLS_REJECT_UNAUTHORIZED" or (
        name == "checkServerIdentity" and value_node.type in (*FUNCTIONS, "identifier")
    ):
        yield Occurrence(Level.REFUSAL, TLS, name)
    value = names.constant(value_node)
    if value is not UNKNOWN:
        yield from _judge(name, value)


def _judge(name: str, value: Any) -> Iterator[Occurrence]:
    words = (
        [item for item in value if isinstance(item, str)]
        if isinstance(value, list)
        else [value]
        if isinstance(value, str)
        else []
    )
    is_off = (
        value is None
        or (isinstance(value, bool | int | float) and not value)
        or value in ("", "false", "0", "none")
    )
    if is_off and re.fullmatch(js.FALSY_SETTINGS, name):
        is_tls = re.match(r"reject|strict|verify|checkServer|validateCert", name)
        yield Occurrence(Level.REFUSAL, TLS if is_tls else WEB, f"{name}: {value!r}")
    if value is True and re.fullmatch(js.TRUTHY_SETTINGS, name):
        yield Occurrence(Level.REFUSAL, WEB, f"{name}: true")
    if value == 1 and name == "debug":
        yield Occurrence(Level.REFUSAL, "the patch enables debug mode", name)
    if re.fullmatch(r"algorithms?|alg", name) and any(word.lower() in ("none", "") for word in words):
        yield Occurrence(Level.REFUSAL, "the patch accepts unsigned tokens", name)
    if re.fullmatch(r"(?i)\w*origins?|access-control-allow-origin", name) and (
        value is True or "*" in words or "null" in words
    ):
        yield Occurrence(Level.REFUSAL, "the patch allows requests from every origin", name)


def _calls(names: JavaScriptNames, node: Node) -> Iterator[Occurrence]:
    if node.type == "jsx_attribute" and node.text.startswith("dangerouslySetInnerHTML"):
        yield Occurrence(Level.REFUSAL, WEB, "dangerouslySetInnerHTML")
    if (
        node.type == "assignment_expression"
        and (left := node.get("left"))
        and _key(names, left) in ("innerHTML", "outerHTML")
    ) and names.constant(node.get("right")) is UNKNOWN:
        yield Occurrence(Level.DRAFT, WEB, left.text)
    if node.type != "call_expression" or not (function := node.get("function")):
        return
    arguments = argument_list(node)
    name = _key(names, function) or function.text
    values = [names.constant(argument) for argument in arguments]
    if re.fullmatch(r"[fl]?chmod(?:Sync)?", name):
        mode = values[1] if len(values) > 1 else values[0] if values else UNKNOWN
        mode = int(mode, 8) if isinstance(mode, str) and re.fullmatch(r"[0-7]{3,4}", mode) else mode
        if not isinstance(mode, int) or mode & WORLD_WRITABLE:
            yield Occurrence(
                Level.REFUSAL if isinstance(mode, int) else Level.DRAFT,
                "the patch opens file permissions to all users",
                node.text,
            )
    if (
        re.fullmatch(r"(?:set|set_?header|append|header)", name, re.I)
        and len(values) > 1
        and isinstance(values[0], str)
    ):
        yield from _judge(values[0].lower(), values[1])
    if name == "cors" and not arguments and "cors" in names.imports:
        yield Occurrence(Level.REFUSAL, "the patch allows requests from every origin", "cors()")
    if name in QUERY_CALLS and arguments:
        yield from _query(names, name, arguments[0])
    if name in ("$queryRawUnsafe", "$executeRawUnsafe"):
        yield Occurrence(Level.REFUSAL, "the patch builds a query from text", name)
    if function.text in ("Buffer.from", "Uint8Array.from", "String.fromCharCode") and arguments:
        numbers = values[0] if isinstance(values[0], list) else values
        if len(numbers) >= MAX_NUMBERS and all(isinstance(number, int) for number in numbers):
            yield Occurrence(Level.REFUSAL, "the patch contains a binary as text", function.text)


def _query(names: JavaScriptNames, name: str, query: Node) -> Iterator[Occurrence]:
    if names.constant(query) is not UNKNOWN or query.type not in ("template_string", "binary_expression"):
        return
    inserted = [child.text[2:-1].strip() for child in query.walk() if child.type == "template_substitution"]
    if query.type == "binary_expression":
        inserted += [
            child.text for child in query.walk() if child.type in ("identifier", "member_expression")
        ]
    harmless = all(
        re.fullmatch(r"[A-Z][A-Z0-9_]*|\w*(?:[pP]laceholders?|[tT]able|[cC]olumns?)\w*", part)
        for part in inserted
    )
    if SQL.search(query.text) and inserted:
        yield Occurrence(
            Level.NOTE if harmless else Level.REFUSAL, "the patch builds a query from text", name
        )


def _patching(names: JavaScriptNames, node: Node) -> Iterator[Occurrence]:
    if node.type in ("assignment_expression", "augmented_assignment_expression"):
        target = node.get("left")
    elif node.type == "unary_expression" and node.operator == "delete":
        target = node.get("argument")
    elif node.type == "call_expression" and names.meanings(node.get("function")) & {
        "Object.assign",
        "Object.defineProperty",
        "Object.defineProperties",
        "Reflect.set",
        "Reflect.defineProperty",
    }:
        arguments = argument_list(node)
        owners = names.meanings(arguments[0]) if arguments else set()
        if arguments and (_is_foreign(owners, names) or ".prototype" in arguments[0].text):
            yield Occurrence(Level.REFUSAL, js.PATCHING, arguments[0].text)
        return
    else:
        return
    if target is None or target.type not in MEMBERS or not (owner := target.get("object")):
        return
    if re.search(r"\.(?:prototype|__proto__)(?:\b|$)", target.text) or _is_foreign(
        names.meanings(owner), names
    ):
        yield Occurrence(Level.REFUSAL, js.PATCHING, target.text)


def _is_foreign(owners: set[str], names: JavaScriptNames) -> bool:
    """True for global objects, modules and what they export; `module.exports` and the page are the code's own."""
    free = ("module", "exports", "window", "document", "self")
    if any(owner in names.imports for owner in owners):
        return True
    tops = {owner.split(".")[0] for owner in owners if "/" not in owner and "process.env" not in owner}
    return any(top[:1].isalpha() and top not in free for top in tops)


def _special(names: JavaScriptNames, node: Node) -> Iterator[Occurrence]:
    """Comparisons of whole inputs, which no honest condition makes."""
    if node.type != "binary_expression" or node.operator not in ("===", "=="):
        return
    for side, other in ((node.get("left"), node.get("right")), (node.get("right"), node.get("left"))):
        value = names.constant(side)
        if isinstance(value, str) and other is not None and names.constant(other) is UNKNOWN:
            if re.search(r"^\s*[\[{]", value) or "JSON.stringify" in other.text:
                yield Occurrence(
                    Level.REFUSAL, "the patch handles one input instead of fixing the cause", node.text
                )
            elif len(value) >= 16 and " " in value:
                yield Occurrence(
                    Level.DRAFT, "the patch handles one input instead of fixing the cause", node.text
                )
        is_number = (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and value not in (0, 1, -1, 2, 10, 100)
        )
        if (
            is_number
            and names.constant(other) is UNKNOWN
            and not re.search(r"status|code|length|type|key", (other.text if other else ""), re.I)
        ):
            yield Occurrence(
                Level.DRAFT, "the patch handles one input instead of fixing the cause", node.text
            )


RULES: tuple[Rule, ...] = (
    _references, _imports, _hooks, _environment, _texts, _settings, _calls, _patching, _special,
)  # fmt: skip
