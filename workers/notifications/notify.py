"""Telling: `render` says what the journal says now, `tell` brings Slack to it. It waits for no stage.

At most two posts a round ring a telephone: the first word and the outcome. Everything else edits the first post or
stays in the thread. Under an umbrella its two posts ring for all that it holds. An incoming webhook can only post: no
edits, no thread, and no look back after a lost answer.
"""

from __future__ import annotations

from datetime import UTC, datetime

from workers.clients.slack import Slack, escape
from workers.engine.journal import PREFIX, Claim, Journal
from workers.errors import NotAvailable
from workers.incidents import controls
from workers.models import Alert, Finding, Incident, Outcome, Posted, Verdict, Watch
from workers.notifications import groups
from workers.notifications.messages import Told, inconclusive, named, raw_words, render
from workers.notifications.posts import DOUBLES, edit, expect_doubles, first_word, post, take_back_doubles

__all__ = ["Told", "inconclusive", "raw_words", "render", "tell"]

ADOPTION_SECONDS = 30.0
"""How long an incident waits for the first word of an alert that it adopted."""
JOINED_SECONDS = 5.0
"""So often the first word of an alert looks whether the incident that it joined takes it for its own."""
UMBRELLA_SECONDS = 2.0
"""So often an incident looks whether its umbrella has its first post."""
QUIET_SECONDS = 3600.0
"""A tell that has said all it knows looks so often by itself; whoever changes the incident wakes it."""


def tell(claim: Claim, journal: Journal, slack: Slack | None, *, now: datetime) -> None:
    """Bring Slack to what the journals say and let go of the tell's journal, until there is more to say.

    Without a Slack the journal records what would have been said.
    """
    if claim.key.startswith(DOUBLES):
        take_back_doubles(claim, journal, slack)
        return
    expect_doubles(claim, journal, slack)
    if ":incident:" in claim.key:
        _tell_incident(claim, journal, slack, now=now)
    elif ":umbrella:" in claim.key:
        groups.tell(claim, journal, slack, now=now, quiet_seconds=QUIET_SECONDS)
    else:
        _tell_alert(claim, journal, slack, now=now)


def _tell_alert(claim: Claim, journal: Journal, slack: Slack | None, *, now: datetime) -> None:
    """An alert's own words: its first word while the sweep has not named a cause, then the answer."""
    alert = claim.get("alert", Alert)
    what = alert.service_name or alert.service_id or "the environment" if alert else "the environment"
    head = f"🔎 *{escape(what)}*: {escape(alert.said[:300] or alert.kind) if alert else 'sweep'}"
    # From when on it may stand in Slack already, whenever this is done again.
    since = alert.at if alert else datetime.fromtimestamp(int(claim.text("opened", "0")) / 1000, UTC)
    first, note = first_word(claim, slack, since), claim.text("note")
    joined, over = claim.text("joined"), claim.text("dropped")
    if joined:
        theirs = journal.fields(joined)
        taken = claim.read(theirs.get("r:first"), Posted)
        if first is not None and taken is None and theirs and "ended" not in theirs:
            claim.hand_on("tell", after=JOINED_SECONDS)
            return
        if first is None or taken is None or taken.ts == first.ts:
            claim.end("joined the incident")
            return
        over = "The same trouble as an incident that is open already."
    names = (alert.service_name or what, alert.service_id or what) if alert else (what,)
    claim.brake = lambda: controls.check(journal, names, now.timestamp())
    claim.brake()
    if over:
        if first is not None:
            edit(claim, slack, first, f"{head}\n{escape(over)}")
        claim.end(over)
        return
    if note:
        # A person may have had it looked at again.
        asked = claim.text("asked")
        name = f"outcome-{asked}" if asked else "outcome"
        post(claim, slack, name, f"{head}\n{escape(note)}", first, since=since)
        if not claim.end("told", final=False):
            claim.hand_on("tell")
        return
    early = _too_early(claim)
    if first is None and not early:
        waiting = _waiting_for(journal, alert)
        post(claim, slack, "first", f"{head}\nLooking into it.{waiting}", None, since=since)
    claim.hand_on("tell", after=early or QUIET_SECONDS)


def _too_early(claim: Claim) -> float:
    """Seconds until the first word is due; 0 when it is."""
    return max(0.0, int(claim.text("first_at", "0")) / 1000 - claim.claimed_at)


def _waiting_for(journal: Journal, alert: Alert | None) -> str:
    """Why there is no answer yet, as its sweep says, or the alert's own journal while no sweep has it."""
    if alert is None:
        return ""
    taken = journal.fields(f"{PREFIX}alert:{alert.id}")
    sweep = taken.get("sweep")
    reason = journal.ask("hget", sweep.decode(), "reason") if sweep else taken.get("reason")
    return f" Waiting: {escape(reason.decode())}" if reason else ""


