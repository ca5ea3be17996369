"""What is for later, and who hands it on: one thread per worker moves due journals to their actors."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from redis.exceptions import RedisError

from workers.engine import scripts
from workers.engine.broker import MAX_QUEUED, NAMESPACE, message
from workers.engine.journal import (
    NEWER_VERSION_PATIENCE_SECONDS,
    PREFIX,
    REDIS_TIMEOUT_SECONDS,
    RENEW_SECONDS,
    SCHEDULE,
    JournalStore,
)
from workers.engine.stage_table import STAGES, reached
from workers.errors import NotAvailable

DISPATCH_SECONDS = 1.0
POSTPONE_SECONDS = 15.0
BATCH = 100
STALE_CHECK_SECONDS = 0.5
HANGING_SECONDS = 360.0
"""A stage that goes on for so long after its deadline holds its thread for ever: git alone may take 300 more."""

log = logging.getLogger("trackwalker.due")


def dispatch_due(journal: JournalStore, broker: RedisBroker) -> int:
    """Wake whoever is due; the number of messages sent. Raises NotAvailable when the store is away."""
    moved = journal.script(scripts.DISPATCH, [SCHEDULE], int(POSTPONE_SECONDS * 1000), BATCH)
    pairs = [(moved[i].decode(), moved[i + 1].decode()) for i in range(0, len(moved), 2)]
    held = {
        queue: _queue_length(journal, queue)
        for queue in {STAGES[stage].queue for _, stage in pairs if stage in STAGES}
    }
    sent = 0
    for key, stage in pairs:
        if stage not in STAGES:
            _adopt_unknown_stage(journal, key, stage)
            continue
        queue = STAGES[stage].queue
        if held[queue] >= MAX_QUEUED:
            continue
        try:
            broker.enqueue(message(stage, key))
        except (RedisError, dramatiq.DramatiqError) as error:
            raise NotAvailable(f"the queue does not take messages: {type(error).__name__}") from error
        held[queue] += 1
        sent += 1
    return sent


def _adopt_unknown_stage(journal: JournalStore, key: str, stage: str) -> None:
    """A newer worker knows this stage; where none has come for long, the journal goes on by what is recorded in it."""
    fields = {name.decode() for name in journal.command("hkeys", key)}
    known = reached(key.removeprefix(PREFIX), fields)
    if known and journal.script(
        scripts.ADOPT_UNKNOWN_STAGE,
        [key, SCHEDULE],
        stage,
        known[-1],
        int(NEWER_VERSION_PATIENCE_SECONDS * 1000),
    ):
        log.warning(
            "nobody knew its stage", extra={"journal": key, "stage": stage, "goes_on_with": known[-1]}
        )


def _queue_length(journal: JournalStore, queue: str) -> int:
    return int(journal.command("llen", f"{NAMESPACE}:{queue}"))


class Dispatcher(threading.Thread):
    """Moves what is due about every second until told to stop."""

    def __init__(self, journal: JournalStore, broker: RedisBroker) -> None:
        super().__init__(name="mover", daemon=True)
        self.journal, self.broker, self.ended = journal, broker, threading.Event()

    def run(self) -> None:
        away = False
        while not self.ended.wait(DISPATCH_SECONDS):
            try:
                dispatch_due(self.journal, self.broker)
                away = False
            except NotAvailable as error:
                if not away:
                    log.warning("nothing moves while the store is away", extra={"error": str(error)})
                away = True
            except Exception:
                log.exception("the mover stumbled")


class LeaseRenewer(threading.Thread):
    """Renews the leases of this process; `give_up` is called once the store is away, or a stage hangs, for too long."""

    def __init__(self, journal: JournalStore, give_up: Callable[[], None]) -> None:
        super().__init__(name="pulse", daemon=True)
        self.journal, self.give_up, self.ended = journal, give_up, threading.Event()

    def run(self) -> None:
        threading.Thread(target=self._stop_stale_claims, name="pulse-let-go", daemon=True).start()
        seen = time.monotonic()
        while not self.ended.wait(RENEW_SECONDS):
            try:
                self.journal.renew_leases()
                self.journal.ping()
                seen = time.monotonic()
            except NotAvailable as error:
                log.warning("the store is away", extra={"error": str(error)})
            except Exception:
                log.exception("the pulse stumbled")
            if self._hopeless(seen):
                self.give_up()
                return

    def _stop_stale_claims(self) -> None:
        while not self.ended.wait(STALE_CHECK_SECONDS):
            self.journal.stop_stale_claims()

    def _hopeless(self, seen: float) -> bool:
        if self.journal.overdue_seconds() > HANGING_SECONDS:
            log.error("a stage hangs beyond its deadline, and with it its thread")
            return True
        return time.monotonic() - seen > REDIS_TIMEOUT_SECONDS * 6
