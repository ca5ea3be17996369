"""opencode as a coding agent over its HTTP interface: one session, whose messages are polled until they are final.

A session survives a crash of the worker in opencode's database, and a prompt is sent again under the same ids.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from workers.agent.coding_agent import Conversation, Job
from workers.agent.config import AGENT_NAME
from workers.agent.log_tail import MAX_ERROR_CHARS, log_tail, redact_secrets
from workers.agent.opencode_schema import MESSAGES, SESSION, STATUSES, Message, Status
from workers.agent.opencode_server import Server, read, request, serving
from workers.agent.run_limits import check_limits, model_failure, total_usage
from workers.agent.saved_session import Prompt, SavedSession, load_session, new_prompt, save_session
from workers.errors import AgentBusy
from workers.models import Usage

POLL_SECONDS = 0.5
"""Pause between two polls of a session. Polling survives a restart of the server; its event stream has no replay."""

FIRST_MESSAGE_SECONDS = 90.0
"""Seconds after which a prompt counts as lost if the session is idle and the model has sent no message."""

RESUME_GRACE_SECONDS = 15.0
"""Seconds in which a resumed prompt shows that it goes on. If the session is still idle then, it was answered."""


@contextmanager
def converse(job: Job) -> Iterator[Conversation]:
    """The conversation with a new server. Raises as `opencode_server.serving`."""
    with serving(job) as server:
        yield OpencodeConversation(job, server)


@dataclass
class OpencodeConversation:
    """One session while it lasts."""

    job: Job
    server: Server
    session: SavedSession = field(init=False)
    progress_at: float = field(default_factory=time.monotonic)
    """Time of the last change of the usage, on the monotonic clock."""
    usage: Usage = field(default_factory=Usage)
    """Usage as opencode counts it: a second check behind the gateway's budget, which decides."""

    def turn(self, number: int, text: str) -> str:
        """Send the prompt of this number, or resume it, and wait for the answer."""
        if number == 0:
            self.session = _open_session(self.job, self.server, text)
        prompts = self.session.prompts
        resumed = number < len(prompts)
        answered = number + 1 < len(prompts)
        if not resumed:
            # On disk before it is sent: a crash between the two sends it again under the same ids.
            prompts.append(new_prompt(text))
            save_session(self.job.run_folder, self.session)
        if not answered:
            _send(self, prompts[number])
        return _await_answer(self, prompts[number], answered=answered, resumed=resumed)


def _open_session(job: Job, server: Server, prompt: str) -> SavedSession:
    """The interrupted session that began with this prompt, else a new one."""
    saved = load_session(job.run_folder, prompt)
    if saved is not None and _is_unchanged(job, server, saved.id):
        return saved
    # With a title opencode does not spend a call of the model on finding one.
    body = {"title": f"trackwalker {job.role}"}
    return SavedSession(id=read(server, "/session", SESSION, "POST", body).id)


def _is_unchanged(job: Job, server: Server, session_id: str) -> bool:
    """True if the database knows the session as it was made; the agent could write the database."""
    with suppress(AgentBusy):
        session = read(server, f"/session/{session_id}", SESSION)
        # Rules of the session would come after our own and win, and its directory wins over that of a request.
        return not session.permission and session.directory == str(job.clone)
    return False


def _send(conversation: OpencodeConversation, prompt: Prompt) -> None:
    provider, _, model = conversation.job.agent.model.partition("/")
    body = {
        "messageID": prompt.message_id,
        "agent": AGENT_NAME,
        "model": {"providerID": provider, "modelID": model},
        "parts": [{"type": "text", "id": prompt.part_id, "text": prompt.text}],
    }
    request(conversation.server, "POST", f"/session/{conversation.session.id}/prompt_async", body)


def _await_answer(
    conversation: OpencodeConversation, prompt: Prompt, *, answered: bool, resumed: bool
) -> str:
    """The text that answers the prompt.

    Args:
        answered: an earlier worker got the answer.
        resumed: an earlier worker sent the prompt.
    """
    server, session_id, sent_at = conversation.server, conversation.session.id, time.monotonic()
    while True:
        conversation.job.tick()
        # The status before the messages: a session that is idle now has all its messages.
        status = read(server, "/session/status", STATUSES).get(session_id)
        messages = read(server, f"/session/{session_id}/message", MESSAGES)
        _update_usage(conversation, messages)
        answers = [message for message in messages if message.info.parentID == prompt.message_id]
        waited = time.monotonic() - sent_at
        # A resumed session is idle until opencode takes the prompt up, and its old messages look like an answer.
        settled = answered or not resumed or waited > RESUME_GRACE_SECONDS
        if settled or status is not None:
            resumed = resumed and status is None
            answer = _final_answer(conversation, status, answers, waited)
            if answer is not None:
                return answer
        _check_run(conversation, messages, status)
        with suppress(subprocess.TimeoutExpired):
            server.process.wait(POLL_SECONDS)


def _final_answer(
    conversation: OpencodeConversation, status: Status | None, answers: list[Message], waited: float
) -> str | None:
    """The text of the answer, None while the model works on it."""
    server, last = conversation.server, answers[-1] if answers else None
    if last is not None and (error := last.info.error) is not None:
        text = redact_secrets(str(error.data.get("message") or error.name), server.secrets)
        raise model_failure(error, text[:MAX_ERROR_CHARS])
    if status is not None and status.type == "retry":
        _check_retry(conversation, status)
    if status is None and last is not None and last.info.time.completed is not None:
        return next((message.text for message in reversed(answers) if message.text), "")
    if status is None and waited > FIRST_MESSAGE_SECONDS:
        raise AgentBusy(
            f"opencode accepted the prompt and went idle without an answer: {log_tail(server.log, server.secrets)}"
        )
    return None


def _check_retry(conversation: OpencodeConversation, status: Status) -> None:
    """Give the run back if opencode has repeated a request for `retry_seconds` without progress."""
    if time.monotonic() - conversation.progress_at < conversation.job.agent.retry_seconds:
        return
    wait = max(0.0, status.next / 1000 - time.time()) if status.next else None
    reason = redact_secrets(status.message, conversation.server.secrets)
    raise AgentBusy(f"the model does not answer: {reason}", retry_after=wait)


def _check_run(
    conversation: OpencodeConversation, messages: Sequence[Message], status: Status | None
) -> None:
    agent = conversation.job.agent
    check_limits(
        conversation.usage, messages, status, cost_limit_usd=agent.cost_limit_usd,
        calls_limit=agent.calls_limit, deadline_seconds=agent.deadline_seconds,
    )  # fmt: skip


def _update_usage(conversation: OpencodeConversation, messages: Sequence[Message]) -> None:
    job = conversation.job
    usage = total_usage(messages, job.agent.price, time.monotonic() - job.started)
    if (usage.calls, usage.tokens) != (conversation.usage.calls, conversation.usage.tokens):
        conversation.progress_at = time.monotonic()
    conversation.usage = usage
