"""The history of each service: summaries of its earlier windows, kept in Redis as the baseline for later sweeps.

An environment has one Redis hash, with a field per service id that holds the service's encoded summaries, oldest
first. Windows do not overlap. The store keeps the last MAX_RECENT_WINDOWS windows, of older ones one per half hour,
and none longer than RETENTION. `python -m tests.benchmarks.history` measures bytes and times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from workers import detection
from workers.detection.baseline import SAME_HOUR_SECONDS
from workers.engine import scripts
from workers.engine.journal_store import JournalStore
from workers.engine.schema import history_key
from workers.history.summary_codec import (
    Columns,
    decode_columns,
    decode_summaries,
    encode,
    last_end,
    rounded,
)
from workers.models import Finding, GapPart, History, Service, Summary, Survey

# A week, so that a weekly job is known, and twice the tolerance of "the same hour" around its end.
RETENTION = timedelta(days=7, hours=2)
MAX_RECENT_WINDOWS = 48  # a day of half-hour windows, all of which are kept
# Seconds: of older windows one per slot is kept, which bounds a service to 384 summaries (336 of half-hour windows).
SLOT_SECONDS = 1800
TTL_SECONDS = 14 * 86_400  # an environment that is not checked for this long is forgotten
# A sweep may begin a little early, so windows may overlap by this much, but by no more than a tenth of their length.
OVERLAP_TOLERANCE = timedelta(seconds=60)
DAY = timedelta(days=1)
# A window of an earlier day within this distance is at the same hour, also after the clocks changed.
SAME_HOUR_TOLERANCE = timedelta(seconds=SAME_HOUR_SECONDS)
# While the last day has alerts, so many of the windows without alerts before it show how the service was.
MAX_HEALTHY_WINDOWS = 24
# Summaries per service that one window is compared with, to bound the cost of detection.
MAX_BASELINE_WINDOWS = 130
# Field of the hash with the progress of the backfill; no service id begins with a colon.
PROGRESS_FIELD = ":progress"

FIELDS_HIDDEN_BY_GAP: dict[GapPart, tuple[str, ...]] = {
    GapPart.USAGE: (
        "cpu_mean", "cpu_peak", "cpu_high_minutes", "memory_mean", "memory_low", "memory_high", "disk",
        "egress", "run_minutes",
    ),
    GapPart.LIMITS: ("cpu_high_minutes",),
    GapPart.TRAFFIC: ("requests", "server_errors", "ok", "p95_median", "p95_high"),
    GapPart.STARTS: ("restarted",),
    GapPart.DEPLOYMENTS: ("restarted",),
    GapPart.EVENTS: ("restarted",),
    GapPart.DISK: ("disk", "egress"),
    GapPart.VOLUMES: ("disk",),
    GapPart.ERROR_LINES: ("error_lines",),
}  # fmt: skip
"""Fields of a summary that are unknown if a part of the survey could not be read."""
MEASURED_FIELDS = ("cpu_mean", "memory_mean", "requests", "disk", "run_minutes")
"""A summary in which all of these are unknown is not kept."""


# ---- reading ---------------------------------------------------------------------------------


def read(store: JournalStore, environment_id: str, now: datetime) -> History:
    """The earlier windows of each service by its id, oldest first. A damaged value reads as no history.

    Raises:
        NotAvailable: Redis does not answer.
    """
    fields = store.fields(history_key(environment_id))
    return {
        service_id: [
            summary
            for summary in decode_summaries(decode_columns(blob))
            if summary.at and now - RETENTION <= summary.at <= now + OVERLAP_TOLERANCE
        ]
        for service_id, blob in fields.items()
        if service_id != PROGRESS_FIELD
    }


def read_progress(store: JournalStore, environment_id: str) -> str:
    """The stored progress of the backfill; "" without one.

    Raises:
        NotAvailable: Redis does not answer.
    """
    progress: bytes | None = store.command("hget", history_key(environment_id), PROGRESS_FIELD)
    return (progress or b"").decode(errors="replace")


def baseline_windows(history: History, at: datetime) -> History:
    """The windows that a window starting at `at` is compared with.

    Those are the windows of the day before it, those at the same hour of earlier days, and, while that day has alerts,
    as many windows without alerts before it: at most MAX_BASELINE_WINDOWS per service, the newest ones. Windows that
    end after `at` are left out.
    """
    return {service_id: _in_baseline(summaries, at) for service_id, summaries in history.items()}


def _in_baseline(summaries: Sequence[Summary], at: datetime) -> list[Summary]:
    earlier = [summary for summary in summaries if summary.at and at - summary.at >= -OVERLAP_TOLERANCE]
    alerts = sum(_has_trouble(summary) for summary in earlier if _age(summary, at) <= DAY)
    healthy = [summary for summary in earlier if _age(summary, at) > DAY and not _has_trouble(summary)]
    before = {summary.at for summary in healthy[-min(alerts, MAX_HEALTHY_WINDOWS) :]} if alerts else set()
    chosen = [
        summary
        for summary in earlier
        if _age(summary, at) <= DAY or _is_same_hour(summary, at) or summary.at in before
    ]
    return chosen[-MAX_BASELINE_WINDOWS:]


def _has_trouble(summary: Summary) -> bool:
    return bool(summary.alerting_kinds or summary.notice_kinds)


def _age(summary: Summary, at: datetime) -> timedelta:
    """The time from the end of the window to `at`."""
    return at - summary.at if summary.at else timedelta.max


def _is_same_hour(summary: Summary, at: datetime) -> bool:
    """Whether the window began at this time of an earlier day."""
    past_full_days = (_age(summary, at) + timedelta(minutes=summary.minutes or 0)) % DAY
    return min(past_full_days, DAY - past_full_days) <= SAME_HOUR_TOLERANCE


# ---- summaries of a sweep --------------------------------------------------------------------


def summarise_survey(survey: Survey, findings: Iterable[Finding]) -> dict[str, Summary]:
    """The summaries of the window by service id, marked with the kinds of their findings.

    Fields whose data could not be read are None, and a service without any measurement is left out.
    """
    own: dict[str, list[Finding]] = {}
    for finding in findings:
        own.setdefault(finding.service_id, []).append(finding)
    summaries = {
        service.id: _summary(service, survey, own.get(service.id, [])) for service in survey.services
    }
    return {service_id: summary for service_id, summary in summaries.items() if _is_measured(summary)}


def _summary(service: Service, survey: Survey, findings: Sequence[Finding]) -> Summary:
    # A read that failed would otherwise look like a measurement of nothing.
    unknown = {
        name: None for gap in survey.gaps_for(service.name) for name in FIELDS_HIDDEN_BY_GAP.get(gap.part, ())
    }
    summary = detection.summarise(service, survey).model_copy(update=unknown)
    return rounded(detection.with_kinds(summary, findings))


def _is_measured(summary: Summary) -> bool:
    return any(getattr(summary, name) is not None for name in MEASURED_FIELDS)


# ---- writing ---------------------------------------------------------------------------------


def add_sweep(store: JournalStore, survey: Survey, findings: Sequence[Finding]) -> None:
    """Add the window of a sweep; adding it again changes nothing.

    Sweeps of one environment run one after another. A worker that lost its claim in between adds the same summaries
    as its successor, so the race is harmless.

    Raises:
        NotAvailable: Redis does not answer.
    """
    windows = {service_id: [summary] for service_id, summary in summarise_survey(survey, findings).items()}
    save(store, survey.environment_id, windows, survey.window.end)


def save(
    store: JournalStore,
    environment_id: str,
    windows: Mapping[str, Sequence[Summary]],
    now: datetime,
    progress: str = "",
) -> None:
    """Add windows by service id, and drop services without a window in the retention period.

    Args:
        progress: The progress of the backfill to store with the windows; "" leaves it as it is.

    Raises:
        NotAvailable: Redis does not answer.
    """
    key = history_key(environment_id)
    fields = store.fields(key)
    written: list[bytes | str] = [PROGRESS_FIELD, progress] if progress else []
    for service_id, summaries in windows.items():
        columns = decode_columns(fields.get(service_id))
        # Two sweeps of three overlap the last stored window: skip them before anything is decoded.
        if len(summaries) == 1 and _overlaps_last(summaries[0], columns):
            continue
        stored = decode_summaries(columns)
        merged = merge(stored, summaries, now)
        if merged != stored:
            written += [service_id, encode(merged)]
    dropped = [
        service_id
        for service_id, blob in fields.items()
        if service_id not in windows and _is_expired(service_id, blob, now)
    ]
    if written or dropped:
        store.run(
            scripts.STORE_HISTORY,
            more=[*dropped, *written],
            history=key,
            ttl_seconds=TTL_SECONDS,
            removed=len(dropped),
        )


def merge(stored: Sequence[Summary], added: Sequence[Summary], now: datetime) -> list[Summary]:
    """Both, oldest first, within the limits of the store. An added window that overlaps another one is left out."""
    merged = list(stored)
    for summary in added:
        if all(_is_disjoint(summary, other) for other in merged):
            merged.append(summary)
    merged.sort(key=lambda summary: summary.at or now)
    merged = [summary for summary in merged if summary.at and now - RETENTION <= summary.at]
    return [*_one_per_slot(merged[:-MAX_RECENT_WINDOWS]), *merged[-MAX_RECENT_WINDOWS:]]


def _is_disjoint(summary: Summary, other: Summary) -> bool:
    """Whether the two windows overlap by no more than the tolerance."""
    if summary.at is None or other.at is None or summary.at == other.at:
        return False
    later = summary if summary.at > other.at else other
    length = timedelta(minutes=later.minutes or 0)
    return abs(summary.at - other.at) >= length - min(OVERLAP_TOLERANCE, length / 10)


def _overlaps_last(summary: Summary, columns: Columns) -> bool:
    if summary.at is None:
        return False
    length = 60 * (summary.minutes or 0)
    needed = length - min(OVERLAP_TOLERANCE.total_seconds(), length / 10)
    return 0 <= summary.at.timestamp() - last_end(columns) < needed


def _one_per_slot(summaries: Sequence[Summary]) -> list[Summary]:
    slots: dict[int, Summary] = {}
    for summary in summaries:
        if summary.at:
            slots.setdefault(int(summary.at.timestamp() // SLOT_SECONDS), summary)
    return list(slots.values())


def _is_expired(service_id: str, blob: bytes, now: datetime) -> bool:
    """Whether the service has no readable window in the retention period."""
    return service_id != PROGRESS_FIELD and last_end(decode_columns(blob)) < (now - RETENTION).timestamp()
