"""Many incidents of one environment at once are one post, and nothing is mended before a person asks for it."""

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
from workers.models import FollowUp, Incident, Outcome, Severity

WINDOW_SECONDS = 1800.0
MIN_INCIDENTS = 3
"""So many new incidents of one environment within the window are one umbrella."""
MEMBER = "m:"
MEMBER_OPENING_SECONDS = 60.0
"""So long the words wait for an incident that was announced and is not open yet, as its sweep died in between."""


class GroupMember(NamedTuple):
    """An incident under an umbrella as its journal stands."""

    key: str
    incident: Incident
    outcome: Outcome | None
    follow_up: FollowUp | None
    reason: str
    is_suppressed: bool
    fix_requested: bool
    is_ended: bool

    @property
    def id(self) -> str:
        """The id by which people call it."""
        return journal_id(self.key)

    @property
    def is_concluded(self) -> bool:
        """Whether nothing more is found out about it unless somebody asks."""
        return self.outcome is not None or self.is_suppressed or self.fix_requested or self.is_ended


def assign_group(journal: JournalStore, incidents: Sequence[Incident], opened_at: datetime) -> str:
    """The umbrella that speaks for those of them that are not open yet; "" where each speaks for itself.

    Done before they are opened, and again after a death with the same names: the answer is the same.
    """
    environment = incidents[0].environment_id
    answer: bytes = journal.run(
        scripts.ASSIGN_GROUP,
        more=[part for incident in incidents for part in (incident.fingerprint, journal_key(incident.id))],
        opened_lately=opened_lately_key(environment),
        current_group=current_group_key(environment),
        new_group=group_notification_key(environment, opened_at),
        window_ms=int(WINDOW_SECONDS * 1000),
        min_incidents=MIN_INCIDENTS,
    )
    return answer.decode()


def needs_approval(claim: Claim) -> bool:
    """Whether mending this incident waits for a person: it stands under an umbrella, and nobody asked for it."""
    return bool(claim.text("group")) and not claim.text("fix_requests")


def members(journal: JournalStore, fields: dict[str, bytes], now: datetime) -> list[GroupMember] | None:
    """The incidents under an umbrella, the worst first, then as they came; None while one is not open yet."""
    names = sorted(
        (int(at), field.removeprefix(MEMBER)) for field, at in fields.items() if field[:2] == MEMBER
    )
    young = now.timestamp() - int(fields.get("opened", b"0")) / 1000 < MEMBER_OPENING_SECONDS
    found = [_member(key, journal.fields(key)) for _, key in names]
    if young and None in found:
        return None
    worst = list(Severity)
    return sorted((one for one in found if one), key=lambda one: -worst.index(one.incident.severity))


def _member(key: str, fields: dict[str, bytes]) -> GroupMember | None:
    incident = records.INCIDENT.read(fields)
    if incident is None:
        return None
    return GroupMember(
        key=key,
        incident=incident,
        outcome=records.CANCELLED.read(fields) or records.OUTCOME.read(fields),
        follow_up=records.FOLLOW_UP.read(fields),
        reason=fields.get("reason", b"").decode(),
        is_suppressed="suppressed_by" in fields,
        fix_requested="fix_requests" in fields,
        is_ended="ended" in fields,
    )
