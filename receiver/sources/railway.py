"""Railway's webhooks → Alert or Ignored. The `type` is trusted, `details.status` and `severity` never are.

Bodies are not signed, name no delivery and come twice; fields are missing and spellings differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from receiver import payload
from receiver.payload import InvalidPayload, clean_text, get_object, identifier
from workers.models import Alert, Ignored

TROUBLE = frozenset(
    {
        "deployment.failed", "deployment.crashed", "deployment.oomkilled", "deployment.restarted",
        "monitor.triggered", "volumealert.triggered",
    }
)  # fmt: skip
NEW_DEPLOYMENT = frozenset({"deployment.deployed", "deployment.redeployed", "deployment.resumed"})
"""No trouble told, but a reason to look."""
QUIET = frozenset(
    f"deployment.{action}"
    for action in ("building", "deploying", "slept", "removed", "waiting", "needsapproval", "queued")
) | {"monitor.resolved", "monitor.deleted", "volumealert.resolved"}
LEGACY_TYPE = "deploy"
LEGACY_STATUS = {
    "failed": "deployment.failed",
    "crashed": "deployment.crashed",
    "success": "deployment.deployed",
}
"""Until November 2025 the status was all there was; every other one is a stage on the way."""
DETAILS = (
    ("source", "source"),
    ("branch", "branch"),
    ("commitHash", "commit"),
    ("commitAuthor", "by"),
    ("commitMessage", "saying"),
    ("error", "error"),
    ("metric", "metric"),
    ("value", "value"),
    ("unit", "unit"),
    ("threshold", "threshold"),
    ("message", "message"),
)
"""What is said of `details`, and how it is called; everything else in it is passed over."""


def parse(body: bytes | Mapping[str, Any], at: datetime, token: str) -> Alert | Ignored:
    """The alert in a webhook body, taken at `at`; `token` makes its id unique.

    Ignored for events that are no trouble and for ephemeral environments. Raises Malformed naming the field.
    """
    event = payload.parse(body)
    kind, shown = _kind(event)
    if kind not in TROUBLE | NEW_DEPLOYMENT:
        return Ignored(
            reason=f"{shown} is no trouble" if kind in QUIET else f"{shown} is no event that we know"
        )
    where = get_object(event, "resource") or event
    path = "resource." if event.get("resource") else ""
    project, environment, service, deployment = (
        get_object(where, name, path) for name in ("project", "environment", "service", "deployment")
    )
    if environment.get("isEphemeral") is True:
        return Ignored(reason="ephemeral environment")
    details = _details(event, deployment)
    deployed = identifier(deployment, f"{path}deployment")
    if not deployed and kind.startswith("deployment."):
        deployed = identifier(details, "details")
    return Alert(
        id=payload.alert_id(at, token),
        source="railway",
        kind=kind,
        project_id=identifier(project, f"{path}project"),
        environment_id=identifier(environment, f"{path}environment"),
        service_id=identifier(service, f"{path}service"),
        service_name=clean_text(service.get("name"), 200) or None,
        deployment_id=deployed,
        received_at=at,
        reported_at=payload.parse_time(event.get("timestamp")),
        message=_line(shown, project, environment, service, deployed, details),
    )


def _kind(event: Mapping[str, Any]) -> tuple[str, str]:
    """`Deployment.oom_killed`, `deployment.oomKilled` … → `deployment.oomkilled`; and the sender's words."""
    name = _named(event, "type")
    if _plain(name) != LEGACY_TYPE:
        return _plain(name), clean_text(name, 80)
    status = _named(event, "status")
    return LEGACY_STATUS.get(_plain(status), "deployment.waiting"), clean_text(f"{name} {status}", 80)


def _named(event: Mapping[str, Any], field: str) -> str:
    value = event.get(field)
    if not isinstance(value, str) or not value.strip():
        raise InvalidPayload(field, "is missing" if value is None else "must be a word")
    return value


def _plain(name: str) -> str:
    return re.sub(r"[_\-\s]", "", name[:200]).lower()


def _details(event: Mapping[str, Any], deployment: Mapping[str, Any]) -> Mapping[str, Any]:
    """`details`, or the legacy format's `deployment.meta`. Both are undocumented, so a wrong shape is {}."""
    for value in (event.get("details"), deployment.get("meta")):
        if isinstance(value, dict) and value:
            return value
    return {}


def _line(
    shown: str, project: Mapping[str, Any], environment: Mapping[str, Any], service: Mapping[str, Any],
    deployment: str | None, details: Mapping[str, Any],
) -> str:  # fmt: skip
    """One line for a person, made of known fields only."""
    place = "/".join(
        filter(None, (clean_text(project.get("name"), 100), clean_text(environment.get("name"), 100)))
    )
    named = clean_text(service.get("name"), 200)
    parts = [f"service {named}" if named else "", f"in {place}" if place else ""]
    parts.append(f"deployment {deployment}" if deployment else "")
    known = ((label, clean_text(details[key])) for key, label in DETAILS if key in details)
    parts += [f"{label} {value}" for label, value in known if value]
    return payload.redacted_message(": ".join(filter(None, (shown, ", ".join(filter(None, parts))))))
