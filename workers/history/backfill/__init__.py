"""Backfill: the history of an environment that has none yet, read from the metrics that Railway keeps.

The backfill reads chunks of six hours, newest first, two days back. It slices them into windows and evaluates those
oldest first, so that a chronic condition is part of the baseline from the start. It may stop after any chunk (the
request quota is short, the time is over, Railway asks to wait); the next sweep continues. It never fails a sweep.
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

BACKFILL_SPAN = timedelta(hours=48)  # shows the same hour of two days and recurring conditions
# Time limit of the Railway client that callers pass to the backfill, so that the backfill does not delay a sweep.
TIMEOUT_SECONDS = 20.0
RESERVED_SHARE = 0.4  # share of the hourly request quota that the backfill leaves to sweeps and evidence
# Consecutive sweeps whose backfill read no chunk; after them the backfill is given up.
MAX_FAILED_ATTEMPTS = 5
# Services × chunks in memory at a time, about 100 MB; larger environments need several sweeps.
MAX_SERVICE_CHUNKS = 200

log = logging.getLogger("trackwalker.backfill")


class BackfillProgress(Model):
    """How far back the history is known: from `reached` on; the backfill ends at `target`."""

    reached: Moment
    target: Moment
    failed_attempts: int = 0

    @property
    def is_done(self) -> bool:
        return self.reached <= self.target or self.failed_attempts >= MAX_FAILED_ATTEMPTS


def load_history(
    railway: Railway, store: JournalStore, survey: Survey, *, min_duration_minutes: float
) -> History:
    """The history of the environment, continued from Railway first while the backfill is not done.

    Raises:
        NotAvailable: Redis does not answer. Failures of Railway are logged and end the backfill of this sweep.
    """
    history = summary_store.read(store, survey.environment_id, survey.window.end)
    progress = _parse_progress(summary_store.read_progress(store, survey.environment_id), survey)
    if progress.is_done:
        return history
    windows, progress = backfill(railway, survey, progress, min_duration_minutes=min_duration_minutes)
    summary_store.save(store, survey.environment_id, windows, survey.window.end, progress.model_dump_json())
    return summary_store.read(store, survey.environment_id, survey.window.end)


def _parse_progress(stored: str, survey: Survey) -> BackfillProgress:
    try:
        return BackfillProgress.model_validate_json(stored)
    except ValidationError:
        return BackfillProgress(reached=survey.window.start, target=survey.window.start - BACKFILL_SPAN)


def backfill(
    railway: Railway, survey: Survey, progress: BackfillProgress, *, min_duration_minutes: float
) -> tuple[dict[str, list[Summary]], BackfillProgress]:
    """Earlier windows by service id, oldest first, and the new progress.

    Every error is logged and ends this backfill: a sweep without history is better than no sweep.
    """
    sent = railway.requests_sent
    extra = {"environment": survey.environment_id}
    read: list[Survey] = []
    try:
        advanced = _read_newest_first(railway, survey, progress, read)
        windows = summarise_chunks(read, survey.window, min_duration_minutes)
    except Exception:
        log.exception("backfill failed", extra=extra)
        return {}, progress.model_copy(update={"failed_attempts": progress.failed_attempts + 1})
    log.debug("backfill advanced", extra={**extra, "chunks": len(read)})
    # A quota too short for a single request is no failed attempt: the next hour brings a new quota.
    failed_attempts = 0 if read else progress.failed_attempts + (railway.requests_sent > sent)
    return windows, advanced.model_copy(update={"failed_attempts": failed_attempts})


def _read_newest_first(
    railway: Railway, survey: Survey, progress: BackfillProgress, read: list[Survey]
) -> BackfillProgress:
    """Append the chunks that could be read to `read`, newest first, and return the new progress."""
    needed = chunks.requests_per_chunk(survey)
    max_chunks = max(1, MAX_SERVICE_CHUNKS // max(1, len(survey.services)))
    extra = {"environment": survey.environment_id}
    for window in chunks.split_into_chunks(progress.target, progress.reached)[:max_chunks]:
        available = _available_requests(railway.rate_limit, survey.window.end)
        if available is not None and available < needed:
            log.debug("backfill postponed: request quota too short", extra={**extra, "requests": available})
            break
        try:
            read.append(chunks.read_chunk(railway, survey, window))
        except RailwayBusy as error:
            log.warning("backfill postponed: railway unavailable", extra={**extra, "reason": str(error)})
            break
        except RailwayRefused as error:
            # Railway keeps nothing older, or the token may not read it: asking again would not help.
            log.warning("backfill ended: railway refused", extra={**extra, "reason": str(error)})
            return progress.model_copy(update={"target": progress.reached})
        progress = progress.model_copy(update={"reached": window.start})
    return progress


def _available_requests(rate_limit: RateLimit | None, now: datetime) -> int | None:
    """Requests that the backfill may send; None if Railway has not reported a limit for this hour."""
    if rate_limit is None or rate_limit.resets_at <= now:
        return None
    return max(0, rate_limit.remaining - round(RESERVED_SHARE * rate_limit.limit))


def summarise_chunks(
    newest_first: Sequence[Survey], newest: Window, min_duration_minutes: float
) -> dict[str, list[Summary]]:
    """The summaries of all windows in the chunks by service id, oldest first.

    Args:
        newest_first: Surveys of consecutive chunks.
        newest: The window of the sweep: the windows have its length and are aligned to its start.
    """
    history: dict[str, list[Summary]] = {}
    for chunk in reversed(newest_first):
        for window in aligned_windows(chunk.window.start, chunk.window.end, newest):
            survey = slicing.slice_window(chunk, window, history)
            baseline = summary_store.baseline_windows(history, window.start)
            findings = detection.detect(survey, min_duration_minutes=min_duration_minutes, history=baseline)
            for service_id, summary in summary_store.summarise_survey(survey, findings).items():
                history.setdefault(service_id, []).append(summary)
    return history


def aligned_windows(start: datetime, end: datetime, newest: Window) -> list[Window]:
    """Windows between `start` and `end` as long as `newest` and aligned to its start, oldest first."""
    length = newest.end - newest.start
    behind = (newest.start - end) // length + (1 if (newest.start - end) % length else 0)
    window_end, windows = newest.start - behind * length, []
    while window_end - length >= start:
        windows.append(Window(start=window_end - length, end=window_end))
        window_end -= length
    return windows[::-1]
