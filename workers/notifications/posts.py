"""One post of ours, said once and edited in place: looked for by its key, made under the fence, recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from workers.clients.slack import Slack
from workers.engine import records
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import DUPLICATE_CHECK_PREFIX, EndedAs, journal_id
from workers.models import SlackMessage, digest

BEFORE = timedelta(hours=1)
"""Posts are looked for from so long before they can have been made, as clocks differ."""
DUPLICATE_CHECK_SECONDS = 60.0
"""So long after a takeover it is looked whether whoever had the words said them after all."""


def post(
    claim: Claim, slack: Slack | None, name: str, text: str, thread: SlackMessage | None, *, since: datetime,
    broadcast: bool = True,
) -> SlackMessage:  # fmt: skip
    """One post, once: looked for by its key where Slack can be looked through; of two the older one stays."""
    key = f"{claim.id}:{name}"
    if slack is None:
        return claim.get(records.slack_message(name)) or claim.record(
            records.slack_message(name), SlackMessage(digest=digest(text), text=text)
        )
    under = thread if thread and thread.ts else None
    if not slack.can_read_history:
        known = claim.get(records.slack_message(name))
        if known is None:
            claim.check_fence()
            known = claim.record(records.slack_message(name), slack.post(text, key=key))
        return known

    def look() -> SlackMessage | None:
        found = slack.find(key, oldest=since - BEFORE, thread=under)
        for younger in found[1:]:
            slack.delete(younger)
        return found[0].model_copy(update={"digest": digest(text)}) if found else None

    def act() -> SlackMessage:
        return slack.post(text, key=key, thread=under, broadcast=broadcast and under is not None)

    if name == "ack":
        claim.set_fields(posting="1")
    return claim.effect(records.slack_message(name), look, act)


def acknowledge(claim: Claim, slack: Slack | None, since: datetime) -> SlackMessage | None:
    """The first word, also where whoever said it died before that was recorded: the rest belongs under it."""
    known = claim.get(records.ACK)
    if known or slack is None or not slack.can_read_history or not claim.text("posting"):
        return known
    found = slack.find(f"{claim.id}:ack", oldest=since - BEFORE)
    return claim.record(records.ACK, found[0]) if found else None


def edit(claim: Claim, slack: Slack | None, first: SlackMessage, text: str) -> None:
    """The first post shows what is known now, where it can be edited; an edit made twice is the same edit."""
    if first.digest == digest(text):
        return
    if slack is None:
        claim.record(records.ACK, SlackMessage(digest=digest(text), text=text))
    if slack is None or not first.ts:
        return
    claim.check_fence()
    slack.update(first, text, key=f"{claim.id}:ack")
    claim.record(records.ACK, first.model_copy(update={"digest": digest(text)}))


def schedule_duplicate_check(claim: Claim, journal: JournalStore, slack: Slack | None) -> None:
    """Whoever had these words and only stood still may say them after all, and die before seeing that we did."""
    if claim.is_taken_over and slack is not None and slack.can_read_history:
        key = DUPLICATE_CHECK_PREFIX + claim.id.removeprefix("notification:")
        why = "they were taken over: whoever had them may say them after all"
        journal.open_journal(key, "notify", after=DUPLICATE_CHECK_SECONDS, of=claim.key, reason=why)


def delete_duplicates(claim: Claim, journal: JournalStore, slack: Slack | None) -> None:
    """Of all posts with a key of ours the recorded one stays."""
    if slack is None or not slack.can_read_history:
        claim.end(EndedAs.CHECKED, "nobody can look back")
        return
    of = claim.text("of")
    fields = journal.fields(of)
    blobs = {name.removeprefix("r:"): blob for name, blob in fields.items() if name.startswith("r:")}
    known = {name: one for name, blob in blobs.items() if (one := records.ACK.unpack(blob)) and one.ts}
    since = datetime.fromtimestamp(int(fields.get("opened", b"0")) / 1000, UTC) - BEFORE
    over = journal.read_record(fields.get("group", b"").decode() or of, records.ACK)
    threads = [over, *sorted(known.values(), key=lambda one: one.ts)][:2]
    places = [None, *{one.ts: one for one in threads if one and one.ts}.values()]
    for name, recorded in known.items():
        key = f"{journal_id(of)}:{name}"
        found = {one.ts: one for place in places for one in slack.find(key, oldest=since, thread=place)}
        if found.pop(recorded.ts, None):
            for double in found.values():
                slack.delete(double)
    claim.end(EndedAs.CHECKED, "looked through", keep_seconds=1)
