"""The arrows: receiver → the workers' public face; main → actors → stages → clients → nouns. Nothing the other way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = [
    {"models", "errors", "scripts", "redaction", "stages"},
    {
        "settings", "logs", "journal", "records", "intake", "due", "broker", "store", "embedded", "brakes", "allowance",
        "railway", "github", "slack", "statuspages", "repository", "opencode", "opencode_config", "opencode_server",
        "budget", "closings", "deadline", "heartbeat", "pings", "retries", "group", "mend.wall", "mend.launcher",
        "find",
    },
    {
        "survey", "analysis", "opening", "enrichment", "diagnosis", "planning", "proposing", "telling",
        "watching", "mend", "past", "backfill", "missed", "endings",
    },
    {"actors", "listing", "showing", "steering", "replay", "looking", "lookback", "windows", "supervise"},
    {"main", "__main__"},
]  # fmt: skip
PUBLIC_FACE = {
    "intake", "journal", "slack", "settings", "logs", "models", "errors", "redaction", "broker", "store",
    "allowance", "deadline",
}  # fmt: skip


def imports(path: Path) -> set[str]:
    """Dotted names of everything a module imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def level(name: str) -> int:
    """The layer of `workers.<name>`; a package's modules belong where the package does unless named themselves."""
    parts = name.split(".")
    for width in (2, 1):
        short = ".".join(parts[:width])
        for number, layer in enumerate(LAYERS):
            if short in layer:
                return number
    raise AssertionError(f"workers.{name} has no layer: give it one")


def modules() -> list[Path]:
    top = ROOT / "workers" / "__init__.py"
    return [path for path in sorted((ROOT / "workers").rglob("*.py")) if path != top]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_imports_a_higher_layer(path: Path) -> None:
    own = ".".join(path.relative_to(ROOT / "workers").with_suffix("").parts).removesuffix(".__init__")

    ours = {name.removeprefix("workers.") for name in imports(path) if name.startswith("workers.")}
    known = {name for name in ours if (ROOT / "workers" / name.split(".")[0]).exists() or _module(name)}

    assert not {name for name in known if level(name) > level(own)}


def _module(name: str) -> bool:
    return (ROOT / "workers" / f"{name.split('.', maxsplit=1)[0]}.py").exists()


def test_workers_never_import_the_receiver() -> None:
    guilty = [
        path
        for path in modules()
        if any(name.split(".")[0] in ("receiver", "tests") for name in imports(path))
    ]

    assert guilty == []


def test_the_receiver_uses_only_the_workers_public_face() -> None:
    for path in (ROOT / "receiver").rglob("*.py"):
        used = {name.split(".")[1] for name in imports(path) if name.startswith("workers.")}

        assert used <= PUBLIC_FACE, path


def test_the_web_process_never_loads_the_stages() -> None:
    code = "import receiver.main, sys; print('\\n'.join(name for name in sys.modules))"

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()

    assert not {
        "workers.pipeline.stages",
        "workers.investigation.evidence",
        "workers.remediation.attempt",
        "graphql",
    } & set(loaded)


def test_importing_the_product_connects_to_nothing_and_reads_no_settings() -> None:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in modules()]
    code = "import sys, socket\nsocket.socket.connect = None\n" + "\n".join(
        f"import {name}" for name in names if not name.endswith(("__main__", "launcher"))
    )

    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={}, capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stderr
