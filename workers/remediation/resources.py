"""The clients, folders and programs that a fix attempt uses."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from workers.agent import run
from workers.agent.coding_agent import PROGRAMS, Agent, AgentAnswer
from workers.agent.config import Role, find_tool
from workers.agent.providers import read_providers
from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.engine.journal_store import JournalStore
from workers.models import Verification
from workers.remediation import verification
from workers.runtime.own_secrets import own_secrets
from workers.runtime.settings import Settings
from workers.sandbox.builder import build_sandbox
from workers.sandbox.sandbox import Sandbox

RUN_SECONDS: dict[Role, float] = {"reader": 900.0, "writer": 1500.0}
"""Deadline of one agent run: the writer also edits and runs tests. Both fit into the deadline of their stage."""


@dataclass
class Remediation:
    """The resources of fix attempts in one worker process.

    The sandbox and the agent are built on first use, because most workers never attempt a fix and should start
    without either.
    """

    settings: Settings
    github: GitHub
    repositories: Repositories
    store: JournalStore
    folder: Path
    """Data folder, hidden from everything in the sandbox."""
    now: Callable[[], datetime]
    """The time by this process's clock: a stage reads no clock itself."""
    ask: Callable[..., AgentAnswer] = run.ask
    """Runs the agent once; tests replace it, because it takes minutes."""
    verify: Callable[..., Verification] = verification.verify
    """Verifies a fix; replaced by tests for the same reason."""

    @cached_property
    def product_folder(self) -> Path:
        """The folder that Trackwalker runs from."""
        return Path(__file__).resolve().parents[2]

    @cached_property
    def sandbox(self) -> Sandbox:
        """The sandbox for agents and repository code.

        Raises:
            AgentRefused: this host supports no isolation level and TRACKWALKER_ALLOW_UNSANDBOXED is not set.
        """
        scratch = self.folder / "scratch"
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        hide = [self.folder, self.product_folder / ".env", Path.cwd() / ".env"]
        hide += [self.settings.opencode_config] if self.settings.opencode_config else []
        return build_sandbox(hide=hide, scratch=scratch, allow_unsandboxed=self.settings.allow_unsandboxed)

    @cached_property
    def agent(self) -> Agent:
        """The configured agent.

        Raises:
            AgentRefused: a program or setting is missing; the message names it.
        """
        tools, settings = self.product_folder / ".tools", self.settings
        config = settings.opencode_config
        program, setting = PROGRAMS[settings.agent]
        paths = {
            "OPENCODE_BIN": settings.opencode_bin,
            "CLAUDE_CODE_ACP_BIN": settings.claude_code_acp_bin,
            "CODEX_ACP_BIN": settings.codex_acp_bin,
        }
        # Provider keys may be set in `.env` only, which os.environ does not contain.
        environ = dict(os.environ) | {
            name: key.get_secret_value() for name, key in settings.provider_keys.items()
        }
        return Agent(
            binary=find_tool(program, paths[setting], setting, tools),
            name=settings.agent,
            rg=find_tool("rg", None, ".tools", tools),
            sandbox=self.sandbox,
            model=settings.model or "",
            provider_config=read_providers(config, environ) if config else {},
            keys=settings.provider_keys,
            price=settings.model_price,
            cost_limit_usd=settings.max_cost_per_incident_usd,
            deadline_seconds=RUN_SECONDS["reader"],
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values of Trackwalker's own secrets: a patch that contains one is never proposed."""
        return patch_secrets(self.settings)


def patch_secrets(settings: Settings) -> tuple[str, ...]:
    """The secrets of the settings, and those in the file that OPENCODE_CONFIG names."""
    keys = {name: key.get_secret_value() for name, key in settings.provider_keys.items()}
    values = own_secrets(settings, dict(os.environ) | keys, settings.opencode_config)
    return tuple(dict.fromkeys(value for value in values if value))
