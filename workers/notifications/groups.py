"""The messages of an incident group: one acknowledgement and one outcome for all of its members.

No other post about them shows in the channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from workers.clients.slack import Slack
from workers.clients.slack_text import escape, link
from workers.engine import records
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import EndedAs
from workers.errors import OnHold
from workers.incidents import controls, grouping
from workers.incidents.grouping import GroupMember
from workers.notifications.follow_up_texts import format_follow_up
from workers.notifications.messages import LOOKING, SEVERITY_MARKS, format_name
from workers.notifications.posts import edit, post
from workers.runtime.text import safe_line

RECHECK_SECONDS = 2.0  # delay before the next look while members are still being opened
MAX_LINES = 15  # members that a message lists, worst first: Slack cuts long messages
MAX_LINE_CHARACTERS = 200
MAX_COMMITS = 3  # skipped commits that the first line names


def notify_group(
    claim: Claim, store: JournalStore, slack: Slack | None, *, now: datetime, quiet_seconds: float
) -> None:
    """Update the group's messages from its members' journals. With the outcome posted, the group is closed.

    Args:
        quiet_seconds: delay before the next look when no member wakes the group earlier.
    """
    members = grouping.members(store, claim.fields, now)
    if members is None:
        claim.advance("notify", after=RECHECK_SECONDS)
        return
    if not members:
        claim.end(EndedAs.DROPPED, "no member of the group exists")
        return
    claim.check_allowed = lambda: controls.check(store, (), now.timestamp())
    claim.check_allowed()
    audible = _audible(members, store, now)
    since = datetime.fromtimestamp(int(claim.text("opened", "0")) / 1000, UTC)
    ack = post(claim, slack, "ack", render_ack(audible), None, since=since)
    outcome_record = records.slack_message("outcome")
    concluded = None if claim.has(outcome_record) else _close_if_concluded(claim, store, now)
    if concluded is not None:
        text = render_outcome(_audible(concluded, store, now))
        post(claim, slack, "outcome", text, ack, since=since)
    edit(claim, slack, ack, render_ack(audible))
    finished = all(member.is_ended for member in members) and (concluded or claim.has(outcome_record))
    if not finished or not claim.end(EndedAs.NOTIFIED, "notified", final=False):
        claim.advance("notify", after=quiet_seconds)


def _audible(members: list[GroupMember], store: JournalStore, now: datetime) -> list[GroupMember]:
    """The members that are not muted. Raises OnHold if all are."""
    _, mutes = controls.state(store, now.timestamp())
    audible = [
        member
        for member in members
        if not {member.incident.subject.key, member.incident.subject.name} & set(mutes)
    ]
    if not audible:
        raise OnHold("all services of the group are muted", now.timestamp() + controls.RECHECK_SECONDS)
    return audible


def _close_if_concluded(claim: Claim, store: JournalStore, now: datetime) -> list[GroupMember] | None:
    """All members, with the group closed to further ones; None while a member is still worked on."""
    members = grouping.members(store, claim.fields, now)
    if members is None or not all(member.is_concluded for member in members):
        return None
    # An incident that joins before this write is read below. One that comes later is not a member.
    claim.set_fields(closed="1")
    members = grouping.members(store, store.fields(claim.key), now)
    if members is None or not all(member.is_concluded for member in members):
        claim.set_fields(closed="0")
        return None
    return members


def render_ack(members: Sequence[GroupMember]) -> str:
    """Every member with its state, worst first; a request for approval is the last line."""
    lines = [_format_headline(members)]
    for member in members[:MAX_LINES]:
        incident = member.incident
        mark, sentence = SEVERITY_MARKS[incident.severity], _shorten(incident.findings[0].sentence)
        lines.append(f"{mark} *{format_name(incident.subject.name)}*: {sentence}. {_format_state(member)}")
    return "\n".join([*lines, *_more_line(members), *_approval_line(members)])


def render_outcome(members: Sequence[GroupMember]) -> str:
    """The result of every member, with the id that the commands take."""
    results = [
        f"• *{format_name(member.incident.subject.name)}* ({member.id}): {_format_state(member)}"
        for member in members[:MAX_LINES]
    ]
    headline = f"{_format_headline(members)} findings"
    return "\n".join([headline, *results, *_more_line(members), *_approval_line(members)])


def _format_headline(members: Sequence[GroupMember]) -> str:
    incident = members[0].incident
    where = escape(safe_line(f"{incident.project_name}/{incident.environment_name}"))
    skipped = _skipped_deployments(members)
    if skipped:
        commits = ", ".join(_shorten(text) for text in skipped)
        return f"*{len(members)} deployments skipped* in {where}: {commits}. Railway does not retry them:"
    return f"*{len(members)} incidents at once* in {where}:"


def _skipped_deployments(members: Sequence[GroupMember]) -> list[str]:
    """`commit abc1234 (CI check suite failed)` of each commit, if every member is a deployment that was skipped."""
    labels = [member.incident.findings[0].labels for member in members]
    if not all("reason" in item for item in labels):
        return []
    return list(dict.fromkeys(f"{item['deployment']} ({item['reason']})" for item in labels))[:MAX_COMMITS]


def _format_state(member: GroupMember) -> str:
    if member.follow_up is not None:
        return _shorten(format_follow_up(member.follow_up))
    if member.outcome is not None:
        reference = f" {link(member.outcome.link)}" if member.outcome.link else ""
        return _shorten(member.outcome.headline) + reference
    if member.is_suppressed:
        return "A symptom of another incident."
    return f"Waiting: {_shorten(member.reason)}" if member.reason else LOOKING


def _more_line(members: Sequence[GroupMember]) -> list[str]:
    more = len(members) - MAX_LINES
    return [f"and {more} more: `python -m workers list`"] if more > 0 else []


def _approval_line(members: Sequence[GroupMember]) -> list[str]:
    waiting = [
        member
        for member in members
        if member.outcome is not None and member.outcome.kind == "waiting" and not member.is_ended
    ]
    if not waiting:
        return []
    return [f"Fixes need your approval: `python -m workers fix {waiting[0].id}` (or `fix all`)."]


def _shorten(text: str) -> str:
    return escape(safe_line(text, MAX_LINE_CHARACTERS))
