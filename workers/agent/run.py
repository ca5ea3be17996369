"""Runs the agent once: a server of its own in the sandbox, one prompt, at most one retry, a deadline and a budget.

A run ends by its answer, by a limit, by an error of the model or by the loss of the worker's claim; in each case no
process is left. A run that lost its worker resumes where it stopped, in the same folder and with the same prompt.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from workers.agent.config import AGENT_NAME, Role, configuration
from workers.agent.opencode_schema import MESSAGES, STATUSES, Message, Session, Status
from workers.agent.run_limits import check_limits, model_failure, total_usage
from workers.agent.saved_session import Prompt, SavedSession, load_session, new_prompt, save_session
from workers.agent.server import MAX_ERROR_CHARS, Server, log_tail, redact_secrets, request, serving
from workers.agent.set_aside import unsafe_entries_set_aside
from workers.errors import AgentBusy, AgentRefused
from workers.models import Usage
from workers.sandbox.sandbox import Sandbox

POLL_SECONDS = 0.5
"""Pause between two looks at a session. Polling survives a restart of the server; its event stream has no replay."""

FIRST_MESSAGE_SECONDS = 90.0
"""Seconds after which a prompt counts as lost if the session is idle and the model has sent no message."""

MAX_CALLS = 60
"""Calls of the model in one run. Honest runs need 5 to 30."""

RETRY_SECONDS = 120.0
"""Seconds without progress in which opencode may repeat a request before the run is given back for later."""

RESUME_GRACE_SECONDS = 15.0
"""Seconds in which a resumed prompt shows that it goes on. If the session is still idle then, it was answered."""

MAX_PROBLEMS_CHARS = 1_500
"""Characters of the problems of a second answer in the error message."""

ValidateAnswer = Callable[[str], str | None]
CheckAlive = Callable[[], None]
OnUsage = Callable[[Usage], None]


@dataclass(frozen=True)
class Agent:
    """The settings that all runs share."""

    binary: Path
    """The opencode program."""
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
    """US dollars per million input and output tokens, for a model whose price opencode does not know."""
    cost_limit_usd: float
    deadline_seconds: float
    calls_limit: int = MAX_CALLS
    retry_seconds: float = RETRY_SECONDS


@dataclass(frozen=True)
class AgentAnswer:
    """The agent's last text, and the usage of the whole run."""

    text: str
    usage: Usage


@dataclass
class _Run:
    """One session while it lasts."""

    agent: Agent
    server: Server
    session: SavedSession
    folder: Path
    started: float
    check_alive: CheckAlive
    on_usage: OnUsage
    progress_at: float
    usage: Usage = field(default_factory=Usage)


