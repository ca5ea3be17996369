"""Runs the agent once: a process of its own in the sandbox, one prompt, at most one retry, a deadline and a budget.

A run ends by its answer, by a limit, by an error of the model or by the loss of the worker's claim; in each case no
process is left. A run that lost its worker resumes where it stopped, in the same folder and with the same prompt.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from workers.agent import acp_agent, opencode_http
from workers.agent.coding_agent import Agent, AgentAnswer, AgentName, CodingAgent, Conversation, Job
from workers.agent.config import Role
from workers.agent.set_aside import unsafe_entries_set_aside
from workers.errors import AgentBusy, AgentRefused
from workers.models import Usage

MAX_PROBLEMS_CHARS = 1_500
"""Characters of the problems of a second answer in the error message."""

CODING_AGENTS: Mapping[AgentName, CodingAgent] = {
    "opencode": opencode_http.converse,
    "opencode-acp": acp_agent.converse,
    "claude-code": acp_agent.converse,
    "codex": acp_agent.converse,
}
"""The implementation of each value of TRACKWALKER_AGENT."""

ValidateAnswer = Callable[[str], str | None]


def ask(
    agent: Agent, role: Role, clone: Path, prompt: str, *,
    run_folder: Path, validate_answer: ValidateAnswer, check_alive: Callable[[], None],
    on_start: Callable[[subprocess.Popen[bytes]], None], on_usage: Callable[[Usage], None] = lambda _usage: None,
) -> AgentAnswer:  # fmt: skip
    """The agent's answer to the prompt. A writer may have changed files in the clone.

    Args:
        agent: the settings of the run.
        role: reader or writer.
        clone: the agent's copy of the repository.
        prompt: the prompt, which the agent gets unchanged.
        run_folder: an existing folder that holds the session. A run that was interrupted in it is resumed.
        validate_answer: gets the answer; returns None if it is valid, else a prompt that asks once more.
        check_alive: called about twice a second; it raises when the run is to be abandoned.
        on_start: called with the process, so that another thread can `commands.kill` it.
        on_usage: called after each change, so that a run that fails can be settled too.

    Raises:
        AgentRefused: a limit was reached, the model or a setting refuses, or the second answer is invalid too.
        AgentBusy: the model cannot be reached or the server crashed; another run may succeed.
        Refused: the clone holds what git cannot store, so that its files could not be copied afterwards.
        Exception: any error that `check_alive` raises.
    """
    usage = Usage()

    def record(changed: Usage) -> None:
        nonlocal usage
        usage = changed
        on_usage(changed)

    for program, setting in ((agent.binary, "OPENCODE_BIN"), (agent.rg, "rg (ripgrep)")):
        if not program.is_file():
            raise AgentRefused(f"{setting}: there is no program at {program}")
    job = Job(
        agent, role, clone.resolve(), run_folder.resolve(), time.monotonic(), check_alive, on_start, record
    )
    with (
        unsafe_entries_set_aside(job.clone, job.folder / "stash"),
        CODING_AGENTS[agent.name](job) as conversation,
    ):
        try:
            return AgentAnswer(_converse(conversation, prompt, validate_answer), usage)
        except AgentBusy:
            # Losing the claim kills the agent; then the loss is the error, and not a busy model.
            check_alive()
            raise


def _converse(conversation: Conversation, prompt: str, validate_answer: ValidateAnswer) -> str:
    text = conversation.turn(0, prompt)
    retry = validate_answer(text)
    if retry is None:
        return text
    text = conversation.turn(1, retry)
    problems = validate_answer(text)
    if problems is not None:
        raise AgentRefused(f"the agent's second answer is invalid too:\n{problems[:MAX_PROBLEMS_CHARS]}")
    return text
