"""The journal: who may work on what, what was found out, what was done. Redis holds it, nobody else knows the truth.

`claim` takes a journal for one stage (lease, fence, heartbeat); inside it `step` finds something out once and
`effect` changes the world once. Dramatiq only wakes people up.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import redis
from redis.exceptions import DataError, NoScriptError, RedisError

from workers.engine import scripts
from workers.engine.codec import Record, is_newer
from workers.errors import Newer, NotAvailable, Refused, Superseded

T = TypeVar("T")

PREFIX = "trackwalker2:"
SCHEDULE = PREFIX + "schedule"
OPEN = PREFIX + "open"
"""Hash of fingerprint → journal of the open incident."""
ENDED = PREFIX + "ended"
"""Sorted set of the sweeps and incidents that ended lately, by when (milliseconds); the newest thousand."""

LEASE_SECONDS = 15.0
"""After a death the work is free again within this; with the mover's second it stays under 20 s."""
RENEW_SECONDS = 3.0
REDIS_TIMEOUT_SECONDS = 10.0
"""A worker that could not renew for so long stops acting: the lease may be somebody else's soon."""
ACT_WITHIN_SECONDS = 1.0
RELEASE_SECONDS = 2.0
"""Time for the stages to let go by themselves when the process ends; much less than any host leaves us."""
SETTLE_SECONDS = 5.0
"""What was asked of Slack or GitHub is seen there by then, so that the next worker's look finds it."""
LOST = "somebody else has it"
"""What is said of whoever goes on after another has taken its work over."""
SHUTTING_DOWN, RELEASED_ON_SHUTDOWN = "the worker is ending", "the worker was ended"
MAX_CRASHES = 5
TTL_SECONDS = 30 * 86_400
CANCELLED_RESERVATION_SECONDS = 3600.0
"""So long a cause in the code stays taken after a cancel in the middle of proposing: a pull request that was under way
is seen by then, and its hidden marker speaks for itself."""
NEWER_VERSION_PATIENCE_SECONDS = 900.0
"""A newer worker takes over within minutes, or its deployment was taken back and its records are made again."""


def environment_slot_key(key: str) -> str:
    """The hash that lets one sweep of an environment work at a time (`sweep:<environment>:<n>` only)."""
    return key.rpartition(":")[0].replace("sweep:", "slot:") if key.startswith(PREFIX + "sweep:") else ""