def _tell_incident(claim: Claim, journal: Journal, slack: Slack | None, *, now: datetime) -> None:
    fields = journal.fields(claim.key.replace(f"{PREFIX}tell:", PREFIX))
    incident = claim.need("incident", Incident)
    sick = (incident.cause.key, incident.cause.name)
    claim.brake = lambda: controls.check(journal, sick, now.timestamp())
    claim.brake()
    since = incident.opened_at
    first = first_word(claim, slack, since) or _adopt(claim, journal)
    told = _told(claim, incident, fields, journal)
    forwarded, spoken = bool(claim.text("forwarded")), _spoken(claim)
    # Of a symptom that nobody heard of yet, its cause's incident tells.
    unheard = bool(told.joined) and not (first or spoken or told.outcome or forwarded)
    over = fields.get("umbrella", b"").decode()
    silent = forwarded or spoken is not None or unheard or bool(over)
    early = 0.0 if first or told.outcome or silent else _too_early(claim)
    if first is None and not told.outcome and not silent and not early:
        first = post(claim, slack, "first", told.first, None, since=since)
    thread = first or spoken
    if over and thread is None:
        thread = journal.record_of(over, "first", Posted)
        if thread is None and journal.raise_wanted(over):
            claim.hand_on("tell", after=UMBRELLA_SECONDS)
            return
    # What rings goes before what is only edited. A round that was mended on demand has an outcome of its own.
    asked = fields.get("asked", b"").decode()
    outcome = f"outcome-{asked}" if asked else "outcome"
    aside = bool(over) and not asked
    # An incoming webhook has no thread: its umbrella says it all.
    unsaid = aside and slack is not None and not (thread and thread.ts)
    if "r:cancelled" in fields:
        # Whoever cancelled it knows: it is said where words of ours stand already, and rings nowhere.
        unsaid = unsaid or thread is None
        outcome, aside = f"cancelled-{fields.get('cancels', b'').decode()}", True
    if told.outcome and not unsaid:
        posted = post(claim, slack, outcome, told.outcome, thread, since=since, broadcast=not aside)
        spoken = spoken or posted
    rewatched = fields.get("rewatched", b"").decode()
    watch = f"watch-{rewatched}" if rewatched else "watch"
    for name, text in (("joined", told.joined), (watch, told.watch)):
        if text and not unheard and not unsaid:
            post(claim, slack, name, text, thread or spoken, since=since, broadcast=False)
    if first is not None:
        edit(claim, slack, first, told.first)
    if over:
        journal.raise_wanted(over)
    ended = "ended" in fields or not fields
    if not ended or not claim.end("told", final=False):
        claim.hand_on("tell", after=early or QUIET_SECONDS)


def _spoken(claim: Claim) -> Posted | None:
    """The earliest outcome that was said: without a first word, the thread."""
    names = [name.removeprefix("r:") for name in claim.fields if name.startswith("r:outcome")]
    said = [posted for name in names if (posted := claim.get(name, Posted))]
    return min(said, key=lambda one: one.ts, default=None)


def _told(claim: Claim, incident: Incident, fields: dict[str, bytes], journal: Journal) -> Told:
    """The texts of an incident by its journal, with the newest of what was seen of it and of its symptoms."""
    newest = {"r:seen": "findings", "r:suffering": "symptoms"}
    found = {name: claim.read(fields.get(field), list[Finding]) for field, name in newest.items()}
    update = {
        name: tuple(value) for name, value in found.items() if value or (name == "symptoms" and value == [])
    }
    holder = fields.get("joined", b"").decode()
    return render(
        incident.model_copy(update=update),
        claim.read(fields.get("r:verdict"), Verdict),
        claim.read(fields.get("r:cancelled"), Outcome) or claim.read(fields.get("r:outcome"), Outcome),
        claim.read(fields.get("r:watch"), Watch),
        fields.get("reason", b"").decode(),
        int(fields.get("firings", b"1")),
        _where(holder, journal) if holder else "",
    )


def _where(holder: str, journal: Journal) -> str:
    """Another incident by its cause's name, its id, and the link that it led to."""
    other = journal.record_of(holder, "incident", Incident)
    outcome = journal.record_of(holder, "outcome", Outcome)
    name = f"*{named(other.cause.name)}*" if other else "another service"
    link = f" {outcome.link}" if outcome and outcome.link else ""
    return f"{name}: see {holder.removeprefix(PREFIX)}{link}"


def _adopt(claim: Claim, journal: Journal) -> Posted | None:
    """The first word of an alert that this incident adopted; raises NotAvailable while it may still be said."""
    for name, since in claim.fields.items():
        if not name.startswith("adopt:"):
            continue
        other = journal.fields(name.removeprefix("adopt:"))
        posted = claim.read(other.get("r:first"), Posted)
        if posted is not None:
            return claim.keep("first", Posted, posted)
        if other and "ended" not in other and claim.claimed_at - int(since) / 1000 < ADOPTION_SECONDS:
            raise NotAvailable("an alert's first word may be under way", retry_after=1)
    return None
