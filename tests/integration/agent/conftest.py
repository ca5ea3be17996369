"""Fixtures for runs of the agent: a folder with a clone, a sandbox, the real opencode, and a git server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agent_runs import PROJECT, run_folder
from tests.support.fakes.model import MODEL_NAME
from tests.support.git_server import GitServer, serving_git
from workers.agent.coding_agent import Agent
from workers.agent.config import find_tool
from workers.sandbox.builder import build_sandbox
from workers.sandbox.sandbox import Sandbox


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for one run, with a clone in it."""
    with run_folder() as path:
        yield path


@pytest.fixture
def sandbox(folder: Path) -> Sandbox:
    return build_sandbox(hide=(), scratch=folder / "scratch", allow_unsandboxed=False)


@pytest.fixture
def agent(sandbox: Sandbox, request: pytest.FixtureRequest) -> Agent:
    """The real opencode, from OPENCODE_BIN or `.tools`, over HTTP unless a test asks for another implementation."""
    chosen = os.environ.get("OPENCODE_BIN")
    return Agent(
        binary=find_tool("opencode", Path(chosen) if chosen else None, "OPENCODE_BIN", PROJECT / ".tools"),
        rg=find_tool("rg", None, "ripgrep", PROJECT / ".tools"),
        sandbox=sandbox,
        model=MODEL_NAME,
        provider_config={},
        keys={},
        price=None,
        cost_limit_usd=1.0,
        deadline_seconds=90.0,
        name=getattr(request, "param", "opencode"),
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with serving_git(tmp_path) as running:
        yield running


@pytest.fixture
def first(server: GitServer) -> str:
    """The server's first commit."""
    return server.commit({"app.py": "one\ntwo\nthree\n", "lib/util.py": "x = 1\n"})
