"""The messages of an incident group: one acknowledgement and one outcome for all of its members.

No other post about them shows in the channel.
"""

from __future__ import annotations

from datetime import UTC, datetime

from workers.clients.slack import Slack
from workers.engine import records
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import EndedAs
from workers.errors import OnHold
from workers.incidents import controls, grouping
from workers.incidents.grouping import GroupMember
from workers.notifications.group_posts import group_post
from workers.notifications.posts import edit, post
from workers.notifications.presentation import Presentation

RECHECK_SECONDS = 2.0  # delay before the next look while members are still being opened


def notify_group(
    claim: Claim,
    store: JournalStore,
    slack: Slack | None,
    look: Presentation,
    *,
    now: datetime,
    quiet_seconds: float,
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
    ack = post(claim, slack, "ack", group_post(audible, look), None, since=since)
    outcome_record = records.slack_message("outcome")
    concluded = None if claim.has(outcome_record) else _close_if_concluded(claim, store, now)
    if concluded is not None:
        content = group_post(_audible(concluded, store, now), look)
        post(claim, slack, "outcome", content, ack, since=since)
    edit(claim, slack, "ack", ack, group_post(audible, look))
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
