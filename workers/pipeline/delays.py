"""Reports a verdict whose fix waits: neither the model nor GitHub keeps a known cause from people.

The record `interim` holds the report. The stage goes on trying, and its outcome is reported as well once it is there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from workers.engine import records
from workers.engine.claim import Claim
from workers.errors import AgentBusy, GitHubBusy, NotAvailable, RailwayBusy, Superseded
from workers.notifications import messages
from workers.pipeline.outcomes import notification_of

FIX_STAGES = ("plan", "fix", "propose")
MIN_SILENCE_SECONDS = 120.0  # without the first answer of a model: a large one thinks for a minute or two
AWAY: tuple[tuple[type[NotAvailable], str], ...] = (
    (AgentBusy, "the model's provider does not answer"),
    (GitHubBusy, "GitHub does not answer"),
    (RailwayBusy, "Railway does not answer"),
    (NotAvailable, "a service that it needs does not answer"),
)
"""The service that is away, by the first class that fits."""

log = logging.getLogger("trackwalker.pipeline")


def describe_away(error: NotAvailable) -> str:
    """The service that is away, for people."""
    return next(text for kind, text in AWAY if isinstance(error, kind))


def is_overdue(claim: Claim, wait_seconds: float, ack_seconds: float, now: float) -> bool:
    """True if the next attempt would come later than people wait for a verdict.

    Args:
        wait_seconds: until the next attempt.
        now: epoch seconds.
    """
    known_at = float(claim.text("verdict_at") or now)
    return now - known_at + wait_seconds > ack_seconds


def report_delay(claim: Claim, waits_for: str) -> None:
    """Report the verdict, once, as an outcome that is not the last; nothing without a verdict. Raises Superseded."""
    if claim.stage not in FIX_STAGES or claim.has(records.INTERIM) or claim.has(records.OUTCOME):
        return
    verdict = claim.get(records.VERDICT)
    if verdict is None:
        return
    claim.record(records.INTERIM, messages.announce_delay(verdict, waits_for))
    claim.store.wake(notification_of(claim))
    log.info("verdict reported before its fix", extra={"journal": claim.id, "reason": waits_for})


@contextmanager
def reported_if_silent(claim: Claim, role: str, ack_seconds: float) -> Iterator[None]:
    """Report the verdict if the model has not answered once when people have waited for long enough.

    A model that hangs fails only at the deadline of its run, which is a quarter of an hour.

    Args:
        role: that of the agent whose calls are looked at: `reader` or `writer`.
    """
    timer = threading.Timer(max(MIN_SILENCE_SECONDS, ack_seconds), _report_silence, [claim, role])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _report_silence(claim: Claim, role: str) -> None:
    transcript = claim.get(records.CALLS[role])
    if transcript is not None and transcript.calls:
        return
    with suppress(NotAvailable, Superseded):
        report_delay(claim, "the model has not answered yet")
