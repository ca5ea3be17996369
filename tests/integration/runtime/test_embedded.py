"""The embedded store while it loads its file: it is waited for and not restarted."""

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
    """A store whose start time is over at once."""
    store = EmbeddedStore(tmp_path, start_seconds=0)
    yield store
    store.stop()


@pytest.fixture
def loading() -> Iterator[str]:
    """The address of a server that answers like a Valkey that loads its file."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answer, args=(listener,), daemon=True).start()
        yield f"redis://:secret@127.0.0.1:{listener.getsockname()[1]}/0"


def _answer(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # the test is over
        with connection:
            while request := connection.recv(4096):
                answer = b"-LOADING Valkey is loading the dataset in memory\r\n"
                connection.sendall(answer * request.count(b"*"))


def test_a_loading_store_is_alive_and_not_restarted(store: EmbeddedStore, loading: str) -> None:
    embedded.address_file(store.folder).write_text(loading)

    assert store.ensure() == loading
    assert store.alive()
    assert not embedded.answers(loading)


def test_a_start_that_takes_long_because_of_loading_is_no_failure(store: EmbeddedStore, loading: str) -> None:
    store._wait(loading)

    assert not embedded.answers(loading)
