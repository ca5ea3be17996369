"""Railway's webhooks → Alert or Ignored.

Only the event's `type` decides: `details.status` and `severity` contradict it at times. Bodies are not signed, carry
no delivery id and arrive twice; fields are missing, and spellings differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from receiver import payload
from receiver.payload import InvalidPayload, clean_text, get_object, identifier
from workers.incidents.intake import RESOLVED
from workers.models import Alert, Ignored

PROBLEM_EVENTS = frozenset(
    {
        "deployment.failed", "deployment.crashed", "deployment.oomkilled", "deployment.restarted",
        "monitor.triggered", "volumealert.triggered",
    }
)  # fmt: skip
DEPLOYMENT_EVENTS = frozenset({"deployment.deployed", "deployment.redeployed", "deployment.resumed"})
"""Events without a problem that start a check: a new deployment is when most trouble begins."""
HARMLESS_EVENTS = frozenset(
    f"deployment.{action}"
    for action in ("building", "deploying", "slept", "removed", "waiting", "needsapproval", "queued")
) | {"monitor.deleted"}
GOOD_EVENTS = frozenset({"monitor.resolved", "volumealert.resolved"})
LEGACY_TYPE = "deploy"
LEGACY_STATUS = {
    "failed": "deployment.failed",
    "crashed": "deployment.crashed",
    "success": "deployment.deployed",
}
"""Railway's format until November 2025 named a status instead of an event; all others are intermediate states."""
INTERMEDIATE_EVENT = "deployment.waiting"
TEST_EVENT = "trackwalker.test"  # `install` and `doctor` have Railway send it
NONCE = re.compile(r"[0-9a-f]{32}")
DETAIL_LABELS = (
    ("source", "source"),
    ("branch", "branch"),
    ("commitHash", "commit"),
    ("commitAuthor", "by"),
    ("commitMessage", "commit message"),
    ("error", "error"),
    ("metric", "metric"),
    ("value", "value"),
    ("unit", "unit"),
    ("threshold", "threshold"),
    ("message", "message"),
)
"""Fields of `details` in an alert's message, and their labels there. All others are ignored."""


def parse(body: bytes | Mapping[str, Any], at: datetime, token: str) -> Alert | Ignored:
    """The alert in a webhook's body; Ignored for harmless events and for ephemeral environments.

    Args:
        at: when the body was received.
        token: makes the alert's id unique.

    Raises:
        InvalidPayload: names the field that is missing or has the wrong type.
    """
    event = payload.parse(body)
    kind, event_text = _event_kind(event)
    if kind == TEST_EVENT:
        return _test(event)
    if kind not in PROBLEM_EVENTS | DEPLOYMENT_EVENTS | GOOD_EVENTS:
        problem = "reports no problem" if kind in HARMLESS_EVENTS else "is an unknown event"
        return Ignored(reason=f"{event_text} {problem}")
    # The legacy format has these objects at the top level.
    resource = get_object(event, "resource") or event
    path = "resource." if event.get("resource") else ""
    project, environment, service, deployment = (
        get_object(resource, name, path) for name in ("project", "environment", "service", "deployment")
    )
    if environment.get("isEphemeral") is True:
        return Ignored(reason="ephemeral environment")
    details = _details(event, deployment)
    deployment_id = identifier(deployment, f"{path}deployment")
    if not deployment_id and kind.startswith("deployment."):
        deployment_id = identifier(details, "details")
    alert = Alert(
        id=payload.alert_id(at, token),
        source="railway",
        kind=RESOLVED if kind in GOOD_EVENTS else kind,
        project_id=identifier(project, f"{path}project"),
        environment_id=identifier(environment, f"{path}environment"),
        service_id=identifier(service, f"{path}service"),
        service_name=clean_text(service.get("name"), 200) or None,
        deployment_id=deployment_id,
        received_at=at,
        reported_at=payload.parse_time(event.get("timestamp")),
        message=_format_message(event_text, project, environment, service, deployment_id, details),
    )
    return (
        Ignored(reason=f"{event_text} reports no problem", good_news=alert) if kind in GOOD_EVENTS else alert
    )


def _test(event: Mapping[str, Any]) -> Ignored:
    nonce = get_object(event, "details").get("nonce")
    valid = isinstance(nonce, str) and NONCE.fullmatch(nonce)
    return Ignored(reason="a test of this installation", probe=nonce if valid else None)


def _event_kind(event: Mapping[str, Any]) -> tuple[str, str]:
    """The event as the product spells it, and as the sender does: `Deployment.oom_killed` → `deployment.oomkilled`."""
    name = _required_text(event, "type")
    if _normalise(name) != LEGACY_TYPE:
        return _normalise(name), clean_text(name, 80)
    status = _required_text(event, "status")
    return LEGACY_STATUS.get(_normalise(status), INTERMEDIATE_EVENT), clean_text(f"{name} {status}", 80)


def _required_text(event: Mapping[str, Any], field: str) -> str:
    value = event.get(field)
    if not isinstance(value, str) or not value.strip():
        raise InvalidPayload(field, "is missing" if value is None else "must be a non-empty string")
    return value


def _normalise(name: str) -> str:
    return re.sub(r"[_\-\s]", "", name[:200]).lower()


def _details(event: Mapping[str, Any], deployment: Mapping[str, Any]) -> Mapping[str, Any]:
    """`details`, or the legacy format's `deployment.meta`. Both are undocumented, so another type counts as {}."""
    for value in (event.get("details"), deployment.get("meta")):
        if isinstance(value, dict) and value:
            return value
    return {}


def _format_message(
    event_text: str, project: Mapping[str, Any], environment: Mapping[str, Any], service: Mapping[str, Any],
    deployment_id: str | None, details: Mapping[str, Any],
) -> str:  # fmt: skip
    """One line for people, made of known fields only."""
    where = "/".join(
        filter(None, (clean_text(project.get("name"), 100), clean_text(environment.get("name"), 100)))
    )
    name = clean_text(service.get("name"), 200)
    parts = [f"service {name}" if name else "", f"in {where}" if where else ""]
    parts.append(f"deployment {deployment_id}" if deployment_id else "")
    values = ((label, clean_text(details[key])) for key, label in DETAIL_LABELS if key in details)
    parts += [f"{label} {value}" for label, value in values if value]
    return payload.redacted_message(": ".join(filter(None, (event_text, ", ".join(filter(None, parts))))))
