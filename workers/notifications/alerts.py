"""The messages of an alert: an acknowledgement while no incident covers it, then the answer."""

from __future__ import annotations

from datetime import UTC, datetime

from workers.clients.slack import Slack
from workers.clients.slack_text import escape
from workers.engine import records
from workers.engine.claim import Claim
from workers.engine.codec import unpack
from workers.engine.journal_store import JournalStore
from workers.engine.schema import EndedAs, alert_key, journal_id
from workers.incidents import controls
from workers.models import Alert, Answer, DropReason, SlackMessage
from workers.notifications.answer_posts import answer_post, dropped_post, format_blind, looking_post
from workers.notifications.posts import edit, find_acknowledgement, post, seconds_until_ack
from workers.notifications.presentation import Presentation

# Delay before an alert checks again whether its incident took over its acknowledgement.
MERGE_RECHECK_SECONDS = 5.0


def notify_alert(
    claim: Claim,
    store: JournalStore,
    slack: Slack | None,
    look: Presentation,
    *,
    now: datetime,
    quiet_seconds: float,
) -> None:
    """Update the alert's messages; a report about Trackwalker itself is an answer without an alert."""
    alert = claim.get(records.ALERT)
    # No message of this notification is older than this, even if the stage runs again.
    since = alert.received_at if alert else datetime.fromtimestamp(int(claim.text("opened", "0")) / 1000, UTC)
    ack = find_acknowledgement(claim, slack, since)
    drop_reason = DropReason(claim.text("drop_reason")) if claim.text("drop_reason") else None
    if incident_notification := claim.text("merged_into"):
        if _ends_by_merge(claim, store, incident_notification, ack):
            return
        drop_reason = DropReason.KNOWN_INCIDENT
    services = tuple({alert.service_name or "", alert.service_id or ""} - {""}) if alert else ()
    claim.check_allowed = lambda: controls.check(store, services, now.timestamp())
    claim.check_allowed()
    if drop_reason:
        if ack is not None:
            incident_id = journal_id(incident_notification).removeprefix("notification:")
            edit(claim, slack, "ack", ack, dropped_post(alert, drop_reason, incident_id, look))
        claim.end(EndedAs.DROPPED, f"dropped: {drop_reason.value}")
        return
    if answer := unpack(claim.fields.get("answer"), Answer):
        # `retry` counts `repeat_count`: the answer to a repeated check is another post.
        repeats = claim.text("repeat_count")
        name = f"outcome-{repeats}" if repeats else "outcome"
        content = answer_post(alert, answer, look)
        post(claim, slack, name, content, ack, since=since)
        if ack is not None:
            edit(claim, slack, "ack", ack, content)
        if not claim.end(EndedAs.NOTIFIED, "notified", final=False):
            claim.advance("notify")
        return
    wait = seconds_until_ack(claim)
    if ack is None and not wait:
        content = looking_post(alert, _waiting_text(store, alert))
        post(claim, slack, "ack", content, None, since=since)
    claim.advance("notify", after=wait or quiet_seconds)


def _ends_by_merge(
    claim: Claim, store: JournalStore, incident_notification: str, ack: SlackMessage | None
) -> bool:
    """True if the stage is done: the incident's notification speaks for the alert, or may still take over its message.

    False if the incident has an acknowledgement of its own, to which the alert's acknowledgement must refer.
    """
    fields = store.fields(incident_notification)
    incident_ack = claim.read(fields, records.ACK)
    if ack is not None and incident_ack is None and fields and "ended" not in fields:
        claim.advance("notify", after=MERGE_RECHECK_SECONDS)
        return True
    if ack is None or incident_ack is None or incident_ack.ts == ack.ts:
        claim.end(EndedAs.MERGED, "merged into the incident")
        return True
    return False


def _waiting_text(store: JournalStore, alert: Alert | None) -> str:
    """Why there is no answer yet: the reason of the alert's sweep, or of the alert while no sweep has it."""
    if alert is None:
        return ""
    fields = store.fields(alert_key(alert.id))
    if sweep := fields.get("sweep"):
        fields = store.fields(sweep.decode())
    if not (reason := fields.get("reason")):
        return ""
    waiting = f" Waiting: {escape(reason.decode())}"
    if not (failing_since := fields.get("failing_since")):
        return waiting
    since = datetime.fromtimestamp(int(failing_since) / 1000, UTC)
    return f"{waiting.rstrip('.')}. {format_blind(f'{since:%H:%M} UTC')}"
