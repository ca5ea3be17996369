"""Reads the incident that an action is about, and says why an action comes too late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from workers.actions.wording import clock_time
from workers.engine import records
from workers.engine.journal_store import JournalStore, field_text
from workers.engine.schema import journal_id, journal_key, notification_key
from workers.engine.stage_table import ALERT, INCIDENT, kind_of
from workers.errors import Refused
from workers.models import Action, Incident

Fields = dict[str, bytes]

TRY_AGAIN = "Nothing was changed: a worker is updating it at this moment. Try again in a few seconds."
MAX_CONFLICTS = 5  # attempts of one action while workers keep changing the journal


@dataclass(frozen=True)
class IncidentState:
    """An incident's journal as an action reads it."""

    key: str
    fields: Fields
    incident: Incident

    @property
    def id(self) -> str:
        return journal_id(self.key)

    @property
    def is_ended(self) -> bool:
        return "ended" in self.fields

    def text(self, name: str) -> str:
        """A plain field of the journal."""
        return field_text(self.fields, name)


def read_fields(store: JournalStore, key: str) -> Fields:
    """The fields of a journal of any kind that people act on. Raises Refused if there is none."""
    fields = store.fields(key)
    if not kind_of(journal_id(key)):
        raise Refused(f"{journal_id(key) or 'No target'} is not an incident, sweep, alert or notification")
    if not fields.get("stage"):
        raise Refused(f"{journal_id(key)} no longer exists")
    # An empty record counts as missing: its stage writes it again.
    return {name: value for name, value in fields.items() if value or not name.startswith("r:")}


def notification_of(name: str) -> str:
    """The key of the notification of an incident or alert; "" for other journals."""
    return notification_key(name) if kind_of(name) in (INCIDENT, ALERT) else ""


def read_incident(store: JournalStore, action: Action) -> IncidentState:
    """The incident that the action names by its full id. Raises Refused if there is none."""
    key = journal_key(action.target)
    if kind_of(action.target) != INCIDENT:
        raise Refused(f"{action.target or 'No target'} is not an incident.")
    fields = store.fields(key)
    incident = records.INCIDENT.read(fields)
    if not fields.get("stage") or incident is None:
        raise Refused(f"{action.target} no longer exists: Trackwalker keeps ended incidents for 30 days.")
    return IncidentState(key, fields, incident)


def read_open_incident(store: JournalStore, action: Action, zone: tzinfo) -> IncidentState:
    """`read_incident` for an action that only an open incident can take.

    Raises:
        Refused: the incident does not exist or has ended; the text says when and how.
    """
    state = read_incident(store, action)
    if state.is_ended:
        raise Refused(too_late(state.fields, zone, action.at))
    return state


def too_late(fields: Fields, zone: tzinfo, now: datetime) -> str:
    """`Too late: the incident of checkout has ended: resolved at 03:40.`"""
    incident, pull = records.INCIDENT.read(fields), records.PULL.read(fields)
    name = f"the incident of {incident.subject.name}" if incident else "it"
    ended = datetime.fromtimestamp(int(fields["ended"]) / 1000, UTC)
    outcome = field_text(fields, "outcome") or "ended"
    proposed = f" #{pull.number} is {pull.state}." if pull else ""
    return f"Too late: {name} has ended: {outcome} at {clock_time(ended, zone, now)}.{proposed}"
