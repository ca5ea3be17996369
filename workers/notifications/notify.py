"""Telling: `render` says what the journal says now, `tell` brings Slack to it. It waits for no stage.

At most two posts a round ring a telephone: the first word and the outcome. Everything else edits the first post or
stays in the thread. Under an umbrella its two posts ring for all that it holds. An incoming webhook can only post: no
edits, no thread, and no look back after a lost answer.
"""

from __future__ import annotations

from datetime import UTC, datetime

from workers.clients.slack import Slack, escape
from workers.engine import records
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import DUPLICATE_CHECK_PREFIX, PREFIX, EndedAs, alert_key, journal_id
from workers.errors import NotAvailable
from workers.incidents import controls
from workers.models import Alert, Incident, SlackMessage
from workers.notifications import groups
from workers.notifications.messages import IncidentMessages, format_name, inconclusive, list_findings, render
from workers.notifications.posts import (
    acknowledge,
    delete_duplicates,
    edit,
    post,
    schedule_duplicate_check,
)

__all__ = ["IncidentMessages", "inconclusive", "list_findings", "notify", "render"]

ADOPTION_SECONDS = 30.0
"""How long an incident waits for the first word of an alert that it adopted."""
JOINED_SECONDS = 5.0
"""So often the first word of an alert looks whether the incident that it joined takes it for its own."""
UMBRELLA_SECONDS = 2.0
"""So often an incident looks whether its umbrella has its first post."""
QUIET_SECONDS = 3600.0
"""A tell that has said all it knows looks so often by itself; whoever changes the incident wakes it."""


def notify(claim: Claim, journal: JournalStore, slack: Slack | None, *, now: datetime) -> None:
    """Bring Slack to what the journals say and let go of the tell's journal, until there is more to say.

    Without a Slack the journal records what would have been said.
    """
    if claim.key.startswith(DUPLICATE_CHECK_PREFIX):
        delete_duplicates(claim, journal, slack)
        return
    schedule_duplicate_check(claim, journal, slack)
    if ":incident:" in claim.key:
        _tell_incident(claim, journal, slack, now=now)
    elif ":group:" in claim.key:
        groups.notify_group(claim, journal, slack, now=now, quiet_seconds=QUIET_SECONDS)
    else:
        _tell_alert(claim, journal, slack, now=now)


def _tell_alert(claim: Claim, journal: JournalStore, slack: Slack | None, *, now: datetime) -> None:
    """An alert's own words: its first word while the sweep has not named a cause, then the answer."""
    alert = claim.get(records.ALERT)
    what = alert.service_name or alert.service_id or "the environment" if alert else "the environment"
    head = f"🔎 *{escape(what)}*: {escape(alert.message[:300] or alert.kind) if alert else 'sweep'}"
    # From when on it may stand in Slack already, whenever this is done again.
    since = alert.received_at if alert else datetime.fromtimestamp(int(claim.text("opened", "0")) / 1000, UTC)
    first, note = acknowledge(claim, slack, since), claim.text("answer")
    joined, over = claim.text("merged_into"), claim.text("drop_reason")
    if joined:
        theirs = journal.fields(joined)
        taken = claim.read(theirs, records.ACK)
        if first is not None and taken is None and theirs and "ended" not in theirs:
            claim.advance("notify", after=JOINED_SECONDS)
            return
        if first is None or taken is None or taken.ts == first.ts:
            claim.end(EndedAs.MERGED, "joined the incident")
            return
        over = "The same trouble as an incident that is open already."
    names = (alert.service_name or what, alert.service_id or what) if alert else (what,)
    claim.check_allowed = lambda: controls.check(journal, names, now.timestamp())
    claim.check_allowed()
    if over:
        if first is not None:
            edit(claim, slack, first, f"{head}\n{escape(over)}")
        claim.end(EndedAs.DROPPED, over)
        return
    if note:
        # A person may have had it looked at again.
        asked = claim.text("repeat_count")
        name = f"outcome-{asked}" if asked else "outcome"
        post(claim, slack, name, f"{head}\n{escape(note)}", first, since=since)
        if not claim.end(EndedAs.NOTIFIED, "notified", final=False):
            claim.advance("notify")
        return
    early = _too_early(claim)
    if first is None and not early:
        waiting = _waiting_for(journal, alert)
        post(claim, slack, "ack", f"{head}\nLooking into it.{waiting}", None, since=since)
    claim.advance("notify", after=early or QUIET_SECONDS)


def _too_early(claim: Claim) -> float:
    """Seconds until the first word is due; 0 when it is."""
    return max(0.0, int(claim.text("ack_due_at", "0")) / 1000 - claim.claimed_at)


def _waiting_for(journal: JournalStore, alert: Alert | None) -> str:
    """Why there is no answer yet, as its sweep says, or the alert's own journal while no sweep has it."""
    if alert is None:
        return ""
    taken = journal.fields(alert_key(alert.id))
    sweep = taken.get("sweep")
    reason = journal.command("hget", sweep.decode(), "reason") if sweep else taken.get("reason")
    return f" Waiting: {escape(reason.decode())}" if reason else ""


