"""The unit tier: no store and no sockets. A test that opens a connection belongs to tests/integration."""

from __future__ import annotations

import socket
from typing import Any, NoReturn

import pytest


def _refuse(refused: socket.socket, *_args: Any, **_kwargs: Any) -> NoReturn:
    # Callers close a socket after an OSError only. The collector would report an open one in some later test.
    refused.close()
    raise AssertionError("a unit test opens no socket: move it to tests/integration")


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every connection and every listening socket of this process fail."""
    monkeypatch.setattr(socket.socket, "connect", _refuse)
    monkeypatch.setattr(socket.socket, "bind", _refuse)
