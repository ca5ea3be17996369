"""The arrows between packages: which package may import which, and what must never be loaded or repeated.

The table is the one in docs/architecture.md. A test that fails here means that a module stands in the wrong package or
that the table has to change on purpose; change both together.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BASE = {"models", "errors"}
PURE_TEXT = {
    "runtime.text",
    "runtime.redaction",
    "runtime.characters",
}  # pure functions on strings: every layer may use them
LAYER_2 = {*BASE, "runtime", "engine", "detection", "sandbox", "gateway", "clients"}
LAYER_4 = {*LAYER_2, "history", "investigation", "agent", "pull_requests", "incidents"}

ALLOWED: dict[str, set[str]] = {
    "models": set(),
    "errors": set(),
    "runtime": BASE,
    "engine": BASE,
    "detection": BASE,
    "sandbox": BASE,
    "gateway": {*BASE, "runtime"},
    "clients": {*BASE, "runtime", "sandbox"},
    "history": {*BASE, "runtime", "clients", "detection", "engine"},
    "investigation": {*BASE, "runtime", "clients"},
    "agent": {*BASE, "runtime", "clients", "sandbox", "gateway"},
    "pull_requests": {*BASE, "runtime", "clients", "engine"},
    "incidents": {*BASE, "runtime", "clients", "engine", "detection", "history"},
    "remediation": LAYER_4,
    "actions": LAYER_4,
    "views": {*LAYER_4, "notifications.trouble_texts"},
    "doctor": {*LAYER_4, "remediation", "views"},
    "notifications": LAYER_4,
    "pipeline": {*LAYER_4, "remediation", "notifications"},
    "cli": {*LAYER_4, "remediation", "actions", "views", "doctor"},
    "main": {*LAYER_4, "remediation", "notifications", "pipeline"},
    "__main__": {*LAYER_4, "cli"},
    "receiver": {
        *BASE,
        "runtime",
        "engine",
        "clients.slack",
        "clients.slack_controls",
        "clients.slack_response",
        "clients.deadline",
        "incidents.intake",
        "incidents.request_quota",
        "incidents.decisions",
        "incidents.audit",
        "models",
        "actions",
        "views",
    },
}
"""Package → packages, or single modules, that it may import. Its own modules are always allowed."""

EXCEPTIONS: dict[str, set[str]] = {}
"""Module → further modules that it may import, each with its reason beside it."""

PURE = (
    "workers.detection",
    "workers.investigation.diagnosis",
    "workers.investigation.logs",
    "workers.investigation.signs",
    "workers.agent.prompts",
    "workers.agent.plan",
    "workers.agent.inert_text",
    "workers.agent.run_limits",
)
IMPURE_MODULES = {"httpx", "redis", "dramatiq", "random", "secrets", "socket", "subprocess", "time", "uuid"}


def modules() -> list[Path]:
    return [path for top in ("receiver", "workers") for path in sorted((ROOT / top).rglob("*.py"))]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def package_of(name: str) -> str:
    top, _, rest = name.partition(".")
    return "receiver" if top == "receiver" else rest.partition(".")[0]


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def imports(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports, inside functions too, and by `import_module("…")`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if is_module(name) else node.module for name in full}
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            names |= {str(argument.value) for argument in node.args if isinstance(argument, ast.Constant)}
    return names


def is_allowed(own: str, imported: str) -> bool:
    package, target = package_of(own), package_of(imported)
    module = imported.removeprefix("workers.")
    if target in (package, "") or module in PURE_TEXT or module in EXCEPTIONS.get(own, set()):
        return True
    return any(module == allowed or module.startswith(f"{allowed}.") for allowed in ALLOWED[package])


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_the_table_allows(path: Path) -> None:
    own = name_of(path)

    ours = {name for name in imports(path) if name.split(".")[0] in ("workers", "receiver", "tests")}

    assert {name for name in ours if not is_allowed(own, name)} == set()


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_names_no_path_into_another_package(path: Path) -> None:
    tree = ast.parse(path.read_text())

    climbs = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("parents", "parent")
        and "__file__" in ast.unparse(node.value)
        and (node.attr == "parents" or ".parent" in ast.unparse(node.value))
    ]

    assert climbs == [] or name_of(path) in PATHS_TO_THE_PROJECT


PATHS_TO_THE_PROJECT = {"workers.remediation.resources", "workers.runtime.environment"}
"""Modules that look for files of the project itself (`.tools`, `.env`), not of another package."""


def test_packages_import_each_other_in_no_circle() -> None:
    arrows: dict[str, set[str]] = {}
    for path in modules():
        own = package_of(name_of(path))
        ours = {
            package_of(name)
            for name in imports(path)
            if name.startswith("workers.") and name.removeprefix("workers.") not in PURE_TEXT
        }
        arrows.setdefault(own, set()).update(ours - {own, ""})

    while leaves := [name for name, targets in arrows.items() if not targets & arrows.keys()]:
        for name in leaves:
            del arrows[name]

    assert arrows == {}


def test_a_file_name_occurs_once_in_the_workers() -> None:
    names = Counter(path.name for path in modules() if path.is_relative_to(ROOT / "workers"))

    assert [name for name, count in names.items() if count > 1 and name != "__init__.py"] == []


def test_no_test_file_is_imported() -> None:
    # Pytest would collect the fixtures and tests of an imported file twice. Shared code belongs to tests/support.
    # The sources of the exam's services are material: some of them cannot be parsed on purpose.
    material = ROOT / "tests" / "exam" / "data"
    test_files = sorted(path for path in (ROOT / "tests").rglob("*.py") if not path.is_relative_to(material))

    imported = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in test_files
        for name in imports(path)
        if name.startswith("tests.") and name.rpartition(".")[2].startswith("test_")
    }

    assert imported == set()


@pytest.mark.parametrize(
    "path",
    [path for path in modules() if name_of(path).startswith(PURE)],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_what_must_be_reproducible_imports_no_client_no_clock_and_no_entropy(path: Path) -> None:
    tops = {name.split(".")[0] for name in imports(path)}
    clients = {name for name in imports(path) if name.startswith("workers.clients")}

    assert not tops & IMPURE_MODULES
    assert clients == set()


def test_the_web_process_never_loads_the_stages() -> None:
    code = "import receiver.main, sys; print('\\n'.join(name for name in sys.modules))"

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()

    heavy = ("workers.pipeline", "workers.investigation", "workers.remediation", "workers.agent", "graphql")
    assert [name for name in loaded if name.startswith(heavy)] == []


def test_importing_the_product_connects_to_nothing_and_reads_no_settings() -> None:
    names = [name_of(path) for path in modules()]
    code = "import sys, socket\nsocket.socket.connect = None\n" + "\n".join(
        f"import {name}" for name in names if not name.endswith(("__main__", "launcher"))
    )

    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={}, capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stderr
