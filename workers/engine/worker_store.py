"""The journals as a worker process uses them: it claims them, renews the leases and releases the claims at its end."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from workers.engine import scripts
from workers.engine.claim import LEASE_SECONDS, Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import slot_key_of
from workers.engine.scripts import Script
from workers.errors import NotAvailable, Superseded

RENEW_SECONDS = 3.0  # between renewals of a lease: a fifth of LEASE_SECONDS, so that a few may fail
# Time for stages to release their claims at shutdown; hosts kill a process after 10 s or more.
RELEASE_SECONDS = 2.0


class WorkerStore(JournalStore):
    """A JournalStore that claims journals.

    Attributes:
        stopping: set when the process begins to shut down; no stage starts after that.
        rescheduled: set by each script that may have changed the schedule; the dispatcher of this process waits for it.
    """

    def __init__(self, client: redis.Redis) -> None:
        super().__init__(client)
        self.stopping = threading.Event()
        self.rescheduled = threading.Event()
        self._claims: set[Claim] = set()
        self._lock = threading.Lock()

    def run(
        self, script: Script, more_keys: Sequence[str] = (), more: Sequence[Any] = (), **named: Any
    ) -> Any:
        """Run a script as `JournalStore.run` does, and wake the dispatcher if it may have made a journal due."""
        reply = super().run(script, more_keys, more, **named)
        if "schedule" in script.signature.keys:
            self.rescheduled.set()
        return reply

    def claim(self, key: str, stage: str, *, deadline_seconds: float = 600.0) -> Claim | None:
        """Claim a journal for a stage.

        None if another worker holds it, it is at another stage or ended, it is not due yet, or another sweep of its
        environment runs.
        """
        token = secrets.token_hex(8)
        slot = slot_key_of(key)
        reply = self.run(
            scripts.CLAIM, journal=key, slot=slot or key, uses_slot=int(bool(slot)), stage=stage, token=token,
            lease_ms=int(LEASE_SECONDS * 1000),
        )  # fmt: skip
        if isinstance(reply, bytes):
            return None
        fields = {reply[i].decode(): reply[i + 1] for i in range(0, len(reply), 2)}
        deadline = time.monotonic() + deadline_seconds
        claim = Claim(self, key, stage, fields, deadline, on_release=self.forget)
        with self._lock:
            self._claims.add(claim)
        # Race: `stop` ran between the script and the line above, and did not see this claim.
        if self.stopping.is_set():
            claim.kill()
        return claim

    @contextmanager
    def claimed(self, key: str, stage: str, *, deadline_seconds: float = 600.0) -> Iterator[Claim | None]:
        """`claim` for the length of a block: after it the lease is not renewed any more."""
        claim = self.claim(key, stage, deadline_seconds=deadline_seconds)
        try:
            yield claim
        finally:
            if claim is not None:
                self.forget(claim)

    def forget(self, claim: Claim) -> None:
        """Stop renewing the lease of this claim."""
        with self._lock:
            self._claims.discard(claim)

    def renew_leases(self) -> None:
        """Renew the leases of this process, and stop each claim that is lost. For one thread."""
        for claim in self._open_claims():
            if not claim.renew():
                break  # Redis does not answer, and each further call would wait for its timeout

    def stop_stale_claims(self) -> None:
        """Stop each claim whose lease was not renewed in time. Sends no command that a hanging Redis could delay."""
        for claim in self._open_claims():
            claim.check_renewal()

    def stop(self) -> None:
        """Begin to shut down: kill the processes of all stages; each stage stops at its next check."""
        self.stopping.set()
        for claim in self._open_claims():
            claim.kill()

    def release_all(self, seconds: float = RELEASE_SECONDS) -> None:
        """After `stop`: release the claims that their stages have not released within this many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._open_claims():
            time.sleep(0.02)
        for claim in self._open_claims():
            with contextlib.suppress(NotAvailable, Superseded):
                claim.release()

    def overdue_seconds(self) -> float:
        """Seconds by which the most overdue stage exceeds its deadline: it hangs in a call without a timeout."""
        return max((time.monotonic() - claim.deadline for claim in self._open_claims()), default=0.0)

    def _open_claims(self) -> list[Claim]:
        with self._lock:
            return list(self._claims)
