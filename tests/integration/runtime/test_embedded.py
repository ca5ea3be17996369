"""The embedded store while it still reads its file: it is waited for, not killed and begun anew."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.runtime import embedded
from workers.runtime.embedded import EmbeddedStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """One that waits for no start at all."""
    owned = EmbeddedStore(tmp_path, start_seconds=0)
    yield owned
    owned.stop()


@pytest.fixture
def loading() -> Iterator[str]:
    """The address of a server that answers as a store does while it loads."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answer, args=(listener,), daemon=True).start()
        yield f"redis://:secret@127.0.0.1:{listener.getsockname()[1]}/0"


def _answer(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # the test has ended
        with connection:
            while asked := connection.recv(4096):
                said = b"-LOADING Valkey is loading the dataset in memory\r\n"
                connection.sendall(said * asked.count(b"*"))


def test_a_store_that_is_loading_is_alive_and_is_not_started_again(
    store: EmbeddedStore, loading: str
) -> None:
    embedded.address_file(store.folder).write_text(loading)

    assert store.ensure() == loading
    assert store.alive()
    assert not embedded.answers(loading)


def test_a_start_that_takes_long_only_because_of_loading_is_no_failure(
    store: EmbeddedStore, loading: str
) -> None:
    store._wait(loading)

    assert not embedded.answers(loading)
