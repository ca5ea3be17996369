"""A client of the Agent Client Protocol: JSON-RPC 2.0 in lines over the pipes of an agent's process.

Source: https://agentclientprotocol.com/protocol/v1/overview. The agent may be hostile: lines, messages and bytes are
bounded, and a message of an unknown shape is answered or dropped, never trusted. The client offers neither files nor
terminals: the agent has its own tools inside the sandbox, and a request that the worker served would cross its border.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from collections.abc import Callable
from typing import Any

from workers.errors import AgentBusy

MAX_LINE_BYTES = 8 * 2**20
"""Bytes of one message. An update holds the text of the file that a tool read or changed."""
MAX_MESSAGES = 200_000
"""Messages of one run. An answer arrives in small pieces, some thousands in a long run."""
MAX_TOTAL_BYTES = 512 * 2**20
"""Bytes of all messages of one run."""
MAX_STRAY_LINES = 200
"""Lines that are no JSON-RPC message. Adapters print a few warnings to stdout."""
READ_BYTES = 65_536
"""Bytes of one read: the capacity of a pipe in Linux."""
TICK_SECONDS = 0.5
"""Interval of `tick`, also while messages arrive without a pause."""

METHOD_NOT_FOUND = -32601  # JSON-RPC 2.0

Params = dict[str, Any]


class RpcError(Exception):
    """An error of one call.

    Args:
        code: of JSON-RPC or of the protocol.
        message: the other side's text.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class AcpConnection:
    """The connection to one agent.

    Args:
        process: started with pipes for stdin and stdout.
        answer: returns the result of a request of the agent, or raises RpcError.
        notify: gets the method and the parameters of each notification.
        tick: called about twice a second while a call waits; it raises when the run is to be ended.
        describe_end: returns the reason why the agent ended, for the error.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], *, answer: Callable[[str, Params], Params],
        notify: Callable[[str, Params], None], tick: Callable[[], None], describe_end: Callable[[], str],
    ) -> None:  # fmt: skip
        if process.stdin is None or process.stdout is None:
            raise ValueError("the agent needs pipes for stdin and stdout")
        self._in, self._out = process.stdout.fileno(), process.stdin.fileno()
        self._answer, self._notify, self._tick = answer, notify, tick
        self._describe_end = describe_end
        self._received, self._unsent = bytearray(), bytearray()
        self._calls = self._messages = self._bytes = self._stray = 0
        self._ticked_at = 0.0
        for descriptor in (self._in, self._out):
            os.set_blocking(descriptor, False)

    def call(self, method: str, params: Params, seconds: float | None = None) -> Params:
        """The result of a call; while it waits, requests of the agent are answered.

        Args:
            method: the agent's method.
            params: its parameters.
            seconds: until the result must be there; None leaves that to `tick`.

        Raises:
            RpcError: the agent answers with an error.
            AgentBusy: the agent ended, or breaks a bound.
        """
        self._calls += 1
        number, deadline = self._calls, None if seconds is None else time.monotonic() + seconds
        self._send({"id": number, "method": method, "params": params})
        while True:
            if deadline is not None and time.monotonic() > deadline:
                raise AgentBusy(f"the agent did not answer {method} within {seconds:g} s")
            message = self._next_message()
            if message is None or "method" in message:
                self._serve(message or {})
            elif message.get("id") == number and type(message["id"]) is int:
                return _result(message)

    def _serve(self, message: Params) -> None:
        """Answer a request, or pass a notification on."""
        method, params, number = message.get("method"), message.get("params"), message.get("id")
        if not isinstance(method, str):
            return
        if number is None:
            self._notify(method, params if isinstance(params, dict) else {})
        elif isinstance(number, (str, int)):
            try:
                reply: Params = {"result": self._answer(method, params if isinstance(params, dict) else {})}
            except RpcError as error:
                reply = {"error": {"code": error.code, "message": str(error)}}
            self._send({"id": number, **reply})

    def _send(self, message: Params) -> None:
        self._unsent += json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"
        if len(self._unsent) > MAX_TOTAL_BYTES:
            raise AgentBusy("the agent sends requests without reading the answers")

    def _next_message(self) -> Params | None:
        """The next message; None after a pause, or for a line that is none."""
        if time.monotonic() - self._ticked_at > TICK_SECONDS:
            self._tick()
            self._ticked_at = time.monotonic()
        line, newline, rest = self._received.partition(b"\n")
        if not newline:
            self._exchange()
            return None
        self._received = rest
        self._messages += 1
        if self._messages > MAX_MESSAGES:
            raise AgentBusy(f"the agent sent more than {MAX_MESSAGES:,} messages")
        message = _parse(bytes(line))
        self._stray += message is None and bool(line.strip())
        if self._stray > MAX_STRAY_LINES:
            raise AgentBusy("the agent does not speak the Agent Client Protocol")
        return message

    def _exchange(self) -> None:
        """Write to and read from the pipes as far as possible without blocking, or wait until the next tick."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._in, selectors.EVENT_READ)
            if self._unsent:
                selector.register(self._out, selectors.EVENT_WRITE)
            for key, _ in selector.select(TICK_SECONDS):
                try:
                    self._read() if key.fd == self._in else self._write()
                except (BrokenPipeError, ConnectionResetError):
                    raise AgentBusy(f"the agent ended: {self._describe_end()}") from None

    def _write(self) -> None:
        del self._unsent[: os.write(self._out, self._unsent[:READ_BYTES])]

    def _read(self) -> None:
        data = os.read(self._in, READ_BYTES)
        if not data:
            raise AgentBusy(f"the agent ended: {self._describe_end()}")
        self._bytes += len(data)
        self._received += data
        if len(self._received) > MAX_LINE_BYTES + READ_BYTES or self._bytes > MAX_TOTAL_BYTES:
            raise AgentBusy(
                f"the agent sent a message of more than {MAX_LINE_BYTES // 2**20} MiB, or too many messages"
            )


def _parse(line: bytes) -> Params | None:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):  # json recurses, so nested brackets exhaust the stack
        return None
    return message if isinstance(message, dict) and message.get("jsonrpc") == "2.0" else None


def _result(message: Params) -> Params:
    """The result of a response. Raises RpcError for an error, and for a response of another shape."""
    error, result = message.get("error"), message.get("result")
    if isinstance(error, dict):
        code, text = error.get("code"), error.get("message")
        raise RpcError(code if isinstance(code, int) else 0, f"{text} {_detail(error.get('data'))}".strip())
    if not isinstance(result, dict) and not (result is None and "result" in message):
        raise RpcError(0, "the response has neither a result nor an error")
    return result or {}


def _detail(data: object) -> str:
    """The text of an error's data, which agents put their own error into."""
    return str(data.get("message") or data.get("details") or "") if isinstance(data, dict) else ""
