"""The messages of an incident: acknowledgement, outcome, follow-up, and the reference to its cause's incident."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from workers.clients.slack import Slack
from workers.clients.slack_text import link
from workers.engine import records
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX, EndedAs, journal_id
from workers.errors import NotAvailable
from workers.incidents import controls
from workers.models import Incident, SlackMessage
from workers.notifications.messages import IncidentMessages, format_name, render
from workers.notifications.posts import edit, find_acknowledgement, post, seconds_until_ack

MERGE_TIMEOUT_SECONDS = 30.0  # longest wait for the acknowledgement of an alert that the incident merged
GROUP_RECHECK_SECONDS = 2.0  # delay before an incident looks again for the first post of its group


class Delivery(NamedTuple):
    """How an outcome is posted."""

    name: str
    """Record of the post: an outcome after a requested fix, or a cancellation, is a post of its own."""
    broadcast: bool
    """False for a silent reply, which stays in the thread."""
    is_omitted: bool


def notify_incident(
    claim: Claim, store: JournalStore, slack: Slack | None, *, now: datetime, quiet_seconds: float
) -> None:
    """Update the incident's messages: posts to the channel come first, then silent replies, then the edit."""
    fields = store.fields(claim.key.replace(f"{PREFIX}notification:", PREFIX))
    incident = claim.need(records.INCIDENT)
    services = (incident.subject.key, incident.subject.name)
    claim.check_allowed = lambda: controls.check(store, services, now.timestamp())
    claim.check_allowed()
    since = incident.opened_at
    ack = find_acknowledgement(claim, slack, since) or _merged_acknowledgement(claim, store)
    messages = _render(claim, incident, fields, store)
    outcome_post, group = _first_outcome(claim), fields.get("group", b"").decode()
    forwarded = bool(claim.text("forwarded"))
    # A symptom that was never reported stays silent: the incident of its cause names it.
    silent = bool(messages.suppressed) and not (ack or outcome_post or messages.outcome or forwarded)
    needs_ack = not (ack or messages.outcome or forwarded or outcome_post or silent or group)
    wait = seconds_until_ack(claim) if needs_ack else 0.0
    if needs_ack and not wait:
        ack = post(claim, slack, "ack", messages.ack, None, since=since)
    thread = ack or outcome_post
    if group and thread is None:
        thread = store.read_record(group, records.ACK)
        if thread is None and store.wake(group):
            claim.advance("notify", after=GROUP_RECHECK_SECONDS)
            return
    delivery = _choose_delivery(fields, slack, thread)
    if messages.outcome and not delivery.is_omitted:
        posted = post(
            claim, slack, delivery.name, messages.outcome, thread, since=since, broadcast=delivery.broadcast
        )
        outcome_post = outcome_post or posted
    if not silent and not delivery.is_omitted:
        _post_replies(claim, slack, messages, fields, thread or outcome_post, since)
    if ack is not None:
        edit(claim, slack, ack, messages.ack)
    if group:
        store.wake(group)
    ended = "ended" in fields or not fields
    if not ended or not claim.end(EndedAs.NOTIFIED, "notified", final=False):
        claim.advance("notify", after=wait or quiet_seconds)


def _choose_delivery(fields: dict[str, bytes], slack: Slack | None, thread: SlackMessage | None) -> Delivery:
    fix_requests = fields.get("fix_requests", b"").decode()
    grouped = "group" in fields and not fix_requests
    # The group's posts speak for its members. Behind an incoming webhook there is no thread for a silent reply.
    is_omitted = grouped and slack is not None and not (thread and thread.ts)
    if records.CANCELLED.is_in(fields):
        # The person who cancelled knows about it: a silent reply in an existing thread is enough.
        name = f"cancelled-{fields.get('cancel_count', b'').decode()}"
        return Delivery(name, broadcast=False, is_omitted=is_omitted or thread is None)
    name = f"outcome-{fix_requests}" if fix_requests else "outcome"
    return Delivery(name, broadcast=not grouped, is_omitted=is_omitted)


def _post_replies(
    claim: Claim, slack: Slack | None, messages: IncidentMessages, fields: dict[str, bytes],
    thread: SlackMessage | None, since: datetime,
) -> None:  # fmt: skip
    """The silent replies. A follow-up that `retry` repeated is a reply of its own."""
    repeats = fields.get("rewatch_count", b"").decode()
    follow_up = f"watch-{repeats}" if repeats else "watch"
    for name, text in (("suppressed", messages.suppressed), (follow_up, messages.follow_up)):
        if text:
            post(claim, slack, name, text, thread, since=since, broadcast=False)


def _first_outcome(claim: Claim) -> SlackMessage | None:
    """The earliest posted outcome: without an acknowledgement it carries the thread."""
    names = [name.removeprefix("r:") for name in claim.fields if name.startswith("r:outcome")]
    posts = [message for name in names if (message := claim.get(records.slack_message(name)))]
    return min(posts, key=lambda message: message.ts, default=None)


def _render(
    claim: Claim, incident: Incident, fields: dict[str, bytes], store: JournalStore
) -> IncidentMessages:
    """The incident's texts, with the newest findings and symptoms that sweeps have recorded."""
    newest: dict[str, object] = {}
    if findings := claim.read(fields, records.LATEST_FINDINGS):
        newest["findings"] = tuple(findings)
    # An empty list is news, too: no other service is affected any more.
    if (symptoms := claim.read(fields, records.SYMPTOMS)) is not None:
        newest["symptoms"] = tuple(symptoms)
    cause_key = fields.get("suppressed_by", b"").decode()
    return render(
        incident.model_copy(update=newest),
        claim.read(fields, records.VERDICT),
        claim.read(fields, records.CANCELLED) or claim.read(fields, records.OUTCOME),
        claim.read(fields, records.FOLLOW_UP),
        fields.get("reason", b"").decode(),
        int(fields.get("firings", b"1")),
        _format_reference(cause_key, store) if cause_key else "",
    )


def _format_reference(cause_key: str, store: JournalStore) -> str:
    """Another incident by the name of its cause, its id, and the link of its outcome."""
    incident = store.read_record(cause_key, records.INCIDENT)
    outcome = store.read_record(cause_key, records.OUTCOME)
    name = f"*{format_name(incident.subject.name)}*" if incident else "another service"
    reference = f" {link(outcome.link)}" if outcome and outcome.link else ""
    return f"{name}: see {journal_id(cause_key)}{reference}"


def _merged_acknowledgement(claim: Claim, store: JournalStore) -> SlackMessage | None:
    """The acknowledgement of an alert that this incident merged.

    Raises NotAvailable while another worker may be posting it: a second acknowledgement would notify people twice.
    """
    for name, merged_at in claim.fields.items():
        if not name.startswith("merge_from:"):
            continue
        fields = store.fields(name.removeprefix("merge_from:"))
        message = claim.read(fields, records.ACK)
        if message is not None:
            return claim.record(records.ACK, message)
        age = claim.claimed_at - int(merged_at) / 1000
        if fields and "ended" not in fields and age < MERGE_TIMEOUT_SECONDS:
            raise NotAvailable("an alert's acknowledgement may be in flight", retry_after=1)
    return None
