"""The interface between a run and a coding agent: the agent's inputs and its results.

A coding agent is a program that reads and changes files of a clone and talks to a model. A run does not trust the
agent's account of its work: a plan is validated, and changes are read from the files.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import SecretStr

from workers.agent.config import Role
from workers.gateway.upstream import Upstream
from workers.models import Usage
from workers.sandbox.ports import Ports
from workers.sandbox.sandbox import Sandbox

AgentName = Literal["opencode", "opencode-acp", "claude-code", "codex"]
"""The values of TRACKWALKER_AGENT."""

PROGRAMS: Mapping[AgentName, tuple[str, str]] = {
    "opencode": ("opencode", "OPENCODE_BIN"),
    "opencode-acp": ("opencode", "OPENCODE_BIN"),
    "claude-code": ("claude-code-acp", "CLAUDE_CODE_ACP_BIN"),
    "codex": ("codex-acp", "CODEX_ACP_BIN"),
}
"""The program of each agent, and the setting that names another path."""

GATEWAY_PORT = "gateway"
"""Name of the port on which the worker serves the model gateway."""
AGENT_PORT = "agent"
"""Name of the port on which an agent serves its HTTP interface."""

AGENT_FOLDER = "agent"
"""Folder below a run's folder that holds the agent's own files and the stash of its clone."""

MAX_CALLS = 60
"""Calls of the model in one run. Honest runs need 5 to 30."""

RETRY_SECONDS = 120.0
"""Seconds without progress in which opencode may repeat a request before the run is given back for later."""


@dataclass(frozen=True)
class Agent:
    """The settings that all runs share."""

    binary: Path
    """The agent's program."""
    rg: Path
    """The ripgrep program."""
    sandbox: Sandbox
    model: str
    """`provider/model`"""
    provider_config: Mapping[str, Any]
    """The user's `provider` entries, in opencode's format."""
    keys: Mapping[str, SecretStr]
    """Values of variables that hold providers' keys, by name; only the key of the model's provider is used."""
    price: tuple[float, float] | None
    """US dollars per million input and output tokens; it comes before every other price."""
    cost_limit_usd: float
    deadline_seconds: float
    calls_limit: int = MAX_CALLS
    retry_seconds: float = RETRY_SECONDS
    name: AgentName = "opencode"
    """Which agent `binary` is."""


@dataclass(frozen=True)
class AgentAnswer:
    """The agent's last text, and the usage of the whole run."""

    text: str
    usage: Usage


@dataclass(frozen=True)
class Job:
    """One run, as an agent gets it."""

    agent: Agent
    role: Role
    clone: Path
    """The working directory, without the files that agents must not see."""
    run_folder: Path
    """A folder that outlives a worker; holds the saved session."""
    started: float
    """The start of the run on the monotonic clock, for limits of the agent's own."""
    ports: Ports
    """`gateway` is served by the worker; `agent` by an agent with an HTTP interface."""
    token: str
    """The gateway's token of this run."""
    upstream: Upstream
    """The provider behind the gateway; the agent gets neither its address nor its key."""
    tick: Callable[[], None]
    """The agent calls it about twice a second; it raises when the run is to be ended."""
    on_start: Callable[[subprocess.Popen[bytes]], None]
    """The agent calls it with its process, so that another thread can `commands.kill` it."""

    @property
    def gateway_url(self) -> str:
        """The model gateway's address inside the sandbox, without a path."""
        return f"http://127.0.0.1:{self.ports.number(GATEWAY_PORT)}"

    @property
    def folder(self) -> Path:
        """The agent's own folder."""
        return self.run_folder / AGENT_FOLDER


class Conversation(Protocol):
    """An agent that has started and is asked one prompt after the other."""

    def turn(self, number: int, text: str) -> str:
        """Send the prompt of this number, or resume it, and wait for the answer.

        Raises:
            AgentRefused: a limit was reached, or the model or a setting refuses.
            AgentBusy: the model cannot be reached or the agent crashed; another run may succeed.
        """


class CodingAgent(Protocol):
    """Starts one kind of agent for a job. At the end of the block no process of it is left."""

    def __call__(self, job: Job, /) -> AbstractContextManager[Conversation]:
        """The conversation with a new agent process in the sandbox."""
