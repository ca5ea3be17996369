"""The messages of an incident: posts what is missing, and edits the first one to the present state.

The first message always shows the present state. An outcome, a fix that did not help and a reminder ring; details and
good news are silent replies in the thread; progress is only edited.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from workers.clients.slack import Slack
from workers.clients.slack_text import escape, link
from workers.engine import records
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX, EndedAs, journal_id
from workers.errors import NotAvailable
from workers.incidents import controls
from workers.models import Severity, SlackMessage
from workers.notifications.detail_posts import details_post
from workers.notifications.incident_posts import first_post, follow_up_post, reminder_post, symptom_post
from workers.notifications.incident_state import (
    ENDED_PHASES,
    RINGING_PHASES,
    IncidentState,
    Phase,
    read_state,
)
from workers.notifications.posts import edit, find_acknowledgement, post, seconds_until_ack
from workers.notifications.presentation import Presentation
from workers.notifications.slack_post import SlackPost
from workers.runtime.text import safe_line

MERGE_TIMEOUT_SECONDS = 30.0  # longest wait for the acknowledgement of an alert that the incident merged
GROUP_RECHECK_SECONDS = 2.0  # delay before an incident looks again for the first post of its group
DETAILS = "details"  # record of the reply with the facts, which would ring outside of its thread
MAX_WEBHOOK_POSTS = 3  # of an incident: an incoming webhook can neither edit nor reply in a thread
MAX_NAME = 60  # characters of the name of another service
IMPROVING_PHASES = (*ENDED_PHASES, Phase.WATCHING, Phase.RECOVERING, Phase.ROLLED_BACK)
"""Phases in which a critical incident that somebody has needs no reminder."""


class Delivery(NamedTuple):
    """How an outcome is posted."""

    name: str
    """Record of the post: an outcome after a requested fix, or a cancellation, is a post of its own."""
    broadcast: bool
    """False for a silent reply, which stays in the thread."""
    is_omitted: bool


class Head(NamedTuple):
    """The message that carries the thread and shows the present state, and the record that holds it."""

    name: str
    message: SlackMessage


class Thread:
    """The messages of one incident, as one run of the stage posts them.

    Args:
        head: the first message; None until one is posted.
    """

    def __init__(
        self, claim: Claim, slack: Slack | None, state: IncidentState, head: Head | None, *, is_silent: bool
    ) -> None:
        self.claim, self.slack, self.state, self.head = claim, slack, state, head
        self.is_silent = is_silent

    def post(
        self, name: str, content: SlackPost, thread: SlackMessage | None, *, rings: bool
    ) -> SlackMessage | None:
        """Post a message once. None if it must not be posted now: snoozed, or one too many behind a webhook."""
        record = records.slack_message(name)
        if (self.is_silent or self._is_one_too_many()) and not self.claim.has(record):
            return None
        since = self.state.incident.opened_at
        message = post(
            self.claim,
            self.slack,
            name,
            content,
            thread,
            since=since,
            broadcast=rings,
            thread_only=name == DETAILS,
        )
        if self.head is None and name.startswith(("ack", "outcome", "interim")):
            self.head = Head(name, message)
        return message

    def _is_one_too_many(self) -> bool:
        is_webhook = self.slack is not None and not self.slack.can_edit
        return is_webhook and len(_recorded(self.claim)) >= MAX_WEBHOOK_POSTS


def notify_incident(
    claim: Claim, store: JournalStore, slack: Slack | None, look: Presentation, *, now: datetime, quiet_seconds: float
) -> None:  # fmt: skip
    """Update the incident's messages: posts to the channel come first, then silent replies, then the edit."""
    fields = store.fields(claim.key.replace(f"{PREFIX}notification:", PREFIX))
    incident = claim.need(records.INCIDENT)
    services = (incident.subject.key, incident.subject.name)
    claim.check_allowed = lambda: controls.check(store, services, now.timestamp())
    claim.check_allowed()
    ack = find_acknowledgement(claim, slack, incident.opened_at) or _merged_acknowledgement(claim, store)
    head = Head("ack", ack) if ack else _first_outcome(claim)
    cause = _describe_cause(fields.get("suppressed_by", b"").decode(), store)
    state = read_state(claim, incident, fields, cause, _posted_at(head))
    messages = Thread(claim, slack, state, head, is_silent=state.is_snoozed(now))
    group, forwarded = fields.get("group", b"").decode(), bool(claim.text("forwarded"))
    # A symptom that was never reported stays silent: the incident of its cause names it.
    silent = bool(cause) and not (head or state.outcome or forwarded)
    needs_ack = not (head or state.outcome or forwarded or silent or group)
    wait = seconds_until_ack(claim) if needs_ack else 0.0
    if needs_ack and not wait:
        messages.post("ack", first_post(state, look, now), None, rings=True)
    thread = _find_thread(messages.head, group, store)
    if group and thread is None and store.wake(group):
        claim.advance("notify", after=GROUP_RECHECK_SECONDS)
        return
    if not silent:
        _post_news(messages, fields, look, thread, now)
    if messages.head is not None:
        edit(claim, slack, messages.head.name, messages.head.message, first_post(state, look, now))
    if group:
        store.wake(group)
    ended = "ended" in fields or not fields
    if not ended or not claim.end(EndedAs.NOTIFIED, "notified", final=False):
        claim.advance("notify", after=min(wait or quiet_seconds, _seconds_until_news(state, look, now)))


