"""Reads the stored values of an incident: its journal, its notification and the journals that they refer to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.past_occurrences import read_past
from workers.engine.schema import ENDED_INCIDENTS, OPEN, alert_key, journal_id, journal_key, notification_key
from workers.incidents import audit, decisions
from workers.models import Alert, AuditEntry
from workers.views.incident_source import Fields, IncidentSource

MAX_ALERTS = 20
MAX_RELATED = 30
MAX_AUDIT = 500  # newest entries of the audit that are searched for those of one incident
SWEEP_FIELDS = ("opened", "ended", "outcome", records.SURVEY.field)
RELATED_FIELDS = ("stage", "suppressed_by", records.INCIDENT.field)


def read_source(store: JournalStore, incident_id: str) -> IncidentSource | None:
    """The stored values of an incident; None if there is none of this id. Raises NotAvailable."""
    key = journal_key(incident_id)
    is_incident = incident_id.startswith("incident:") and incident_id.count(":") == 2
    fields = store.fields(key) if is_incident else {}
    if "stage" not in fields:
        return None
    notification = store.fields(notification_key(incident_id))
    bare = IncidentSource(id=incident_id, at=_redis_time(store), fields=fields, notification=notification)
    group = bare.text("group")
    sweeps = dict.fromkeys(name for name in (bare.text("found_by"), bare.text("recovered_by")) if name)
    incident = records.INCIDENT.read(fields)
    return IncidentSource(
        id=incident_id,
        at=bare.at,
        fields=fields,
        notification=notification,
        group=store.fields(group) if group else {},
        rollback=store.fields(journal_key(f"rollback:{incident_id.partition(':')[2]}")),
        alerts=_alerts(store, incident.alert_ids if incident else (), notification),
        sweeps=_columns(store, sweeps, SWEEP_FIELDS),
        past=tuple(
            (past, datetime.fromtimestamp(ended / 1000, UTC))
            for past, ended in read_past(store, incident_id.split(":")[1])
        ),
        related=_related(store, incident_id, bare.text("suppressed_by")),
        audit=_audit(store, incident_id),
        decisions=tuple(item for item in decisions.all(store) if item.incident_id == incident_id),
    )


def _redis_time(store: JournalStore) -> datetime:
    seconds, microseconds = store.command("time")
    return datetime.fromtimestamp(seconds + microseconds / 1_000_000, UTC)


def _columns(store: JournalStore, keys: Iterable[str], names: tuple[str, ...]) -> dict[str, Fields]:
    """These fields of the journals that exist, by their ids."""
    listed = list(keys)
    rows = zip(listed, store.columns(listed, names), strict=True)
    return {journal_id(key): fields for key, fields in rows if fields}


def _alerts(store: JournalStore, alert_ids: tuple[str, ...], notification: Fields) -> dict[str, Alert]:
    """The alerts that the incident answers: those of the sweep that opened it, and those merged since."""
    prefix = "notification:alert:"
    merged = (
        journal_id(name.removeprefix("merge_from:")).removeprefix(prefix)
        for name in notification
        if name.startswith("merge_from:")
    )
    ids = list(dict.fromkeys([*alert_ids, *merged]))[:MAX_ALERTS]
    columns = _columns(store, [alert_key(name) for name in ids], (records.ALERT.field,))
    alerts = {name: records.ALERT.read(fields) for name, fields in columns.items()}
    return {name: alert for name, alert in alerts.items() if alert is not None}


def _related(store: JournalStore, incident_id: str, suppressed_by: str) -> dict[str, Fields]:
    """The incident that suppresses this one, and the incidents that this one suppresses."""
    recent = store.command("zrevrange", ENDED_INCIDENTS, 0, 199)
    keys = [raw.decode() for raw in (*store.command("hvals", OPEN), *recent)]
    causes = zip(keys, store.columns(keys, ("suppressed_by",)), strict=True)
    own_key = journal_key(incident_id).encode()
    symptoms = [key for key, fields in causes if fields.get("suppressed_by") == own_key]
    wanted = [*([suppressed_by] if suppressed_by else []), *symptoms][:MAX_RELATED]
    return _columns(store, wanted, RELATED_FIELDS)


def _audit(store: JournalStore, incident_id: str) -> tuple[AuditEntry, ...]:
    entries = audit.entries(store, MAX_AUDIT)
    return tuple(entry for entry in entries if entry.action.target == incident_id)[::-1]
