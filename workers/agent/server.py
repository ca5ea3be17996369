"""Starts one short-lived opencode server in the sandbox, and sends requests to it."""

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

from workers.agent.config import Role, environment, prepare_home
from workers.errors import AgentBusy, AgentRefused
from workers.sandbox.commands import kill, start
from workers.sandbox.sandbox import Sandbox

SERVE = ("serve", "--hostname", "127.0.0.1", "--print-logs", "--log-level", "WARN")
"""Arguments of opencode: serve the host's loopback only, and log warnings to stderr."""

START_SECONDS = 90.0
"""Seconds until a server must answer. It takes 3 to 5 on two idle cores; a loaded machine needs several times that."""
START_POLL_SECONDS = 0.1
"""Pause between two looks at a starting server."""
HEALTH_SECONDS = 2.0
"""Timeout of one health check, so that a server that hangs is noticed within `START_SECONDS`."""
REQUEST_SECONDS = 30.0
"""Timeout of other requests. None of them waits for the model: prompts are sent with `prompt_async`."""
LOG_TAIL_BYTES = 4_000
"""Bytes read from the end of the server's log for an error message."""
LOG_TAIL_CHARS = 1_500
"""Characters of the log in an error message: the last error with its context."""
MAX_ERROR_CHARS = 600
"""Characters of an error text of opencode or the model in our own error message."""
MIN_SECRET_CHARS = 6
"""Shorter values are not redacted: they would also match ordinary text."""


@dataclass(frozen=True)
class Server:
    """A running opencode server and the client that talks to it."""

    process: subprocess.Popen[bytes]
    web: httpx.Client
    log: Path
    """The file that holds its stdout and stderr."""
    secrets: tuple[str, ...]
    """Values that never leave in an error message: its password, and the keys in its configuration."""


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
    """A server for the block. At the end no process of it is left.

    Args:
        sandbox: how the server is isolated.
        binary: the opencode program.
        rg: the ripgrep program; opencode would download one at the first grep.
        role: a reader gets the clone read-only where the sandbox can do that.
        clone: the working directory of the agent.
        folder: a folder of the run. The server's home in it stays, so that the next server can resume the session.
        config: opencode's configuration.
        check_alive: called while the server starts; it raises when the run is to be abandoned.
        on_start: called with the process, so that another thread can `commands.kill` it.

    Raises:
        AgentBusy: the server ended or did not answer within `START_SECONDS`.
    """
    home, log = folder / "home", folder / "log.txt"
    prepare_home(home)
    password, port = secrets.token_urlsafe(24), _free_port()
    env = environment(home, password, config, (binary, rg))
    command = (str(binary), *SERVE, "--port", str(port))
    # Only bubblewrap can make a folder read-only; in a uid sandbox the server must own the clone even to read it.
    owned = [clone] if role == "writer" or sandbox.kind == "uid" else []
    with log.open("wb") as file:
        process = start(
            sandbox, command, cwd=clone, writable=[home, *owned], readable=[clone, clone / ".git", binary, rg],
            env=env, network=True, stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    web = _client(port, password, clone)
    server = Server(process, web, log, (password, *_keys(config)))
    try:
        on_start(process)
        _await_start(server, check_alive)
        yield server
    finally:
        kill(process)
        web.close()


def _client(port: int, password: str, clone: Path) -> httpx.Client:
    return httpx.Client(
        base_url=f"http://127.0.0.1:{port}",
        auth=("opencode", password),
        # opencode picks the instance by this header; several routes answer for another one without it.
        headers={"x-opencode-directory": str(clone)},
        timeout=REQUEST_SECONDS,
        trust_env=False,  # a proxy of the worker's environment cannot reach this port
    )


def _await_start(server: Server, check_alive: Callable[[], None]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        check_alive()
        with suppress(subprocess.TimeoutExpired):
            server.process.wait(START_POLL_SECONDS)
            raise AgentBusy(f"opencode did not start: {log_tail(server)}")
        with suppress(httpx.TransportError):
            if server.web.get("/global/health", timeout=HEALTH_SECONDS).is_success:
                return
    raise AgentBusy(f"opencode did not start within {START_SECONDS:g} s: {log_tail(server)}")


def request(server: Server, method: str, path: str, body: object = None) -> bytes:
    """The body of the server's answer.

    Raises:
        AgentBusy: the server does not answer, or answers with an error.
        AgentRefused: opencode rejects its configuration, so the user's provider settings are invalid.
    """
    try:
        response = server.web.request(method, path, json=body)
    except httpx.TransportError as error:
        raise AgentBusy(f"opencode does not answer ({type(error).__name__}): {log_tail(server)}") from error
    if response.is_success:
        return response.content
    text = redact_secrets(response.text, server.secrets)[:MAX_ERROR_CHARS]
    # An invalid configuration does not stop the start; the first request for the directory fails with this error.
    if response.status_code == 400 and b"ConfigInvalidError" in response.content:
        raise AgentRefused(f"OPENCODE_CONFIG: opencode rejects the settings of the model's provider: {text}")
    raise AgentBusy(f"opencode answered {response.status_code}: {text}")


def log_tail(server: Server) -> str:
    """The end of the server's log, without its secrets."""
    text = server.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
    return redact_secrets(text, server.secrets).strip()[-LOG_TAIL_CHARS:] or "its log is empty"


def redact_secrets(text: str, secret_values: Sequence[str]) -> str:
    """The text with each secret replaced by an ellipsis."""
    for value in secret_values:
        text = text.replace(value, "…") if len(value) >= MIN_SECRET_CHARS else text
    return text


def _keys(config: Mapping[str, Any]) -> list[str]:
    """The API keys and header values of the configured providers."""
    options = [entry["options"] for entry in config["provider"].values()]
    headers = [str(value) for option in options for value in dict(option.get("headers") or {}).values()]
    return headers + [str(option["apiKey"]) for option in options if option.get("apiKey")]


def _free_port() -> int:
    # opencode takes `--port 0` as its fixed default port, 4096, so the port is chosen here. If another process
    # binds it first, the server exits and the run is tried again.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
