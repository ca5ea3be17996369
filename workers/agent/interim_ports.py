"""Ports between the worker and an agent: plain loopback sockets, until the sandbox gives the agent its own network."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from workers.sandbox.sandbox import Sandbox


@dataclass(frozen=True)
class Ports:
    """The ports of one run."""

    listener: socket.socket
    numbers: dict[str, int]

    def number(self, name: str) -> int:
        """The TCP port on 127.0.0.1, as seen from inside."""
        return self.numbers[name]

    def accept(self, _name: str) -> socket.socket:
        """The next connection from inside; raises OSError once closed."""
        return self.listener.accept()[0]

    def connect(self, name: str, timeout: float) -> socket.socket:
        """A connection to the command's own server; raises OSError."""
        return socket.create_connection(("127.0.0.1", self.numbers[name]), timeout)


@contextmanager
def open_ports(_sandbox: Sandbox, *, serve: tuple[str], connect: tuple[str, ...]) -> Iterator[Ports]:
    """The ports of a run."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        numbers = {serve[0]: listener.getsockname()[1]} | {name: _free_port() for name in connect}
        try:
            yield Ports(listener, numbers)
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
