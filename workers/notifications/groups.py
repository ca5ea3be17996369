"""The words of an umbrella: one post for all it holds, one with what was found, and no more that rings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from workers.clients.slack import Slack, escape
from workers.engine import records
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import EndedAs
from workers.errors import OnHold
from workers.incidents import controls, grouping
from workers.incidents.grouping import GroupMember
from workers.notifications.messages import MARKS, format_name
from workers.notifications.posts import edit, post

LOOK_AGAIN_SECONDS = 2.0
"""So often it is looked whether all of its incidents are open."""
MOST_LINES = 15
LONGEST_LINE = 200


def notify_group(
    claim: Claim, journal: JournalStore, slack: Slack | None, *, now: datetime, quiet_seconds: float
) -> None:
    """Bring Slack to what the incidents under it say; once what was found is told, no other joins it."""
    held = grouping.members(journal, claim.fields, now)
    if held is None:
        claim.advance("notify", after=LOOK_AGAIN_SECONDS)
        return
    if not held:
        claim.end(EndedAs.DROPPED, "none of its incidents exists any more")
        return
    claim.check_allowed = lambda: controls.check(journal, (), now.timestamp())
    claim.check_allowed()
    heard = _heard(held, journal, now)
    since = datetime.fromtimestamp(int(claim.text("opened", "0")) / 1000, UTC)
    first = post(claim, slack, "ack", render_ack(heard), None, since=since)
    found = None if claim.get(records.slack_message("outcome")) else _all_that_was_found(claim, journal, now)
    if found is not None:
        post(claim, slack, "outcome", render_outcome(_heard(found, journal, now)), first, since=since)
    edit(claim, slack, first, render_ack(heard))
    over = all(one.is_ended for one in held) and (found or claim.get(records.slack_message("outcome")))
    if not over or not claim.end(EndedAs.NOTIFIED, "notified", final=False):
        claim.advance("notify", after=quiet_seconds)


def _heard(held: list[GroupMember], journal: JournalStore, now: datetime) -> list[GroupMember]:
    """Those that are not muted. Raises Held where all are."""
    _, mutes = controls.state(journal, now.timestamp())
    heard = [one for one in held if not {one.incident.subject.key, one.incident.subject.name} & set(mutes)]
    if not heard:
        raise OnHold("all of it is muted", now.timestamp() + controls.RECHECK_SECONDS)
    return heard


def _all_that_was_found(claim: Claim, journal: JournalStore, now: datetime) -> list[GroupMember] | None:
    """All incidents under it, closed to further ones; None while one of them is still worked on."""
    held = grouping.members(journal, claim.fields, now)
    if held is None or not all(one.is_concluded for one in held):
        return None
    # Whoever joins before this line is seen after it; whoever comes later stands for himself.
    claim.set_fields(closed="1")
    held = grouping.members(journal, journal.fields(claim.key), now)
    if held is None or not all(one.is_concluded for one in held):
        claim.set_fields(closed="0")
        return None
    return held


def render_ack(held: Sequence[GroupMember]) -> str:
    """All of them with what is known now, the worst first as they came; what to do is the last line."""
    lines = [_head(held)]
    for one in held[:MOST_LINES]:
        mark, incident = MARKS[one.incident.severity], one.incident
        lines.append(
            f"{mark} *{format_name(incident.subject.name)}*: {_short(incident.findings[0].sentence)}. {_state(one)}"
        )
    return "\n".join([*lines, *_more(held), *_what_to_do(held)])


def render_outcome(held: Sequence[GroupMember]) -> str:
    """What was found of each, with the id by which it is mended."""
    found = [
        f"• *{format_name(one.incident.subject.name)}* ({one.id}): {_state(one)}" for one in held[:MOST_LINES]
    ]
    return "\n".join([f"{_head(held)} this was found", *found, *_more(held), *_what_to_do(held)])


def _head(held: Sequence[GroupMember]) -> str:
    incident = held[0].incident
    where = escape(f"{incident.project_name}/{incident.environment_name}")
    return f"☂ *{len(held)} troubles at once* in {where}:"


def _state(one: GroupMember) -> str:
    if one.follow_up is not None:
        return _short(one.follow_up.sentence)
    if one.outcome is not None:
        return _short(one.outcome.headline) + (f" {one.outcome.link}" if one.outcome.link else "")
    if one.is_suppressed:
        return "A symptom of another."
    return f"Waiting: {_short(one.reason)}" if one.reason else "Looking into it."


def _more(held: Sequence[GroupMember]) -> list[str]:
    more = len(held) - MOST_LINES
    return [f"and {more} more: `python -m workers list`"] if more > 0 else []


def _what_to_do(held: Sequence[GroupMember]) -> list[str]:
    waiting = [
        one for one in held if one.outcome is not None and one.outcome.kind == "waiting" and not one.is_ended
    ]
    if not waiting:
        return []
    return [f"Mending waits for a person: `python -m workers fix {waiting[0].id}`, or `fix all`."]


def _short(text: str) -> str:
    """One line of foreign text."""
    line = " ".join(text.split())
    return escape(line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…")
