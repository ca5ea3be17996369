"""Webhooks that did not come: Railway's own feed tells of trouble since the last sweep, and nobody heard of it.

Railway tries a webhook three times and stops for a day where they keep failing; a ping that asks finds what was lost.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from workers.engine import scripts
from workers.engine.journal_store import JournalStore
from workers.engine.schema import operational_notification_key, received_key, slot_key
from workers.incidents.intake import DedupWindow, ingest
from workers.models import Alert, PlatformReport, Survey, digest

GRACE = timedelta(minutes=3)
"""A webhook may be on its way for so long: what is younger is the next sweep's."""
EARLIER = timedelta(minutes=2)
"""The time that a webhook names may lie so much before that of the feed."""
LONGEST_AGO = timedelta(hours=47)
"""What was heard is remembered for two days; of what is older nobody knows any more whether it was."""
MAX_ALERTS_PER_SWEEP = 20
"""Alerts of one sweep; the next one goes on."""
FOLD_SECONDS = 7 * 86_400
MARK_TTL_MS = 30 * 86_400_000

log = logging.getLogger("trackwalker.missed")


def ingest_missed(
    journal: JournalStore, survey: Survey, affected: Collection[str], *, at: datetime, own_service: str | None,
    ack_seconds: float,
) -> list[str]:  # fmt: skip
    """Take in an alert for what the feed tells of and no webhook did; the ids under which they stand.

    Not of a service that this sweep found `sick` (ids) by itself: its incident tells.

    The first sweep of an environment only marks where the next one begins. May be done twice: what was taken in
    counts as heard. Of more than AT_MOST the mark stays where it was, and the next sweep takes in others. Raises
    NotAvailable when the store is away.
    """
    slot = slot_key(survey.environment_id)
    seen = journal.command("hget", slot, "cursor")
    missed: list[PlatformReport] = []
    if seen is not None:
        since, heard = datetime.fromtimestamp(int(seen) / 1000, UTC), _heard(journal, survey)
        missed = find_missed(survey, since, heard, own_service)
        if missed and not heard:
            _tell_of_silence(journal, survey)
    quiet = [one for one in missed if one.service_id not in affected]
    now, later = quiet[:MAX_ALERTS_PER_SWEEP], quiet[MAX_ALERTS_PER_SWEEP:]
    taken = [
        ingest(
            make_alert(survey, one, at), DedupWindow(key=_id(survey, one), seconds=FOLD_SECONDS), journal,
            lambda _key: None, ack_seconds=ack_seconds,
        )
        for one in now
    ]  # fmt: skip
    for one in missed:
        if one not in later:
            facts = {"kind": one.kind, "service": one.service_id, "deployment": one.deployment_id}
            log.warning("a webhook did not come", extra=facts)
    if later:
        log.warning("more webhooks did not come: the next sweep goes on", extra={"left": len(later)})
    elif seen is None or survey.feed_read:
        end_ms = int(survey.window.end.timestamp() * 1000)
        journal.run(scripts.ADVANCE_CURSOR, slot=slot, window_end_ms=end_ms, ttl_ms=MARK_TTL_MS)
    return taken


def _tell_of_silence(journal: JournalStore, survey: Survey) -> None:
    """Where no webhook was heard for days, somebody may have forgotten to set them up: told once in weeks."""
    note = (
        f"Railway's feed tells of trouble in {survey.environment_name}, but none of its webhooks arrived. "
        "Pings find it later than webhooks would: is /hooks/railway set up in the project's settings?"
    )
    key = operational_notification_key(f"webhooks:{survey.environment_id}")
    journal.open_journal(key, "notify", answer=note)


def find_missed(
    survey: Survey, cursor: datetime, received: Mapping[str, datetime], own_service: str | None = None
) -> list[PlatformReport]:
    """What of the feed nobody was told of: the newest of each service and kind, the newest first.

    `seen` is the end of the window up to which an earlier sweep looked, `heard` the newest time by heard_name.
    """
    end = survey.window.end
    oldest, youngest = max(cursor - GRACE, end - LONGEST_AGO), end - GRACE
    known = {one.id for one in survey.services} - {own_service}
    newest: dict[tuple[str, str], PlatformReport] = {}
    for one in sorted(survey.feed, key=lambda one: one.at):
        if oldest < one.at <= youngest and one.service_id in known and not _was_heard(one, received):
            newest[one.service_id, one.kind] = one
    return sorted(newest.values(), key=lambda one: one.at, reverse=True)


def make_alert(survey: Survey, missed: PlatformReport, at: datetime) -> Alert:
    """The alert that the webhook would have been; the same one whenever it is made, but for `at`."""
    name = next((one.name for one in survey.services if one.id == missed.service_id), None)
    of = f" (deployment {missed.deployment_id})" if missed.deployment_id else ""
    return Alert(
        id=_id(survey, missed),
        source="railway",
        kind=missed.kind,
        project_id=survey.project_id,
        environment_id=survey.environment_id,
        service_id=missed.service_id,
        service_name=name,
        deployment_id=missed.deployment_id,
        received_at=at,
        reported_at=missed.at,
        message=f"{missed.kind} at {missed.at:%Y-%m-%d %H:%M} UTC, found in Railway's feed{of}. "
        "Railway's webhook of this did not arrive: is it set up?",
    )


def _id(survey: Survey, one: PlatformReport) -> str:
    what = (survey.environment_id, one.kind, one.service_id, one.deployment_id or "", one.at.isoformat())
    return f"missed-{digest(*what)}"


def _heard(journal: JournalStore, survey: Survey) -> dict[str, datetime]:
    oldest = int((survey.window.end - LONGEST_AGO - EARLIER).timestamp() * 1000)
    rows: Iterable[tuple[bytes, float]] = journal.command(
        "zrangebyscore", received_key(survey.environment_id), oldest, "+inf", None, None, True
    )
    return {name.decode(): datetime.fromtimestamp(ms / 1000, UTC) for name, ms in rows}


def _was_heard(one: PlatformReport, heard: Mapping[str, datetime]) -> bool:
    """A webhook does not always name both service and deployment: what one of the two leaves out does not count."""
    return any(
        at >= one.at - EARLIER and _same(one, *name.split(":", 2))
        for name, at in heard.items()
        if name.count(":") == 2
    )


def _same(one: PlatformReport, kind: str, service: str, deployment: str) -> bool:
    if kind != one.kind or not (service or deployment):
        return False
    return service in ("", one.service_id) and deployment in ("", one.deployment_id or deployment)
