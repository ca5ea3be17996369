"""The view of one incident: its story, its timeline, and everything that its records hold."""

from __future__ import annotations

from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import journal_key
from workers.views.shapes import IncidentState, IncidentView


def read(store: JournalStore, incident_id: str) -> IncidentView | None:
    """The incident, None if there is none of this id. Raises NotAvailable if Redis does not answer.

    Args:
        incident_id: the journal's whole id, `incident:<fingerprint>:<occurrence>`.
    """
    fields = store.fields(journal_key(incident_id)) if incident_id.startswith("incident:") else {}
    if "stage" not in fields:
        return None
    incident = records.INCIDENT.read(fields)
    return IncidentView(
        id=incident_id,
        service=incident.subject.name if incident else "unknown",
        project=incident.project_name if incident else "",
        environment=incident.environment_name if incident else "",
        story="",
        state=IncidentState.UNKNOWN,
    )
