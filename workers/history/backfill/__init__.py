"""The first run: where an environment has no past yet, it is read from what Railway stores.

Newest first in stretches of six hours, two days back, cut into windows that are judged oldest first, so that trouble
that was always there becomes usual. It may stop at any stretch (the request limit is short, it takes too long, Railway
asks for patience): what was read is kept, the rest is read at the next sweep. It never fails a sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import ValidationError

from workers import detection
from workers.clients.railway import Railway
from workers.clients.railway.quota import RateLimit
from workers.engine.journal_store import JournalStore
from workers.errors import RailwayBusy, RailwayRefused
from workers.history import summary_store
from workers.history.backfill import chunks, slicing
from workers.models import History, Model, Moment, Summary, Survey, Window

BACKFILL_SPAN = timedelta(hours=48)
TIMEOUT_SECONDS = 20.0
"""A sweep waits no longer for its past than this: the client that it is read with answers no longer."""
RESERVED_SHARE = 0.4
"""The share of the hour's requests that is left to sweeps and evidence."""
MAX_FAILED_ATTEMPTS = 5
"""Sweeps one after the other that asked and could read not one stretch: then it is left at that."""
MAX_SERVICE_CHUNKS = 200
"""Services times stretches in memory at a time, some 100 MB; a larger environment is read over several sweeps."""

log = logging.getLogger("trackwalker.backfill")


class BackfillProgress(Model):
    """How far back it was read: from `reached` on it is known, until `until` it is to be read."""

    reached: Moment
    target: Moment
    failed_attempts: int = 0

    @property
    def is_done(self) -> bool:
        return self.reached <= self.target or self.failed_attempts >= MAX_FAILED_ATTEMPTS


def load_history(
    railway: Railway, journal: JournalStore, survey: Survey, *, min_duration_minutes: float
) -> History:
    """The environment's past, read from Railway first where it is not known so far back.

    Raises NotAvailable of the store only.
    """
    known = summary_store.read(journal, survey.environment_id, survey.window.end)
    reach = _reach(summary_store.read_progress(journal, survey.environment_id), survey)
    if reach.is_done:
        return known
    found, reach = backfill(railway, survey, reach, min_duration_minutes=min_duration_minutes)
    summary_store.store(journal, survey.environment_id, found, survey.window.end, reach.model_dump_json())
    return summary_store.read(journal, survey.environment_id, survey.window.end)


def _reach(note: str, seen: Survey) -> BackfillProgress:
    try:
        return BackfillProgress.model_validate_json(note)
    except ValidationError:
        return BackfillProgress(reached=seen.window.start, target=seen.window.start - BACKFILL_SPAN)


def backfill(
    railway: Railway, survey: Survey, reach: BackfillProgress, *, min_duration_minutes: float
) -> tuple[dict[str, list[Summary]], BackfillProgress]:
    """Windows by service id, oldest first, and how far it came; an error is logged and ends it. Raises nothing."""
    before, sent = reach.reached, railway.requests_sent
    read: list[Survey] = []
    try:
        reach = _newest_first(railway, survey, reach, read)
        found = summarise_chunks(read, survey.window, min_duration_minutes)
    except Exception:
        # Whatever it is: a sweep without a past is better than none.
        log.exception("no past from Railway", extra={"environment": survey.environment_id})
        return {}, reach.model_copy(update={"reached": before, "failed_attempts": reach.failed_attempts + 1})
    log.info("past read from Railway", extra={"environment": survey.environment_id, "stretches": len(read)})
    # Where the limit was too short to ask at all, the next hour decides.
    tries = 0 if read else reach.failed_attempts + (railway.requests_sent > sent)
    return found, reach.model_copy(update={"failed_attempts": tries})


def _newest_first(
    railway: Railway, seen: Survey, reach: BackfillProgress, read: list[Survey]
) -> BackfillProgress:
    """Puts what could be read to `read`; until where it came."""
    needed = chunks.requests_per_chunk(seen)
    most = max(1, MAX_SERVICE_CHUNKS // max(1, len(seen.services)))
    for window in chunks.split_into_chunks(reach.target, reach.reached)[:most]:
        may = _spare(railway.rate_limit, seen.window.end)
        if may is not None and may < needed:
            log.info("the past is read on later", extra={"environment": seen.environment_id, "requests": may})
            break
        try:
            read.append(chunks.read_chunk(railway, seen, window))
        except RailwayBusy as error:
            log.warning("the past is read on later", extra={"why": str(error)})
            break
        except RailwayRefused as error:
            log.warning("no more of the past", extra={"why": str(error)})
            return reach.model_copy(update={"target": reach.reached})
        reach = reach.model_copy(update={"reached": window.start})
    return reach


def _spare(allowance: RateLimit | None, now: datetime) -> int | None:
    """Requests that may be spent on the past; None where Railway says nothing of its limit."""
    if allowance is None or allowance.resets_at <= now:
        return None
    return max(0, allowance.remaining - round(RESERVED_SHARE * allowance.limit))


def summarise_chunks(
    read: Sequence[Survey], newest: Window, min_duration_minutes: float
) -> dict[str, list[Summary]]:
    """Stretches (newest first) as windows of the length of `newest`, aligned to its start, by service id."""
    found: dict[str, list[Summary]] = {}
    for stretch in reversed(read):
        for window in aligned_windows(stretch.window.start, stretch.window.end, newest):
            seen = slicing.slice_window(stretch, window, found)
            known = summary_store.baseline_windows(found, window.start)
            findings = detection.detect(seen, min_duration_minutes=min_duration_minutes, history=known)
            for name, one in summary_store.summarise_survey(seen, findings).items():
                found.setdefault(name, []).append(one)
    return found


def aligned_windows(start: datetime, end: datetime, newest: Window) -> list[Window]:
    """Windows as long as `newest` and aligned to its start that lie wholly between, oldest first."""
    length = newest.end - newest.start
    behind = (newest.start - end) // length + (1 if (newest.start - end) % length else 0)
    last, found = newest.start - behind * length, []
    while last - length >= start:
        found.append(Window(start=last - length, end=last))
        last -= length
    return found[::-1]
