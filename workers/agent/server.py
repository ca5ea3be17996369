"""One short-lived opencode server and its wire format: how it is started and asked, what it answers."""

from __future__ import annotations

import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel, Field, TypeAdapter

from workers.agent.config import Role, environment, prepare_home
from workers.errors import AgentBusy, AgentRefused
from workers.sandbox.commands import kill, start
from workers.sandbox.sandbox import Sandbox

START_SECONDS = 90.0
"""A start takes 3 to 5 s on two idle cores."""


class Cache(BaseModel):
    read: float = 0
    write: float = 0


class Tokens(BaseModel):
    input: float = 0
    output: float = 0
    reasoning: float = 0
    cache: Cache = Cache()


class Part(BaseModel):
    type: str
    text: str = ""
    cost: float = 0
    tokens: Tokens = Tokens()


class Time(BaseModel):
    completed: float | None = None


class ModelError(BaseModel):
    name: str = "Error"
    data: dict[str, Any] = Field(default_factory=dict)


class Info(BaseModel):
    id: str
    role: str
    parentID: str = ""  # noqa: N815 (opencode's name)
    """Of an answer: the message that it answers."""
    error: ModelError | None = None
    time: Time = Time()


class Message(BaseModel):
    info: Info
    parts: list[Part] = []

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if part.type == "text").strip()


class Status(BaseModel):
    type: str
    message: str = ""
    next: float | None = None


MESSAGES = TypeAdapter(list[Message])
STATUSES = TypeAdapter(dict[str, Status])


@dataclass(frozen=True)
class Server:
    """A running opencode and the way to it."""

    process: subprocess.Popen[bytes]
    web: httpx.Client
    log: Path
    secrets: tuple[str, ...]


@contextmanager
def serving(
    sandbox: Sandbox,
    binary: Path,
    rg: Path,
    role: Role,
    clone: Path,
    folder: Path,
    config: Mapping[str, Any],
    check_alive: Callable[[], None],
    on_start: Callable[[subprocess.Popen[bytes]], None],
) -> Iterator[Server]:
    """A server for the block, whose end leaves no process. Its home in `folder` stays: the next one goes on in it."""
    home, log = folder / "home", folder / "log.txt"
    prepare_home(home)
    password, port = secrets.token_urlsafe(24), _free_port()
    env = environment(home, password, config, (binary, rg))
    # Only bubblewrap can show a folder read-only; another uid must own the clone to see it at all.
    owned = [clone] if role == "writer" or sandbox.kind == "uid" else []
    with log.open("wb") as file:
        process = start(
            sandbox,
            [str(binary), "serve", "--hostname", "127.0.0.1", "--port", str(port), "--print-logs",
             "--log-level", "WARN"],
            cwd=clone, writable=[home, *owned], readable=[clone, clone / ".git", binary, rg], env=env,
            network=True, stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    web = httpx.Client(
        base_url=f"http://127.0.0.1:{port}",
        auth=("opencode", password),
        headers={"x-opencode-directory": str(clone)},
        timeout=30,
        trust_env=False,
    )
    known = (password, *_keys_in(config))
    server = Server(process, web, log, known)
    try:
        on_start(process)
        _await_start(server, check_alive)
        yield server
    finally:
        kill(process)
        web.close()


def _await_start(server: Server, alive: Callable[[], None]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        alive()
        with suppress(subprocess.TimeoutExpired):
            server.process.wait(0.1)
            raise AgentBusy(f"opencode did not start: {log_tail(server)}")
        with suppress(httpx.TransportError):
            if server.web.get("/global/health", timeout=2).is_success:
                return
    raise AgentBusy(f"opencode did not start within {START_SECONDS:g} s: {log_tail(server)}")


def request(server: Server, method: str, path: str, body: object = None) -> bytes:
    try:
        answer = server.web.request(method, path, json=body)
    except httpx.TransportError as error:
        raise AgentBusy(f"opencode does not answer ({type(error).__name__}): {log_tail(server)}") from error
    if answer.status_code == 400 and b"ConfigInvalidError" in answer.content:
        raise AgentRefused(
            f"opencode does not take the model's settings: {redact_secrets(answer.text, server.secrets)[:600]}"
        )
    if not answer.is_success:
        raise AgentBusy(
            f"opencode answered {answer.status_code}: {redact_secrets(answer.text, server.secrets)[:600]}"
        )
    return answer.content


def log_tail(server: Server) -> str:
    """The end of its log, without the secrets it was given."""
    text = server.log.read_bytes()[-4000:].decode(errors="replace")
    return redact_secrets(text, server.secrets).strip()[-1500:] or "it said nothing"


def redact_secrets(text: str, known: Sequence[str]) -> str:
    for secret in known:
        text = text.replace(secret, "…") if len(secret) > 5 else text
    return text


def _keys_in(config: Mapping[str, Any]) -> list[str]:
    options = [entry["options"] for entry in config["provider"].values()]
    headers = [str(value) for one in options for value in dict(one.get("headers") or {}).values()]
    return headers + [str(one["apiKey"]) for one in options if one.get("apiKey")]


def _free_port() -> int:
    """opencode takes a fixed port for 0."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
