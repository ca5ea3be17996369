"""The client of the Agent Client Protocol survives an agent that breaks the protocol, and offers it nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from workers.agent import acp_client
from workers.agent.acp_client import METHOD_NOT_FOUND, AcpConnection, RpcError
from workers.errors import AgentBusy, Superseded

PRELUDE = """
import json, sys, time, os
def send(value, **fields):
    print(json.dumps({"jsonrpc": "2.0", **value, **fields}), flush=True)
def receive():
    return json.loads(sys.stdin.readline())
call = receive()
number = call["id"]
"""
"""Beginning of an agent's script: it reads one call. The rest of a script answers the call."""


@contextmanager
def agent(script: str, tick: Any = lambda: None) -> Iterator[tuple[AcpConnection, list[Any]]]:
    """A connection to an agent that runs the script, and the notifications and requests that arrive."""
    received: list[Any] = []

    def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
        received.append((method, params))
        if method != "session/request_permission":
            raise RpcError(METHOD_NOT_FOUND, "no such method")
        return {"outcome": {"outcome": "cancelled"}}

    process = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin and process.stdout
    try:
        connection = AcpConnection(
            process, answer=answer, notify=lambda *update: received.append(update), tick=tick,
            describe_end=lambda: "its log",
        )  # fmt: skip
        yield connection, received
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.mark.parametrize(
    "script",
    [
        'send({"id": number, "result": {"a": 1}})',
        'print("a warning"); send({"id": number, "result": {"a": 1}})',
        'print("[1, 2]\\n7\\nnull\\n{}"); send({"id": number, "result": {"a": 1}})',
        'print("[" * 100_000); send({"id": number, "result": {"a": 1}})',
        'sys.stdout.buffer.write(b"\\xff\\xfe\\n"); send({"id": number, "result": {"a": 1}})',
        'send({"id": number + 1, "result": {"a": 2}}); send({"id": number, "result": {"a": 1}})',
        'send({"id": True, "result": {"a": 2}}); send({"id": number, "result": {"a": 1}})',
        'send({"id": str(number), "result": {"a": 2}}); send({"id": number, "result": {"a": 1}})',
        'send({"method": 7, "id": 1}); send({"id": number, "result": {"a": 1}})',
        'send({"method": "x", "id": [1], "params": 1}); send({"id": number, "result": {"a": 1}})',
        'send({"method": "session/update", "params": [1]}); send({"id": number, "result": {"a": 1}})',
        'print(json.dumps({"id": number, "result": {"a": 2}})); send({"id": number, "result": {"a": 1}})',
        ('text = json.dumps({"jsonrpc": "2.0", "id": number, "result": {"a": 1}})\n'
        "for letter in text: print(letter, end='', flush=True)\nprint(flush=True)"),
    ],
)  # fmt: skip
def test_the_result_is_found_among_other_lines(script: str) -> None:
    with agent(script + "\ntime.sleep(30)") as (connection, _):
        assert connection.call("x", {}, 20) == {"a": 1}


@pytest.mark.parametrize(
    "script",
    [
        'send({"id": number, "error": {"code": -32000, "message": "log in"}})',
        'send({"id": number, "error": {"code": "x", "message": ["y"], "data": "z"}})',
        'send({"id": number, "error": {}})',
        'send({"id": number, "result": [1]})',
        'send({"id": number, "result": "text"})',
        'send({"id": number})',
    ],
)
def test_an_answer_without_a_result_is_an_error_of_the_call(script: str) -> None:
    with agent(script + "\ntime.sleep(30)") as (connection, _), pytest.raises(RpcError):
        connection.call("x", {}, 20)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("sys.exit(3)", "ended: its log"),
        ("os.close(0); os.close(1); time.sleep(30)", "ended"),
        ("sys.stdout.write('x' * 300_000); time.sleep(30)", "message of more than"),
        ("while True: send({'method': 'session/update', 'params': {}})", "more than 500 messages"),
        ("while True: send({'method': 'm', 'id': 1, 'params': {'x': 'y' * 1000}})", "messages"),
        ("while True: print('no protocol')", "does not speak"),
        ("time.sleep(30)", "did not answer x within 1 s"),
    ],
)
def test_an_agent_that_breaks_a_bound_ends_the_run(
    script: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acp_client, "MAX_LINE_BYTES", 100_000)
    monkeypatch.setattr(acp_client, "MAX_MESSAGES", 500)
    seconds = 1 if "within" in reason else 20

    with agent(script) as (connection, _), pytest.raises(AgentBusy, match=reason):
        connection.call("x", {}, seconds)


@pytest.mark.parametrize(
    "method",
    ["fs/read_text_file", "fs/write_text_file", "terminal/create", "terminal/output", "_own/method", "initialize"],
)  # fmt: skip
def test_a_request_of_the_agent_for_files_or_terminals_is_refused(method: str) -> None:
    script = f"""
send({{"id": "a", "method": {method!r}, "params": {{"path": "/etc/passwd", "command": "id"}}}})
send({{"id": number, "result": receive()}})
time.sleep(30)
"""
    with agent(script) as (connection, _):
        reply = connection.call("x", {}, 20)

    assert reply["id"] == "a"
    assert reply["error"]["code"] == METHOD_NOT_FOUND


def test_a_permission_request_is_answered_while_a_call_waits() -> None:
    script = """
send({"id": 0, "method": "session/request_permission", "params": {}})
send({"id": number, "result": receive()})
time.sleep(30)
"""
    with agent(script) as (connection, received):
        reply = connection.call("x", {}, 20)

    assert reply["result"] == {"outcome": {"outcome": "cancelled"}}
    assert received == [("session/request_permission", {})]


def test_a_call_that_is_larger_than_the_pipes_is_exchanged_in_both_directions() -> None:
    script = """
for _ in range(300): send({"method": "session/update", "params": {"x": "y" * 1000}})
send({"id": number, "result": {"length": len(call["params"]["text"])}})
time.sleep(30)
"""
    with agent(script) as (connection, received):
        reply = connection.call("x", {"text": "a" * 1_000_000}, 20)

    assert reply == {"length": 1_000_000}
    assert len(received) == 300


def test_a_flood_of_messages_does_not_keep_the_run_from_being_ended() -> None:
    started = time.monotonic()

    def tick() -> None:
        if time.monotonic() > started + 1:
            raise Superseded("another worker has the claim")

    script = "while True:\n    send({'method': 'session/update', 'params': {}})\n    time.sleep(0.001)"
    with agent(script, tick) as (connection, _), pytest.raises(Superseded):
        connection.call("x", {}, 20)


def test_a_message_of_the_client_is_one_line() -> None:
    with agent('send({"id": number, "result": call})\ntime.sleep(30)') as (connection, _):
        reply = connection.call("session/prompt", {"text": "a\nb\u2028c\r"}, 20)

    assert json.loads(json.dumps(reply["params"])) == {"text": "a\nb\u2028c\r"}
