"""The broker: a message starts at once, an idle consumer sends Redis nothing, and a lost signal costs seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import dramatiq
import pytest
import redis
from dramatiq.brokers.redis import RedisBroker

from tests.support.polling import wait_until
from workers.engine import broker as broker_module
from workers.engine.broker import NAMESPACE, make_broker, make_message
from workers.runtime import store as connection

PROMPT_SECONDS = 0.5
"""Far below the interval of Dramatiq's own polling, and far above the time of a signal on a loaded machine."""


class Deliveries:
    """The keys that an actor received, with the time of each."""

    def __init__(self) -> None:
        self.times: dict[str, float] = {}

    def receive(self, key: str) -> None:
        self.times[key] = time.monotonic()


@pytest.fixture
def deliveries() -> Deliveries:
    return Deliveries()


@pytest.fixture
def worker(store_url: str, store: redis.Redis, deliveries: Deliveries) -> Iterator[dramatiq.Worker]:
    """A running worker whose `intake` actor notes its deliveries; its subscription stands."""
    broker = make_broker(connection.client(store_url))
    dramatiq.actor(broker=broker, actor_name="intake", queue_name="sweeps")(deliveries.receive)
    running = dramatiq.Worker(broker, worker_timeout=100, worker_threads=2)
    running.start()
    wait_until(lambda: subscribers(store), what="the subscription")
    yield running
    running.stop()


def subscribers(store: redis.Redis) -> int:
    [(_, count)] = store.pubsub_numsub(broker_module.SIGNAL_CHANNEL)
    return int(count)


def send(store: redis.Redis, key: str) -> float:
    """Enqueue a message as another process does; the time of it."""
    before = time.monotonic()
    make_broker(store).enqueue(make_message("intake", key))
    return before


def test_a_message_reaches_an_idle_worker_at_once(
    worker: dramatiq.Worker, store: redis.Redis, deliveries: Deliveries
) -> None:
    time.sleep(2)  # long enough for the backoff of a polling consumer to reach its maximum

    sent = send(store, "alert")

    wait_until(lambda: "alert" in deliveries.times, what="the delivery")
    assert deliveries.times["alert"] - sent < PROMPT_SECONDS


def test_every_message_of_a_burst_is_delivered(
    worker: dramatiq.Worker, store: redis.Redis, deliveries: Deliveries
) -> None:
    keys = {f"alert-{number}" for number in range(100)}

    for key in keys:
        send(store, key)

    wait_until(lambda: deliveries.times.keys() == keys, what="all deliveries")


def test_an_idle_worker_sends_no_command(worker: dramatiq.Worker, store: redis.Redis) -> None:
    wait_until(lambda: not store.exists(f"{NAMESPACE}:sweeps"), what="an empty queue")
    time.sleep(0.5)
    before = int(store.info("stats")["total_commands_processed"])

    time.sleep(2)

    assert (
        int(store.info("stats")["total_commands_processed"]) - before <= 3
    )  # one poll, and the two of this test


def test_a_message_whose_signal_was_lost_is_found_by_the_next_poll(
    store: redis.Redis, store_url: str, deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_module, "POLL_SECONDS", 0.2)
    broker = make_broker(connection.client(store_url))
    dramatiq.actor(broker=broker, actor_name="intake", queue_name="sweeps")(deliveries.receive)
    running = dramatiq.Worker(broker, worker_timeout=100, worker_threads=1)
    running.start()
    wait_until(lambda: subscribers(store), what="the subscription")

    # Dramatiq's own broker publishes no signal.
    RedisBroker(client=store, namespace=NAMESPACE, middleware=[]).enqueue(make_message("intake", "alert"))  # type: ignore[no-untyped-call]  # dramatiq types no constructor

    wait_until(lambda: "alert" in deliveries.times, seconds=5, what="the delivery")
    running.stop()


def test_a_lost_connection_is_subscribed_again(
    worker: dramatiq.Worker, store: redis.Redis, deliveries: Deliveries
) -> None:
    store.client_kill_filter(_type="pubsub")

    wait_until(lambda: subscribers(store), what="the subscription again")
    send(store, "alert")
    wait_until(lambda: "alert" in deliveries.times, seconds=5, what="the delivery")


def test_a_user_who_may_not_publish_can_still_enqueue(
    store: redis.Redis, store_url: str, deliveries: Deliveries
) -> None:
    store.acl_setuser("plain", enabled=True, passwords="+pw", keys="*", commands=["+@all"], reset=True)
    guest = connection.client(f"redis://plain:pw@{store_url.rpartition('@')[2].removeprefix('redis://')}")
    broker = make_broker(guest)
    dramatiq.actor(broker=broker, actor_name="intake", queue_name="sweeps")(deliveries.receive)
    running = dramatiq.Worker(broker, worker_timeout=100, worker_threads=1)
    running.start()

    send(guest, "alert")

    wait_until(lambda: "alert" in deliveries.times, seconds=10, what="the delivery by polling")
    running.stop()
    store.acl_deluser("plain")


def test_a_worker_stops_within_its_timeout_although_no_message_comes(worker: dramatiq.Worker) -> None:
    stopping = threading.Thread(target=worker.stop)
    began = time.monotonic()

    stopping.start()
    stopping.join(10)

    assert time.monotonic() - began < 2
