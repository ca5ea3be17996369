"""Fixtures for all tests: a real Valkey, an empty database in it, a journal store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from workers.engine.schema import PREFIX, SCHEDULE
from workers.engine.worker_store import WorkerStore
from workers.runtime.embedded import EmbeddedStore
from workers.runtime.store import client


@pytest.fixture(scope="session")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Valkey that lives as long as the session.

    It does not sync its file: durability is the subject of tests that start a store of their own.
    """
    store = EmbeddedStore(Path(tmp_path_factory.mktemp("store")))
    url = store.ensure()
    with client(url) as connection:
        connection.config_set("appendfsync", "no")
    yield url
    store.stop()


@pytest.fixture
def store(store_url: str) -> Iterator[redis.Redis]:
    """An empty store."""
    connection = client(store_url)
    connection.flushall()
    yield connection
    connection.close()


@pytest.fixture
def journal(store: redis.Redis) -> WorkerStore:
    return WorkerStore(store)


@pytest.fixture
def let_leases_run_out(store: redis.Redis) -> Callable[[], None]:
    """Return a function that moves every lease and every wait into the past, as time would."""

    def run_out() -> None:
        for member in store.zrange(SCHEDULE, 0, -1):
            assert isinstance(member, bytes)
            store.zadd(SCHEDULE, {member: 1})
            for field in ("lease", "not_before"):
                if store.hexists(member, field):
                    store.hset(member, field, 1)

    return run_out


@pytest.fixture
def sweep_key(journal: WorkerStore) -> str:
    """The key of an unclaimed sweep in the schedule."""

    key = f"{PREFIX}sweep:env:1"
    journal.open_journal(key, "survey")
    return key
