"""The dispatcher and the lease renewer: two threads of a worker process that run beside its stages.

The dispatcher sends a message for each journal that is due. The lease renewer renews the leases of its process.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from redis.exceptions import RedisError

from workers.engine import scripts
from workers.engine.broker import MAX_QUEUED, NAMESPACE, make_message
from workers.engine.claim import NEWER_VERSION_PATIENCE_SECONDS, REDIS_TIMEOUT_SECONDS
from workers.engine.journal_store import JournalStore
from workers.engine.redis_errors import describe
from workers.engine.schema import PREFIX, SCHEDULE
from workers.engine.stage_table import STAGES, startable_stages
from workers.engine.worker_store import RENEW_SECONDS, WorkerStore
from workers.errors import NotAvailable

DISPATCH_SECONDS = 1.0  # between two reads of the schedule while this process does not change it
# Delay between a change of the schedule by this process and the read. Meanwhile alerts of one burst join one sweep.
CHANGE_DELAY_SECONDS = 0.2
POSTPONE_SECONDS = 15.0  # a journal whose message was lost is due again after this; as long as a lease
BATCH = 100  # journals per run of the script, which blocks Redis meanwhile
STALE_CHECK_SECONDS = 0.5  # between two checks for claims that could not be renewed
OUTAGE_SECONDS = REDIS_TIMEOUT_SECONDS * 6  # a worker without Redis for this long exits and is restarted
# A stage this far beyond its deadline will not return, and holds its thread. Longer than git's own timeout (300 s).
HANGING_SECONDS = 360.0

log = logging.getLogger("trackwalker.dispatcher")


def is_anything_due(store: JournalStore) -> bool:
    """True if at least one journal is due.

    Two commands that write nothing, in one round trip: an idle worker asks this every second.

    Raises:
        NotAvailable: Redis does not answer.
    """
    try:
        pipeline = store.client.pipeline(transaction=False)
        pipeline.time()
        pipeline.zrange(SCHEDULE, 0, 0, withscores=True)
        (seconds, microseconds), first = pipeline.execute()
    except RedisError as error:
        raise NotAvailable(describe(store.client, error)) from error
    return bool(first) and first[0][1] <= seconds * 1000 + microseconds // 1000


def dispatch_due(store: JournalStore, broker: RedisBroker) -> int:
    """Send a message for each journal that is due, except into full queues; the number of messages.

    Raises:
        NotAvailable: Redis does not answer.
    """
    due = store.run(scripts.DISPATCH, postpone_ms=int(POSTPONE_SECONDS * 1000), limit=BATCH)
    pairs = [(due[i].decode(), due[i + 1].decode()) for i in range(0, len(due), 2)]
    queues = {STAGES[stage].queue for _, stage in pairs if stage in STAGES}
    lengths = {queue: _queue_length(store, queue) for queue in queues}
    sent = 0
    for key, stage in pairs:
        if stage not in STAGES:
            _adopt_unknown_stage(store, key, stage)
            continue
        queue = STAGES[stage].queue
        if lengths[queue] >= MAX_QUEUED:
            continue
        try:
            broker.enqueue(make_message(stage, key))
        except (RedisError, dramatiq.DramatiqError) as error:
            raise NotAvailable(f"the queue {queue} takes no messages: {type(error).__name__}") from error
        lengths[queue] += 1
        sent += 1
    return sent


def _adopt_unknown_stage(store: JournalStore, key: str, stage: str) -> None:
    """Continue a journal of a newer version from its records, if no worker of that version has taken it for long."""
    fields = {name.decode() for name in store.command("hkeys", key)}
    stages = startable_stages(key.removeprefix(PREFIX), fields)
    if stages and store.run(
        scripts.ADOPT_UNKNOWN_STAGE,
        journal=key,
        unknown_stage=stage,
        known_stage=stages[-1],
        patience_ms=int(NEWER_VERSION_PATIENCE_SECONDS * 1000),
    ):
        log.warning("unknown stage", extra={"journal": key, "stage": stage, "continues_with": stages[-1]})


def _queue_length(store: JournalStore, queue: str) -> int:
    return int(store.command("llen", f"{NAMESPACE}:{queue}"))


class Dispatcher(threading.Thread):
    """Dispatches due journals until `ended` is set: soon after a change by this process, else every second."""

    def __init__(self, store: WorkerStore, broker: RedisBroker) -> None:
        super().__init__(name="dispatcher", daemon=True)
        self._is_outage = False
        self.store, self.broker, self.ended = store, broker, threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            if self.store.rescheduled.wait(DISPATCH_SECONDS) and self.ended.wait(CHANGE_DELAY_SECONDS):
                return
            # Cleared before the read: a change meanwhile sets it again.
            self.store.rescheduled.clear()
            self._dispatch()

    def _dispatch(self) -> None:
        try:
            if is_anything_due(self.store):
                dispatch_due(self.store, self.broker)
            self._is_outage = False
        except NotAvailable as error:
            # Logged once per outage, not once a second.
            if not self._is_outage:
                log.warning("dispatch paused: Redis unavailable", extra={"error": str(error)})
            self._is_outage = True
        except Exception:
            log.exception("dispatcher error")


class LeaseRenewer(threading.Thread):
    """Renews the leases of this process until `ended` is set.

    Args:
        exit_process: called once, when Redis has been away for OUTAGE_SECONDS or a stage hangs beyond its deadline.
    """

    def __init__(self, store: WorkerStore, exit_process: Callable[[], None]) -> None:
        super().__init__(name="lease-renewer", daemon=True)
        self.store, self.exit_process, self.ended = store, exit_process, threading.Event()

    def run(self) -> None:
        threading.Thread(target=self._stop_stale_claims, name="stale-claims", daemon=True).start()
        answered_at = time.monotonic()
        while not self.ended.wait(RENEW_SECONDS):
            try:
                self.store.renew_leases()
                # Also without claims: an outage must be noticed by a worker that is idle.
                self.store.ping()
                answered_at = time.monotonic()
            except NotAvailable as error:
                log.warning("Redis unavailable", extra={"error": str(error)})
            except Exception:
                log.exception("lease renewal error")
            if self._must_exit(answered_at):
                self.exit_process()
                return

    def _stop_stale_claims(self) -> None:
        # A thread of its own: a renewal that waits for Redis must not delay the end of a stale claim.
        while not self.ended.wait(STALE_CHECK_SECONDS):
            self.store.stop_stale_claims()

    def _must_exit(self, answered_at: float) -> bool:
        if self.store.overdue_seconds() > HANGING_SECONDS:
            log.error("stage hangs beyond its deadline", extra={"seconds": HANGING_SECONDS})
            return True
        return time.monotonic() - answered_at > OUTAGE_SECONDS