def _tell_incident(claim: Claim, journal: JournalStore, slack: Slack | None, *, now: datetime) -> None:
    fields = journal.fields(claim.key.replace(f"{PREFIX}notification:", PREFIX))
    incident = claim.need(records.INCIDENT)
    sick = (incident.subject.key, incident.subject.name)
    claim.check_allowed = lambda: controls.check(journal, sick, now.timestamp())
    claim.check_allowed()
    since = incident.opened_at
    first = acknowledge(claim, slack, since) or _adopt(claim, journal)
    told = _told(claim, incident, fields, journal)
    forwarded, spoken = bool(claim.text("forwarded")), _spoken(claim)
    # Of a symptom that nobody heard of yet, its cause's incident tells.
    unheard = bool(told.suppressed) and not (first or spoken or told.outcome or forwarded)
    over = fields.get("group", b"").decode()
    silent = forwarded or spoken is not None or unheard or bool(over)
    early = 0.0 if first or told.outcome or silent else _too_early(claim)
    if first is None and not told.outcome and not silent and not early:
        first = post(claim, slack, "ack", told.ack, None, since=since)
    thread = first or spoken
    if over and thread is None:
        thread = journal.read_record(over, records.ACK)
        if thread is None and journal.wake(over):
            claim.advance("notify", after=UMBRELLA_SECONDS)
            return
    # What rings goes before what is only edited. A round that was mended on demand has an outcome of its own.
    asked = fields.get("fix_requests", b"").decode()
    outcome = f"outcome-{asked}" if asked else "outcome"
    aside = bool(over) and not asked
    # An incoming webhook has no thread: its umbrella says it all.
    unsaid = aside and slack is not None and not (thread and thread.ts)
    if records.CANCELLED.is_in(fields):
        # Whoever cancelled it knows: it is said where words of ours stand already, and rings nowhere.
        unsaid = unsaid or thread is None
        outcome, aside = f"cancelled-{fields.get('cancel_count', b'').decode()}", True
    if told.outcome and not unsaid:
        posted = post(claim, slack, outcome, told.outcome, thread, since=since, broadcast=not aside)
        spoken = spoken or posted
    rewatched = fields.get("rewatch_count", b"").decode()
    watch = f"watch-{rewatched}" if rewatched else "watch"
    for name, text in (("suppressed", told.suppressed), (watch, told.follow_up)):
        if text and not unheard and not unsaid:
            post(claim, slack, name, text, thread or spoken, since=since, broadcast=False)
    if first is not None:
        edit(claim, slack, first, told.ack)
    if over:
        journal.wake(over)
    ended = "ended" in fields or not fields
    if not ended or not claim.end(EndedAs.NOTIFIED, "notified", final=False):
        claim.advance("notify", after=early or QUIET_SECONDS)


def _spoken(claim: Claim) -> SlackMessage | None:
    """The earliest outcome that was said: without a first word, the thread."""
    names = [name.removeprefix("r:") for name in claim.fields if name.startswith("r:outcome")]
    said = [posted for name in names if (posted := claim.get(records.slack_message(name)))]
    return min(said, key=lambda one: one.ts, default=None)


def _told(
    claim: Claim, incident: Incident, fields: dict[str, bytes], journal: JournalStore
) -> IncidentMessages:
    """The texts of an incident by its journal, with the newest of what was seen of it and of its symptoms."""
    newest = {"findings": records.SEEN, "symptoms": records.SYMPTOMS}
    found = {name: claim.read(fields, record) for name, record in newest.items()}
    update = {
        name: tuple(value) for name, value in found.items() if value or (name == "symptoms" and value == [])
    }
    holder = fields.get("suppressed_by", b"").decode()
    return render(
        incident.model_copy(update=update),
        claim.read(fields, records.VERDICT),
        claim.read(fields, records.CANCELLED) or claim.read(fields, records.OUTCOME),
        claim.read(fields, records.FOLLOW_UP),
        fields.get("reason", b"").decode(),
        int(fields.get("firings", b"1")),
        _where(holder, journal) if holder else "",
    )


def _where(holder: str, journal: JournalStore) -> str:
    """Another incident by its cause's name, its id, and the link that it led to."""
    other = journal.read_record(holder, records.INCIDENT)
    outcome = journal.read_record(holder, records.OUTCOME)
    name = f"*{format_name(other.subject.name)}*" if other else "another service"
    link = f" {outcome.link}" if outcome and outcome.link else ""
    return f"{name}: see {journal_id(holder)}{link}"


def _adopt(claim: Claim, journal: JournalStore) -> SlackMessage | None:
    """The first word of an alert that this incident adopted; raises NotAvailable while it may still be said."""
    for name, since in claim.fields.items():
        if not name.startswith("merge_from:"):
            continue
        other = journal.fields(name.removeprefix("merge_from:"))
        posted = claim.read(other, records.ACK)
        if posted is not None:
            return claim.record(records.ACK, posted)
        if other and "ended" not in other and claim.claimed_at - int(since) / 1000 < ADOPTION_SECONDS:
            raise NotAvailable("an alert's first word may be under way", retry_after=1)
    return None
