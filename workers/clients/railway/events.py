"""Railway's activity feed, converted to our events and reports. Events of unknown kind or shape are skipped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from workers.clients.railway.api_model import ApiModel
from workers.clients.railway.opaque_json import child, parse_json, text_field
from workers.models import Deployment, Moment, PlatformEvent, PlatformReport

Kind = Literal["deployed", "crashed", "oom", "started", "failed"]

EVENT_KINDS: dict[str, Kind] = {
    "deployed": "deployed", "redeployed": "deployed", "resumed": "deployed", "crashed": "crashed",
    "oomkilled": "oom", "restarted": "started", "failed": "failed",
}  # fmt: skip
"""Railway's action, normalised → kind of our event."""
ALERT_KINDS: dict[Kind, str] = {
    "crashed": "deployment.crashed", "oom": "deployment.oomkilled", "failed": "deployment.failed",
}  # fmt: skip
"""Kind of our event → kind of the alert that Railway's webhook for it becomes."""
ALERT_KIND_BY_STATUS = {"CRASHED": "deployment.crashed", "FAILED": "deployment.failed"}
"""Deployment status → kind of alert. The feed is best effort; the status is not lost."""
MAX_DEPTH = 4
"""Levels of a payload that are searched for an id; deeper data belongs to something else."""
# The receiver accepts the same ids. Railway writes the zero UUID for "no deployment".
VALID_ID = re.compile(r"(?=.*[^0\-])[\w.\-]{1,100}\Z", re.ASCII)


class Event(ApiModel):
    """An entry of the feed. The ids of its subject are in an opaque payload without a documented shape."""

    object: str
    action: str
    created_at: Moment
    activity_payload: Any = None

    def to_model(self) -> PlatformEvent | None:
        """The event as our model; None for events that say nothing about a deployment's health."""
        # An action may repeat its object, as webhook types do: `Deployment.crashed`.
        action = normalise(self.action.rpartition(".")[2])
        if normalise(self.object) != "deployment" or action not in EVENT_KINDS:
            return None
        return PlatformEvent(
            kind=EVENT_KINDS[action], at=self.created_at, deployment_id=self.subject_id("deployment")
        )

    def subject_id(self, noun: str) -> str | None:
        """The id of the `service` or `deployment` in the payload: `serviceId`, `service_id` or `service.id`."""
        return _find_id(parse_json(self.activity_payload), noun, MAX_DEPTH)


def platform_reports(
    events: Iterable[Event], deployments: Iterable[Deployment]
) -> tuple[PlatformReport, ...]:
    """Problems that Railway reports in its feed or by a deployment's status, oldest first.

    A report whose service is named neither by the event nor by its deployment is skipped.
    """
    by_id = {deployment.id: deployment for deployment in deployments}
    reports: list[PlatformReport] = []
    for item in events:
        event = item.to_model()
        if event is None or event.kind not in ALERT_KINDS:
            continue
        deployment = by_id.get(event.deployment_id or "")
        service_id = item.subject_id("service") or (deployment.service_id if deployment else "")
        if VALID_ID.match(service_id):
            deployment_id = event.deployment_id if VALID_ID.match(event.deployment_id or "") else None
            kind = ALERT_KINDS[event.kind]
            reports.append(
                PlatformReport(kind=kind, service_id=service_id, deployment_id=deployment_id, at=event.at)
            )
    return tuple(sorted([*reports, *_by_status(by_id, reports)], key=lambda report: report.at))


def normalise(name: str) -> str:
    """The name in the spelling that `oom_killed`, `OomKilled` and `oom-killed` share; webhooks use all three."""
    return name.lower().replace("_", "").replace("-", "")


def _by_status(by_id: Mapping[str, Deployment], reports: list[PlatformReport]) -> list[PlatformReport]:
    """Reports from deployment statuses that the feed does not contain.

    A deployment that ran out of memory has the status CRASHED: a report of either kind covers it.
    """
    covered = {(report.deployment_id, report.kind.replace("oomkilled", "crashed")) for report in reports}
    return [
        PlatformReport(
            kind=kind, service_id=deployment.service_id, deployment_id=deployment.id,
            at=deployment.status_at or deployment.created_at,
        )
        for deployment in by_id.values()
        if (kind := ALERT_KIND_BY_STATUS.get(deployment.status))
        and (deployment.id, kind) not in covered
        and VALID_ID.match(deployment.id)
    ]  # fmt: skip


def _find_id(value: Mapping[str, Any], noun: str, depth: int) -> str | None:
    for key, inner in value.items():
        if normalise(key) == f"{noun}id" and isinstance(inner, str) and inner:
            return inner
    own = text_field(child(value, noun), "id")
    if own or depth == 0:
        return own
    nested = (_find_id(inner, noun, depth - 1) for inner in value.values() if isinstance(inner, dict))
    return next((found_id for found_id in nested if found_id), None)
