"""One Slack message, posted once and edited in place: found by its key, posted under the fence, recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from workers.clients.slack import Slack
from workers.clients.slack_errors import MessageGone
from workers.engine import records
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import DUPLICATE_CHECK_PREFIX, EndedAs, journal_id
from workers.models import SlackMessage
from workers.notifications.block_kit import blocks_of
from workers.notifications.slack_post import SlackPost

CLOCK_SKEW = timedelta(hours=1)  # a search in Slack begins this much earlier, because clocks differ
DUPLICATE_CHECK_SECONDS = 60.0  # delay after a takeover: by then a stalled worker's post is visible in Slack


def post(
    claim: Claim, slack: Slack | None, name: str, content: SlackPost, thread: SlackMessage | None, *, since: datetime,
    broadcast: bool = True, thread_only: bool = False,
) -> SlackMessage:  # fmt: skip
    """Post a message once, and return it. Of two posts with the same key the older one stays.

    Args:
        name: record of the message, and part of the key by which Slack's history is searched.
        thread: the message to reply to; None posts to the channel.
        since: earliest time at which the message can have been posted.
        broadcast: False for a silent reply: it stays in the thread, and Slack sends no push notification.
        thread_only: the reply is left out if a person deleted the message that it belongs to.
    """
    key, record = f"{claim.id}:{name}", records.slack_message(name)
    if slack is None:
        unposted = SlackMessage(digest=content.digest, text=content.text)
        return claim.get(record) or claim.record(record, unposted)
    parent = thread if thread and thread.ts else None
    sent: dict[str, SlackMessage] = {}

    def send() -> SlackMessage:
        reply_broadcast = broadcast and parent is not None
        blocks = blocks_of(content)
        message = slack.post(
            content.text,
            key=key,
            thread=parent,
            broadcast=reply_broadcast,
            blocks=blocks,
            thread_only=thread_only,
        )
        sent[message.ts] = message.model_copy(update={"digest": content.digest})
        return sent[message.ts]

    if not slack.can_read_history:
        message = claim.get(record)
        if message is None:
            claim.check_fence()
            message = claim.record(record, send())
        return message

    def look() -> SlackMessage | None:
        messages = slack.find(key, oldest=since - CLOCK_SKEW, thread=parent)
        for younger in messages[1:]:
            slack.delete(younger)
        # Another worker may have posted an older state: without a digest the next edit sets it right.
        return sent.get(messages[0].ts, messages[0]) if messages else None

    if name == "ack":
        # Read by `find_acknowledgement`: from now on the message may stand in Slack without being recorded.
        claim.set_fields(posting="1")
    try:
        return claim.effect(record, look, send)
    except MessageGone:
        return claim.record(record, SlackMessage(digest=content.digest))


def find_acknowledgement(claim: Claim, slack: Slack | None, since: datetime) -> SlackMessage | None:
    """The acknowledgement; found in Slack if the worker that posted it crashed before it recorded it."""
    ack = claim.get(records.ACK)
    if ack or slack is None or not slack.can_read_history or not claim.text("posting"):
        return ack
    messages = slack.find(f"{claim.id}:ack", oldest=since - CLOCK_SKEW)
    return claim.record(records.ACK, messages[0]) if messages else None


def seconds_until_ack(claim: Claim) -> float:
    """Seconds until the acknowledgement is due, 0 if it is."""
    return max(0.0, int(claim.text("ack_due_at", "0")) / 1000 - claim.claimed_at)


def edit(claim: Claim, slack: Slack | None, name: str, message: SlackMessage, content: SlackPost) -> None:
    """Replace a message if its content has changed. Editing twice has the same result.

    Args:
        name: record of the message.
    """
    if message.digest == content.digest:
        return
    record = records.slack_message(name)
    if slack is None:
        claim.record(record, SlackMessage(digest=content.digest, text=content.text))
    if slack is None or not message.ts:
        return
    claim.check_fence()
    slack.update(message, content.text, key=f"{claim.id}:{name}", blocks=blocks_of(content))
    claim.record(record, message.model_copy(update={"digest": content.digest}))


def schedule_duplicate_check(claim: Claim, store: JournalStore, slack: Slack | None) -> None:
    """After a takeover, schedule a check for duplicates: the previous worker may have stalled and may still post."""
    if not claim.is_taken_over or slack is None or not slack.can_read_history:
        return
    key = DUPLICATE_CHECK_PREFIX + claim.id.removeprefix("notification:")
    reason = "the notification was taken over: the previous worker may have posted it as well"
    store.open_journal(key, "notify", after=DUPLICATE_CHECK_SECONDS, of=claim.key, reason=reason)


def delete_duplicates(claim: Claim, store: JournalStore, slack: Slack | None) -> None:
    """Delete every message with a key of the notification `of`, except those that it recorded."""
    if slack is None or not slack.can_read_history:
        claim.end(EndedAs.CHECKED, "Slack's history cannot be read")
        return
    notification = claim.text("of")
    fields = store.fields(notification)
    blobs = {name.removeprefix("r:"): blob for name, blob in fields.items() if name.startswith("r:")}
    recorded = {
        name: message for name, blob in blobs.items() if (message := records.ACK.unpack(blob)) and message.ts
    }
    since = datetime.fromtimestamp(int(fields.get("opened", b"0")) / 1000, UTC) - CLOCK_SKEW
    group_ack = store.read_record(fields.get("group", b"").decode() or notification, records.ACK)
    # A message stands in the channel, or in the thread of the group's or of the notification's earliest message.
    heads = [group_ack, *sorted(recorded.values(), key=lambda message: message.ts)][:2]
    threads = [None, *{message.ts: message for message in heads if message and message.ts}.values()]
    for name, message in recorded.items():
        key = f"{journal_id(notification)}:{name}"
        posted = {
            copy.ts: copy for thread in threads for copy in slack.find(key, oldest=since, thread=thread)
        }
        # If the search did not find the recorded message it is incomplete, and a copy may be the only one.
        is_complete = posted.pop(message.ts, None) is not None
        for duplicate in posted.values() if is_complete else ():
            slack.delete(duplicate)
    claim.end(EndedAs.CHECKED, "duplicates deleted", keep_seconds=1)
