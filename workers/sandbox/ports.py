"""TCP ports of a sandboxed command's own loopback through which it and the worker reach each other.

In a network namespace the command's side makes the sockets, before the command starts, and hands them out: a socket
stays in the namespace in which it was made, so no relay is needed. Without a namespace they are the host's loopback.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from workers.sandbox.confinement import LENT_SOCKET_REQUEST
from workers.sandbox.sandbox import Sandbox

FIRST_PORT = 47_001
"""First port in a network namespace, in which nothing else listens when the command starts."""

HANDOUT_SECONDS = 60.0
"""Seconds in which a started command hands out its sockets. It takes 0.1 s; a loaded machine needs far longer."""

LOOPBACK = "127.0.0.1"


@dataclass
class Ports:
    """The ports of one command; `open_ports` makes them. Its methods may be called by several threads."""

    serve: tuple[str, ...]
    """Names of the ports that the worker serves."""
    connect_names: tuple[str, ...]
    """Names of the ports that the command serves."""
    numbers: dict[str, int]
    listeners: dict[str, socket.socket]
    """Listening sockets by name; in a network namespace there are none until the command has handed them out."""
    control: socket.socket | None = None
    """Our end of the socket over which sockets are handed out, None without a network namespace."""
    command_end: socket.socket | None = None
    """The end that the command inherits, None once it is started."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    closed: bool = False

    def number(self, name: str) -> int:
        """The number of the TCP port on 127.0.0.1 inside the sandbox."""
        return self.numbers[name]

    def accept(self, name: str) -> socket.socket:
        """The next connection from inside to a port that the worker serves. Blocks until there is one.

        Raises:
            OSError: the ports were closed, or the command ended before it could hand out its sockets.
        """
        with self.lock:
            self._receive_listeners()
            listener = self.listeners[name]
        connection, _ = listener.accept()
        return connection

    def connect(self, name: str, timeout: float) -> socket.socket:
        """A connection to a port that the command serves.

        Args:
            name: the port's name.
            timeout: seconds, also set for later operations of the socket.

        Raises:
            OSError: nothing listens there now, or the command has ended.
        """
        connection = self._new_socket()
        try:
            connection.settimeout(timeout)
            connection.connect((LOOPBACK, self.numbers[name]))
        except OSError:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Close all sockets; `accept` that waits ends with OSError."""
        self.closed = True
        for end in (self.control, self.command_end, *self.listeners.values()):
            if end is not None:
                # Closing alone does not wake a thread that waits in accept or recv.
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def _new_socket(self) -> socket.socket:
        if self.control is None:
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with self.lock:
            self._receive_listeners()
            self.control.send(b"S" * LENT_SOCKET_REQUEST)
            return self._receive(1)[0]

    def _receive_listeners(self) -> None:
        if self.control is not None and not self.closed and self.listeners.keys() != set(self.serve):
            self.listeners |= dict(zip(self.serve, self._receive(len(self.serve)), strict=True))

    def _receive(self, count: int) -> list[socket.socket]:
        if self.control is None:
            raise OSError("there is no network namespace")
        message, descriptors, _, _ = socket.recv_fds(self.control, 1, max(count, 1))
        if not message or len(descriptors) != count:
            raise OSError("the command ended before it handed out its sockets")
        sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        for received in sockets:
            received.settimeout(None)
        return sockets


@contextmanager
def open_ports(
    sandbox: Sandbox, *, serve: Sequence[str] = (), connect: Sequence[str] = ()
) -> Iterator[Ports]:
    """Ports for one command, to be passed to `commands.start` or `commands.run`. They are closed after the block.

    Args:
        sandbox: the sandbox in which the command will run.
        serve: names of ports that the worker serves, by `Ports.accept`.
        connect: names of ports that the command serves, for `Ports.connect`.
    """
    ports = _in_namespace(serve, connect) if sandbox.private_network else _on_host(serve, connect)
    try:
        yield ports
    finally:
        ports.close()


def _in_namespace(serve: Sequence[str], connect: Sequence[str]) -> Ports:
    control, command_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.settimeout(HANDOUT_SECONDS)
    numbers = {name: FIRST_PORT + index for index, name in enumerate((*serve, *connect))}
    # Without ports to serve there is no message with listeners, only the sockets that are asked for.
    return Ports(tuple(serve), tuple(connect), numbers, {}, control, command_end)


def _on_host(serve: Sequence[str], connect: Sequence[str]) -> Ports:
    listeners = {name: socket.create_server((LOOPBACK, 0)) for name in serve}
    numbers = {name: int(listener.getsockname()[1]) for name, listener in listeners.items()}
    return Ports(tuple(serve), tuple(connect), numbers | {name: _free_port() for name in connect}, listeners)


def _free_port() -> int:
    # Another process may bind the port before the command does; the command fails then and is run again.
    with socket.create_server((LOOPBACK, 0)) as listener:
        return int(listener.getsockname()[1])
