"""opencode, asked once: a server of its own for one run, behind the wall, with a deadline and a budget.

The model decides nothing here. A run ends by its answer, by a limit, by the loss of our claim or by the
model's refusal, and whichever it is, no process is left.
"""

from __future__ import annotations

import secrets
import string
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from workers.agent.agent_files import without_agent_files
from workers.agent.config import AGENT_NAME, Role, configuration
from workers.agent.server import (
    MESSAGES,
    STATUSES,
    Message,
    ModelError,
    Server,
    Status,
    log_tail,
    redact_secrets,
    request,
    serving,
)
from workers.errors import AgentBusy, AgentRefused
from workers.models import Usage
from workers.sandbox.sandbox import Sandbox

POLL_SECONDS = 0.5
FIRST_MESSAGE_SECONDS = 90.0
"""So long a prompt may stay without any message of the model's before we call it lost."""
MAX_CALLS = 60
"""Turns of one run; honest ones need 5 to 30. When a stream breaks off, opencode asks again at once, for
ever."""
MAX_TOKENS = 5_000_000
"""For models without a price, where no cost limit can hold."""
RETRY_SECONDS = 120.0
"""So long opencode may go on retrying a model that does not answer before we give the run back."""
RESUME_GRACE_SECONDS = 15.0
"""A prompt that was interrupted and is sent again goes on within this, or was answered already."""
SESSION_FILE = "note.json"
ID_ALPHABET = string.digits + string.ascii_letters
FATAL_ERRORS = {"ContextOverflowError", "ContentFilterError", "ProviderAuthError", "MessageOutputLengthError"}


@dataclass(frozen=True)
class Agent:
    """What every run has in common."""

    binary: Path
    rg: Path
    sandbox: Sandbox
    model: str
    """provider/model"""
    provider_config: Mapping[str, Any]
    """The `provider` entries in opencode's format."""
    keys: Mapping[str, SecretStr]
    """Variables that hold a provider's key, by name; only the one of the model's provider is used."""
    price: tuple[float, float] | None
    """USD per million tokens, in and out, for a model that names none."""
    cost_limit_usd: float
    deadline_seconds: float
    calls_limit: int = MAX_CALLS
    retry_seconds: float = RETRY_SECONDS


@dataclass(frozen=True)
class Answer:
    """The last text of the agent, and what the whole run used."""

    text: str
    usage: Usage


class _Prompt(BaseModel):
    """One prompt as it was sent. Sent again with the same ids it is taken up where it stopped, or answered already."""

    message: str
    part: str
    text: str


class _Note(BaseModel):
    """What must be known to go on with a run in another process."""

    session: str
    prompts: list[_Prompt] = []


@dataclass
class _Run:
    """One session while it lasts."""

    agent: Agent
    server: Server
    note: _Note
    file: Path
    begun: float
    alive: Callable[[], None]
    on_usage: Callable[[Usage], None]
    spent: Usage = field(default_factory=Usage)
    progress_at: float = 0.0


def ask(
    agent: Agent,
    role: Role,
    clone: Path,
    prompt: str,
    *,
    run_folder: Path,
    validate_answer: Callable[[str], str | None],
    check_alive: Callable[[], None],
    on_start: Callable[[subprocess.Popen[bytes]], None],
    on_usage: Callable[[Usage], None] = lambda _spent: None,
) -> Answer:
    """The agent's answer to the prompt, given in the clone; a writer may have changed files there.

    `retort` gets the answer and returns the prompt that asks again, or None when the answer is good; it is
    asked again once. `alive` is called twice a second and raises when the run is not wanted any more.
    A run that `alive` interrupted in this folder and clone goes on where it stopped.
    `on_start` gets the process, to be ended by `wall.kill`. `on_usage` hears of each change, so that a run
    that fails can be settled too. Raises AgentRefused (a limit was reached, the model or a setting says no,
    the second answer is no better) or AgentBusy (the model cannot be reached, the server died); whatever
    `alive` raises goes through.
    """
    begun = time.monotonic()
    config = configuration(role, agent.model, agent.provider_config, agent.keys)
    for program, setting in ((agent.binary, "OPENCODE_BIN"), (agent.rg, "rg (ripgrep)")):
        if not program.is_file():
            raise AgentRefused(f"{setting}: there is no program at {program}")
    clone, folder = clone.resolve(), run_folder.resolve() / "opencode"
    with (
        without_agent_files(clone, folder / "aside"),
        serving(
            agent.sandbox, agent.binary, agent.rg, role, clone, folder, config, check_alive, on_start
        ) as server,
    ):
        note = _known(run_folder, prompt) or _Note(session=_open(server, role))
        file = run_folder / SESSION_FILE
        run = _Run(agent, server, note, file, begun, check_alive, on_usage, progress_at=time.monotonic())
        try:
            return Answer(_converse(run, prompt, validate_answer), run.spent)
        except AgentBusy:
            check_alive()  # a server that is gone because our claim is says nothing of the model
            raise


