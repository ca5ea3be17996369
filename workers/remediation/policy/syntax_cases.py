"""Reads the tests of JavaScript, TypeScript, Go and Ruby files. Pure."""

from __future__ import annotations

import re

from workers.remediation.policy.javascript_names import FUNCTIONS, argument_list, fold, string_value
from workers.remediation.policy.javascript_tree import Node, is_javascript, parse_source, suffix_of
from workers.remediation.policy.python_constants import UNKNOWN
from workers.remediation.policy.test_cases import Case, Tests

TEST_CALL = re.compile(
    r"(?:test|it|specify)(?:\.(?:each|concurrent|serial|failing|fails|only|skip|todo|extend))*(?:\(.*\)|`.*`)?$",
    re.S,
)
SKIP_CALL = re.compile(
    r"^x(?:it|test|describe|specify)$|^f(?:it|describe)$|\.(?:skip|todo|only|failing|fails|pending|skipIf|runIf|fixme)$|^pending$"
)
NODE_ASSERT = re.compile(r"^(?:expect|should)\b|^assert\b|\.should\b|^t\.(?:is|not|equal|same|deepEqual|true|false"
                         r"|throws|ok|assert|like|match|plan|pass|fail)\b"
                         r"|(?:assert|expect|check|verify)[A-Z]\w*$|\.(?:strictEqual|deepEqual|deepStrictEqual"
                         r"|rejects|throws)$")  # fmt: skip
GO_ASSERT = re.compile(
    r"^[tb]\.(?:Error|Errorf|Fatal|Fatalf|Fail|FailNow)$|^(?:assert|require|is|qt|c)\.\w+$|^(?:assert|require|check|must)\w*$|^cmp\.Diff$",
    re.I,
)
RUBY_ASSERT = re.compile(r"^(?:expect|assert\w*|refute\w*|must_\w+|wont_\w+|should\w*|is_expected|flunk)$")
SKIPS = {".go": re.compile(r"^[tb]\.(?:Skip|Skipf|SkipNow)$|^os\.Exit$|^runtime\.Goexit$"),
         ".rb": re.compile(r"^(?:x(?:it|describe|context|specify|example)|f(?:it|describe|context)|skip|pending"
                           r"|exit!?)$")}  # fmt: skip
CONDITIONS = frozenset({"if_statement", "for_statement", "for_in_statement", "while_statement", "switch_statement",
    "ternary_expression",
                        "catch_clause", "if", "unless", "case", "if_modifier", "unless_modifier", "while",
                        "rescue"})  # fmt: skip
EXITS = frozenset({"return_statement", "return", "throw_statement"})


def read_syntax_tests(path: str, text: str) -> Tests:
    """The tests of a file; none if its language has no parser here."""
    parsed = parse_source(path, text)
    if parsed is None:
        return Tests()
    if is_javascript(path):
        return _javascript(parsed.root)
    return _go(parsed.root) if suffix_of(path) == ".go" else _ruby(parsed.root)


def _javascript(root: Node) -> Tests:
    tests = Tests()
    imports = set()
    for node in root.walk():
        if node.type in ("import_statement",) or (
            node.type == "variable_declarator" and "require(" in node.text
        ):
            imports.add(re.sub(r"\s+", " ", node.text))
        if (
            node.type == "pair"
            and (key := node.get("key"))
            and key.text in ("skip", "todo", "only")
            and node.text.partition(":")[2].strip() != "false"
        ):
            tests.skips += 1
        if node.type != "call_expression" or not (function := node.get("function")):
            continue
        tests.skips += SKIP_CALL.search(function.text) is not None and function.type in (
            "identifier",
            "member_expression",
        )
        arguments = argument_list(node)
        if (
            TEST_CALL.match(function.text)
            and arguments
            and any(argument.type in FUNCTIONS for argument in arguments)
        ):
            name = string_value(arguments[0]) or arguments[0].text
            body = next(argument for argument in arguments if argument.type in FUNCTIONS)
            if name in tests.cases:
                name = f"{name} again"
            tests.cases[name] = _case(body, NODE_ASSERT)
        if function.type == "member_expression" and function.text in (
            "jest.mock",
            "vi.mock",
            "mock.module",
            "mock.method",
            "sinon.stub",
            "t.mock",
        ):
            tests.switches[node.text] += 1
    for node in root.children:
        tests.switches.update(_switches(node))
    tests.imports = frozenset(imports)
    return tests


def _switches(statement: Node) -> list[str]:
    """Statements at the top of a file that replace the tested code, or end the run."""
    if statement.type in (
        "if_statement",
        "return_statement",
        "throw_statement",
        "for_statement",
        "try_statement",
    ):
        return [statement.type]
    inner = statement.children[0] if statement.type == "expression_statement" and statement.children else None
    if inner is not None and inner.type == "assignment_expression":
        return [inner.text.partition("=")[0]]
    called = inner.get("function") if inner is not None and inner.type == "call_expression" else None
    return (
        [called.text]
        if called is not None and called.text.startswith(("process.", "Object.", "Reflect."))
        else []
    )


