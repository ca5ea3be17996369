"""A fake status page: `page.say("major", "Elevated errors")`, `page.recover()`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.fakes.serving import Faults

WORDS = {
    "none": "All Systems Operational",
    "minor": "Minor Service Outage",
    "major": "Partial System Outage",
    "critical": "Major Service Outage",
    "maintenance": "Service Under Maintenance",
}


@dataclass
class FakeStatusPage:
    """One page that serves `/api/v2/summary.json` only."""

    name: str = "Somebody"
    indicator: str = "none"
    incidents: list[dict[str, Any]] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    requests: int = 0

    def __post_init__(self) -> None:
        self.app = Starlette(routes=[Route("/api/v2/summary.json", self._summary)])

    def say(self, indicator: str, incident: str = "", *, status: str = "investigating") -> None:
        """Show this state and, if given, this incident."""
        self.indicator = indicator
        if incident:
            self.incidents.append({
                "id": f"i{len(self.incidents)}", "name": incident, "status": status, "impact": indicator,
                "created_at": "2026-11-23T03:00:00.000Z", "incident_updates": [],
            })  # fmt: skip

    def recover(self) -> None:
        self.indicator = "none"
        self.incidents.clear()

    async def _summary(self, request: Request) -> Response:
        self.requests += 1
        return JSONResponse({
            "page": {"id": "p", "name": self.name, "url": str(request.base_url), "time_zone": "Etc/UTC"},
            "components": [], "scheduled_maintenances": [], "incidents": self.incidents,
            "status": {"indicator": self.indicator, "description": WORDS[self.indicator]},
        })  # fmt: skip
