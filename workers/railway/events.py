"""Railway's feed of an environment, as our events. Payloads are opaque: what cannot be read is passed over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from workers.models import Moment, PlatformEvent
from workers.railway.wire import Wire, branch, parsed, text

Kind = Literal["deployed", "crashed", "oom", "started", "failed"]
EVENTS: dict[str, Kind] = {
    "deployed": "deployed", "redeployed": "deployed", "resumed": "deployed", "crashed": "crashed",
    "oomkilled": "oom", "restarted": "started", "failed": "failed",
}  # fmt: skip
"""Our kind by Railway's action, in lower case and without signs."""
DEEPEST = 4


class Event(Wire):
    """An entry of the feed; what it is about stands in an opaque payload of no promised shape."""

    object: str
    action: str
    created_at: Moment
    activity_payload: Any = None
    payload: Any = None

    def noun(self) -> PlatformEvent | None:
        """Our PlatformEvent; None for what is none."""
        action = plain(self.action.rpartition(".")[2])
        if plain(self.object) != "deployment" or action not in EVENTS:
            return None
        return PlatformEvent(kind=EVENTS[action], at=self.created_at, deployment_id=self.about("deployment"))

    def about(self, noun: str) -> str | None:
        """The id of the `service` or `deployment`: `serviceId`, `service_id`, or the `id` in a `service`."""
        payloads = [parsed(one) for one in (self.activity_payload, self.payload)]
        return next((found for one in payloads if (found := _id_of(one, noun, DEEPEST))), None)


def plain(word: str) -> str:
    """`oom_killed`, `OomKilled` and `oom-killed` are one."""
    return word.lower().replace("_", "").replace("-", "")


def _id_of(value: Mapping[str, Any], noun: str, depth: int) -> str | None:
    for key, inner in value.items():
        if plain(key) == f"{noun}id" and isinstance(inner, str) and inner:
            return inner
    own = text(branch(value, noun), "id")
    if own or depth == 0:
        return own
    inside = (_id_of(one, noun, depth - 1) for one in value.values() if isinstance(one, dict))
    return next((found for found in inside if found), None)
