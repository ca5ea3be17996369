"""How each agent that speaks the Agent Client Protocol is started: its command, environment and session options."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workers.agent.agent_home import AgentHome
from workers.agent.coding_agent import Job
from workers.agent.config import configuration, environment, write_configuration
from workers.agent.providers import opencode_entry


@dataclass(frozen=True)
class Command:
    """An agent's process, as `commands.start` takes it."""

    argv: tuple[str, ...]
    variables: Mapping[str, str]
    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    setting: str
    """The setting that names the program."""
    secrets: tuple[str, ...] = ()
    """Values that never leave in an error message."""
    session_meta: Mapping[str, Any] = field(default_factory=dict)
    """`_meta` of a new session: options that only this agent knows."""
    is_resumable: bool = False
    """Whether the session's database is kept for a resumed run."""


def acp_command(job: Job, home: AgentHome) -> Command:
    """The command of the job's agent."""
    return _opencode(job, home)


def _opencode(job: Job, home: AgentHome) -> Command:
    agent = job.agent
    entry = opencode_entry(agent.model, agent.provider_config, job.gateway_url, job.token)
    config = configuration(job.role, agent.model, entry)
    write_configuration(home)
    return Command(
        argv=(str(agent.binary), "acp", "--cwd", str(job.clone), "--print-logs", "--log-level", "WARN"),
        # The password is for opencode's own server, which listens on the loopback beside the pipes.
        variables=home.variables | environment(secrets.token_urlsafe(24), config, (agent.binary, agent.rg)),
        readable=(home.fixed, agent.binary, agent.rg),
        writable=(home.data, home.scratch),
        setting="OPENCODE_BIN",
        secrets=(job.token,),
        is_resumable=True,
    )
