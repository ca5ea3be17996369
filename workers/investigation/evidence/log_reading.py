"""Asking Railway for logs and requests. A read that fails becomes a gap, never an empty result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from workers.clients.railway import HttpLine, LogLine, Railway
from workers.errors import NotAvailable, Refused
from workers.investigation.evidence.log_patterns import Record, records
from workers.investigation.evidence.requests import request_patterns
from workers.investigation.evidence.suspects import deployment_never_live, log_window
from workers.models import Deployment, Gap, GapPart, Incident, RequestPattern, Service
from workers.runtime.redaction import redact

LOG_LINES = 1_000
HTTP_LINES = 500
SLOW_MS = 1_000
FAILING, REFUSED, SLOW = "@httpStatus:>=500", "@httpStatus:400..499", f"@totalDuration:>={SLOW_MS}"
SLOW_KINDS = {"latency", "cpu", "memory", "memory_growth", "oom_killed"}
UNTRACED_KINDS = {*SLOW_KINDS, "client_errors"}
"""Trouble that prints no trace of itself: what a commit changed is looked at whatever else is traced."""

T = TypeVar("T")


@dataclass
class Reading:
    """What could be read and what could not."""

    gaps: list[Gap] = field(default_factory=list)
    succeeded: int = 0
    unavailable: NotAvailable | None = None

    def read(self, part: GapPart, subject: str, ask: Callable[[], T], instead: T) -> T:
        """The answer, or `instead` and a gap."""
        try:
            answer = ask()
        except (NotAvailable, Refused) as error:
            self.miss(part, subject, redact(str(error))[:300])
            if isinstance(error, NotAvailable):
                self.unavailable = error
            return instead
        self.succeeded += 1
        return answer

    def miss(self, part: GapPart, subject: str, reason: str) -> None:
        """Record a part that could not be read."""
        self.gaps.append(Gap(part=part, subject=subject, reason=reason))


def deployment_records(
    reading: Reading, railway: Railway, incident: Incident, service: Service, sick: Deployment | None
) -> list[Record]:
    """What the sick deployment said around the trouble."""
    if sick is None:
        reading.miss(GapPart.DEPLOYMENT_LOGS, service.name, "the service has no deployment")
        return []
    window = log_window(incident, sick)

    def ask(wanted: str) -> Callable[[], list[LogLine]]:
        return lambda: railway.deployment_logs(sick.id, window, wanted, limit=LOG_LINES)

    none: list[LogLine] = []
    lines = reading.read(GapPart.DEPLOYMENT_LOGS, service.name, ask(""), none)
    if len(lines) < LOG_LINES:
        return records(lines)
    # A talkative service drowns its errors in the newest lines: they are asked for by themselves.
    errors = reading.read(GapPart.ERROR_LOGS, service.name, ask("@level:error"), none)
    seen = {(one.timestamp, one.message, one.instance_id) for one in lines}
    extra = [one for one in errors if (one.timestamp, one.message, one.instance_id) not in seen]
    return records([*lines, *extra])


def build_records(reading: Reading, railway: Railway, incident: Incident, service: Service) -> list[Record]:
    """What the build and the health check of a deployment that never lived said, whenever that was."""
    failed = deployment_never_live(incident, service)
    if failed is None:
        return []
    none: list[LogLine] = []
    lines = reading.read(
        GapPart.BUILD_LOGS,
        service.name,
        lambda: railway.build_logs(failed.id, failed.created_at, limit=LOG_LINES),
        none,
    )
    return records(lines)


def failing_and_slow(
    reading: Reading, railway: Railway, incident: Incident, service: Service
) -> tuple[RequestPattern, ...]:
    """Requests that failed, and where that is the trouble, that were refused or took long; the sick kind first."""
    answering = service.serving or service.latest
    if answering is None or not (service.traffic or service.public):
        return ()

    def ask(wanted: str) -> Callable[[], list[HttpLine]]:
        return lambda: railway.http_logs(answering.id, incident.window, wanted, limit=HTTP_LINES)

    none: list[HttpLine] = []
    kinds = {finding.kind for finding in incident.findings}
    failing = reading.read(GapPart.FAILING_REQUESTS, service.name, ask(FAILING), none)
    slow = reading.read(GapPart.SLOW_REQUESTS, service.name, ask(SLOW), none) if kinds & SLOW_KINDS else none
    no = "client_errors" in kinds
    refused = reading.read(GapPart.REFUSED_REQUESTS, service.name, ask(REFUSED), none) if no else none
    groups = [
        request_patterns([line for line in failing if line.status >= 500], 8),
        request_patterns([line for line in refused if 400 <= line.status < 500], 8),
        request_patterns(
            [line for line in slow if line.status < (400 if no else 500) and line.ms >= SLOW_MS], 8
        ),
    ]
    if "server_errors" not in kinds and kinds & {"latency", "client_errors"}:
        groups = [*groups[1:], groups[0]] if no else [groups[2], *groups[:2]]
    return (*groups[0], *groups[1][:4], *groups[2][:4])
