"""Ingests events of Railway's feed whose webhooks did not arrive.

Railway tries a webhook three times, and stops for a day if they keep failing. A sweep that a ping started finds in the
event feed what was lost since the sweep before.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from workers.engine import scripts
from workers.engine.journal_store import JournalStore
from workers.engine.schema import received_key, slot_key
from workers.incidents import answers
from workers.incidents.intake import DedupWindow, ingest
from workers.models import Alert, Answer, AnswerKind, PlatformReport, Survey, digest

# A webhook may be in flight for this time, so younger events wait for the next sweep.
DELIVERY_GRACE = timedelta(minutes=3)
CLOCK_SKEW = timedelta(minutes=2)  # a webhook may name a time that is this much earlier than the feed's
MAX_AGE = timedelta(hours=47)  # received events are remembered for two days: older ones cannot be told apart
MAX_MISSED_PER_SWEEP = 20  # the next sweep ingests the rest
DEDUP_SECONDS = 7 * 86_400
CURSOR_TTL_MS = 30 * 86_400_000

log = logging.getLogger("trackwalker.missed")


def ingest_missed(
    store: JournalStore, survey: Survey, affected: Collection[str], *, at: datetime, own_service: str | None,
    ack_seconds: float,
) -> list[str]:  # fmt: skip
    """Ingest an alert for each event whose webhook did not arrive, and return the ids of the alerts.

    The first sweep of an environment only sets the cursor. Running twice is harmless: an ingested event counts as
    received. If there are more than MAX_ALERTS_PER_SWEEP, the cursor stays and the next sweep ingests others.

    Args:
        affected: ids of the services for which this sweep opened incidents; their events need no alert.
        at: the time at which the alerts count as received.
        own_service: id of the service that Trackwalker itself runs in, whose events are ignored.

    Raises:
        NotAvailable: Redis is away; the cursor has not moved.
    """
    slot = slot_key(survey.environment_id)
    cursor = store.command("hget", slot, "cursor")
    missed: list[PlatformReport] = []
    if cursor is not None:
        received = _received_events(store, survey)
        missed = find_missed(survey, datetime.fromtimestamp(int(cursor) / 1000, UTC), received, own_service)
        if missed and not received:
            _report_missing_webhooks(store, survey)
    unexplained = [event for event in missed if event.service_id not in affected]
    batch, rest = unexplained[:MAX_MISSED_PER_SWEEP], unexplained[MAX_MISSED_PER_SWEEP:]
    alert_ids = [
        ingest(
            make_alert(survey, event, at), DedupWindow(keys=(_alert_id(survey, event),), seconds=DEDUP_SECONDS),
            store, lambda _key: None, ack_seconds=ack_seconds,
        )
        for event in batch
    ]  # fmt: skip
    _log_missed([event for event in missed if event not in rest])
    if rest:
        log.warning("more webhooks missed than one sweep ingests", extra={"left": len(rest)})
    elif cursor is None or survey.feed_read:
        # Without the feed the window was examined only in part, so the next sweep examines it again.
        end_ms = int(survey.window.end.timestamp() * 1000)
        store.run(scripts.ADVANCE_CURSOR, slot=slot, window_end_ms=end_ms, ttl_ms=CURSOR_TTL_MS)
    return alert_ids


def _log_missed(events: Sequence[PlatformReport]) -> None:
    for event in events:
        facts = {"kind": event.kind, "service": event.service_id, "deployment": event.deployment_id}
        log.warning("webhook missed", extra=facts)


def _report_missing_webhooks(store: JournalStore, survey: Survey) -> None:
    """No webhook arrived for two days although there was reason: they may not be set up. Reported once in 30 days."""
    answer = Answer(kind=AnswerKind.WEBHOOKS_MISSING, reason=survey.environment_name)
    answers.report(store, f"webhooks:{survey.environment_id}", answer)


def find_missed(
    survey: Survey, cursor: datetime, received: Mapping[str, datetime], own_service: str | None = None
) -> list[PlatformReport]:
    """The feed's events without a webhook: of each service and kind the newest, newest first. Pure.

    Args:
        cursor: end of the window up to which earlier sweeps examined the feed.
        received: time of the newest webhook by `event_name`.
    """
    end = survey.window.end
    oldest, youngest = max(cursor - DELIVERY_GRACE, end - MAX_AGE), end - DELIVERY_GRACE
    services = {service.id for service in survey.services} - {own_service}
    newest: dict[tuple[str, str], PlatformReport] = {}
    for event in sorted(survey.feed, key=lambda event: event.at):
        in_window = oldest < event.at <= youngest
        if in_window and event.service_id in services and not _was_received(event, received):
            newest[event.service_id, event.kind] = event
    return sorted(newest.values(), key=lambda event: event.at, reverse=True)


def make_alert(survey: Survey, event: PlatformReport, at: datetime) -> Alert:
    """The alert that the webhook would have been. Apart from `at` it is the same whenever it is made."""
    service = next((service for service in survey.services if service.id == event.service_id), None)
    deployment = f" (deployment {event.deployment_id})" if event.deployment_id else ""
    return Alert(
        id=_alert_id(survey, event),
        source="railway",
        kind=event.kind,
        project_id=survey.project_id,
        environment_id=survey.environment_id,
        service_id=event.service_id,
        service_name=service.name if service else None,
        deployment_id=event.deployment_id,
        received_at=at,
        reported_at=event.at,
        message=f"{event.kind} at {event.at:%Y-%m-%d %H:%M} UTC, from Railway's event feed{deployment}. "
        "Railway's webhook for it did not arrive. Is the webhook set up?",
    )


def _alert_id(survey: Survey, event: PlatformReport) -> str:
    parts = (survey.environment_id, event.kind, event.service_id, event.deployment_id or "")
    return f"missed-{digest(*parts, event.at.isoformat())}"


def _received_events(store: JournalStore, survey: Survey) -> dict[str, datetime]:
    oldest = int((survey.window.end - MAX_AGE - CLOCK_SKEW).timestamp() * 1000)
    rows: Iterable[tuple[bytes, float]] = store.command(
        "zrangebyscore", received_key(survey.environment_id), oldest, "+inf", None, None, True
    )
    return {name.decode(): datetime.fromtimestamp(ms / 1000, UTC) for name, ms in rows}


def _was_received(event: PlatformReport, received: Mapping[str, datetime]) -> bool:
    return any(
        at >= event.at - CLOCK_SKEW and _is_same_event(event, *name.split(":", 2))
        for name, at in received.items()
        if name.count(":") == 2
    )


def _is_same_event(event: PlatformReport, kind: str, service: str, deployment: str) -> bool:
    """True if a webhook is about this event; it may leave out either the service or the deployment."""
    if kind != event.kind or not (service or deployment):
        return False
    return service in ("", event.service_id) and deployment in ("", event.deployment_id or deployment)