def _post_news(
    messages: Thread, fields: dict[str, bytes], look: Presentation, thread: SlackMessage | None, now: datetime
) -> None:
    """The outcome, then the replies about what happened after it."""
    state = messages.state
    delivery = _choose_delivery(fields, messages.slack, thread)
    if delivery.is_omitted:
        return
    if state.outcome is not None:
        posted = messages.post(delivery.name, first_post(state, look, now), thread, rings=delivery.broadcast)
        thread = thread or posted
    if state.cause:
        messages.post("suppressed", symptom_post(state), thread, rings=False)
    if state.follow_up is not None:
        # A follow-up that `retry` repeated, or that says something else than the one before, is a reply of its own.
        repeats = fields.get("rewatch_count", b"").decode()
        name = f"watch-{repeats}" if repeats else "watch"
        messages.post(name, follow_up_post(state, look), thread, rings=state.phase in RINGING_PHASES)
    if _seconds_until_reminder(state, look, now) == 0 and "group" not in fields:
        messages.post("reminder", reminder_post(state, look, now), thread, rings=True)
    _post_details(messages, fields, look, thread)


def _post_details(
    messages: Thread, fields: dict[str, bytes], look: Presentation, thread: SlackMessage | None
) -> None:
    """The facts as a silent reply, once the outcome is known; behind a webhook there is no thread for them."""
    has_thread = thread is not None and bool(thread.ts)
    if messages.state.outcome is None or not has_thread or "group" in fields:
        return
    if (details := details_post(messages.state, look)) is not None:
        messages.post(DETAILS, details, thread, rings=False)


def _choose_delivery(fields: dict[str, bytes], slack: Slack | None, thread: SlackMessage | None) -> Delivery:
    fix_requests = fields.get("fix_requests", b"").decode()
    grouped = "group" in fields and not fix_requests
    # The group's posts speak for its members. Behind an incoming webhook there is no thread for a silent reply.
    is_omitted = grouped and slack is not None and not (thread and thread.ts)
    if records.CANCELLED.is_in(fields):
        # The person who cancelled knows about it: a silent reply in an existing thread is enough.
        name = f"cancelled-{fields.get('cancel_count', b'').decode()}"
        return Delivery(name, broadcast=False, is_omitted=is_omitted or thread is None)
    # The verdict that is reported while its fix waits does not take the place of the outcome.
    name = "outcome" if records.OUTCOME.is_in(fields) else "interim"
    return Delivery(
        f"{name}-{fix_requests}" if fix_requests else name, broadcast=not grouped, is_omitted=is_omitted
    )


# ---- waits -----------------------------------------------------------------------------------


def _seconds_until_news(state: IncidentState, look: Presentation, now: datetime) -> float:
    """Seconds until time alone changes the messages: the end of a snooze, or a reminder."""
    waits = []
    if state.is_snoozed(now) and state.decision is not None and state.decision.until is not None:
        waits.append(max(1.0, (state.decision.until - now).total_seconds()))
    if reminder := _seconds_until_reminder(state, look, now):
        waits.append(max(1.0, reminder))
    return min(waits, default=float("inf"))


def _seconds_until_reminder(state: IncidentState, look: Presentation, now: datetime) -> float | None:
    """0 once a critical incident that somebody has is not better in time; None if it needs no reminder."""
    owner = state.acknowledged
    if owner is None or state.incident.severity is not Severity.CRITICAL or state.phase in IMPROVING_PHASES:
        return None
    due_at = owner.at + timedelta(minutes=look.remind_minutes)
    return max(0.0, (due_at - now).total_seconds())


# ---- messages that exist already -------------------------------------------------------------


def _recorded(claim: Claim) -> dict[str, SlackMessage]:
    """The messages that the notification has posted, by the names of their records."""
    names = [
        name.removeprefix("r:") for name in claim.fields if name.startswith("r:") and name != "r:incident"
    ]
    found = {name: claim.get(records.slack_message(name)) for name in names}
    return {name: message for name, message in found.items() if message is not None}


def _first_outcome(claim: Claim) -> Head | None:
    """The earliest posted outcome: without an acknowledgement it carries the thread."""
    outcomes = [
        Head(name, message)
        for name, message in _recorded(claim).items()
        if name.startswith(("outcome", "interim"))
    ]
    return min(outcomes, key=lambda head: head.message.ts, default=None)


def _find_thread(head: Head | None, group: str, store: JournalStore) -> SlackMessage | None:
    """The message to reply to: the first one, or the group's for a member that has no acknowledgement of its own.

    The first message of such a member is a reply in the group's thread, and Slack has no threads below replies.
    """
    first = head.message if head else None
    if not group or (head is not None and head.name == "ack"):
        return first
    return store.read_record(group, records.ACK) or first


def _posted_at(head: Head | None) -> datetime | None:
    """When the first message was posted; None if there is none, or behind a webhook."""
    seconds = head.message.ts.partition(".")[0] if head else ""
    return datetime.fromtimestamp(int(seconds), UTC) if seconds.isdigit() else None


def _describe_cause(cause_key: str, store: JournalStore) -> str:
    """Another incident by the name of its cause, its id, and the link of its outcome; "" without a key."""
    if not cause_key:
        return ""
    incident = store.read_record(cause_key, records.INCIDENT)
    outcome = store.read_record(cause_key, records.OUTCOME)
    name = f"*{escape(safe_line(incident.subject.name, MAX_NAME))}*" if incident else "another service"
    reference = f" {link(outcome.link)}" if outcome and outcome.link else ""
    return f"{name}: see `{journal_id(cause_key)}`{reference}"


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
