"""Occurrences of dangerous code in a Python file, found on its syntax tree with names resolved. Pure."""

from __future__ import annotations

import ast
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from workers.remediation.policy import python_patching as patching
from workers.remediation.policy import python_tables as tables
from workers.remediation.policy.occurrences import Level, Occurrence, Occurrences
from workers.remediation.policy.python_constants import UNKNOWN
from workers.remediation.policy.python_names import FunctionNode, Names, read_names
from workers.remediation.policy.python_settings import find_insecure_settings

Rule = Callable[[Names, ast.AST], Iterator[Occurrence]]
WORLD_WRITABLE = 0o022  # mode bits by which others than the owner may write, or a program runs as its owner
SET_ID = 0o6000
SYSTEM_PATHS = re.compile(
    r"(?<![\w.-])/(?:proc(?:/|$)|dev/(?:fd|std|tcp|udp|shm|pts|tty)|sys/|etc/|var/run)|site-packages|\.pth\b|__pycache__|\.git/"
)
ENVIRONMENT = ("os.environ", "os.getenv", "os.environb", "os.getenvb", "os.putenv", "os.unsetenv")
RUNNER_WORDS = re.compile(
    r"\b(?:pytest|unittest|PYTEST_\w+|py\.test|_pytest|nose2?|conftest|sitecustomize)\b"
)
EXPECTED_EVERYTHING = frozenset(
    {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__", "__instancecheck__"}
)
TEST_RUN = "the patch looks for signs of a test run"
MAX_BYTES_LIST = 8  # numbers in a list from which a program could be made


def find_occurrences(text: str, *, is_test: bool = False) -> Occurrences:
    """The occurrences in a file; none if it does not parse.

    Args:
        is_test: True for a test, which may use a test runner.
    """
    names = read_names(text)
    if names is None:
        return Counter()
    occurrences: Occurrences = Counter()
    for node in names.nodes:
        for rule in RULES:
            for occurrence in rule(names, node):
                occurrences[occurrence] += 1
    for module in names.stars:
        if module in tables.STAR_MODULES:
            occurrences[Occurrence(Level.REFUSAL, tables.INSPECT, f"from {module} import *")] += 1
    if is_test:
        occurrences = Counter(
            {key: count for key, count in occurrences.items() if key.sentence in TEST_SENTENCES}
        )
    return occurrences


def reference_rule(name: str) -> tuple[Level, str] | None:
    """The level and the sentence for a resolved name; None if it is harmless."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        prefix = ".".join(parts[:end])
        if prefix in tables.REFERENCES:
            return tables.REFERENCES[prefix]
    return None


def _references(names: Names, node: ast.AST) -> Iterator[Occurrence]:
    if isinstance(node, ast.Import):
        candidates = {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
        candidates = {f"{node.module}.{alias.name}" for alias in node.names} if not node.level else set()
    elif isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
        candidates = names.meanings(node)
    else:
        return
    for name in candidates:
        if (rule := reference_rule(name)) and not _is_bare_module(node, name):
            yield Occurrence(*rule, name)


def _is_bare_module(node: ast.AST, name: str) -> bool:
    """True for the mere mention of a module some of whose parts are harmless, as in `import subprocess`."""
    partly = ("subprocess", "multiprocessing", "importlib", "inspect", "pickle", "socket", "signal", "http.client",
        "requests",
              "httpx", "aiohttp", "urllib3", "boto3", "urllib.request", "smtplib", "fcntl", "traceback", "numpy",
              "yaml")  # fmt: skip
    return name in partly and isinstance(node, ast.Import | ast.Name | ast.Attribute)


def _reflection(names: Names, node: ast.AST) -> Iterator[Occurrence]:
    """`getattr(os, name)` with a computed name, and access to the interpreter through attributes."""
    if isinstance(node, ast.Attribute) and node.attr in tables.FRAME_ATTRIBUTES:
        yield Occurrence(Level.REFUSAL, tables.INSPECT, node.attr)
    if (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value in tables.FRAME_ATTRIBUTES
    ):
        yield Occurrence(Level.REFUSAL, tables.INSPECT, node.value)
    if (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(r"\{[^{}]*\.__\w+__", node.value)
    ):
        yield Occurrence(Level.REFUSAL, tables.INSPECT, node.value)
    if not isinstance(node, ast.Call):
        return
    called = names.meanings(node.func)
    if called & {"builtins.getattr", "builtins.setattr", "builtins.delattr", "builtins.vars"} and node.args:
        owners = {
            owner for owner in names.meanings(node.args[0]) if owner in names.imports or owner == "builtins"
        }
        is_known = len(node.args) > 1 and isinstance(names.constant(node.args[1]), str)
        if owners and not is_known:
            yield Occurrence(Level.REFUSAL, tables.INSPECT, ast.unparse(node))
    attribute = names.constant(node.args[1]) if len(node.args) > 1 else UNKNOWN
    if isinstance(attribute, str) and attribute in tables.FRAME_ATTRIBUTES:
        yield Occurrence(Level.REFUSAL, tables.INSPECT, attribute)


def _programs(names: Names, node: ast.AST) -> Iterator[Occurrence]:
    if not isinstance(node, ast.Call):
        return
    for keyword in node.keywords:
        value = names.constant(keyword.value)
        if keyword.arg == "shell" and (value is UNKNOWN or value):
            yield Occurrence(Level.REFUSAL, tables.SHELL, "shell=True")
        if keyword.arg == "executable":
            yield Occurrence(Level.REFUSAL, tables.SHELL, "executable=")
        if keyword.arg == "allow_pickle" and names.constant(keyword.value):
            yield Occurrence(Level.REFUSAL, tables.UNPICKLE, "allow_pickle=True")
    called = names.meanings(node.func)
    if (
        called & tables.PROGRAM_STARTERS
        and node.args
        and (program := _program(names, node.args[0])) is not None
    ) and (
        posixpath.basename(program).lower() in tables.SHELL_PROGRAMS
        or re.match(r"(?:.*/)?python[\d.]*$", program)
    ):
        yield Occurrence(Level.REFUSAL, tables.SHELL, program)
    if called & {"yaml.load", "yaml.load_all"} and not _has_safe_loader(names, node):
        yield Occurrence(Level.REFUSAL, tables.UNPICKLE, "yaml.load")


def _program(names: Names, argument: ast.expr) -> str | None:
    first = argument.elts[0] if isinstance(argument, ast.List | ast.Tuple) and argument.elts else argument
    value = names.constant(first)
    if isinstance(value, list):
        value = value[0] if value else ""
    return value.split()[0] if isinstance(value, str) and value.strip() else None


def _has_safe_loader(names: Names, node: ast.Call) -> bool:
    loaders = [keyword.value for keyword in node.keywords if keyword.arg == "Loader"] + node.args[1:2]
    return any("Safe" in name or "Base" in name for loader in loaders for name in names.meanings(loader))


def _environment(names: Names, node: ast.AST) -> Iterator[Occurrence]:
    sentence = TEST_RUN
    if isinstance(node, ast.Call | ast.Subscript | ast.Compare):
        key = _environment_key(names, node)
        if isinstance(key, str) and re.fullmatch(tables.TEST_VARIABLE, key):
            yield Occurrence(Level.REFUSAL, sentence, key)
    if isinstance(node, ast.For | ast.comprehension) and any(
        name in ENVIRONMENT for name in names.meanings(node.iter)
    ):
        yield Occurrence(Level.REFUSAL, sentence, "os.environ")
    if (
        isinstance(node, ast.Call)
        and node.args
        and "builtins.dict" in names.meanings(node.func) | _type_names(node.func)
    ) and names.meanings(node.args[0]) & {"os.environ"}:
        yield Occurrence(Level.REFUSAL, sentence, "dict(os.environ)")
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("items", "keys", "values", "copy")
    ) and names.meanings(node.func.value) & {"os.environ"}:
        yield Occurrence(Level.REFUSAL, sentence, f"os.environ.{node.func.attr}()")
    targets = node.targets if isinstance(node, ast.Assign) else []
    writes = any(
        isinstance(target, ast.Subscript) and "os.environ" in names.meanings(target.value)
        for target in targets
    )
    is_put = isinstance(node, ast.Call) and names.meanings(node.func) & {
        "os.putenv",
        "os.environ.setdefault",
        "os.environ.update",
    }
    if writes or is_put:
        yield Occurrence(Level.DRAFT, "the patch changes environment variables", "os.environ")


def _type_names(node: ast.expr) -> set[str]:
    return {f"builtins.{node.id}"} if isinstance(node, ast.Name) else set()


def _environment_key(names: Names, node: ast.Call | ast.Subscript | ast.Compare) -> Any:
    if isinstance(node, ast.Subscript):
        return names.constant(node.slice) if "os.environ" in names.meanings(node.value) else UNKNOWN
    if isinstance(node, ast.Compare):
        return names.constant(node.left) if "os.environ" in names.meanings(node.comparators[0]) else UNKNOWN
    called = names.meanings(node.func)
    is_read = any(name.startswith(("os.environ.", "os.getenv")) for name in called)
    return names.constant(node.args[0]) if is_read and node.args else UNKNOWN


def _files(names: Names, node: ast.AST) -> Iterator[Occurrence]:
    if isinstance(node, ast.Constant | ast.BinOp | ast.JoinedStr):
        value = names.constant(node)
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if isinstance(text, str) and (match := SYSTEM_PATHS.search(text)):
            yield Occurrence(Level.REFUSAL, "the patch names files of the system or of its tools", match[0])
        if isinstance(text, str) and len(text) < tables.MAX_WORD and (match := RUNNER_WORDS.search(text)):
            yield Occurrence(Level.REFUSAL, tables.RUNNER, match[0])
    if not isinstance(node, ast.Call):
        return
    called = names.meanings(node.func)
    if (
        called & {"builtins.open", "io.open", "io.FileIO"}
        and node.args
        and isinstance(names.constant(node.args[0]), int)
    ):
        yield Occurrence(Level.REFUSAL, tables.FILES, ast.unparse(node))
    attribute = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    opens = (
        called & {"builtins.open", "io.open", "pathlib.Path", "flask.send_file"} or attribute == "from_string"
    )
    if opens and any(re.search(r"\breq(?:uest)?\b", ast.unparse(argument)) for argument in node.args[:1]):
        yield Occurrence(
            Level.DRAFT, "the patch opens a file or a template that a request names", ast.unparse(node)
        )
    if attribute in ("chmod", "fchmod", "lchmod") or called & {"os.chmod", "os.fchmod", "os.lchmod"}:
        yield from _permissions(names, node)
    for keyword in node.keywords:
        if (
            keyword.arg == "mode"
            and isinstance(mode := names.constant(keyword.value), int)
            and mode & WORLD_WRITABLE
        ):
            yield Occurrence(Level.REFUSAL, "the patch opens file permissions to all users", oct(mode))


def _permissions(names: Names, node: ast.Call) -> Iterator[Occurrence]:
    values = [
        names.constant(argument) for argument in (*node.args, *(keyword.value for keyword in node.keywords))
    ]
    mode = values[-1] if values else UNKNOWN
    if isinstance(mode, int) and not mode & (WORLD_WRITABLE | SET_ID):
        return
    level = Level.REFUSAL if isinstance(mode, int) else Level.DRAFT
    yield Occurrence(
        level,
        "the patch opens file permissions to all users",
        oct(mode) if isinstance(mode, int) else ast.unparse(node),
    )


def _objects(names: Names, node: ast.AST) -> Iterator[Occurrence]:
    """Objects that are equal to everything, constants that change, and programs as numbers."""
    if isinstance(node, FunctionNode) and node.name in EXPECTED_EVERYTHING:
        returns = [child.value for child in ast.walk(node) if isinstance(child, ast.Return)]
        is_constant = all(value is None or names.constant(value) is not UNKNOWN for value in returns)
        level = Level.REFUSAL if is_constant else Level.DRAFT
        yield Occurrence(level, "the patch redefines equality of its values", node.name)
    if isinstance(node, ast.ClassDef):
        for part in node.body:
            targets = part.targets if isinstance(part, ast.Assign) else []
            if any(isinstance(target, ast.Name) and target.id in EXPECTED_EVERYTHING for target in targets):
                yield Occurrence(
                    Level.REFUSAL, "the patch redefines equality of its values", ast.unparse(part)
                )
    if isinstance(node, ast.Global) and any(name.isupper() for name in node.names):
        yield Occurrence(
            Level.DRAFT, "the patch changes a constant while the service runs", ast.unparse(node)
        )
    if isinstance(node, FunctionNode) and node.name in ("__exit__", "__aexit__"):
        results = [names.constant(child.value) for child in ast.walk(node) if isinstance(child, ast.Return)]
        if any(value is not UNKNOWN and value for value in results):
            yield Occurrence(Level.REFUSAL, "the patch ignores every error", node.name)
    if isinstance(node, FunctionNode) and node.name in (
        "__getattr__",
        "__getattribute__",
        "__del__",
        "__class_getitem__",
        "__set_name__",
    ):
        yield Occurrence(Level.DRAFT, "the patch adds a hook of the language", node.name)
    if (
        isinstance(node, ast.Constant)
        and isinstance(node.value, bytes)
        and any(byte < 9 or byte > 126 for byte in node.value)
    ) and len(node.value) > MAX_BYTES_LIST:
        yield Occurrence(Level.REFUSAL, "the patch contains a binary as text", "")
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("bytes", "bytearray")
        and node.args
    ):
        value = names.constant(node.args[0])
        if isinstance(value, list) and len(value) >= MAX_BYTES_LIST:
            yield Occurrence(Level.REFUSAL, "the patch contains a binary as text", "")


ENDINGS = frozenset({"builtins.SystemExit", "builtins.KeyboardInterrupt", "builtins.GeneratorExit"})
"""Exceptions that pass every `except Exception` and end a process or a task."""


def _exits(names: Names, node: ast.AST) -> Iterator[Occurrence]:
    if isinstance(node, ast.Raise):
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        for name in names.meanings(raised) & ENDINGS:
            yield Occurrence(Level.REFUSAL, "the patch ends its process", name)


TEST_SENTENCES = frozenset({
    tables.CODE, tables.SHELL, tables.PROGRAM, tables.PROCESS, tables.INSPECT, tables.THREAD, tables.FILES,
    tables.LIBRARY,
    tables.UNPICKLE, patching.SENTENCE, TEST_RUN,
    "the patch names files of the system or of its tools", "the patch changes environment variables",
    "the patch redefines equality of its values", "the patch contains a binary as text",
})  # fmt: skip
"""Rules that hold in tests too; settings and addresses of a test reach nobody."""
RULES: tuple[Rule, ...] = (
    _references, _reflection, _programs, _environment, _files, _objects, _exits, patching.find_patching,
    find_insecure_settings,
)  # fmt: skip
