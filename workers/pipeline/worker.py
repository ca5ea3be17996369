"""Runs stages: declares one Dramatiq actor per stage, claims the journal, calls the handler and handles its errors."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from workers.clients import deadline
from workers.engine import scripts
from workers.engine.claim import MAX_CRASHES, Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import journal_id
from workers.engine.stage_table import STAGES
from workers.errors import NotAvailable, Superseded, TrackwalkerError
from workers.pipeline.failures import abandon, give_up, handle_error
from workers.pipeline.services import Services
from workers.pipeline.stages import HANDLERS
from workers.runtime import logs
from workers.runtime.redaction import redact
from workers.runtime.text import plural, safe_line

# Of the 8 threads of a worker (Procfile). The other 2 stay free for notifications when stages hang.
NON_NOTIFICATION_THREADS = 6
NO_SLOT_RETRY_SECONDS = 2.0  # delay before retrying a journal when all worker slots of its queue are busy
MAX_BUG_CHARACTERS = 200  # of an unforeseen error's own text
ABANDON_AFTER_CRASHES = 2 * MAX_CRASHES  # giving up has itself failed as often as a stage may crash

log = logging.getLogger("trackwalker.pipeline")


def declare_actors(broker: RedisBroker, services: Services) -> None:
    """Declare one actor per stage on the broker, each limited to the worker slots of its queue."""
    fixes = threading.Semaphore(services.settings.max_concurrent_fixes)
    all_but_notifications = threading.Semaphore(NON_NOTIFICATION_THREADS)
    slots = {
        "fixes": (fixes, all_but_notifications),
        "sweeps": (all_but_notifications,),
        "incidents": (all_but_notifications,),
    }
    for stage in STAGES.values():
        actor = _actor(services, stage.name, slots.get(stage.queue, ()))
        dramatiq.actor(broker=broker, actor_name=stage.name, queue_name=stage.queue)(actor)


def _actor(services: Services, stage: str, slots: Sequence[threading.Semaphore]) -> Callable[[str], None]:
    def run(key: str) -> None:
        with ExitStack() as acquired:
            if all(_acquire(slot, acquired) for slot in slots):
                run_stage(services, stage, key)
            else:
                _reschedule(services.store, key)

    return run


def _acquire(slot: threading.Semaphore, acquired: ExitStack) -> bool:
    """Take a slot until `acquired` closes; False if none is free."""
    # Waiting here would take a thread from the stages that have a slot.
    is_free = slot.acquire(blocking=False)
    if is_free:
        acquired.callback(slot.release)
    return is_free


def _reschedule(store: JournalStore, key: str) -> None:
    """Make the journal due soon: its message is dropped, and the dispatcher alone would be slower."""
    with suppress(NotAvailable):
        store.run(scripts.BRING_FORWARD, journal=key, within_ms=int(NO_SLOT_RETRY_SECONDS * 1000))


def run_stage(services: Services, stage: str, key: str) -> None:
    """Claim a journal and run its stage. Does nothing if another worker holds it, or while this one shuts down."""
    if services.store.stopping.is_set():
        return
    try:
        _claim_and_run(services, stage, key)
    except (Superseded, NotAvailable) as error:
        # Another worker holds the journal, or its lease expires because Redis is away: the work continues either way.
        log.warning("stage interrupted", extra={"journal": journal_id(key), "reason": str(error)})


def _claim_and_run(services: Services, stage: str, key: str) -> None:
    seconds = STAGES[stage].deadline_seconds
    with (
        logs.about(journal_id(key)),
        services.store.claimed(key, stage, deadline_seconds=seconds) as claim,
        deadline.within(seconds),
    ):
        if claim is not None:
            run_claimed(services, claim)


def run_claimed(services: Services, claim: Claim) -> None:
    """Run the stage of a claimed journal, and what its error calls for. Raises Superseded and NotAvailable."""
    try:
        if claim.crash_count > MAX_CRASHES:
            give_up(claim, _describe_crashes(claim), services.now())
        else:
            HANDLERS[claim.stage](services, claim)
    except TrackwalkerError as error:
        if services.store.stopping.is_set():
            # The shutdown killed the processes of the stage, so the error may come from that.
            claim.release()
            return
        handle_error(claim, error, services.now(), services.settings.ack_seconds)
    except Exception as error:
        # A bug counts as a crash: the lease expires, and after MAX_CRASHES attempts the stage gives up.
        log.exception("stage failed unexpectedly", extra={"journal": claim.id, "stage": claim.stage})
        if services.store.stopping.is_set():
            claim.release()
        elif claim.crash_count > ABANDON_AFTER_CRASHES:
            abandon(claim, error, services.now())
        else:
            # Whatever broke the stage may break this as well; the lease expires in either case.
            with suppress(Exception):
                claim.set_fields(crash=describe_bug(error))


def _describe_crashes(claim: Claim) -> str:
    """Why a stage did not get through: the error that it raised each time, or that its worker ended."""
    times = plural(claim.crash_count, "time")
    if error := claim.text("crash"):
        return f"stage {claim.stage} failed {times} with an error that Trackwalker does not handle: {error}"
    return f"the worker crashed {times} in stage {claim.stage}"


def describe_bug(error: Exception) -> str:
    """An unforeseen error for people: its kind, what it names, and the line of ours that raised it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "workers" in frame.filename]
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = safe_line(redact(str(error)), MAX_BUG_CHARACTERS)
    return f"{type(error).__name__}{f': {text}' if text else ''}{place}"
