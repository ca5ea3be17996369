"""Good news: another tool says that something is well again.

It is no alert and owed no answer. It only brings the next check of the service's open incident forward, because two
checks without the trouble end it.
"""

from __future__ import annotations

from dataclasses import dataclass

from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import OPEN
from workers.incidents.service_names import named_services
from workers.models import Alert, Incident


@dataclass(frozen=True)
class _Affected:
    """A service that an open incident is about."""

    id: str
    name: str


def environments_to_check(store: JournalStore, alert: Alert) -> set[str]:
    """Ids of the environments with an open incident of the service that the good news is about.

    Good news that names no service concerns the environment that it names, and none if it names none.

    Raises:
        NotAvailable: Redis is away.
    """
    incidents = [records.INCIDENT.read(store.fields(key.decode())) for key in store.command("hvals", OPEN)]
    return {incident.environment_id for incident in incidents if incident and _concerns(alert, incident)}


def _concerns(alert: Alert, incident: Incident) -> bool:
    if alert.environment_id not in (None, incident.environment_id):
        return False
    affected = {
        finding.service_id: finding.service for finding in (*incident.findings, *incident.symptoms)
    } | {incident.subject.key: incident.subject.name}
    if named_services(alert, [_Affected(service_id, name) for service_id, name in affected.items()]):
        return True
    names_nothing = not (alert.service_id or alert.service_name)
    return names_nothing and alert.environment_id is not None and alert.source == "railway"
