"""The dispatcher: due journals are dispatched soon, and an idle dispatcher writes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis

from tests.support.polling import wait_until
from workers.engine.broker import NAMESPACE, make_broker
from workers.engine.dispatcher import DISPATCH_SECONDS, Dispatcher, is_anything_due
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX
from workers.engine.worker_store import WorkerStore
from workers.runtime.store import client

KEY = f"{PREFIX}sweep:env-1:1"
LOADED_SECONDS = 0.7  # allowance for a loaded machine


@pytest.fixture
def journal(store_url: str, store: redis.Redis) -> Iterator[WorkerStore]:
    """The store of a worker process whose dispatcher runs."""
    connection = client(store_url)
    worker_store = WorkerStore(connection)
    dispatcher = Dispatcher(worker_store, make_broker(connection))
    dispatcher.start()
    yield worker_store
    dispatcher.ended.set()
    worker_store.rescheduled.set()
    dispatcher.join(5)
    connection.close()


def dispatched_after(store: redis.Redis, began: float) -> float:
    """Seconds until the queue holds a message."""
    wait_until(lambda: store.llen(f"{NAMESPACE}:sweeps"), seconds=5, what="the message")
    return time.monotonic() - began


def test_a_journal_that_this_process_makes_due_is_dispatched_before_the_next_look(
    journal: WorkerStore, store: redis.Redis
) -> None:
    began = time.monotonic()

    journal.open_journal(KEY, "survey")

    assert dispatched_after(store, began) < DISPATCH_SECONDS


def test_a_journal_that_another_process_makes_due_is_dispatched_within_about_a_second(
    journal: WorkerStore, store: redis.Redis
) -> None:
    began = time.monotonic()

    JournalStore(store).open_journal(KEY, "survey")

    assert dispatched_after(store, began) < DISPATCH_SECONDS + LOADED_SECONDS


def test_a_journal_is_dispatched_when_its_time_comes_and_not_before(
    journal: WorkerStore, store: redis.Redis
) -> None:
    began = time.monotonic()

    journal.open_journal(KEY, "survey", after=1)

    assert 1 <= dispatched_after(store, began) < 1 + DISPATCH_SECONDS + LOADED_SECONDS


def test_the_look_at_an_idle_schedule_writes_nothing(store: redis.Redis) -> None:
    journal = JournalStore(store)
    journal.open_journal(KEY, "survey", after=60)
    before = changes(store)

    assert not is_anything_due(journal)

    assert changes(store) == before


def changes(store: redis.Redis) -> int:
    """The number of writes that Redis has counted."""
    return int(store.info("persistence")["rdb_changes_since_last_save"])
