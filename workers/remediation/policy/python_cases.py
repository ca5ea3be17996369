"""Reads the tests of a Python file. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from workers.remediation.policy.python_constants import UNKNOWN
from workers.remediation.policy.python_names import FunctionNode, Names, read_names
from workers.remediation.policy.test_cases import Case, Tests

SKIPS = frozenset({
    "skip", "skipif", "skipunless", "skiptest", "xfail", "expectedfailure", "importorskip", "exit", "usefixtures_skip",
})  # fmt: skip
ASSERTING = frozenset({"raises", "warns", "check", "approx_equal", "deprecated_call"})
SWITCHES = frozenset({
    "load_tests", "pytestmark", "collect_ignore", "collect_ignore_glob", "__test__", "pytest_plugins", "setUpModule",
    "tearDownModule", "setup_module", "teardown_module", "pytest_generate_tests",
})  # fmt: skip
RUN_METHODS = frozenset({"run", "__call__", "debug", "defaultTestResult", "_callTestMethod", "_callSetUp",
    "countTestCases",
                         "__init_subclass__", "id", "shortDescription", "doCleanups", "_addSkip"})  # fmt: skip
BRANCHES = (ast.If, ast.For, ast.While, ast.Try, ast.AsyncFor, ast.Match, ast.IfExp, ast.Lambda)


def read_python_tests(text: str) -> Tests:
    """The tests of a file; none if it does not parse."""
    names = read_names(text)
    if names is None:
        return Tests()
    tree = names.tree
    tests = Tests(imports=frozenset(_imports(tree)), skips=sum(_is_skip(names, node) for node in names.nodes))
    tests.defined = frozenset(_definitions(tree))
    _read_body(names, tree, "", tests)
    for statement in tree.body:
        _read_switch(statement, tests)
    for node in names.nodes:
        if isinstance(node, ast.ClassDef):
            tests.switches.update(_class_switches(node))
    return tests


def _definitions(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, FunctionNode | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"{alias.name} as {alias.asname or alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (
                f"{node.level * '.'}{node.module}.{alias.name} as {alias.asname or alias.name}"
                for alias in node.names
            )


def _read_body(names: Names, holder: ast.Module | ast.ClassDef, prefix: str, tests: Tests) -> None:
    for node in holder.body:
        if isinstance(node, ast.ClassDef):
            _read_body(names, node, f"{prefix}{node.name}.", tests)
        elif isinstance(node, FunctionNode):
            name = prefix + node.name
            if node.name.startswith("test"):
                if name in tests.cases:
                    tests.switches[f"{name} again"] += 1
                tests.cases[name] = _case(names, node, holder)
            else:
                tests.helpers[name] = sum(_is_assertion(child) for child in ast.walk(node))


def _case(names: Names, node: FunctionNode, holder: ast.Module | ast.ClassDef) -> Case:
    case = Case()
    bases = (
        [ast.unparse(base) for base in (*holder.bases, *(keyword.value for keyword in holder.keywords))]
        if isinstance(holder, ast.ClassDef)
        else []
    )
    class_marks = (
        [ast.unparse(mark) for mark in holder.decorator_list] if isinstance(holder, ast.ClassDef) else []
    )
    plain = [ast.unparse(mark) for mark in node.decorator_list if "parametrize" not in ast.unparse(mark)]
    case.frame = " ".join([*sorted(bases), *class_marks, *plain])
    for mark in node.decorator_list:
        if "parametrize" in ast.unparse(mark) and isinstance(mark, ast.Call):
            values = (
                mark.args[1]
                if len(mark.args) > 1
                else next((word.value for word in mark.keywords if word.arg == "argvalues"), None)
            )
            case.parameters += len(values.elts) if isinstance(values, ast.List | ast.Tuple | ast.Set) else 1
    _walk(names, node.body, case, conditional=False)
    return case


def _walk(names: Names, statements: list[ast.stmt], case: Case, *, conditional: bool) -> None:
    for statement in statements:
        own = [
            child
            for child in ast.iter_child_nodes(statement)
            if not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case)
        ]
        assertions = [part for child in own for part in ast.walk(child) if _is_assertion(part)]
        if isinstance(statement, ast.Assert):
            assertions = [statement]
        effective = [part for part in assertions if not _is_empty(names, part)]
        if conditional:
            case.conditional += len(effective)
        else:
            case.assertions.update(ast.unparse(part) for part in effective)
        if isinstance(statement, ast.Return | ast.Raise):
            case.returns += 1
            if not conditional:
                return
        branches = isinstance(statement, BRANCHES) and not isinstance(statement, ast.Try)
        # An assertion under `with suppress(…)` or in a `try` with handlers may fail without anybody noticing.
        is_hidden = (isinstance(statement, ast.Try) and bool(statement.handlers)) or (
            isinstance(statement, ast.With)
            and any("suppress" in ast.unparse(item.context_expr) for item in statement.items)
        )
        for block in ("body", "orelse", "finalbody"):
            inner = getattr(statement, block, None)
            if isinstance(inner, list) and not isinstance(statement, FunctionNode | ast.ClassDef):
                _walk(
                    names,
                    [part for part in inner if isinstance(part, ast.stmt)],
                    case,
                    conditional=conditional or branches or is_hidden,
                )


def _is_assertion(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    if not isinstance(node, ast.Call):
        return False
    called = (
        node.func.attr
        if isinstance(node.func, ast.Attribute)
        else node.func.id
        if isinstance(node.func, ast.Name)
        else ""
    )
    return bool(re.match(r"_?(?:assert|fail|check|verify|expect)", called, re.I)) or called in ASSERTING


def _is_empty(names: Names, node: ast.AST) -> bool:
    """True for an assertion that holds whatever the code does."""
    if isinstance(node, ast.Assert):
        return _is_always_true(names, node.test)
    if not isinstance(node, ast.Call) or not node.args:
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    values = [names.constant(argument) for argument in node.args[:2]]
    if called in ("assertTrue", "assertIsNotNone") and values[0] is not UNKNOWN:
        return True
    if called == "assertFalse" and values[0] is not UNKNOWN:
        return True
    if called in ("assertTrue", "assertFalse"):
        return _is_always_true(names, node.args[0])
    texts = [ast.unparse(argument) for argument in node.args[:2]]
    return called.startswith("assert") and len(values) > 1 and (UNKNOWN not in values or texts[0] == texts[1])


def _is_always_true(names: Names, test: ast.expr) -> bool:
    value = names.constant(test)
    if value is not UNKNOWN or isinstance(test, ast.Lambda):
        return True
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        return any(_is_always_true(names, part) for part in test.values)
    if isinstance(test, ast.Compare):
        sides = [ast.unparse(part) for part in (test.left, *test.comparators)]
        values = [names.constant(part) for part in (test.left, *test.comparators)]
        return UNKNOWN not in values or len(set(sides)) == 1
    return isinstance(test, ast.Tuple) and bool(test.elts)


def _is_skip(names: Names, node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute) and node.attr.lower() in SKIPS - {"exit"}:
        return True
    if isinstance(node, ast.Name):
        return node.id.lower() in SKIPS - {"exit"} or any(
            _is_skip_name(name) for name in names.meanings(node)
        )
    if (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.lower() in SKIPS - {"exit"}
    ):
        return True
    if isinstance(node, ast.Call):
        words = [names.constant(argument) for argument in node.args]
        is_getattr = "builtins.getattr" in names.meanings(node.func)
        return any(_is_skip_name(name) for name in names.meanings(node)) or (
            is_getattr and any(isinstance(word, str) and word.lower() in SKIPS for word in words)
        )
    return False


def _is_skip_name(name: str) -> bool:
    return name.startswith(("unittest", "pytest", "_pytest")) and name.rpartition(".")[2].lower() in SKIPS


def _read_switch(statement: ast.stmt, tests: Tests) -> None:
    """Statements at the top of a file that change which tests run, or put other code in place of the tested code."""
    if isinstance(statement, FunctionNode) and statement.name in SWITCHES:
        tests.switches[statement.name] += 1
    targets = (
        statement.targets
        if isinstance(statement, ast.Assign)
        else [statement.target]
        if isinstance(statement, ast.AnnAssign | ast.AugAssign)
        else []
    )
    imported = {name.rpartition(" as ")[2].partition(".")[0] for name in tests.imports}
    for target in targets:
        root = target
        while isinstance(root, ast.Attribute | ast.Subscript):
            root = root.value
        name = root.id if isinstance(root, ast.Name) else ""
        is_known = name in SWITCHES or name in imported or name in tests.cases
        if isinstance(target, ast.Attribute | ast.Subscript) or is_known:
            tests.switches[ast.unparse(target)] += 1
    if isinstance(statement, ast.Delete | ast.Raise):
        tests.switches[ast.unparse(statement)] += 1
    if isinstance(statement, FunctionNode | ast.ClassDef) and statement.name in imported:
        tests.switches[statement.name] += 1
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        tests.switches[ast.unparse(statement.value)[:60]] += 1
    if isinstance(
        statement, ast.If | ast.Try | ast.For | ast.While | ast.With
    ) and "__main__" not in ast.unparse(statement):
        inner = [
            child
            for child in ast.walk(statement)
            if isinstance(child, FunctionNode | ast.Assign | ast.Call | ast.Raise)
        ]
        tests.switches[f"top-level {type(statement).__name__.lower()}"] += len(inner)


def _class_switches(node: ast.ClassDef) -> Iterator[str]:
    for part in node.body:
        if isinstance(part, FunctionNode) and part.name in RUN_METHODS:
            yield f"{node.name}.{part.name}"
        targets = part.targets if isinstance(part, ast.Assign) else []
        for target in targets:
            if isinstance(target, ast.Name) and (target.id in SWITCHES or target.id.startswith("test")):
                yield f"{node.name}.{target.id}"