class Unreadable(Refused):
    """A record that an earlier stage made is missing or of another version; `name` says which."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


class JournalStore:
    """All journals of one store. Raises NotAvailable when the store does not answer."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.stopping = threading.Event()
        self._claims: set[Claim] = set()
        self._lock = threading.Lock()
        self._shas: dict[str, str] = {}

    # -- talking to the store ---------------------------------------------------------------------

    def script(self, source: str, keys: Sequence[str], *arguments: Any) -> Any:
        """Run one of our scripts; the only way in which journals change."""
        try:
            sha = self._sha(source)
            try:
                return self.client.evalsha(sha, len(keys), *keys, *arguments)
            except NoScriptError:
                return self.client.eval(source, len(keys), *keys, *arguments)
        except DataError:
            raise
        except RedisError as error:
            raise NotAvailable(f"the store does not answer: {type(error).__name__}") from error

    def script_batch(
        self, source: str, calls: Sequence[tuple[Sequence[str], Sequence[Any]]]
    ) -> list[Any | NotAvailable]:
        """What the script answers to each of these keys and arguments, all asked in one round trip.

        Each is done or not done for itself: NotAvailable stands in its place where the store refused it.
        """
        try:
            sha, asked = self._sha(source), self.client.pipeline(transaction=False)
            for keys, arguments in calls:
                asked.evalsha(sha, len(keys), *keys, *arguments)
            answers = asked.execute(raise_on_error=False)
        except DataError:
            raise
        except RedisError as error:
            raise NotAvailable(f"the store does not answer: {type(error).__name__}") from error
        for number, answer in enumerate(answers):
            if isinstance(answer, NoScriptError):
                keys, arguments = calls[number]
                answers[number] = self.script(source, keys, *arguments)
            elif isinstance(answer, RedisError):
                answers[number] = NotAvailable(f"the store does not answer: {type(answer).__name__}")
        return answers

    def _sha(self, source: str) -> str:
        sha = self._shas.get(source)
        if sha is None:
            sha = self._shas[source] = self.client.script_load(source)
        return sha

    def command(self, command: str, *arguments: Any) -> Any:
        """A plain reading command, with its failure translated."""
        try:
            return getattr(self.client, command)(*arguments)
        except DataError:
            raise
        except RedisError as error:
            raise NotAvailable(f"the store does not answer: {type(error).__name__}") from error

    def scan(self, pattern: str) -> list[bytes]:
        """Names of the hashes whose name is like the pattern, in no order; walks the whole store, a part at a time."""
        try:
            return list(self.client.scan_iter(pattern, count=1000, _type="HASH"))
        except RedisError as error:
            raise NotAvailable(f"the store does not answer: {type(error).__name__}") from error

    def columns(
        self, keys: Sequence[str], names: Sequence[str], at_once: int = 200
    ) -> list[dict[str, bytes]]:
        """Only these fields of many hashes, in one round trip for so many of them; what is not set is left out."""
        found: list[dict[str, bytes]] = []
        try:
            for start in range(0, len(keys), at_once):
                asked = self.client.pipeline(transaction=False)
                for key in keys[start : start + at_once]:
                    asked.hmget(key, list(names))
                for row in asked.execute():
                    pairs = zip(names, row, strict=True)
                    found.append({name: value for name, value in pairs if value is not None})
        except RedisError as error:
            raise NotAvailable(f"the store does not answer: {type(error).__name__}") from error
        return found

    def ping(self) -> None:
        """Raises NotAvailable unless the store answers."""
        self.command("ping")

    def fields(self, key: str) -> dict[str, bytes]:
        """The whole hash, {} when there is none."""
        raw: dict[bytes, bytes] = self.command("hgetall", key)
        return {name.decode(): value for name, value in raw.items()}

    def read_record(self, key: str, record: Record[T]) -> T | None:
        """One record of a journal, whether or not a worker holds its claim; None if it is missing or unreadable."""
        return record.unpack(self.command("hget", key, record.field))

    def wake(self, key: str, **fields: str | bytes) -> bool:
        """Tell a journal that there is something new: it is due now. False when there is no such journal."""
        flat = [part for item in fields.items() for part in item]
        return bool(self.script(scripts.WAKE, [key, SCHEDULE], *flat))

    # -- claims -----------------------------------------------------------------------------------

    def claim(self, key: str, stage: str, *, deadline_seconds: float = 600.0) -> Claim | None:
        """The journal for this stage, or None: somebody else has it, it moved on, or it is not its time."""
        token = secrets.token_hex(8)
        gate = environment_slot_key(key)
        answer = self.script(
            scripts.CLAIM,
            [key, SCHEDULE, gate or key],
            stage,
            token,
            int(LEASE_SECONDS * 1000),
            int(bool(gate)),
        )
        if isinstance(answer, bytes):
            return None
        fields = {answer[i].decode(): answer[i + 1] for i in range(0, len(answer), 2)}
        claim = Claim(self, key, stage, fields, time.monotonic() + deadline_seconds)
        with self._lock:
            self._claims.add(claim)
        if self.stopping.is_set():
            claim.kill()
        return claim

    @contextmanager
    def claimed(self, key: str, stage: str, *, deadline_seconds: float = 600.0) -> Iterator[Claim | None]:
        """`claim`, and forget it at the end however the block ends."""
        claim = self.claim(key, stage, deadline_seconds=deadline_seconds)
        try:
            yield claim
        finally:
            if claim is not None:
                self.forget(claim)

    def forget(self, claim: Claim) -> None:
        with self._lock:
            self._claims.discard(claim)

    def renew_leases(self) -> None:
        """Renew every lease of this process; whoever cannot be renewed is stopped. Called by one thread."""
        for claim in self._open_claims():
            if not claim.renew():
                break  # each answer that does not come costs seconds

    def stop_stale_claims(self) -> None:
        """Stop whose lease may be somebody else's soon; asks nobody, so that a store that hangs cannot delay it."""
        for claim in self._open_claims():
            claim.check_renewal()

    def stop(self) -> None:
        """The process is asked to end: every claim's children are killed and its stage stops at the next look."""
        self.stopping.set()
        for claim in self._open_claims():
            claim.kill()

    def release_all(self, seconds: float = RELEASE_SECONDS) -> None:
        """After `stop`: what hangs and is not let go of within so long is let go of in its stead."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._open_claims():
            time.sleep(0.02)
        for claim in self._open_claims():
            with contextlib.suppress(NotAvailable, Superseded):
                claim.release()

    def overdue_seconds(self) -> float:
        """For how long at most a stage has gone on after its deadline: it hangs where nothing can stop it."""
        return max((time.monotonic() - claim.deadline for claim in self._open_claims()), default=0.0)

    def _open_claims(self) -> list[Claim]:
        with self._lock:
            return list(self._claims)


class Claim:
    """One journal, ours for a while. All methods raise Superseded once it is not."""

    def __init__(
        self, journal: JournalStore, key: str, stage: str, fields: dict[str, bytes], deadline: float
    ) -> None:
        self.store, self.key, self.stage, self.fields, self.deadline = journal, key, stage, fields, deadline
        self._fence = [fields["fence"], fields["token"]]
        self._renewed = time.monotonic()
        self._lost = ""
        self._killers: list[Callable[[], None]] = []
        self.check_allowed: Callable[[], None] = lambda: None
        """Asked before every effect; raises Held while nothing may be done."""
        self._open, self._acting = True, False
        self._release_lock = threading.Lock()

    @property
    def id(self) -> str:
        """The journal's name without our prefix: `incident:<fingerprint>:<round>`."""
        return self.key.removeprefix(PREFIX)

    @property
    def crash_count(self) -> int:
        return int(self.fields.get("crashes", 0))

    @property
    def attempts(self) -> int:
        return int(self.fields.get("attempts", 0))

    @property
    def is_taken_over(self) -> bool:
        """Whether somebody had it who never let go of it: dead, or only stopped."""
        return self.text("taken_over") == "1"

    @property
    def failing_seconds(self) -> float:
        """For how long what this stage needs has not been available, as it stood when we claimed."""
        since = int(self.fields.get("failing_since", 0))
        return max(0.0, self.claimed_at - since / 1000) if since else 0.0

    @property
    def claimed_at(self) -> float:
        """When we claimed it, in seconds by the store's clock, which is everybody's."""
        return int(self.fields["lease"]) / 1000 - LEASE_SECONDS

    def text(self, name: str, default: str = "") -> str:
        """A plain field of the hash, as it stood when we claimed."""
        value = self.fields.get(name)
        return default if value is None else value.decode()

    def has(self, record: Record[Any]) -> bool:
        """True if the journal held the record when it was claimed, or this claim wrote it; readable or not."""
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

    # -- being alive ------------------------------------------------------------------------------

    def check_alive(self) -> None:
        """Raises Superseded when the claim is lost, over its deadline, or the process is ending."""
        if self._lost:
            raise Superseded(f"{self.id}: {self._lost}")

    def on_loss(self, kill: Callable[[], None]) -> None:
        """`kill` is called when the claim is lost: what a stage started dies with it."""
        self._killers.append(kill)
        if self._lost:
            kill()

    def renew(self) -> bool:
        """Renew the lease, unless it is time to stop; False when the store does not answer."""
        if self._lost:
            return True
        if time.monotonic() > self.deadline:
            self.kill("over its deadline")
            return True
        before = time.monotonic()
        try:
            ours = self.store.script(
                scripts.RENEW_LEASE, [self.key, SCHEDULE], *self._fence, int(LEASE_SECONDS * 1000)
            )
        except NotAvailable:
            return False
        if ours:
            self._renewed = before
        elif self._open:
            self.kill(LOST)
        return True

    def check_renewal(self) -> None:
        """Stop when the lease could not be renewed for so long that it may be somebody else's soon."""
        if time.monotonic() - self._renewed > REDIS_TIMEOUT_SECONDS:
            self.kill("the store is away")

    def kill(self, why: str = SHUTTING_DOWN) -> None:
        """The claim does not count any more: kill what was started, let no effect act."""
        self._lost = self._lost or why
        for killer in self._killers:
            with contextlib.suppress(Exception):
                killer()

    def _lose(self) -> NoReturn:
        self.kill(LOST)
        raise Superseded(f"{self.id}: {LOST}")

    # -- finding out and doing --------------------------------------------------------------------

    def record(self, record: Record[T], value: T) -> T:
        """Store a value under the claim and return it.

        This works while the process shuts down too, because a change that was made outside must be recorded.
        Raises TooLarge and Superseded.
        """
        blob = record.pack(value)
        if not self.has(record):
            # RECORD resets the same fields of the hash: a new record is progress.
            self.fields |= {"crashes": b"0", "attempts": b"0"}
            self.fields.pop("failing_since", None)
        self._write_fields({record.field: blob})
        return value

    def set_fields(self, **fields: str) -> None:
        """Set plain fields of the journal under our claim."""
        self._write_fields({name: value.encode() for name, value in fields.items()})

    def _write_fields(self, fields: dict[str, bytes]) -> None:
        flat = [part for item in fields.items() for part in item]
        if not self.store.script(scripts.RECORD, [self.key], *self._fence, *flat):
            self._lose()
        self.fields |= fields
        self._acting = False

    def step(self, record: Record[T], compute: Callable[[], T]) -> T:
        """The recorded value, or that of `compute`, which is then recorded. Raises Superseded.

        `compute` may run again after a crash, so it must not change anything outside; `effect` is for that.
        """
        recorded = self.get(record)
        if recorded is not None:
            return recorded
        self.check_alive()
        value = compute()
        # A stage whose children were killed meanwhile may have computed from half an answer.
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
            answer = act()
            # Lists of GitHub and Slack lag: then the answer of `act` is the best view of it.
            seen = look()
            thing = answer if seen is None else seen
        if thing is None:
            raise NotAvailable(f"{record.name}: done, but it cannot be seen yet", retry_after=2)
        return self.record(record, thing)

    def check_fence(self) -> None:
        """The brake, then the fence, asked right before acting; a slow answer does not count."""
        self.check_allowed()
        for _ in range(3):
            self.check_alive()
            before = time.monotonic()
            ours = self.store.script(scripts.CHECK_FENCE, [self.key], *self._fence, 2000)
            if not ours:
                self._lose()
            if time.monotonic() - before < ACT_WITHIN_SECONDS:
                self._acting = True
                return
        raise NotAvailable("the store is too slow to act safely")

    # -- letting go -------------------------------------------------------------------------------

    def advance(
        self, stage: str, *, after: float = 0, blocked: bool = False, reason: str = "", notify: str = "",
        failed: bool = False,
    ) -> None:  # fmt: skip
        """Let go; `stage` is due after so many seconds (`blocked`: not a moment earlier, whoever asks)."""
        keys = [self.key, SCHEDULE, notify]
        arguments = [stage, int(after * 1000), int(blocked), reason[:2000], int(failed)]
        with self._release_lock:
            self._released(self.store.script(scripts.ADVANCE, keys, *self._fence, *arguments))

    def release(self) -> None:
        """Let go because the worker ends, unless it was lost before; neither progress nor failure nor death.

        What may be under way outside gets the time to be seen there.
        """
        keys = [self.key, SCHEDULE, ""]
        after = int(SETTLE_SECONDS * 1000) if self._acting else 0
        with self._release_lock:
            if self._open and self._lost == SHUTTING_DOWN:
                arguments = [self.stage, after, int(self._acting), RELEASED_ON_SHUTDOWN, 2]
                self._released(self.store.script(scripts.ADVANCE, keys, *self._fence, *arguments))

    def end(
        self, outcome: str, *, notify: str = "", final: bool = True, keep_seconds: int = TTL_SECONDS
    ) -> bool:
        """The journal has ended: its TTL begins. With `final=False` False when something new was asked meanwhile."""
        gate = environment_slot_key(self.key)
        keys = [self.key, SCHEDULE, notify, gate or self.key, OPEN]
        arguments = [outcome[:2000], keep_seconds * 1000, int(bool(gate)), int(final)]
        with self._release_lock:
            answer = self.store.script(scripts.END, keys, *self._fence, *arguments)
            if answer == 2:
                return False
            self._released(answer)
        return True

    def _released(self, ours: int) -> None:
        self._open = False
        self.store.forget(self)
        if not ours:
            self._lose()
