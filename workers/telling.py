"""Telling: `render` says what the journal says now, `tell` brings Slack to it. It waits for no stage.

At most two posts a round ring a telephone: the first word and the outcome. Everything else edits the first post or
stays in the thread. An incoming webhook can only post: no edits, no thread, and no look back after a lost answer.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from workers import brakes
from workers.errors import NotAvailable
from workers.journal import PREFIX, Claim, Journal, unpack
from workers.models import (
    Alert,
    Evidence,
    Finding,
    Incident,
    Lane,
    Noun,
    Outcome,
    Posted,
    Severity,
    Verdict,
    Watch,
    digest,
)
from workers.slack import Slack, escape

ADOPTION_SECONDS = 30.0
"""How long an incident waits for the first word of an alert that it adopted."""
JOINED_SECONDS = 5.0
"""So often the first word of an alert looks whether the incident that it joined takes it for its own."""
QUIET_SECONDS = 3600.0
"""A tell that has said all it knows looks so often by itself; whoever changes the incident wakes it."""
MARKS = {Severity.NOTICE: "⚪", Severity.WARNING: "🟠", Severity.CRITICAL: "🔴"}


class Told(Noun):
    """What Slack should show of an incident: texts, empty where there is nothing to say yet."""

    first: str
    outcome: str = ""
    watch: str = ""


def render(
    incident: Incident, verdict: Verdict | None, outcome: Outcome | None, watch: Watch | None, reason: str,
    firings: int = 1,
) -> Told:  # fmt: skip
    """The texts for an incident as its journal stands; the outcome's last line is the link."""
    mark = MARKS[incident.severity]
    where = f"{incident.project_name}/{incident.environment_name}"
    head = f"{mark} *{escape(incident.cause.name)}* in {escape(where)}"
    lines = [head, *(f"• {escape(finding.sentence)}" for finding in incident.findings[:5])]
    if verdict is not None and not (outcome and verdict.summary in outcome.headline):
        lines.append(f"Verdict: {verdict.lane.value}: {escape(verdict.summary)}")
    if outcome is not None:
        lines.append(escape(outcome.headline))
    elif reason:
        lines.append(f"Waiting: {escape(reason)}")
    else:
        lines.append("Looking into it.")
    if firings > 1:
        lines.append(f"Seen {firings} times.")
    return Told(
        first="\n".join(lines),
        outcome=_outcome(head, outcome, verdict) if outcome else "",
        # With the name, as behind a webhook there is no thread to say it.
        watch=f"*{escape(incident.cause.name)}*: {escape(watch.sentence)}" if watch else "",
    )


def _outcome(head: str, outcome: Outcome, verdict: Verdict | None) -> str:
    lines = [f"{head}: {escape(outcome.headline)}"]
    if verdict is not None and verdict.summary not in outcome.headline:
        lines.append(f"• {verdict.lane.value}: {escape(verdict.summary)}")
    lines += [f"• {escape(line)}" for line in outcome.lines]
    return "\n".join([*lines, outcome.link] if outcome.link else lines)


def raw_words(incident: Incident) -> tuple[str, ...]:
    """The bare facts, for endings without a verdict."""
    return tuple(finding.sentence for finding in incident.findings)


def inconclusive(verdict: Verdict, evidence: Evidence) -> Outcome:
    """What is told where nothing is mended: the lane, what would end it, what was not seen, what to check next."""
    lines = [verdict.action] if verdict.action else []
    facts = {fact.id: fact.text for fact in evidence.facts}
    lines += [f"for: {facts[name]}" for name in verdict.supports[:4] if name in facts]
    lines += [f"against: {facts[name]}" for name in verdict.contradicts[:2] if name in facts]
    lines += [f"not seen: {gap}" for gap in evidence.not_seen[:3]]
    lines += [f"next: {check}" for check in verdict.next_checks[:5]]
    what = "no cause found" if verdict.lane is Lane.INCONCLUSIVE else verdict.lane.value
    return Outcome(kind="told", headline=f"{what}: {verdict.summary}", lines=tuple(lines))


# ---- the stage -------------------------------------------------------------------------------


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
    first, note = claim.get("first", Posted), claim.text("note")
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
    first = claim.get("first", Posted) or _adopt(claim, journal, now)
    told = render(
        incident.model_copy(update={"findings": tuple(_seen(fields) or incident.findings)}),
        unpack(fields.get("r:verdict"), Verdict),
        unpack(fields.get("r:outcome"), Outcome),
        unpack(fields.get("r:watch"), Watch),
        fields.get("reason", b"").decode(),
        int(fields.get("firings", b"1")),
    )
    since = incident.opened_at
    silent = bool(claim.text("forwarded")) or claim.get("outcome", Posted) is not None
    early = 0.0 if first or told.outcome or silent else _too_early(claim, now)
    if first is None and not told.outcome and not silent and not early:
        first = _post(claim, slack, "first", told.first, None, since=since)
    # What rings goes before what is only edited. A round that was mended on demand has an outcome of its own.
    asked = fields.get("asked", b"").decode()
    outcome = f"outcome-{asked}" if asked else "outcome"
    if told.outcome:
        _post(claim, slack, outcome, told.outcome, first or claim.get("outcome", Posted), since=since)
    if told.watch:
        thread = first or claim.get("outcome", Posted)
        _post(claim, slack, "watch", told.watch, thread, since=since, broadcast=False)
    if first is not None:
        _edit(claim, slack, first, told.first)
    over = "ended" in fields or not fields
    if not over or not claim.end("told", final=False):
        claim.hand_on("tell", after=early or QUIET_SECONDS)


def _seen(fields: dict[str, bytes]) -> list[Finding]:
    return unpack(fields.get("r:seen"), list[Finding]) or []


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
        found = slack.find(key, oldest=since - timedelta(minutes=5), thread=under)
        for younger in found[1:]:
            slack.delete(younger)
        return found[0].model_copy(update={"digest": digest(text)}) if found else None

    def act() -> None:
        slack.post(text, key=key, thread=under, broadcast=broadcast and under is not None)

    return claim.effect(name, Posted, look, act)


def _edit(claim: Claim, slack: Slack | None, first: Posted, text: str) -> None:
    """The first post shows what is known now, where it can be edited; an edit made twice is the same edit."""
    if slack is None or not first.ts or first.digest == digest(text):
        return
    claim.confirm()
    slack.update(first, text, key=f"{claim.id}:first")
    claim.keep("first", Posted, first.model_copy(update={"digest": digest(text)}))