def _go(root: Node) -> Tests:
    tests = Tests()
    for node in root.walk():
        if node.type == "function_declaration" and (name := node.get("name")):
            body = node.get("body") or node
            if re.match(r"(?:Test|Example|Fuzz|Benchmark)", name.text):
                tests.cases[name.text] = _case(body, GO_ASSERT)
                tests.switches.update(["TestMain"] if name.text == "TestMain" else [])
            else:
                tests.helpers[name.text] = sum(_is_call(child, GO_ASSERT) for child in body.walk())
            tests.switches.update(["init"] if name.text == "init" else [])
        tests.skips += _is_call(node, SKIPS[".go"])
    tests.imports = frozenset(node.text for node in root.walk() if node.type == "import_spec")
    head = root.content[: root.children[0].start if root.children else 0].decode(errors="replace")
    # A build constraint leaves the whole file out (https://pkg.go.dev/cmd/go#hdr-Build_constraints).
    tests.switches["build constraint"] += len(re.findall(r"^//\s*\+build|^//go:build", head, re.M))
    return tests


def _ruby(root: Node) -> Tests:
    tests = Tests()
    for node in root.walk():
        if node.type == "call" and (method := node.get("method")):
            tests.skips += SKIPS[".rb"].match(method.text) is not None
            if method.text in ("it", "specify", "test", "example", "scenario") and (
                block := node.get("block")
            ):
                title = node.get("arguments")
                tests.cases[title.text if title else f"line {node.start}"] = _case(block, RUBY_ASSERT)
        elif (
            node.type == "identifier"
            and SKIPS[".rb"].match(node.text)
            and node.parent
            and node.parent.type in ("body_statement", "block_body", "program")
        ):
            tests.skips += 1
        elif node.type == "method" and (name := node.get("name")):
            if name.text.startswith("test_"):
                tests.cases[name.text] = _case(node, RUBY_ASSERT)
            else:
                tests.helpers[name.text] = sum(_is_call(child, RUBY_ASSERT) for child in node.walk())
        if node.type == "pair" and re.match(r":?(?:skip|pending|focus):?\b", node.text):
            tests.skips += 1
    return tests


def _case(body: Node, asserts: re.Pattern[str]) -> Case:
    case = Case()
    ended = 1 << 60
    for node in body.walk():
        is_inner = _has_ancestor(node, body, FUNCTIONS)
        conditional = _has_ancestor(node, body, CONDITIONS)
        if node.type in EXITS and not is_inner:
            case.returns += 1
            ended = min(ended, node.start) if not conditional else ended
        if not _is_call(node, asserts) or node.start > ended or _is_empty(node):
            continue
        is_go = re.match(r"[tb]\.", node.text) is not None
        if conditional and not is_go:
            case.conditional += 1
        else:
            condition = _condition(node, body) if is_go else ""
            case.assertions[condition + re.sub(r"\s+", " ", _whole(node, body).text)] += 1
    return case


def _is_call(node: Node, names: re.Pattern[str]) -> bool:
    if node.type not in ("call_expression", "call"):
        return False
    function = node.get("function") or node.get("method")
    return function is not None and names.search(function.text) is not None


def _whole(node: Node, body: Node) -> Node:
    """The statement of an assertion: `expect(a)` is part of `expect(a).toBe(b)`."""
    while (
        node.parent is not None
        and node.parent is not body
        and node.parent.type in ("call_expression", "member_expression", "call", "await_expression")
    ):
        node = node.parent
    return node


def _condition(node: Node, body: Node) -> str:
    """The condition under which a Go test fails: its assertion."""
    parent = node.parent
    while parent is not None and parent is not body:
        if parent.type == "if_statement":
            condition, first = parent.get("condition"), parent.get("initializer")
            return f"{first.text if first else ''};{condition.text if condition else ''}: "
        parent = parent.parent
    return ""


def _has_ancestor(node: Node, top: Node, types: frozenset[str]) -> bool:
    parent = node.parent
    while parent is not None and parent is not top:
        if parent.type in types:
            return True
        parent = parent.parent
    return False


def _is_empty(node: Node) -> bool:
    """True for an assertion that holds whatever the code does."""
    plain = node.get("arguments") if node.type == "call" else None
    arguments = argument_list(node) or (plain.children if plain is not None else [])
    values = [fold(argument, {}) for argument in arguments[:2]]
    if not arguments:
        return False
    if values and all(value is not UNKNOWN for value in values):
        # `expect(5)` begins an assertion about a constant; `assert.strictEqual(5, 5)` is one.
        return True
    texts = [argument.text for argument in arguments[:2]]
    is_or_true = (
        arguments[0].type == "binary_expression"
        and arguments[0].operator == "||"
        and fold(arguments[0].get("right"), {}) not in (UNKNOWN, None, False)
    )
    whole = node
    while whole.parent is not None and whole.parent.type in ("member_expression", "call_expression"):
        whole = whole.parent
    compared = argument_list(whole) if whole is not node else []
    is_self = bool(compared) and compared[0].text == texts[0]
    return (len(texts) > 1 and texts[0] == texts[1]) or is_or_true or is_self


def count_words(text: str) -> tuple[int, int]:
    """Numbers of assertions and of skips in a test of a language that has no parser here."""
    asserts = len(re.findall(r"\b(?:assert\w*|expect\w*|verify\w*|should\w*)\s*[(!.]", text, re.I))
    tests = len(
        re.findall(r"@Test\b|\[(?:Fact|Test|Theory)\]|#\[test\]|\btest\s*[\"(]|function\s+test", text)
    )
    skips = len(
        re.findall(
            r"@(?:Disabled|Ignore|Skip)\b|\[Ignore|Skip\s*=|#\[ignore|markTestSkipped|assume\w*\(|@tag\s+:skip",
            text,
        )
    )
    return asserts + tests, skips
