"""A claim: the right to work on one journal, and the operations of a stage on it.

`step` computes a value once, `effect` changes the outside world once; both are recorded in the journal and reused by
a worker that continues it. `advance` and `end` release the claim.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, NoReturn, TypeVar

from workers.engine import counters, scripts
from workers.engine.codec import Record, is_newer
from workers.engine.journal_store import JournalStore
from workers.engine.past_occurrences import summarise
from workers.engine.schema import EndedAs, fingerprint_of, journal_id, past_key, slot_key_of
from workers.errors import Newer, NotAvailable, Refused, Superseded

T = TypeVar("T")

# Another worker can claim a crashed worker's journal after this time, and does so within 20 s.
LEASE_SECONDS = 15.0
# A claim stops when its lease was not renewed for this time, because another worker may soon hold it.
REDIS_TIMEOUT_SECONDS = 10.0
ACT_WITHIN_SECONDS = 1.0  # a slower reply to the fence check is too old to act on
MIN_LEASE_MS = 2000  # of the lease that must remain when an effect acts: twice ACT_WITHIN_SECONDS
FENCE_CHECKS = 3  # tries to get a reply of the fence check within ACT_WITHIN_SECONDS
SETTLE_SECONDS = 5.0  # Slack and GitHub show a request by then, so that the next worker's look finds it
MAX_CRASHES = 5  # of one stage; the next crash ends the attempt
TTL_SECONDS = 30 * 86_400  # of an ended journal: people look a month back at most
PAST_SECONDS = 400 * 86_400  # of the summary of an occurrence: a cause may come back each year
MAX_TEXT = 2000  # characters of an outcome or reason in the hash; the rest stands in the log
NEWER_VERSION_PATIENCE_SECONDS = 900.0
"""A newer worker takes a journal over within minutes. After this its deployment was rolled back."""

LOST = "another worker holds the claim"
SHUTTING_DOWN = "the worker is shutting down"
RELEASED_ON_SHUTDOWN = "the worker was shut down"

log = logging.getLogger("trackwalker.engine")

Result = Literal["progress", "failed", "shutdown"]
"""How a claim was released. A shutdown counts neither as progress nor as a failed attempt nor as a crash."""


class Unreadable(Refused):
    """A record that an earlier stage made is missing or unreadable; `name` is the record's."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


