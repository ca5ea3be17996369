"""Journals in the state in which a receiver or a sweep leaves them, opened by the product's own scripts."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.builders import finding, incident
from workers.engine import records, scripts
from workers.engine.journal_store import JournalStore
from workers.engine.schema import (
    alert_key,
    alert_notification_key,
    journal_id,
    notification_key,
    slot_key,
    sweep_prefix,
)
from workers.models import Alert, Environment

DAY_MS = 86_400_000
INCIDENT_ID = "incident:abc:20261123T0304"


def enqueue_on_sweep(journal: JournalStore, alert: Alert, environment: Environment) -> str:
    """The key of the environment's next sweep, which answers this alert for itself."""
    return enqueue_packed(
        journal,
        alert.id,
        environment.environment_id,
        alert_record=records.ALERT.pack(alert),
        environment_record=records.ENVIRONMENT.pack(environment),
    )


def enqueue_packed(
    journal: JournalStore, alert_id: str, environment_id: str, *, alert_record: bytes = b"{}",
    environment_record: bytes = b"{}",
) -> str:  # fmt: skip
    """`enqueue_on_sweep` for records that no stage reads."""
    sweep: bytes = journal.run(
        scripts.ENQUEUE_ON_SWEEP, slot=slot_key(environment_id), alert=alert_key(alert_id),
        notification=alert_notification_key(alert_id), sweep_prefix=sweep_prefix(environment_id),
        alert_id=alert_id, environment_record=environment_record, alert_record=alert_record,
        slot_ttl_ms=DAY_MS, scope=alert_id, max_fields=400,
    )  # fmt: skip
    return sweep.decode()


def open_incident(
    journal: JournalStore, key: str, *, fingerprint: str = "abc", incident_record: bytes = b"{}",
    findings_record: bytes = b"[]", ack_after_ms: int = 60_000, alert_notifications: Sequence[str] = (),
    counts: str = "",
) -> str:  # fmt: skip
    """The key of the open incident of this cause: this one, or the one that was open before."""
    answer: bytes = journal.run(
        scripts.OPEN_INCIDENT, more=alert_notifications, journal=key,
        notification=notification_key(journal_id(key)), fingerprint=fingerprint, incident_record=incident_record,
        ack_after_ms=ack_after_ms, findings_record=findings_record, forwarded=0, sweep=f"sweep of {key}", group="",
        before_record="", seen_at=0, counts=counts,
    )  # fmt: skip
    return answer.decode()


def incident_record(service: str) -> bytes:
    """The record of an incident of this service in acme/production."""
    cause = finding(name=service, sentence=f"{service} answers with 5xx")
    return records.INCIDENT.pack(incident(cause, name=service))
