"""Telling: `render` says what the journal says now, `tell` brings Slack to it. It waits for no stage.

At most two posts a round ring a telephone: the first word and the outcome. Everything else edits the first post or
stays in the thread. An incoming webhook can only post: no edits, no thread, and no look back after a lost answer.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from workers import brakes
from workers.errors import NotAvailable
from workers.journal import PREFIX, Claim, Journal, unpack
from workers.models import Alert, Finding, Incident, Outcome, Posted, Verdict, Watch, digest
from workers.slack import Slack, escape
from workers.telling.words import Told, inconclusive, named, raw_words, render

__all__ = ["Told", "inconclusive", "raw_words", "render", "tell"]

ADOPTION_SECONDS = 30.0
"""How long an incident waits for the first word of an alert that it adopted."""
JOINED_SECONDS = 5.0
"""So often the first word of an alert looks whether the incident that it joined takes it for its own."""
BEFORE = timedelta(minutes=5)
"""Posts are looked for from so long before they can have been made, as clocks differ."""
QUIET_SECONDS = 3600.0
"""A tell that has said all it knows looks so often by itself; whoever changes the incident wakes it."""


def tell(claim: Claim, journal: Journal, slack: Slack | None, *, now: datetime) -> None:
    """Bring Slack to what the journals say and let go of the tell's journal, until there is more to say.

    Without a Slack the journal records what would have been said.
    """
    if ":incident:" in claim.key:
        _tell_incident(claim, journal, slack, now=now)
    else:
        _tell_alert(claim, journal, slack, now=now)


def _tell_alert(claim: Claim, journal: Journal, slack: Slack | None, *, now: datetime) -> None:
    """An alert's own words: its first word while the sweep has not named a cause, then the answer."""
    alert = claim.get("alert", Alert)
    what = alert.service_name or alert.service_id or "the environment" if alert else "the environment"
    head = f"🔎 *{escape(what)}*: {escape(alert.said[:300] or alert.kind) if alert else 'sweep'}"
    # From when on it may stand in Slack already, whenever this is done again.
    since = alert.at if alert else datetime.fromtimestamp(int(claim.text("opened", "0")) / 1000, UTC)
    first, note = _first_word(claim, slack, since), claim.text("note")
    joined, over = claim.text("joined"), claim.text("dropped")
    if joined:
        theirs = journal.fields(joined)
        taken = unpack(theirs.get("r:first"), Posted)
        if first is not None and taken is None and theirs and "ended" not in theirs:
            claim.hand_on("tell", after=JOINED_SECONDS)
            return
        if first is None or taken is None or taken.ts == first.ts:
            claim.end("joined the incident")
            return
        over = "The same trouble as an incident that is open already."
    names = (alert.service_name or what, alert.service_id or what) if alert else (what,)
    claim.brake = lambda: brakes.check(journal, names, now.timestamp())
    claim.brake()
    if over:
        if first is not None:
            _edit(claim, slack, first, f"{head}\n{escape(over)}")
        claim.end(over)
        return
    if note:
        _post(claim, slack, "outcome", f"{head}\n{escape(note)}", first, since=since)
        if not claim.end("told", final=False):
            claim.hand_on("tell")
        return
    early = _too_early(claim, now)
    if first is None and not early:
        waiting = _waiting_for(journal, alert)
        _post(claim, slack, "first", f"{head}\nLooking into it.{waiting}", None, since=since)
    claim.hand_on("tell", after=early or QUIET_SECONDS)


