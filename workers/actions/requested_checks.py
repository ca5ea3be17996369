"""Checks an environment now, because a person asks for it."""

from __future__ import annotations

from datetime import tzinfo

from workers.actions.targets import read_incident
from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import alert_key
from workers.engine.stage_table import INCIDENT, kind_of
from workers.errors import Refused
from workers.incidents import audit, known_services
from workers.incidents.intake import CHECK
from workers.models import Action, ActionResult, Alert, digest


def check(store: JournalStore, action: Action, _zone: tzinfo) -> ActionResult:
    """Start a check of the incident's environment, of the environment with this id or name, or of all of them."""
    alert, place = _alert(store, action)
    # Set if absent, with an id from the request: a delivery after a crash in between starts no second check.
    fields = {records.ALERT.field: records.ALERT.pack(alert)}
    store.open_with(alert_key(alert.id), "intake", fields)
    where = "to this incident" if alert.incident_id else "in the list of sweeps"
    text = f"Checking {place} now. The answer comes {where} within a minute."
    return audit.record(store, action, ActionResult(done=True, text=text))


def check_id(action: Action) -> str:
    """The id of the alert that the request starts."""
    return f"check-{digest(action.request_id)}"


def _alert(store: JournalStore, action: Action) -> tuple[Alert, str]:
    alert = Alert(
        id=check_id(action), source="person", kind=CHECK, received_at=action.at, asked_by=action.person.name,
        message=f"Check for {action.person.name}",
    )  # fmt: skip
    if kind_of(action.target) == INCIDENT:
        incident = read_incident(store, action).incident
        is_service = incident.subject.kind == "service"
        ids = {
            "project_id": incident.project_id, "environment_id": incident.environment_id, "incident_id": incident.id,
            "service_id": incident.subject.key if is_service else None,
            "service_name": incident.subject.name if is_service else None,
        }  # fmt: skip
        return alert.model_copy(update=ids), f"{incident.project_name}/{incident.environment_name}"
    if not action.target:
        return alert, "every watched environment"
    environment = known_services.find_environment(store, action.target)
    if environment is None:
        names = known_services.environment_names(store)
        raise Refused(
            f"No checked environment is called {action.target}. Known: {', '.join(names) or 'none yet'}."
        )
    ids = {"project_id": environment.project_id, "environment_id": environment.environment_id}
    return alert.model_copy(update=ids), environment.name
