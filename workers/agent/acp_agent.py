"""A coding agent over the Agent Client Protocol on stdio: opencode, Claude Code or Codex in the sandbox."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workers.agent.acp_client import METHOD_NOT_FOUND, AcpConnection, Params, RpcError
from workers.agent.acp_commands import Command, acp_command
from workers.agent.acp_permissions import permission_outcome
from workers.agent.agent_home import prepare_home
from workers.agent.agent_process import running
from workers.agent.coding_agent import Conversation, Job
from workers.agent.log_tail import MAX_ERROR_CHARS, log_tail, redact_secrets
from workers.agent.saved_session import SavedSession, load_session, new_prompt, save_session
from workers.errors import AgentBusy, AgentRefused

PROTOCOL_VERSION = 1
"""Version of the protocol that this client speaks."""

START_SECONDS = 90.0
"""Seconds in which an agent must answer before the first prompt. opencode takes 6 on two idle cores."""

MAX_ANSWER_CHARS = 1_000_000
"""Characters of one message of the agent. A plan has some thousands."""
MAX_TOOL_CALLS = 10_000
"""Tool calls whose kind is remembered for a permission request."""

REFUSED_CODES = {
    -32000: "asks for a login",
    -32602: "rejects the request",
}
"""Error codes that the same prompt would cause again: ACP's `auth_required`, and JSON-RPC's `invalid params`."""

STOP_PROBLEMS = {
    "refusal": "the model refuses to answer",
    "max_turn_requests": "the agent made too many calls without a final answer",
}
"""Stop reasons that end a run, and what they mean."""


@contextmanager
def converse(job: Job) -> Iterator[Conversation]:
    """The conversation with a new agent process.

    Raises:
        AgentBusy: the agent ended or did not answer within `START_SECONDS`.
        AgentRefused: the program or the model cannot be used; the error names the setting.
    """
    command = acp_command(job, prepare_home(job.folder))
    log = job.folder / "log.txt"
    with (
        log.open("wb") as file,
        running(
            job, command.argv, writable=command.writable, readable=command.readable, env=command.variables,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file,
        ) as process,
    ):  # fmt: skip
        conversation = AcpConversation(job, command, log, process)
        conversation.open()
        yield conversation


@dataclass
class AcpConversation:
    """One session while it lasts."""

    job: Job
    command: Command
    log: Path
    process: subprocess.Popen[bytes]
    session: SavedSession = field(init=False)
    can_load: bool = False
    """Whether the agent can take up a session of an earlier process."""
    kinds: dict[str, object] = field(default_factory=dict)
    """Id of a tool call → its kind."""
    messages: list[str] = field(default_factory=lambda: [""])
    """The agent's messages since the prompt; a tool call ends one."""

    def __post_init__(self) -> None:
        self.connection = AcpConnection(
            self.process, answer=self._answer, notify=self._notify, tick=self.job.tick,
            describe_end=lambda: log_tail(self.log, self.command.secrets),
        )  # fmt: skip

    def open(self) -> None:
        """Agree on the protocol's version."""
        capabilities = {"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False}
        params = {"protocolVersion": PROTOCOL_VERSION, "clientCapabilities": capabilities}
        result = self._call("initialize", params, START_SECONDS)
        if result.get("protocolVersion") != PROTOCOL_VERSION:
            version = str(result.get("protocolVersion"))[:20]
            raise AgentRefused(
                f"{self.command.setting}: {self.command.argv[0]} speaks version {version} of the Agent Client "
                f"Protocol. Use one that speaks version {PROTOCOL_VERSION}."
            )
        agent = result.get("agentCapabilities")
        self.can_load = isinstance(agent, dict) and agent.get("loadSession") is True

    def turn(self, number: int, text: str) -> str:
        """Send the prompt of this number and wait for the answer. An interrupted prompt is sent once more."""
        if number == 0:
            self.session = self._open_session(text)
        if self.command.is_resumable and number == len(self.session.prompts):
            self.session.prompts.append(new_prompt(text))
            save_session(self.job.run_folder, self.session)
        self.messages = [""]
        full = f"{self.command.preamble}\n\n{text}" if number == 0 and self.command.preamble else text
        params = {"sessionId": self.session.id, "prompt": [{"type": "text", "text": full}]}
        reason = self._call("session/prompt", params).get("stopReason")
        if isinstance(reason, str) and reason in STOP_PROBLEMS:
            raise AgentRefused(STOP_PROBLEMS[reason])
        if reason == "cancelled":
            raise AgentBusy("the agent cancelled the prompt")
        return next((message.strip() for message in reversed(self.messages) if message.strip()), "")

    def _open_session(self, prompt: str) -> SavedSession:
        """The interrupted session that began with this prompt if the agent still knows it, else a new one."""
        params = {"cwd": str(self.job.clone), "mcpServers": [], "_meta": dict(self.command.session_meta)}
        saved = load_session(self.job.run_folder, prompt) if self.can_load else None
        if saved is not None and self.command.is_resumable:
            try:
                self.connection.call("session/load", {"sessionId": saved.id, **params}, START_SECONDS)
                return saved
            except RpcError:
                pass  # the database is lost, so the session starts anew
        session_id = self._call("session/new", params, START_SECONDS).get("sessionId")
        if not isinstance(session_id, str):
            raise AgentBusy("the agent opened no session")
        return SavedSession(id=session_id)

    def _call(self, method: str, params: Params, seconds: float | None = None) -> Params:
        try:
            return self.connection.call(method, params, seconds)
        except RpcError as error:
            # The gateway knows better than the agent why the model failed.
            self.job.tick()
            text = redact_secrets(str(error), self.command.secrets)[:MAX_ERROR_CHARS]
            if error.code in REFUSED_CODES:
                raise AgentRefused(f"the agent {REFUSED_CODES[error.code]}: {text}") from error
            raise AgentBusy(f"the agent failed: {text}") from error

    def _answer(self, method: str, params: Params) -> Params:
        if method != "session/request_permission":
            raise RpcError(METHOD_NOT_FOUND, "Trackwalker offers no such method")
        call = params.get("toolCall")
        tool_call: dict[str, Any] = call if isinstance(call, dict) else {}
        kind = self.kinds.get(str(tool_call.get("toolCallId")))
        return {
            "outcome": permission_outcome(
                self.job.role, self.job.clone, tool_call, kind, params.get("options")
            )
        }

    def _notify(self, method: str, params: Params) -> None:
        update = params.get("update")
        if method != "session/update" or not isinstance(update, dict):
            return
        kind = update.get("sessionUpdate")
        if kind == "agent_message_chunk":
            self._append(update.get("content"))
        elif kind in ("tool_call", "tool_call_update"):
            self._remember(update)

    def _append(self, content: object) -> None:
        text = content.get("text") if isinstance(content, dict) else None
        if isinstance(text, str):
            self.messages[-1] = (self.messages[-1] + text)[-MAX_ANSWER_CHARS:]

    def _remember(self, update: Params) -> None:
        if self.messages[-1].strip():
            # Only the last message is the answer; earlier ones are kept in case it is empty.
            self.messages = [self.messages[-1], ""]
        number, kind = update.get("toolCallId"), update.get("kind")
        if isinstance(number, str) and kind is not None and len(self.kinds) < MAX_TOOL_CALLS:
            self.kinds[number] = kind
