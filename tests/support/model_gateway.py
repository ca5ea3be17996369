"""A running model gateway on a loopback port, and clients of it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from tests.support.model_streams import KEY_HEADERS, REQUESTS, stream_request
from workers.gateway.call_budget import RunBudget
from workers.gateway.call_outcome import CallRecord
from workers.gateway.formats import FormatName
from workers.gateway.model_gateway import ModelGateway, ModelProvider
from workers.gateway.upstream import Price, Upstream
from workers.models import Usage

KEY = "provider-key-0123456789"
PRICE = Price(1.0, 4.0)


@dataclass(frozen=True)
class Reply:
    """The gateway's answer. `broken` is true if the connection ended before the answer did."""

    status: int
    headers: dict[str, str]
    body: bytes
    broken: bool = False

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class RunningGateway:
    gateway: ModelGateway
    budget: RunBudget
    name: FormatName
    port: int
    calls: list[CallRecord] = field(default_factory=list)
    usages: list[Usage] = field(default_factory=list)

    def add(self, call: CallRecord) -> None:
        self.calls.append(call)

    def headers(self, **changes: str) -> dict[str, str]:
        """The headers of a proper client of this API."""
        header = KEY_HEADERS[self.name]
        token = self.gateway.token
        return {
            "content-type": "application/json",
            header: f"Bearer {token}" if header == "authorization" else token,
        } | changes

    def post(
        self, path: str, body: Any, headers: dict[str, str] | None = None, method: str = "POST"
    ) -> Reply:
        """Send one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, data, self.headers() if headers is None else headers)
        response = connection.getresponse()
        received, broken = b"", False
        try:
            while part := response.read1(65_536):
                received += part
        except (http.client.HTTPException, OSError):
            broken = True
        finally:
            connection.close()
        reply_headers = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, reply_headers, received, broken)

    def ask(self, *, stream: bool = True, **changes: Any) -> Reply:
        """The smallest request of this API, with changed fields."""
        path, body = stream_request(self.name) if stream else REQUESTS[self.name]
        return self.post(path, body | changes)

    def send_raw(self, data: bytes, *, finish: bool = True) -> bytes:
        """Everything that the gateway answers to these bytes, until it closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(data)
            if finish:
                connection.shutdown(socket.SHUT_WR)
            received = b""
            with suppress(OSError):
                while part := connection.recv(65_536):
                    received += part
            return received


@contextmanager
def running_gateway(
    name: FormatName, url: str, *, cost_usd: float = 100.0, tokens: int = 10**9, calls: int = 1000,
    price: Price | None = PRICE, provider: ModelProvider | None = None, deadline_seconds: float = 20.0,
    silence_seconds: float = 10.0, **upstream: Any,
) -> Iterator[RunningGateway]:  # fmt: skip
    """A gateway in front of the provider at `url`, or of a recording that takes its place."""
    usages: list[Usage] = []
    budget = RunBudget(cost_usd, tokens, calls, on_usage=usages.append)
    prefix = "/v1beta" if name == "gemini" else "/v1"
    settings: dict[str, Any] = {"key_header": KEY_HEADERS[name], "max_output_tokens": 8000} | upstream
    target = Upstream((name,), url + prefix, SecretStr(KEY), "m1", price=price, **settings)
    listener = socket.create_server(("127.0.0.1", 0))
    running = RunningGateway(None, budget, name, listener.getsockname()[1], usages=usages)  # type: ignore[arg-type]  # made next
    running.gateway = ModelGateway(
        target, budget, running, deadline=time.monotonic() + deadline_seconds, silence_seconds=silence_seconds,
        provider=provider,
        first_wait_seconds=0.01,
    )  # fmt: skip
    thread = threading.Thread(target=running.gateway.serve, args=(lambda: listener.accept()[0],), daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.gateway.close()
        # A blocked accept notices a shutdown, not a close.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
