"""How each agent that speaks the Agent Client Protocol is started: its command, environment and session options."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workers.agent.agent_home import AgentHome
from workers.agent.coding_agent import AgentName, Job
from workers.agent.config import SYSTEM_PROMPTS, configuration, environment, search_path, write_configuration
from workers.agent.providers import opencode_entry
from workers.errors import AgentRefused
from workers.gateway.formats import FormatName


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
    preamble: str = ""
    """Text before the first prompt, for an agent that takes no system prompt."""
    is_resumable: bool = False
    """Whether the session's database is kept for a resumed run."""


def acp_command(job: Job, home: AgentHome) -> Command:
    """The command of the job's agent.

    Raises:
        AgentRefused: the model's provider does not serve the API that the agent speaks.
    """
    required = APIS.get(job.agent.name)
    if required is not None and required not in job.upstream.formats:
        raise AgentRefused(
            f"TRACKWALKER_AGENT: {job.agent.name} speaks {API_NAMES[required]}, which the provider of "
            f"{job.agent.model} does not serve. Set TRACKWALKER_MODEL to {MODEL_HINTS[required]}, or "
            "TRACKWALKER_AGENT to opencode."
        )
    builders = {"claude-code": _claude_code, "codex": _codex}
    return builders.get(job.agent.name, _opencode)(job, home)


APIS: Mapping[AgentName, FormatName] = {"claude-code": "messages", "codex": "responses"}
"""The only API that an agent speaks; opencode speaks all that the gateway passes on."""

API_NAMES: Mapping[FormatName, str] = {
    "messages": "Anthropic's Messages API",
    "responses": "OpenAI's Responses API",
}
MODEL_HINTS: Mapping[FormatName, str] = {
    "messages": "a model of anthropic",
    "responses": "a model of openai",
}

CLAUDE_TOOLS_DENIED = (
    "Bash", "BashOutput", "KillShell", "WebFetch", "WebSearch", "Task", "NotebookEdit", "SlashCommand", "Skill",
    "ExitPlanMode", "EnterPlanMode", "AskUserQuestion",
)  # fmt: skip
"""Claude Code's tools that no role may use."""

CLAUDE_MODELS = (
    "ANTHROPIC_MODEL", "ANTHROPIC_SMALL_FAST_MODEL", "ANTHROPIC_DEFAULT_OPUS_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
)  # fmt: skip
"""Variables that name Claude Code's models for different tasks. The gateway passes on one model only."""

CLAUDE_SWITCHES = (
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_AUTOUPDATER", "DISABLE_TELEMETRY", "DISABLE_ERROR_REPORTING",
    "DISABLE_BUG_COMMAND", "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS",
)  # fmt: skip
"""Variables that keep Claude Code from requests other than those to the model."""


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


def _claude_code(job: Job, home: AgentHome) -> Command:
    """Claude Code by the adapter claude-code-acp 0.16, which takes options of the session from `_meta`."""
    folder = home.scratch / "claude"
    folder.mkdir()
    denied = [*CLAUDE_TOOLS_DENIED, *(("Edit", "Write") if job.role == "reader" else ())]
    options = {"settingSources": [], "disallowedTools": denied}
    return Command(
        argv=_program(job.agent.binary),
        variables=home.variables
        | dict.fromkeys(CLAUDE_MODELS, job.upstream.model)
        | dict.fromkeys(CLAUDE_SWITCHES, "1")
        | {
            "PATH": search_path((job.agent.rg, *_node())),
            "CLAUDE_CONFIG_DIR": str(folder),
            "ANTHROPIC_BASE_URL": job.gateway_url,
            "ANTHROPIC_AUTH_TOKEN": job.token,
        },
        readable=(home.fixed, job.agent.rg, *_package(job.agent.binary)),
        writable=(home.data, home.scratch),
        setting="CLAUDE_CODE_ACP_BIN",
        secrets=(job.token,),
        session_meta={"systemPrompt": SYSTEM_PROMPTS[job.role], "claudeCode": {"options": options}},
    )


def _codex(job: Job, home: AgentHome) -> Command:
    """Codex by the adapter codex-acp 0.16. It reads by commands, so it runs them inside the sandbox."""
    folder = home.scratch / "codex"
    folder.mkdir()
    provider = {
        "name": "gateway",
        "base_url": f"{job.gateway_url}/v1",
        "env_key": "TRACKWALKER_MODEL_TOKEN",
        "wire_api": "responses",
    }
    table = ", ".join(f"{name} = {json.dumps(value)}" for name, value in provider.items())
    settings = {
        "model": json.dumps(job.upstream.model),
        "model_provider": '"gateway"',
        "model_providers.gateway": f"{{ {table} }}",
        # Codex's own sandbox inside ours would need rights that a command does not have.
        "sandbox_mode": '"danger-full-access"',
        "approval_policy": '"never"',
        "web_search": '"disabled"',
        "analytics.enabled": "false",
        "check_for_update_on_startup": "false",
        # A kind of tool that the gateway does not pass on; one agent is enough.
        "features.multi_agent": "false",
        "features.goals": "false",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return Command(
        argv=(*_program(job.agent.binary), *options),
        variables=home.variables
        | {
            "PATH": search_path((job.agent.rg, *_node())),
            "CODEX_HOME": str(folder),
            "TRACKWALKER_MODEL_TOKEN": job.token,
        },
        readable=(home.fixed, job.agent.rg, *_package(job.agent.binary)),
        writable=(home.data, home.scratch),
        setting="CODEX_ACP_BIN",
        secrets=(job.token,),
        preamble=SYSTEM_PROMPTS[job.role],
    )


def _program(binary: Path) -> tuple[str, ...]:
    """The command of a program; npm's programs are scripts for Node."""
    return (*map(str, _node()), str(binary)) if binary.suffix in (".js", ".mjs", ".cjs") else (str(binary),)


def _node() -> tuple[Path, ...]:
    node = shutil.which("node")
    return (Path(node),) if node else ()


def _package(binary: Path) -> tuple[Path, ...]:
    """The part of its installation that a program needs: npm's whole `node_modules`, else the file alone."""
    folders = [folder for folder in binary.parents if folder.name == "node_modules"]
    return (folders[-1],) if folders else (binary,)
