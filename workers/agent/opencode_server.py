"""Starts one short-lived opencode server in the sandbox, and sends requests to it."""

from __future__ import annotations

import re
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from workers.agent import socket_http
from workers.agent.agent_home import prepare_home
from workers.agent.agent_process import running
from workers.agent.coding_agent import AGENT_PORT, Job
from workers.agent.config import configuration, environment, write_configuration
from workers.agent.log_tail import MAX_ERROR_CHARS, log_tail, redact_secrets
from workers.agent.opencode_schema import HEALTH
from workers.agent.providers import opencode_entry
from workers.agent.socket_http import Response, SocketHttpError, basic_auth
from workers.errors import AgentBusy, AgentRefused
from workers.runtime.text import plural

SERVE = ("serve", "--hostname", "127.0.0.1", "--print-logs", "--log-level", "WARN")
"""Arguments of opencode: serve the loopback only, and log warnings to stderr."""

MAJOR_VERSION = "1"
"""The version whose HTTP interface `opencode_schema` describes."""

START_SECONDS = 90.0
"""Seconds until a server must answer. It takes 3 to 5 on two idle cores; a loaded machine needs several times that."""
START_POLL_SECONDS = 0.1
"""Pause between two health checks of a starting server."""
HEALTH_SECONDS = 2.0
"""Timeout of one health check, so that a server that hangs is noticed within `START_SECONDS`."""
REQUEST_SECONDS = 30.0
"""Timeout of other requests. None of them waits for the model: prompts are sent with `prompt_async`."""

T = TypeVar("T")


@dataclass(frozen=True)
class Server:
    """A running opencode server."""

    process: subprocess.Popen[bytes]
    dial: socket_http.Dial
    headers: Mapping[str, str]
    """Headers of each request."""
    log: Path
    """The file that holds its stdout and stderr."""
    secrets: tuple[str, ...]
    """Values that never leave in an error message: its password and the gateway's token."""


@contextmanager
def serving(job: Job) -> Iterator[Server]:
    """A server for the block. At the end no process of it is left.

    Raises:
        AgentBusy: the server ended or did not answer within `START_SECONDS`.
        AgentRefused: the program is not opencode 1.
    """
    agent, password = job.agent, secrets.token_urlsafe(24)
    entry = opencode_entry(agent.model, agent.provider_config, job.gateway_url, job.token)
    config = configuration(job.role, agent.model, entry)
    home = prepare_home(job.folder)
    write_configuration(home)
    env = home.variables | environment(password, config, (agent.binary, agent.rg))
    command = (str(agent.binary), *SERVE, "--port", str(job.ports.number(AGENT_PORT)))
    log = job.folder / "log.txt"
    # opencode picks the instance by this header; several routes answer for another one without it.
    headers = {
        "Authorization": basic_auth("opencode", password),
        "x-opencode-directory": str(job.clone),
    }
    with (
        log.open("wb") as file,
        running(
            job, command, writable=(home.data, home.scratch), readable=(home.fixed, agent.binary, agent.rg), env=env,
            stdout=file, stderr=subprocess.STDOUT,
        ) as process,
    ):  # fmt: skip
        server = Server(
            process,
            lambda seconds: job.ports.connect(AGENT_PORT, seconds),
            headers,
            log,
            (password, job.token),
        )
        _await_start(server, job)
        yield server


def _await_start(server: Server, job: Job) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        job.tick()
        with suppress(subprocess.TimeoutExpired):
            server.process.wait(START_POLL_SECONDS)
            raise AgentBusy(f"opencode did not start: {log_tail(server.log, server.secrets)}")
        with suppress(SocketHttpError):
            response = _send(server, "GET", "/global/health", seconds=HEALTH_SECONDS)
            if response.is_success:
                _check_version(response, job.agent.binary)
                return
    raise AgentBusy(
        f"opencode did not start within {START_SECONDS:g} s: {log_tail(server.log, server.secrets)}"
    )


def _check_version(response: Response, binary: Path) -> None:
    """Refuse a server of another version: its interface differs, and a page would be taken for a lasting fault."""
    try:
        version = HEALTH.validate_json(response.content).version
    except ValidationError:
        kind = response.content_type.partition(";")[0]
        version = kind if re.fullmatch(r"[a-z]{1,20}/[a-z.+-]{1,40}", kind) else "no JSON"
        raise AgentRefused(
            f"OPENCODE_BIN: {binary} answers with {version} where opencode {MAJOR_VERSION} answers with its version. "
            f"Set OPENCODE_BIN to opencode {MAJOR_VERSION}."
        ) from None
    # A build of one's own may have a word in place of a number.
    major = re.match(r"v?(\d+)", version)
    if not re.fullmatch(r"[\w.+-]+", version) or (major and major[1] != MAJOR_VERSION):
        raise AgentRefused(
            f"OPENCODE_BIN: {binary} is opencode {version[:20]!r}, whose interface is unknown. "
            f"Set OPENCODE_BIN to opencode {MAJOR_VERSION}."
        )


def request(server: Server, method: str, path: str, body: object = None) -> bytes:
    """The body of the server's answer.

    Raises:
        AgentBusy: the server does not answer, or answers with an error.
        AgentRefused: opencode rejects its configuration, so the user's provider settings are invalid; or it answers
            with a page, so it is another version.
    """
    try:
        response = _send(server, method, path, body)
    except SocketHttpError as error:
        raise AgentBusy(
            f"opencode does not answer ({error}): {log_tail(server.log, server.secrets)}"
        ) from error
    if response.is_success and not response.content_type.startswith("text/html"):
        return response.content
    if response.is_success:
        raise AgentRefused(
            f"OPENCODE_BIN: opencode answers {path} with a page instead of JSON. "
            f"Set OPENCODE_BIN to opencode {MAJOR_VERSION}."
        )
    text = redact_secrets(response.content.decode(errors="replace"), server.secrets)[:MAX_ERROR_CHARS]
    # An invalid configuration does not stop the start; the first request for the directory fails with this error.
    if response.status == 400 and b"ConfigInvalidError" in response.content:
        raise AgentRefused(f"OPENCODE_CONFIG: opencode rejects the settings of the model's provider: {text}")
    raise AgentBusy(f"opencode answered {response.status}: {text}")


def read(server: Server, path: str, answer: TypeAdapter[T], method: str = "GET", body: object = None) -> T:
    """The server's answer as a value. Raises as `request`, and AgentBusy for an answer of another shape."""
    content = request(server, method, path, body)
    try:
        return answer.validate_json(content)
    except ValidationError as error:
        # `from None`: pydantic's text quotes the answer.
        fields = plural(error.error_count(), "unreadable field")
        raise AgentBusy(f"opencode answers {path} with {fields}") from None


def _send(
    server: Server, method: str, path: str, body: object = None, seconds: float = REQUEST_SECONDS
) -> Response:
    return socket_http.request(server.dial, method, path, headers=server.headers, body=body, seconds=seconds)
