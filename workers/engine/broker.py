"""Dramatiq as the wake-up: a message is a journal's name and no more. Losing or doubling one is harmless."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from redis.exceptions import RedisError

from workers.engine.stage_table import STAGES

NAMESPACE = "trackwalker2:dramatiq"
MAX_QUEUED = 100
"""No message is sent into a queue that already holds so many: the mover tries again."""
WAKE_EVERY_SECONDS = 0.25
"""The door sends no more wake-ups than that; the mover, about every second, wakes the others."""

log = logging.getLogger("trackwalker.broker")


def make_broker(client: redis.Redis, middleware: list[dramatiq.Middleware] | None = None) -> RedisBroker:
    """A broker without retries, time limits or age limits: the journal keeps those."""
    return RedisBroker(client=client, namespace=NAMESPACE, middleware=middleware or [])  # type: ignore[no-untyped-call]  # dramatiq types no constructor


def message(stage: str, key: str) -> dramatiq.Message[None]:
    return dramatiq.Message(
        queue_name=STAGES[stage].queue, actor_name=stage, args=(key,), kwargs={}, options={}
    )


def waker(client: redis.Redis, clock: Callable[[], float] = time.monotonic) -> Callable[[str], None]:
    """Sends the wake-up of a fresh alert at once; never raises, as the mover sends it within a second or two.

    Of many alerts at once only the first is worth a message: what it wakes works on one after the other anyway.
    """
    broker, lock, last = make_broker(client), threading.Lock(), [-WAKE_EVERY_SECONDS]

    def wake(key: str) -> None:
        with lock:
            if clock() - last[0] < WAKE_EVERY_SECONDS:
                return
            last[0] = clock()
        try:
            if int(client.llen(f"{NAMESPACE}:sweeps")) < MAX_QUEUED:
                broker.declare_queue("sweeps")
                broker.enqueue(message("intake", key))
        except (RedisError, dramatiq.DramatiqError) as error:
            log.warning("wake-up not sent", extra={"journal": key, "error": type(error).__name__})

    return wake
