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
from workers.engine.broker import FULL, NAMESPACE, STAGES, message
from workers.engine.journal import BEAT_SECONDS, DUE, NEWER_SECONDS, PREFIX, STORE_AWAY_SECONDS, Journal
from workers.engine.stage_table import reached
from workers.errors import NotAvailable

MOVE_EVERY_SECONDS = 1.0
PUT_OFF_SECONDS = 15.0
AT_ONCE = 100
LET_GO_EVERY_SECONDS = 0.5
HANGING_SECONDS = 360.0
"""A stage that goes on for so long after its deadline holds its thread for ever: git alone may take 300 more."""

log = logging.getLogger("trackwalker.due")


def move(journal: Journal, broker: RedisBroker) -> int:
    """Wake whoever is due; the number of messages sent. Raises NotAvailable when the store is away."""
    moved = journal.script(scripts.MOVE, [DUE], int(PUT_OFF_SECONDS * 1000), AT_ONCE)
    pairs = [(moved[i].decode(), moved[i + 1].decode()) for i in range(0, len(moved), 2)]
    held = {
        queue: _held(journal, queue) for queue in {STAGES[stage] for _, stage in pairs if stage in STAGES}
    }
    sent = 0
    for key, stage in pairs:
        queue = STAGES.get(stage)
        if queue is None:
            _leave(journal, key, stage)
            continue
        if held[queue] >= FULL:
            continue
        try:
            broker.enqueue(message(stage, key))
        except (RedisError, dramatiq.DramatiqError) as error:
            raise NotAvailable(f"the queue does not take messages: {type(error).__name__}") from error
        held[queue] += 1
        sent += 1
    return sent


def _leave(journal: Journal, key: str, stage: str) -> None:
    """A newer worker knows this stage; where none has come for long, the journal goes on by what is recorded in it."""
    fields = {name.decode() for name in journal.ask("hkeys", key)}
    known = reached(key.removeprefix(PREFIX), fields)
    if known and journal.script(scripts.TAKE_OVER, [key, DUE], stage, known[-1], int(NEWER_SECONDS * 1000)):
        log.warning(
            "nobody knew its stage", extra={"journal": key, "stage": stage, "goes_on_with": known[-1]}
        )


def _held(journal: Journal, queue: str) -> int:
    return int(journal.ask("llen", f"{NAMESPACE}:{queue}"))


class Mover(threading.Thread):
    """Moves what is due about every second until told to stop."""

    def __init__(self, journal: Journal, broker: RedisBroker) -> None:
        super().__init__(name="mover", daemon=True)
        self.journal, self.broker, self.ended = journal, broker, threading.Event()

    def run(self) -> None:
        away = False
        while not self.ended.wait(MOVE_EVERY_SECONDS):
            try:
                move(self.journal, self.broker)
                away = False
            except NotAvailable as error:
                if not away:
                    log.warning("nothing moves while the store is away", extra={"error": str(error)})
                away = True
            except Exception:
                log.exception("the mover stumbled")


class Pulse(threading.Thread):
    """Renews the leases of this process; `give_up` is called once the store is away, or a stage hangs, for too long."""

    def __init__(self, journal: Journal, give_up: Callable[[], None]) -> None:
        super().__init__(name="pulse", daemon=True)
        self.journal, self.give_up, self.ended = journal, give_up, threading.Event()

    def run(self) -> None:
        threading.Thread(target=self._let_go, name="pulse-let-go", daemon=True).start()
        seen = time.monotonic()
        while not self.ended.wait(BEAT_SECONDS):
            try:
                self.journal.beat()
                self.journal.ping()
                seen = time.monotonic()
            except NotAvailable as error:
                log.warning("the store is away", extra={"error": str(error)})
            except Exception:
                log.exception("the pulse stumbled")
            if self._hopeless(seen):
                self.give_up()
                return

    def _let_go(self) -> None:
        while not self.ended.wait(LET_GO_EVERY_SECONDS):
            self.journal.let_go_unrenewed()

    def _hopeless(self, seen: float) -> bool:
        if self.journal.overdue_seconds() > HANGING_SECONDS:
            log.error("a stage hangs beyond its deadline, and with it its thread")
            return True
        return time.monotonic() - seen > STORE_AWAY_SECONDS * 6
