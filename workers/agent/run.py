"""Runs the agent once: a process of its own in the sandbox, one prompt, at most one retry, a deadline and a budget.

A run ends by its answer, by a limit, by an error of the model or by the loss of the worker's claim; in each case no
process is left. A run that lost its worker resumes where it stopped, in the same folder and with the same prompt.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from workers.agent import acp_agent, opencode_http, providers
from workers.agent.coding_agent import (
    AGENT_FOLDER,
    AGENT_PORT,
    GATEWAY_PORT,
    PROGRAMS,
    Agent,
    AgentAnswer,
    AgentName,
    CodingAgent,
    Conversation,
    Job,
)
from workers.agent.config import Role
from workers.agent.prompts import describe_problems, problems_in
from workers.agent.run_limits import MAX_TOKENS
from workers.agent.set_aside import unsafe_entries_set_aside
from workers.errors import AgentBusy, AgentRefused
from workers.gateway.call_budget import RunBudget
from workers.gateway.call_outcome import CallLog, CallRecord
from workers.gateway.model_gateway import ModelGateway, ModelProvider
from workers.models import Usage
from workers.sandbox.ports import Ports, open_ports

MAX_PROBLEMS_CHARS = 1_500
"""Characters of the problems of a second answer in the error message."""

SETTLE_SECONDS = 5.0
"""Seconds in which calls under way end once the gateway has closed their connections; they need milliseconds."""

CODING_AGENTS: Mapping[AgentName, CodingAgent] = {
    "opencode": opencode_http.converse,
    "opencode-acp": acp_agent.converse,
    "claude-code": acp_agent.converse,
    "codex": acp_agent.converse,
}
"""The implementation of each value of TRACKWALKER_AGENT."""

log = logging.getLogger("trackwalker.agent")

ValidateAnswer = Callable[[str], str | None]


class _NoLog:
    """A call log that keeps nothing."""

    def add(self, call: CallRecord) -> None:
        """Drop the call."""


NO_USAGE = Usage()
NO_LOG = _NoLog()


def ask(
    agent: Agent, role: Role, clone: Path, prompt: str, *,
    run_folder: Path, validate_answer: ValidateAnswer, check_alive: Callable[[], None],
    on_start: Callable[[subprocess.Popen[bytes]], None], on_usage: Callable[[Usage], None] = lambda _usage: None,
    earlier_usage: Usage = NO_USAGE, call_log: CallLog = NO_LOG, model_provider: ModelProvider | None = None,
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
        on_usage: called with the usage of the whole run before and after each call of the model, also from other
            threads. Before a call it includes what the call may take at most.
        earlier_usage: usage of the part of this run that a crashed worker has done.
        call_log: gets each call of the model.
        model_provider: gives the model's answers, for a replay; None stands for the provider of the settings.

    Raises:
        AgentRefused: a limit was reached, the model or a setting refuses, or the second answer is invalid too.
        AgentBusy: the model cannot be reached or the agent crashed; another run may succeed.
        Refused: the clone holds what git cannot store, so that its files could not be copied afterwards.
        Exception: any error that `check_alive` raises.
    """
    started = time.monotonic()
    _check_programs(agent)
    budget = _run_budget(agent, earlier_usage, on_usage)
    upstream = providers.upstream(agent.model, agent.provider_config, agent.keys, agent.price)
    price = upstream.price.source if upstream.price else "unknown: the run is limited by tokens only"
    log.debug("agent starts", extra={"model": agent.model, "price": price})
    gateway = ModelGateway(
        upstream, budget, call_log, deadline=started + agent.deadline_seconds, provider=model_provider
    )

    def tick() -> None:
        check_alive()
        gateway.check()
        _check_deadline(agent, budget.usage, time.monotonic() - started)

    clone, run_folder = clone.resolve(), run_folder.resolve()
    with (
        unsafe_entries_set_aside(clone, run_folder / AGENT_FOLDER / "stash"),
        open_ports(agent.sandbox, serve=(GATEWAY_PORT,), connect=(AGENT_PORT,)) as ports,
        _serving(gateway, budget, ports),
    ):
        job = Job(agent, role, clone, run_folder, started, ports, gateway.token, upstream, tick, on_start)
        try:
            with CODING_AGENTS[agent.name](job) as conversation:
                text = _converse(conversation, prompt, validate_answer)
        except (AgentBusy, AgentRefused):
            # Losing the claim kills the agent, and the gateway knows better than the agent why the model failed.
            check_alive()
            gateway.check()
            raise
    seconds = round(earlier_usage.seconds + time.monotonic() - started, 1)
    return AgentAnswer(text, budget.usage.model_copy(update={"seconds": seconds}))


def _check_programs(agent: Agent) -> None:
    for program, setting in ((agent.binary, PROGRAMS[agent.name][1]), (agent.rg, "rg (ripgrep)")):
        if not program.is_file():
            raise AgentRefused(f"{setting}: there is no program at {program}")


def _run_budget(agent: Agent, earlier: Usage, on_usage: Callable[[Usage], None]) -> RunBudget:
    return RunBudget(
        agent.cost_limit_usd, MAX_TOKENS, agent.calls_limit, on_usage=on_usage, before=earlier,
        describe=f"the run reached its limit of {agent.cost_limit_usd:g} USD",
    )  # fmt: skip


@contextmanager
def _serving(gateway: ModelGateway, budget: RunBudget, ports: Ports) -> Iterator[None]:
    """Serve the gateway for the block; afterwards its token is invalid and no call is under way."""
    thread = threading.Thread(target=gateway.serve, args=(lambda: ports.accept(GATEWAY_PORT),), daemon=True)
    thread.start()
    try:
        yield
    finally:
        gateway.close()
        budget.close(SETTLE_SECONDS)


def _check_deadline(agent: Agent, usage: Usage, seconds: float) -> None:
    if seconds < agent.deadline_seconds:
        return
    if not usage.tokens:
        raise AgentBusy(f"the model did not answer within {agent.deadline_seconds:g} s")
    raise AgentRefused(f"the agent gave no final answer within {agent.deadline_seconds:g} s")


def _converse(conversation: Conversation, prompt: str, validate_answer: ValidateAnswer) -> str:
    text = conversation.turn(0, prompt)
    retry = validate_answer(text)
    if retry is None:
        return text
    text = conversation.turn(1, retry)
    problems = validate_answer(text)
    if problems is not None:
        # The problems are addressed to the agent: people get them in the log, and the fields in the message.
        listed = problems_in(problems)[:MAX_PROBLEMS_CHARS]
        log.warning("the second answer is invalid too", extra={"problems": listed})
        raise AgentRefused(f"the model's answer failed validation twice ({describe_problems(listed)})")
    return text
