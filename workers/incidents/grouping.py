"""Incident groups: several new incidents of one environment are announced together, and fixes wait for approval."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from workers.engine import records, scripts
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import (
    current_group_key,
    group_notification_key,
    journal_id,
    journal_key,
    opened_lately_key,
)
from workers.models import Evidence, FollowUp, Incident, Outcome, Severity

WINDOW_SECONDS = 1800.0  # new incidents of one environment within this time can form a group
MIN_INCIDENTS = 3  # two incidents are two messages; three at once usually have a common cause
# The journal of a group has a field `m:<incident key>` per member; its value is when the member joined (milliseconds).
MEMBER_PREFIX = "m:"
MEMBER_OPENING_SECONDS = 60.0
"""Longest wait for a member that is announced but not open: the sweep that opens it may have crashed in between."""


class GroupMember(NamedTuple):
    """An incident of a group, as its journal stands."""

    key: str
    incident: Incident
    evidence: Evidence | None
    outcome: Outcome | None
    follow_up: FollowUp | None
    reason: str
    """Why its work waits, "" if it does not."""
    is_suppressed: bool
    fix_requested: bool
    is_ended: bool

    @property
    def id(self) -> str:
        """The id that people see and that commands take."""
        return journal_id(self.key)

    @property
    def is_concluded(self) -> bool:
        """True if the group's outcome need not wait for this member."""
        return self.outcome is not None or self.is_suppressed or self.fix_requested or self.is_ended


def assign_group(store: JournalStore, incidents: Sequence[Incident], opened_at: datetime) -> str:
    """The key of the group that announces the new ones among these incidents, "" if each has its own messages.

    Called before the incidents are opened, and again with the same names after a crash: the answer is the same.
    """
    environment = incidents[0].environment_id
    group: bytes = store.run(
        scripts.ASSIGN_GROUP,
        more=[part for incident in incidents for part in (incident.fingerprint, journal_key(incident.id))],
        opened_lately=opened_lately_key(environment),
        current_group=current_group_key(environment),
        new_group=group_notification_key(environment, opened_at),
        window_ms=int(WINDOW_SECONDS * 1000),
        min_incidents=MIN_INCIDENTS,
    )
    return group.decode()


def needs_approval(claim: Claim) -> bool:
    """True if the incident belongs to a group and no person has requested its fix."""
    return bool(claim.text("group")) and not claim.text("fix_requests")


def members(store: JournalStore, fields: dict[str, bytes], now: datetime) -> list[GroupMember] | None:
    """The group's members, worst first, then in the order in which they joined.

    Args:
        fields: the hash of the group's journal.

    Returns:
        None while a member is still being opened. A member that never opened is left out after a minute.
    """
    joined = sorted(
        (int(at), field.removeprefix(MEMBER_PREFIX))
        for field, at in fields.items()
        if field.startswith(MEMBER_PREFIX)
    )
    age = now.timestamp() - int(fields.get("opened", b"0")) / 1000
    loaded = [_load_member(key, store.fields(key)) for _, key in joined]
    if age < MEMBER_OPENING_SECONDS and None in loaded:
        return None
    severities = list(Severity)
    opened = [member for member in loaded if member]
    return sorted(opened, key=lambda member: -severities.index(member.incident.severity))


def _load_member(key: str, fields: dict[str, bytes]) -> GroupMember | None:
    incident = records.INCIDENT.read(fields)
    if incident is None:
        return None
    return GroupMember(
        key=key,
        incident=incident,
        evidence=records.EVIDENCE.read(fields),
        outcome=records.CANCELLED.read(fields) or records.OUTCOME.read(fields),
        follow_up=records.FOLLOW_UP.read(fields),
        reason=fields.get("reason", b"").decode(),
        is_suppressed="suppressed_by" in fields,
        fix_requested="fix_requests" in fields,
        is_ended="ended" in fields,
    )