def can_resume(run_folder: Path) -> bool:
    """Whether a run was interrupted in this folder."""
    return (run_folder / SESSION_FILE).is_file()


def _known(run_folder: Path, prompt: str) -> _Note | None:
    """The interrupted run of this prompt; None where there is none."""
    with suppress(OSError, ValidationError):
        note = _Note.model_validate_json((run_folder / SESSION_FILE).read_bytes())
        return note if note.prompts and note.prompts[0].text == prompt else None
    return None


def _converse(run: _Run, prompt: str, retort: Callable[[str], str | None]) -> str:
    text = _turn(run, 0, prompt)
    again = retort(text)
    if again is None:
        return text
    text = _turn(run, 1, again)
    if (problems := retort(text)) is not None:
        raise AgentRefused(f"the agent's second answer is no better than the first:\n{problems[:1500]}")
    return text


def _turn(run: _Run, number: int, prompt: str) -> str:
    """Send one prompt, or go on with it, and follow it to its end."""
    prompts = run.note.prompts
    resumed, answered = number < len(prompts), number + 1 < len(prompts)
    if not resumed:
        prompts.append(_Prompt(message=_fresh("msg"), part=_fresh("prt"), text=prompt))
        run.file.write_text(run.note.model_dump_json())
    asked, asked_at = prompts[number], time.monotonic()
    if not answered:
        _send(run, asked)
    while True:
        run.alive()
        # The status first: what is idle now has all its messages.
        status = STATUSES.validate_json(request(run.server, "GET", "/session/status")).get(run.note.session)
        messages = _messages(run)
        _account(run, messages)
        answers = [one for one in messages if one.info.parentID == asked.message]
        waited = time.monotonic() - asked_at
        # What was taken up again needs a moment until it is seen to go on.
        settled = answered or not resumed or waited > RESUME_GRACE_SECONDS
        if settled or status is not None:
            resumed = resumed and status is None
            ended = _ended(run, status, answers, waited)
            if ended is not None:
                return ended
        _check_limits(run, messages, status)
        with suppress(subprocess.TimeoutExpired):
            run.server.process.wait(POLL_SECONDS)


def _send(run: _Run, asked: _Prompt) -> None:
    provider, _, model = run.agent.model.partition("/")
    body = {
        "messageID": asked.message,
        "agent": AGENT_NAME,
        "model": {"providerID": provider, "modelID": model},
        "parts": [{"type": "text", "id": asked.part, "text": asked.text}],
    }
    request(run.server, "POST", f"/session/{run.note.session}/prompt_async", body)


def _fresh(kind: str) -> str:
    """An id as opencode makes them: they sort by time."""
    moment = (int(time.time() * 1000) * 4096) & (2**48 - 1)
    return f"{kind}_{moment:012x}" + "".join(secrets.choice(ID_ALPHABET) for _ in range(14))


def _ended(run: _Run, status: Status | None, answers: list[Message], waited: float) -> str | None:
    """The answer's text once there is one, None while it goes on."""
    last = answers[-1] if answers else None
    if last is not None and last.info.error is not None:
        raise failure(last.info.error, run.server)
    if status is not None and status.type == "retry":
        _check_retry(run, status)
    if status is None and last is not None and last.info.time.completed is not None:
        return next((message.text for message in reversed(answers) if message.text), "")
    if status is None and waited > FIRST_MESSAGE_SECONDS:
        raise AgentBusy(f"opencode took the prompt and went idle without an answer: {log_tail(run.server)}")
    return None


