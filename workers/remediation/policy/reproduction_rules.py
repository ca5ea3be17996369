"""Checks that a reproduction can prove a fix: it calls the service's code and depends on nothing else. Pure."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from workers.remediation.policy.javascript_names import JavaScriptNames, argument_list
from workers.remediation.policy.javascript_tree import Node, is_javascript, parse_source
from workers.remediation.policy.python_constants import UNKNOWN, parse
from workers.remediation.policy.python_names import FunctionNode, Names, read_names
from workers.remediation.policy.python_rules import ENDINGS
from workers.remediation.policy.syntax_cases import NODE_ASSERT
from workers.remediation.policy.test_files import is_test_name
from workers.remediation.policy.test_strength import read_tests
from workers.remediation.policy.tree_facts import TreeFacts

SOURCE_TEXT = re.compile(
    r"\.(?:py|pyc|[cm]?[jt]sx?|go|rb|java|patch|diff|git)$|__file__|__dirname|import\.meta\.(?:url|filename|dirname)"
)
READS = frozenset({"read_text", "read_bytes", "write_text", "write_bytes", "unlink", "rmdir", "rename", "replace",
    "touch", "mkdir", "glob", "rglob",
                   "iterdir", "symlink_to", "chmod", "exists", "is_file", "stat"})  # fmt: skip
FILE_MODULES = (
    "os.",
    "shutil",
    "pathlib",
    "glob",
    "io.open",
    "builtins.open",
    "linecache",
    "tokenize",
    "fileinput",
    "zipfile",
    "importlib.resources",
)
STATE_MODULES = ("shelve", "dbm", "pickle", "platform", "getpass")
CLOCK = ("time.time", "time.monotonic", "time.perf_counter", "time.time_ns", "datetime.datetime.now",
    "datetime.datetime.utcnow",
         "datetime.date.today", "time.process_time", "os.getpid", "random.random", "random.randint",
         "random.choice", "socket.gethostname",
         "os.getcwd", "uuid.uuid4", "uuid.uuid1", "os.times", "os.getloadavg")  # fmt: skip
MAX_SLEEP = 1.0  # seconds: a test of two threads may wait that long
TEMPORARY = re.compile(r"tmp|(?<!get)temp(?!late)", re.I)
MAX_ALIASES = 3  # names of names that are followed
OUTSIDE = re.compile(r"(?:/tmp|/var|/dev|/home|/run|~)(?:/|$)|\.\./")
LOOKING = frozenset(
    {
        "__doc__",
        "__file__",
        "__name__",
        "__module__",
        "__dict__",
        "__annotations__",
        "__qualname__",
        "__version__",
        "__all__",
        "__path__",
    }
)
NODE_FILES = ("fs.", "fs", "path.resolve", "module.", "child_process", "os.")
NODE_MOCKS = re.compile(
    r"^(?:jest|vi|mock|t\.mock|test\.mock|context\.mock|sinon|td|proxyquire|rewire)\b.*\b(?:mock|doMock|spyOn|stub|replace|module|method|unstable_mockModule|fn)\b|^proxyquire|^rewire"
)
WAITING = re.compile(
    r"\bsetTimeout\b|\bsetInterval\b|Date\.now|new Date\(\)|performance\.now|Math\.random|Atomics\.wait|timers/promises"
)


def find_reproduction_problems(
    path: str, text: str, tree: TreeFacts, culprit: str | None, culprit_text: str | None
) -> list[str]:
    """One sentence per reason why the reproduction proves nothing.

    Args:
        tree: facts about the tree without the patch.
        culprit: the file that the plan blames; None if no plan names one.
        culprit_text: its text, from which follows what it defines itself.
    """
    if path.endswith(".py"):
        blamed = Culprit(culprit, _collaborators(culprit_text), _own_modules(tree), is_test_name(path))
        problems = list(_python(path, text, tree, blamed))
    elif is_javascript(path):
        problems = list(_javascript(path, text))
    else:
        problems = []
    tests = read_tests(path, text)
    asserts = any(case.assertions or case.conditional for case in tests.cases.values()) or any(
        tests.helpers.values()
    )
    if is_test_name(path) and (path.endswith(".py") or is_javascript(path)) and not asserts:
        problems.append("asserts nothing")
    if tests.skips:
        problems.append("skips itself")
    return [f"the reproduction {path} {problem}" for problem in dict.fromkeys(problems) if problem]


@dataclass(frozen=True)
class Culprit:
    """The blamed file, and the names that it imports from elsewhere."""

    path: str | None
    collaborators: frozenset[str]
    service: frozenset[str]
    """Names of the top-level modules and packages of the repository."""
    is_test: bool
    """True if the reproduction is a test and no script."""


def _own_modules(tree: TreeFacts) -> frozenset[str]:
    names = {posixpath.splitext(posixpath.basename(path))[0] for path in (*tree.files, *tree.folders)}
    return frozenset(names - {""})


def _collaborators(text: str | None) -> frozenset[str]:
    tree = parse(text or "")
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)] if tree else []
    return frozenset((alias.asname or alias.name).partition(".")[0] for node in nodes for alias in node.names)


def _python(path: str, text: str, tree: TreeFacts, culprit: Culprit) -> Iterator[str]:
    names = read_names(text)
    if names is None:
        yield "does not parse"
        return
    if not _imports_service(path, names, tree):
        yield "imports no code of the service"
    for node in names.nodes:
        yield from _python_node(names, node, culprit)


def _imports_service(path: str, names: Names, tree: TreeFacts) -> bool:
    folder, root = posixpath.dirname(path), tree.root
    for name in names.imports:
        level = len(name) - len(name.lstrip("."))
        base = posixpath.normpath(posixpath.join(folder, *[".."] * (level - 1))) if level else ""
        parts = name.lstrip(".").split(".")
        bases = (
            [base]
            if level
            else [
                "",
                root,
                folder,
                posixpath.join(root, "src"),
                posixpath.join(root, "lib"),
                *_source_roots(tree, parts[0]),
            ]
        )
        for start in bases:
            for end in range(len(parts), 0, -1):
                candidate = posixpath.normpath(posixpath.join(start, *parts[:end])).removeprefix("./")
                files = {f"{candidate}.py", f"{candidate}/__init__.py"} & tree.files
                if (
                    (files or candidate in tree.folders)
                    and not all(is_test_name(file) for file in files or {""})
                    and not candidate.startswith("tests")
                ):
                    return True
    return False


def _source_roots(tree: TreeFacts, package: str) -> list[str]:
    """Folders that contain a package of this name."""
    return [posixpath.dirname(folder) for folder in tree.folders if posixpath.basename(folder) == package][:4]


def _python_node(names: Names, node: ast.AST, culprit: Culprit) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield "names source files" if SOURCE_TEXT.search(node.value) else ""
        yield "names files outside the repository" if OUTSIDE.match(node.value) else ""
    if (
        isinstance(node, ast.Raise)
        and names.meanings(node.exc.func if isinstance(node.exc, ast.Call) else node.exc) & ENDINGS
    ):
        yield "ends its process" if culprit.is_test else ""
    if isinstance(node, ast.Attribute) and node.attr in LOOKING:
        yield "looks at the code instead of calling it"
    if isinstance(node, ast.Name) and node.id in ("__file__", "__doc__"):
        yield "looks at the code instead of calling it"
    if isinstance(node, ast.Global | ast.Nonlocal):
        yield "keeps state between its runs"
    if isinstance(node, ast.Call):
        yield from _python_call(names, node, culprit)
    if isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Attribute) and any(
                _is_module(name, names) for name in names.meanings(target.value)
            ):
                yield "replaces code of the service"
    if isinstance(node, ast.Name | ast.Attribute):
        for name in names.meanings(node):
            if name in ("os.getenv", "os.environ.get"):
                yield "reads the environment"
            if name.split(".")[0] in STATE_MODULES and isinstance(node, ast.Attribute):
                yield f"depends on {name}"
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Load)
        and "os.environ" in names.meanings(node.value)
    ):
        yield "reads the environment"
    if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Compare):
        test = node if isinstance(node, ast.Compare) else node.test
        if any(
            name in CLOCK
            for part in ast.walk(test)
            if isinstance(part, ast.Name | ast.Attribute)
            for name in names.meanings(part)
        ):
            yield "depends on the clock or on chance"
    if isinstance(node, FunctionNode) and node.name in (
        "load_tests",
        "pytest_generate_tests",
        "__eq__",
        "__getattr__",
    ):
        yield f"defines {node.name}"


def _python_call(names: Names, node: ast.Call, culprit: Culprit) -> Iterator[str]:
    called = names.meanings(node.func)
    attribute = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if any(
        name.startswith(FILE_MODULES)
        and not name.startswith(("os.path.join", "os.environ", "os.getenv"))
        and name != "pathlib.Path"
        for name in called
    ):
        if not _reads_fixture(names, node) and not _is_temporary(names, node):
            yield "reads or writes files"
    elif attribute in READS - {"replace", "exists", "stat"} and not called and not _is_temporary(names, node):
        yield "reads or writes files"
    if called & {"time.sleep", "asyncio.sleep"}:
        seconds = names.constant(node.args[0]) if node.args else 0
        yield "" if isinstance(seconds, int | float) and seconds <= MAX_SLEEP else "waits"
    is_mock = any(name.startswith(("unittest.mock", "mock.")) and "patch" in name for name in called)
    owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
    is_monkey = attribute in ("setattr", "setitem", "delattr", "patch") and re.search(
        "mock|patch", owner, re.I
    )
    if is_mock or is_monkey or "builtins.setattr" in called:
        yield from _mock(names, node, culprit)
    is_module = bool(node.args) and any(_is_module(name, names) for name in names.meanings(node.args[0]))
    if is_module and called & {
        "builtins.getattr",
        "builtins.dir",
        "builtins.vars",
        "builtins.len",
        "builtins.str",
        "builtins.repr",
    }:
        yield "looks at the code instead of calling it"
    if any("hasattr" in name or "callable" in name for name in called):
        yield "looks at the code instead of calling it"


def _is_temporary(names: Names, node: ast.AST) -> bool:
    """True for code that works on temporary files: it names them so, or a name that stands for one."""
    used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    for _ in range(MAX_ALIASES):
        for target, value in _bound(names):
            if target in used:
                used |= {part.id for part in ast.walk(value) if isinstance(part, ast.Name)}
    values = [value for target, value in _bound(names) if target in used]
    texts = [re.sub(r"'[^']*'", "", ast.unparse(part)) for part in (node, *values)]
    return any(TEMPORARY.search(text) for text in texts)


def _bound(names: Names) -> Iterator[tuple[str, ast.expr]]:
    """Names and what they are bound to, by assignments and `with`."""
    for node in names.nodes:
        if isinstance(node, ast.Assign):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
            yield node.optional_vars.id, node.context_expr


def _reads_fixture(names: Names, node: ast.Call) -> bool:
    """True for reading a data file of the tests, whose path is a constant."""
    if not names.meanings(node.func) & {"builtins.open", "io.open"}:
        return False
    value = names.constant(node.args[0]) if node.args else UNKNOWN
    mode = names.constant(node.args[1]) if len(node.args) > 1 else "r"
    return (
        isinstance(value, str)
        and not SOURCE_TEXT.search(value)
        and isinstance(mode, str)
        and mode in ("r", "rb", "rt")
    )


def _mock(names: Names, node: ast.Call, culprit: Culprit) -> Iterator[str]:
    """A mock of something that the culprit calls is ordinary; a mock of the culprit itself proves nothing."""
    target = names.constant(node.args[0]) if node.args else UNKNOWN
    attribute = names.constant(node.args[1]) if len(node.args) > 1 else UNKNOWN
    texts = [target] if isinstance(target, str) else sorted(names.meanings(node.args[0])) if node.args else []
    if not isinstance(target, str) and isinstance(attribute, str):
        texts = [f"{text}.{attribute}" for text in texts]
    module = posixpath.splitext(culprit.path or "")[0].replace("/", ".").removesuffix(".__init__")
    for text in texts:
        parts = text.split(".")
        ends = [
            end
            for end in range(1, len(parts))
            if module == ".".join(parts[:end]) or module.endswith("." + ".".join(parts[:end]))
        ]
        is_own = bool(set(parts) & culprit.service)
        if (not module and is_own) or (ends and parts[ends[-1]] not in culprit.collaborators):
            yield "replaces code of the culprit"
    if not texts:
        yield "replaces code of the service"


def _is_module(name: str, names: Names) -> bool:
    return name in names.imports


def _javascript(path: str, text: str) -> Iterator[str]:
    parsed = parse_source(path, text)
    if parsed is None or parsed.has_error:
        yield "does not parse"
        return
    names = JavaScriptNames(parsed.root)
    if not any(name.startswith((".", "@/", "~/", "#", "src/", "app/", "lib/")) for name in names.imports):
        yield "imports no code of the service"
    for node in names.nodes:
        if node.type == "call_expression" and (function := node.get("function")):
            if (
                NODE_MOCKS.search(function.text)
                and argument_list(node)
                and re.match(r"[\"'`]\.|\w+$", argument_list(node)[0].text)
            ):
                yield "replaces code of the service"
            if "require" in names.meanings(function) and "cache" in node.text:
                yield "changes how modules are loaded"
        if node.type in ("member_expression", "identifier", "subscript_expression"):
            meanings = names.meanings(node)
            if any(name.startswith(NODE_FILES) for name in meanings):
                yield "reads or writes files"
            if any(name.startswith(("process.env", "process.argv")) for name in meanings):
                yield "reads the environment"
        if (
            node.type in ("string", "template_string")
            and SOURCE_TEXT.search(node.text.strip("'\"`"))
            and not _is_import(node)
        ):
            yield "names source files"
        yield from _looking(names, node)
        if (
            node.type == "assignment_expression"
            and (left := node.get("left"))
            and left.type == "member_expression"
        ) and any(
            name in names.imports or name.split(".")[0].startswith(".")
            for name in names.meanings(left.get("object"))
        ):
            yield "replaces code of the service"
        if (
            node.type == "member_expression"
            and node.text.endswith((".toString", ".stack"))
            and names.meanings(node.get("object"))
        ):
            yield "looks at the code instead of calling it"
    if WAITING.search(text):
        yield "reads the clock or waits"
    if (
        not NODE_ASSERT.search(text)
        and "assert" not in text
        and "expect" not in text
        and "throw" not in text
        and "process.exit" not in text
    ):
        yield "asserts nothing"


def _looking(names: JavaScriptNames, node: Node) -> Iterator[str]:
    """`String(f)`, `${f}` and `'f' in module` show the text or the names of code."""
    targets: list[Node] = []
    if (
        node.type == "call_expression"
        and (function := node.get("function"))
        and function.text in ("String", "Object.keys", "Object.entries", "Reflect.has")
    ):
        targets = argument_list(node)[:1]
    elif node.type == "template_substitution":
        targets = node.children[:1]
    elif node.type == "binary_expression" and node.operator == "in":
        targets = [right] if (right := node.get("right")) else []
    for target in targets:
        if target.type in ("identifier", "member_expression") and any(
            name.startswith(".") for name in names.meanings(target)
        ):
            yield "looks at the code instead of calling it"


def _is_import(node: object) -> bool:
    parent = getattr(node, "parent", None)
    if parent is None:
        return False
    if parent.type in ("import_statement", "export_statement"):
        return True
    call = parent.parent
    return parent.type == "arguments" and call is not None and call.text.startswith(("require(", "import("))
