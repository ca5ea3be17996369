"""Railway's feed of an environment, as our events. Payloads are opaque: what cannot be read is passed over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from workers.clients.railway.graphql_types import ApiModel, child, parse_json, text_field
from workers.models import Deployment, Moment, PlatformEvent, PlatformReport

Kind = Literal["deployed", "crashed", "oom", "started", "failed"]
EVENTS: dict[str, Kind] = {
    "deployed": "deployed", "redeployed": "deployed", "resumed": "deployed", "crashed": "crashed",
    "oomkilled": "oom", "restarted": "started", "failed": "failed",
}  # fmt: skip
"""Our kind by Railway's action, in lower case and without signs."""
ALERTS: dict[Kind, str] = {
    "crashed": "deployment.crashed", "oom": "deployment.oomkilled", "failed": "deployment.failed",
}  # fmt: skip
"""What is trouble, and the kind of the alert that Railway's webhook makes of it."""
STATUSES = {"CRASHED": "deployment.crashed", "FAILED": "deployment.failed"}
"""A deployment's status says the same where the feed does not."""
MAX_DEPTH = 4
_ID = re.compile(r"(?=.*[^0\-])[\w.\-]{1,100}\Z", re.ASCII)
"""As the receiver takes ids; all zeros is none."""


class Event(ApiModel):
    """An entry of the feed; what it is about stands in an opaque payload of no promised shape."""

    object: str
    action: str
    created_at: Moment
    activity_payload: Any = None
    payload: Any = None

    def to_model(self) -> PlatformEvent | None:
        """Our PlatformEvent; None for what is none."""
        action = normalise(self.action.rpartition(".")[2])
        if normalise(self.object) != "deployment" or action not in EVENTS:
            return None
        return PlatformEvent(
            kind=EVENTS[action], at=self.created_at, deployment_id=self.subject_id("deployment")
        )

    def subject_id(self, noun: str) -> str | None:
        """The id of the `service` or `deployment`: `serviceId`, `service_id`, or the `id` in a `service`."""
        payloads = [parse_json(one) for one in (self.activity_payload, self.payload)]
        return next((found for one in payloads if (found := _id_of(one, noun, MAX_DEPTH))), None)


def platform_reports(
    events: Iterable[Event], deployments: Iterable[Deployment]
) -> tuple[PlatformReport, ...]:
    """What of trouble Railway tells, oldest first; without what names no service by itself or by its deployment."""
    history = {one.id: one for one in deployments}
    told: list[PlatformReport] = []
    for one in events:
        event = one.to_model()
        if event is None or event.kind not in ALERTS:
            continue
        known = history.get(event.deployment_id or "")
        service = one.subject_id("service") or (known.service_id if known else "")
        if _ID.match(service):
            deployment = event.deployment_id if _ID.match(event.deployment_id or "") else None
            told.append(
                PlatformReport(
                    kind=ALERTS[event.kind], service_id=service, deployment_id=deployment, at=event.at
                )
            )
    return tuple(sorted([*told, *_by_status(history, told)], key=lambda one: one.at))


def _by_status(history: Mapping[str, Deployment], told: list[PlatformReport]) -> list[PlatformReport]:
    """What the feed does not tell. Out of memory ends as a crash: who is told of either needs no status for it."""
    known = {(one.deployment_id, one.kind.replace("oomkilled", "crashed")) for one in told}
    return [
        PlatformReport(
            kind=kind, service_id=one.service_id, deployment_id=one.id, at=one.status_at or one.created_at
        )
        for one in history.values()
        if (kind := STATUSES.get(one.status)) and (one.id, kind) not in known and _ID.match(one.id)
    ]


def normalise(word: str) -> str:
    """`oom_killed`, `OomKilled` and `oom-killed` are one."""
    return word.lower().replace("_", "").replace("-", "")


def _id_of(value: Mapping[str, Any], noun: str, depth: int) -> str | None:
    for key, inner in value.items():
        if normalise(key) == f"{noun}id" and isinstance(inner, str) and inner:
            return inner
    own = text_field(child(value, noun), "id")
    if own or depth == 0:
        return own
    inside = (_id_of(one, noun, depth - 1) for one in value.values() if isinstance(one, dict))
    return next((found for found in inside if found), None)
