"""Ports between the worker and a command that has no network."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.sandbox_probes import Level, levels, probe_folder
from workers.sandbox.commands import kill, start
from workers.sandbox.ports import Ports, open_ports

BOTH_WAYS = """
import socket, sys
gateway, agent = (int(word) for word in sys.argv[1:])
listener = socket.create_server(("127.0.0.1", agent))
with socket.create_connection(("127.0.0.1", gateway), 5) as client:
    client.sendall(b"question")
    print(client.recv(100).decode(), flush=True)
while True:
    with listener.accept()[0] as connection:
        connection.sendall(b"from inside")
"""
LEVELS = ("bubblewrap", "landlock", "landlock without mounts", "uid without mounts")


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest) -> Iterator[Level]:
    with probe_folder() as folder:
        available = next(levels(folder, only=request.param), None)
        if available is None:
            pytest.skip("this machine does not allow the level")
        yield available


@contextmanager
def running(level: Level, ports: Ports, code: str) -> Iterator[subprocess.Popen[bytes]]:
    numbers = [str(ports.number(name)) for name in ("gateway", "agent")]
    tree = level.sandbox.scratch.parent / "tree"
    tree.mkdir()
    process = start(
        level.sandbox, [str(level.python), "-c", code, *numbers], cwd=tree, writable=[tree], env={}, ports=ports,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process
    finally:
        kill(process)
        if process.stdout:
            process.stdout.close()


def test_the_worker_and_the_command_reach_each_other(level: Level) -> None:
    with (
        open_ports(level.sandbox, serve=("gateway",), connect=("agent",)) as ports,
        running(level, ports, BOTH_WAYS) as process,
    ):
        with ports.accept("gateway") as connection:
            question = connection.recv(100)
            connection.sendall(b"answer")
        replies = []
        for _ in range(3):
            with ports.connect("agent", 5.0) as connection:
                replies.append(connection.recv(100))

        assert question == b"question"
        assert replies == [b"from inside"] * 3
        assert process.stdout is not None
        assert process.stdout.readline() == b"answer\n"


def test_closing_the_ports_ends_a_thread_that_waits_for_a_connection(level: Level) -> None:
    errors: list[OSError] = []

    def wait(ports: Ports) -> None:
        try:
            ports.accept("gateway")
        except OSError as error:
            errors.append(error)

    with open_ports(level.sandbox, serve=("gateway",), connect=("agent",)) as ports:
        thread = threading.Thread(target=wait, args=(ports,))
        with running(level, ports, "import time; time.sleep(60)"):
            thread.start()
            ports.close()
            thread.join(10)

    assert len(errors) == 1


def test_a_port_that_the_command_does_not_serve_yet_refuses_the_connection(level: Level) -> None:
    with open_ports(level.sandbox, serve=("gateway",), connect=("agent",)) as ports:
        with (
            running(level, ports, "import time; time.sleep(60)"),
            pytest.raises(ConnectionRefusedError),
        ):
            ports.connect("agent", 5.0)
        with pytest.raises(OSError, match=r"."):
            ports.connect("agent", 5.0)