def ask(
    agent: Agent, role: Role, clone: Path, prompt: str, *,
    run_folder: Path, validate_answer: ValidateAnswer, check_alive: CheckAlive,
    on_start: Callable[[subprocess.Popen[bytes]], None], on_usage: OnUsage = lambda _usage: None,
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
        Exception: any error that `check_alive` raises.
    """
    started = time.monotonic()
    config = configuration(role, agent.model, agent.provider_config, agent.keys)
    for program, setting in ((agent.binary, "OPENCODE_BIN"), (agent.rg, "rg (ripgrep)")):
        if not program.is_file():
            raise AgentRefused(f"{setting}: there is no program at {program}")
    clone, folder = clone.resolve(), run_folder.resolve() / "opencode"
    with (
        unsafe_entries_set_aside(clone, folder / "stash"),
        serving(
            agent.sandbox, agent.binary, agent.rg, role, clone, folder, config, check_alive, on_start
        ) as server,
    ):
        session = load_session(run_folder, prompt) or SavedSession(id=_create_session(server, role))
        run = _Run(
            agent, server, session, run_folder, started, check_alive, on_usage, progress_at=time.monotonic()
        )
        try:
            return AgentAnswer(_converse(run, prompt, validate_answer), run.usage)
        except AgentBusy:
            # Losing the claim kills the server; then the loss is the error, and not a busy model.
            check_alive()
            raise


def _create_session(server: Server, role: Role) -> str:
    # With a title opencode does not spend a call of the model on finding one.
    body = {"title": f"trackwalker {role}"}
    return Session.model_validate_json(request(server, "POST", "/session", body)).id


def _converse(run: _Run, prompt: str, validate_answer: ValidateAnswer) -> str:
    text = _turn(run, 0, prompt)
    retry = validate_answer(text)
    if retry is None:
        return text
    text = _turn(run, 1, retry)
    problems = validate_answer(text)
    if problems is not None:
        raise AgentRefused(f"the agent's second answer is invalid too:\n{problems[:MAX_PROBLEMS_CHARS]}")
    return text


def _turn(run: _Run, number: int, text: str) -> str:
    """Send the prompt of this number, or resume it, and wait for the answer."""
    prompts = run.session.prompts
    resumed = number < len(prompts)
    answered = number + 1 < len(prompts)
    if not resumed:
        # On disk before it is sent: a crash between the two sends it again under the same ids.
        prompts.append(new_prompt(text))
        save_session(run.folder, run.session)
    prompt, sent_at = prompts[number], time.monotonic()
    if not answered:
        _send(run, prompt)
    while True:
        run.check_alive()
        # The status before the messages: a session that is idle now has all its messages.
        status = STATUSES.validate_json(request(run.server, "GET", "/session/status")).get(run.session.id)
        messages = MESSAGES.validate_json(request(run.server, "GET", f"/session/{run.session.id}/message"))
        _update_usage(run, messages)
        answers = [message for message in messages if message.info.parentID == prompt.message_id]
        waited = time.monotonic() - sent_at
        # A resumed session is idle until opencode takes the prompt up, and its old messages look like an answer.
        settled = answered or not resumed or waited > RESUME_GRACE_SECONDS
        if settled or status is not None:
            resumed = resumed and status is None
            answer = _final_answer(run, status, answers, waited)
            if answer is not None:
                return answer
        _check_run(run, messages, status)
        with suppress(subprocess.TimeoutExpired):
            run.server.process.wait(POLL_SECONDS)


def _send(run: _Run, prompt: Prompt) -> None:
    provider, _, model = run.agent.model.partition("/")
    body = {
        "messageID": prompt.message_id,
        "agent": AGENT_NAME,
        "model": {"providerID": provider, "modelID": model},
        "parts": [{"type": "text", "id": prompt.part_id, "text": prompt.text}],
    }
    request(run.server, "POST", f"/session/{run.session.id}/prompt_async", body)


def _final_answer(run: _Run, status: Status | None, answers: list[Message], waited: float) -> str | None:
    """The text of the answer, None while the model works on it."""
    last = answers[-1] if answers else None
    if last is not None and (error := last.info.error) is not None:
        text = redact_secrets(str(error.data.get("message") or error.name), run.server.secrets)
        raise model_failure(error, text[:MAX_ERROR_CHARS])
    if status is not None and status.type == "retry":
        _check_retry(run, status)
    if status is None and last is not None and last.info.time.completed is not None:
        return next((message.text for message in reversed(answers) if message.text), "")
    if status is None and waited > FIRST_MESSAGE_SECONDS:
        raise AgentBusy(
            f"opencode accepted the prompt and went idle without an answer: {log_tail(run.server)}"
        )
    return None


def _check_retry(run: _Run, status: Status) -> None:
    """Give the run back if opencode has repeated a request for `retry_seconds` without progress."""
    if time.monotonic() - run.progress_at < run.agent.retry_seconds:
        return
    wait = max(0.0, status.next / 1000 - time.time()) if status.next else None
    reason = redact_secrets(status.message, run.server.secrets)
    raise AgentBusy(f"the model does not answer: {reason}", retry_after=wait)


def _check_run(run: _Run, messages: Sequence[Message], status: Status | None) -> None:
    check_limits(
        run.usage, messages, status, cost_limit_usd=run.agent.cost_limit_usd, calls_limit=run.agent.calls_limit,
        deadline_seconds=run.agent.deadline_seconds,
    )  # fmt: skip


def _update_usage(run: _Run, messages: Sequence[Message]) -> None:
    usage = total_usage(messages, run.agent.price, time.monotonic() - run.started)
    if (usage.calls, usage.tokens) != (run.usage.calls, run.usage.tokens):
        run.progress_at = time.monotonic()
        run.on_usage(usage)
    run.usage = usage