class Claim:
    """One journal while this worker may work on it. Methods raise Superseded as soon as it may not.

    Attributes:
        key, stage: the journal and the stage for which it was claimed.
        fields: the journal's hash as it was claimed, with all that this claim wrote since.
        deadline: on the monotonic clock; the lease is not renewed beyond it.
        check_allowed: called before every effect; raises OnHold while the controls forbid it.
    """

    def __init__(
        self,
        store: JournalStore,
        key: str,
        stage: str,
        fields: dict[str, bytes],
        deadline: float,
        *,
        on_release: Callable[[Claim], None] = lambda _: None,
    ) -> None:
        self.store, self.key, self.stage, self.fields, self.deadline = store, key, stage, fields, deadline
        self.check_allowed: Callable[[], None] = lambda: None
        self._ownership: dict[str, Any] = {"journal": key, "fence": fields["fence"], "token": fields["token"]}
        self._on_release = on_release
        self._renewed_at = time.monotonic()
        self._stop_reason = ""
        self._killers: list[Callable[[], None]] = []
        self._is_released = False
        self._effect_under_way = False
        self._release_lock = threading.Lock()

    # -- the journal ------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The journal's id: `incident:<fingerprint>:<occurrence>`."""
        return journal_id(self.key)

    @property
    def crash_count(self) -> int:
        """Claims of this stage before this one that ran out without progress."""
        return int(self.fields.get("crashes", 0))

    @property
    def attempts(self) -> int:
        """Failed attempts at this stage since it last made progress."""
        return int(self.fields.get("attempts", 0))

    @property
    def is_taken_over(self) -> bool:
        """True if the previous worker never released its claim: it crashed, or it stalled and may continue."""
        return self.text("taken_over") == "1"

    @property
    def failing_seconds(self) -> float:
        """For how long this stage had failed when it was claimed; 0 if its last attempt made progress."""
        since = int(self.fields.get("failing_since", 0))
        return max(0.0, self.claimed_at - since / 1000) if since else 0.0

    @property
    def claimed_at(self) -> float:
        """When it was claimed: epoch seconds of Redis's clock."""
        return int(self.fields["lease"]) / 1000 - LEASE_SECONDS

    def text(self, name: str, default: str = "") -> str:
        """A plain field of the hash, as of the claim."""
        value = self.fields.get(name)
        return default if value is None else value.decode()

    def has(self, record: Record[Any]) -> bool:
        """True if the journal holds the record, readable or not."""
        return record.is_in(self.fields)

    def get(self, record: Record[T]) -> T | None:
        """The recorded value, or None. Raises Newer for a record that a newer worker wrote."""
        return self.read(self.fields, record)

    def read(self, fields: Mapping[str, bytes], record: Record[T]) -> T | None:
        """A record from the fields of this or another journal; None if it is missing or unreadable.

        Raises Newer, as `unpack` does.
        """
        return self.unpack(fields.get(record.field), record)

    def unpack(self, blob: bytes | None, record: Record[T]) -> T | None:
        """The value of a stored record; None if it is missing or unreadable.

        Raises:
            Newer: a newer worker wrote it. That worker should take the journal over. After
                NEWER_VERSION_PATIENCE_SECONDS without it the record counts as unreadable and is made again.
        """
        if is_newer(blob) and self.failing_seconds < NEWER_VERSION_PATIENCE_SECONDS:
            raise Newer(f"{self.id} holds a record of a newer version", retry_after=1)
        return record.unpack(blob)

    def need(self, record: Record[T]) -> T:
        """The value that an earlier stage must have recorded. Raises Unreadable if it is missing or unreadable."""
        value = self.get(record)
        if value is None:
            raise Unreadable(f"{self.id} has no readable record {record.name}", record.name)
        return value

    # -- losing the claim ---------------------------------------------------------------------------

    def check_alive(self) -> None:
        """Raises Superseded if the claim is lost or over its deadline, or the process shuts down."""
        if self._stop_reason:
            raise Superseded(f"{self.id}: {self._stop_reason}")

    def on_loss(self, kill: Callable[[], None]) -> None:
        """Register `kill`, which ends a process that the stage started; it is called when the claim is lost."""
        self._killers.append(kill)
        # Race: the claim was lost between the start of the process and this call.
        if self._stop_reason:
            kill()

    def renew(self) -> bool:
        """Renew the lease, or stop the claim if it is lost or over its deadline; False if Redis does not answer."""
        if self._stop_reason:
            return True
        if time.monotonic() > self.deadline:
            self.kill("over its deadline")
            return True
        # The lease runs from when Redis answers; counting from before the call errs on the safe side.
        before = time.monotonic()
        try:
            is_ours = self.store.run(
                scripts.RENEW_LEASE, **self._ownership, lease_ms=int(LEASE_SECONDS * 1000)
            )
        except NotAvailable:
            return False
        if is_ours:
            self._renewed_at = before
        elif not self._is_released:
            self.kill(LOST)
        return True

    def check_renewal(self) -> None:
        """Stop the claim if its lease was not renewed for REDIS_TIMEOUT_SECONDS. Does not ask Redis."""
        if time.monotonic() - self._renewed_at > REDIS_TIMEOUT_SECONDS:
            self.kill("Redis does not answer")

    def kill(self, reason: str = SHUTTING_DOWN) -> None:
        """Stop the claim: its processes are killed, and no step or effect begins any more."""
        self._stop_reason = self._stop_reason or reason
        for killer in self._killers:
            with contextlib.suppress(Exception):
                killer()

    def _lose(self) -> NoReturn:
        self.kill(LOST)
        raise Superseded(f"{self.id}: {LOST}")

    # -- steps and effects ------------------------------------------------------------------------

    def record(self, record: Record[T], value: T, **fields: str) -> T:
        """Store a value under the claim, with plain fields in the same transaction, and return the value.

        This works while the process shuts down too, because a change that was made outside must be recorded.
        Raises TooLarge and Superseded.
        """
        blob, before = record.pack(value), self.fields
        if not self.has(record):
            # RECORD resets the same fields of the hash: a new record is progress.
            self.fields = self.fields | {"crashes": b"0", "attempts": b"0"}
            self.fields.pop("failing_since", None)
        counts = counters.of_record(record, value, before)
        self._write_fields(
            {record.field: blob} | {name: text.encode() for name, text in fields.items()}, counts
        )
        return value

    def set_fields(self, **fields: str) -> None:
        """Set plain fields of the journal under the claim. Raises Superseded."""
        self._write_fields({name: value.encode() for name, value in fields.items()})

    def _write_fields(self, fields: dict[str, bytes], counts: str = counters.NOTHING) -> None:
        flat = [part for item in fields.items() for part in item]
        if not self.store.run(scripts.RECORD, more=flat, counts=counts, **self._ownership):
            self._lose()
        self.fields |= fields
        self._effect_under_way = False

    def step(self, record: Record[T], compute: Callable[[], T]) -> T:
        """The recorded value, or that of `compute`, which is then recorded. Raises Superseded.

        `compute` may run again after a crash, so it must not change anything outside; `effect` is for that.
        """
        recorded = self.get(record)
        if recorded is not None:
            return recorded
        self.check_alive()
        value = compute()
        # A stage whose processes were killed meanwhile may have computed from half an answer.
        self.check_alive()
        return self.record(record, value)

    def effect(self, record: Record[T], look: Callable[[], T | None], act: Callable[[], T | None]) -> T:
        """Make a change outside once, and record what is there afterwards.

        Args:
            look: the thing as it is outside, or None if it does not exist. It finds the thing by a key that is made
                from the journal alone, so that the next worker finds a change whose record was lost in a crash.
            act: makes the change and returns the thing, or None if the service does not return it.

        Raises:
            NotAvailable: `act` returned nothing and the second look found nothing. The next attempt looks again.
            OnHold: the controls do not allow the change now.
            Superseded: another worker holds the claim; nothing was changed.
        """
        recorded = self.get(record)
        if recorded is not None:
            return recorded
        thing = look()
        if thing is None:
            self.check_fence()
            result = act()
            # Lists of GitHub and Slack lag: then the answer of `act` is the best view of it.
            thing = look()
            if thing is None:
                thing = result
        if thing is None:
            raise NotAvailable(f"{record.name}: done, but it cannot be seen yet", retry_after=2)
        return self.record(record, thing)

    def check_fence(self) -> None:
        """Check the controls and the claim right before a change outside.

        Raises:
            OnHold: the controls do not allow it.
            Superseded: the claim is lost, or its lease ends too soon.
            NotAvailable: Redis answered too late, so that the claim may be lost by now.
        """
        self.check_allowed()
        for _ in range(FENCE_CHECKS):
            self.check_alive()
            before = time.monotonic()
            if not self.store.run(scripts.CHECK_FENCE, **self._ownership, min_lease_ms=MIN_LEASE_MS):
                self._lose()
            if time.monotonic() - before < ACT_WITHIN_SECONDS:
                self._effect_under_way = True
                return
        raise NotAvailable("Redis is too slow to act safely")

    # -- releasing the claim ------------------------------------------------------------------------

    def advance(
        self, stage: str, *, after: float = 0, blocked: bool = False, reason: str = "", notify: str = "",
        failed: bool = False,
    ) -> None:  # fmt: skip
        """Release the claim and schedule the journal for a stage. Raises Superseded.

        Args:
            after: seconds until it is due; a journal that is woken is due at once.
            blocked: not even a journal that is woken is due before `after`.
            reason: why it waits, for people.
            notify: key of a notification journal that is woken, because there is something to report; "" for none.
            failed: this attempt failed; its attempts are counted until a stage makes progress.
        """
        self._release(stage, after, blocked, reason, notify, "failed" if failed else "progress")

    def release(self) -> None:
        """Release the claim because the process shuts down; does nothing if it was lost before.

        An effect that may be under way gets SETTLE_SECONDS to become visible outside before another worker looks.
        """
        if not self._is_released and self._stop_reason == SHUTTING_DOWN:
            after = SETTLE_SECONDS if self._effect_under_way else 0
            self._release(self.stage, after, self._effect_under_way, RELEASED_ON_SHUTDOWN, "", "shutdown")

    def _release(
        self, stage: str, after: float, blocked: bool, reason: str, notify: str, result: Result
    ) -> None:
        # Race: `release_all` releases a hanging stage's claim while the stage itself does so after all.
        with self._release_lock:
            if result == "shutdown" and self._is_released:
                return
            is_ours = self.store.run(
                scripts.ADVANCE, **self._ownership, notification=notify, stage=stage, after_ms=int(after * 1000),
                blocked=int(blocked), reason=reason[:MAX_TEXT], result=result,
            )  # fmt: skip
            self._mark_released(is_ours)

    def end(
        self, ended_as: EndedAs, outcome: str, *, notify: str = "", final: bool = True,
        keep_seconds: int = TTL_SECONDS,
    ) -> bool:  # fmt: skip
        """End the journal and release the claim; its TTL begins. Raises Superseded.

        Args:
            ended_as: the reason, for code.
            outcome: the same for people.
            notify: key of a notification journal that is woken; "" for none.
            final: False keeps the journal, and the claim, if it was woken since the claim. The answer is False then,
                and the stage has to advance it.
            keep_seconds: for how long the ended journal is kept.
        """
        slot, fingerprint = slot_key_of(self.key), fingerprint_of(self.key)
        occurrence = summarise(self.id, self.fields, ended_as) if fingerprint else b""
        with self._release_lock:
            reply = self.store.run(
                scripts.END, **self._ownership, notification=notify, slot=slot or self.key,
                uses_slot=int(bool(slot)), ended_as=ended_as, outcome=outcome[:MAX_TEXT],
                ttl_ms=keep_seconds * 1000, final=int(final), counts=counters.of_end(self.key, ended_as),
                past=past_key(fingerprint) if fingerprint else self.key, occurrence_record=occurrence,
                past_ttl_ms=PAST_SECONDS * 1000,
            )  # fmt: skip
            if reply == 2:
                return False
            self._mark_released(reply)
        level = logging.INFO if self.id.startswith("incident:") else logging.DEBUG
        log.log(level, "journal ended", extra={"journal": self.id, "as": ended_as.value, "outcome": outcome})
        return True

    def _mark_released(self, is_ours: int) -> None:
        self._is_released = True
        self._on_release(self)
        if not is_ours:
            self._lose()