def _too_early(claim: Claim, now: datetime) -> float:
    """Seconds until the first word is due; 0 when it is."""
    return max(0.0, int(claim.text("first_at", "0")) / 1000 - now.timestamp())


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
    claim.brake = lambda: brakes.check(journal, sick, now.timestamp())
    claim.brake()
    since = incident.opened_at
    first = _first_word(claim, slack, since) or _adopt(claim, journal, now)
    told = _told(incident, fields, journal)
    forwarded, spoken = bool(claim.text("forwarded")), claim.get("outcome", Posted)
    # Of a symptom that nobody heard of yet, its cause's incident tells.
    unheard = bool(told.joined) and not (first or spoken or told.outcome or forwarded)
    silent = forwarded or spoken is not None or unheard
    early = 0.0 if first or told.outcome or silent else _too_early(claim, now)
    if first is None and not told.outcome and not silent and not early:
        first = _post(claim, slack, "first", told.first, None, since=since)
    # What rings goes before what is only edited. A round that was mended on demand has an outcome of its own.
    asked = fields.get("asked", b"").decode()
    outcome = f"outcome-{asked}" if asked else "outcome"
    if told.outcome:
        posted = _post(claim, slack, outcome, told.outcome, first or spoken, since=since)
        spoken = spoken or posted
    for name, text in (("joined", told.joined), ("watch", told.watch)):
        if text and not unheard:
            _post(claim, slack, name, text, first or spoken, since=since, broadcast=False)
    if first is not None:
        _edit(claim, slack, first, told.first)
    over = "ended" in fields or not fields
    if not over or not claim.end("told", final=False):
        claim.hand_on("tell", after=early or QUIET_SECONDS)


def _told(incident: Incident, fields: dict[str, bytes], journal: Journal) -> Told:
    """The texts of an incident by its journal, with the newest of what was seen of it and of its symptoms."""
    newest = {"r:seen": "findings", "r:suffering": "symptoms"}
    found = {name: unpack(fields.get(field), list[Finding]) for field, name in newest.items()}
    update = {
        name: tuple(value) for name, value in found.items() if value or (name == "symptoms" and value == [])
    }
    holder = fields.get("joined", b"").decode()
    return render(
        incident.model_copy(update=update),
        unpack(fields.get("r:verdict"), Verdict),
        unpack(fields.get("r:outcome"), Outcome),
        unpack(fields.get("r:watch"), Watch),
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


def _adopt(claim: Claim, journal: Journal, now: datetime) -> Posted | None:
    """The first word of an alert that this incident adopted; raises NotAvailable while it may still be said."""
    for name, since in claim.fields.items():
        if not name.startswith("adopt:"):
            continue
        other = journal.fields(name.removeprefix("adopt:"))
        posted = unpack(other.get("r:first"), Posted)
        if posted is not None:
            return claim.keep("first", Posted, posted)
        if other and "ended" not in other and now.timestamp() - int(since) / 1000 < ADOPTION_SECONDS:
            raise NotAvailable("an alert's first word may be under way", retry_after=1)
    return None


def _first_word(claim: Claim, slack: Slack | None, since: datetime) -> Posted | None:
    """The first word, also where whoever said it died before that was recorded: the rest belongs under it."""
    known = claim.get("first", Posted)
    if known or slack is None or not slack.can_look_back or not claim.text("saying"):
        return known
    found = slack.find(f"{claim.id}:first", oldest=since - BEFORE)
    return claim.keep("first", Posted, found[0]) if found else None


def _post(
    claim: Claim, slack: Slack | None, name: str, text: str, thread: Posted | None, *, since: datetime,
    broadcast: bool = True,
) -> Posted:  # fmt: skip
    """One post, once: looked for by its key where Slack can be looked through; of two the older one stays."""
    key = f"{claim.id}:{name}"
    if slack is None:
        return claim.get(name, Posted) or claim.keep(name, Posted, Posted(digest=text))
    under = thread if thread and thread.ts else None
    if not slack.can_look_back:
        known = claim.get(name, Posted)
        if known is None:
            claim.confirm()
            known = claim.keep(name, Posted, slack.post(text, key=key))
        return known

    def look() -> Posted | None:
        found = slack.find(key, oldest=since - BEFORE, thread=under)
        for younger in found[1:]:
            slack.delete(younger)
        return found[0].model_copy(update={"digest": digest(text)}) if found else None

    def act() -> None:
        slack.post(text, key=key, thread=under, broadcast=broadcast and under is not None)

    if name == "first":
        claim.mark(saying="1")
    return claim.effect(name, Posted, look, act)


def _edit(claim: Claim, slack: Slack | None, first: Posted, text: str) -> None:
    """The first post shows what is known now, where it can be edited; an edit made twice is the same edit."""
    if slack is None or not first.ts or first.digest == digest(text):
        return
    claim.confirm()
    slack.update(first, text, key=f"{claim.id}:first")
    claim.keep("first", Posted, first.model_copy(update={"digest": digest(text)}))