def _account(run: _Run, messages: Sequence[Message]) -> None:
    spent = total_usage(messages, run.agent.price, time.monotonic() - run.begun)
    if (spent.calls, spent.tokens) != (run.spent.calls, run.spent.tokens):
        run.progress_at = time.monotonic()
        run.on_usage(spent)
    run.spent = spent


def total_usage(messages: Sequence[Message], price: tuple[float, float] | None, seconds: float) -> Usage:
    """What these messages cost: as opencode says, or by `price` (USD per million tokens) where it is
    silent."""
    cost = tokens = 0.0
    for part in (part for message in messages for part in message.parts if part.type == "step-finish"):
        taken = part.tokens.input + part.tokens.cache.read + part.tokens.cache.write
        given = part.tokens.output + part.tokens.reasoning
        tokens += taken + given
        rates = price or (0.0, 0.0)
        cost += part.cost or (taken * rates[0] + given * rates[1]) / 1e6
    calls = sum(message.info.role == "assistant" for message in messages)
    return Usage(cost_usd=round(cost, 6), tokens=int(tokens), calls=calls, seconds=round(seconds, 1))


def _check_limits(run: _Run, messages: Sequence[Message], status: Status | None) -> None:
    agent, spent = run.agent, run.spent
    if spent.cost_usd >= agent.cost_limit_usd:
        raise AgentRefused(f"the run reached its limit of {agent.cost_limit_usd:g} USD")
    if spent.tokens >= MAX_TOKENS:
        raise AgentRefused(f"the run reached its limit of {MAX_TOKENS} tokens")
    silent = [
        one for one in messages if one.info.role == "assistant" and one.info.time.completed and not _used(one)
    ]
    if spent.calls >= agent.calls_limit:
        if len(silent) * 2 > spent.calls:
            raise AgentBusy("the model's answers break off again and again")
        raise AgentRefused(f"the agent made {spent.calls} calls without coming to an end")
    if spent.seconds >= agent.deadline_seconds:
        if spent.tokens == 0:
            said = f": {status.message}" if status and status.message else ""
            raise AgentBusy(f"the model did not answer within {agent.deadline_seconds:g} s{said}")
        raise AgentRefused(f"the agent came to no end within {agent.deadline_seconds:g} s")


def _used(message: Message) -> bool:
    return any(part.type == "step-finish" and part.tokens.output for part in message.parts)


def _check_retry(run: _Run, status: Status) -> None:
    if time.monotonic() - run.progress_at < run.agent.retry_seconds:
        return
    wait = max(0.0, status.next / 1000 - time.time()) if status.next else None
    said = redact_secrets(status.message, run.server.secrets)
    raise AgentBusy(f"the model does not answer: {said}", retry_after=wait)


def _open(server: Server, role: Role) -> str:
    """A session's id. With a title, so that no model is asked to find one."""

    class Session(BaseModel):
        id: str

    return Session.model_validate_json(
        request(server, "POST", "/session", {"title": f"trackwalker {role}"})
    ).id


def _messages(run: _Run) -> list[Message]:
    return MESSAGES.validate_json(request(run.server, "GET", f"/session/{run.note.session}/message"))


def failure(error: ModelError, server: Server) -> AgentRefused | AgentBusy:
    """Who may try again: a model that says no never, one that broke off later."""
    code = error.data.get("statusCode")
    said = redact_secrets(str(error.data.get("message") or error.name), server.secrets)[:600]
    if code in (401, 403):
        return AgentRefused(f"the model refuses the key ({code}): {said}")
    if code == 402:
        return AgentRefused(f"the model's budget is spent (402): {said}")
    if isinstance(code, int) and 400 <= code < 500 and code not in (408, 409, 425, 429):
        return AgentRefused(f"the model refuses the request ({code}): {said}")
    if error.name in FATAL_ERRORS:
        return AgentRefused(f"{error.name}: {said}")
    return AgentBusy(f"the model failed: {said}")
