"""Reads logs and requests from Railway. A read that fails becomes a gap, never an empty result."""

from __future__ import annotations

from collections.abc import Callable

from workers.clients.railway import HttpLine, Railway
from workers.investigation.evidence.reading import Reading
from workers.investigation.evidence.requests import group_requests
from workers.investigation.evidence.suspects import deployment_never_live, log_window
from workers.investigation.logs.log_records import LogRecord, build_log_records
from workers.models import Deployment, GapPart, Incident, LogLine, RequestPattern, Service

MAX_LOG_LINES = 1_000  # lines of one query; Railway returns the newest ones of a longer log
MAX_HTTP_LINES = 500  # requests of one query
SLOW_MS = 1_000  # requests from one second on count as slow
MAX_FIRST_GROUP = 8  # kinds of requests that are kept of the kind that the incident is about
MAX_OTHER_GROUP = 4  # kinds of requests that are kept of the other kinds, as context
# Filters in the syntax of Railway's HTTP log explorer.
FAILING_FILTER = "@httpStatus:>=500"
REFUSED_FILTER = "@httpStatus:400..499"
SLOW_FILTER = f"@totalDuration:>={SLOW_MS}"
ERROR_FILTER = "@level:error"
SLOW_KINDS = frozenset({"latency", "cpu", "memory", "memory_growth", "oom_killed"})
"""Kinds of findings for which slow requests are read."""
UNTRACED_KINDS = SLOW_KINDS | {"client_errors"}
"""Kinds of findings that print no stack trace: the changes of the suspect commit are examined in any case."""


def read_deployment_log(
    reading: Reading, railway: Railway, incident: Incident, service: Service, examined: Deployment | None
) -> list[LogRecord]:
    """The records that the examined deployment logged around the onset."""
    if examined is None:
        reading.miss(GapPart.DEPLOYMENT_LOGS, service.name, "the service has no deployment")
        return []
    window = log_window(incident, examined)

    def query(log_filter: str) -> Callable[[], list[LogLine]]:
        return lambda: railway.deployment_logs(examined.id, window, log_filter, limit=MAX_LOG_LINES)

    no_lines: list[LogLine] = []
    lines = reading.ask_railway(GapPart.DEPLOYMENT_LOGS, service.name, query(""), no_lines)
    if len(lines) < MAX_LOG_LINES:
        return build_log_records(lines)
    # A verbose service pushes its errors out of the newest lines, so that they need a query of their own.
    errors = reading.ask_railway(GapPart.ERROR_LOGS, service.name, query(ERROR_FILTER), no_lines)
    present = {(line.timestamp, line.message, line.instance_id) for line in lines}
    missing = [line for line in errors if (line.timestamp, line.message, line.instance_id) not in present]
    return build_log_records([*lines, *missing])


def read_build_log(
    reading: Reading, railway: Railway, incident: Incident, service: Service
) -> list[LogRecord]:
    """The build log of a newest deployment that was never live, its health checks included; else nothing."""
    failed = deployment_never_live(incident, service)
    if failed is None:
        return []
    no_lines: list[LogLine] = []
    lines = reading.ask_railway(
        GapPart.BUILD_LOGS,
        service.name,
        lambda: railway.build_logs(failed.id, failed.created_at, limit=MAX_LOG_LINES),
        no_lines,
    )
    return build_log_records(lines)


def read_requests(
    reading: Reading, railway: Railway, incident: Incident, service: Service
) -> tuple[RequestPattern, ...]:
    """Failing requests, and if the findings call for them the refused and the slow ones.

    The kind of request that the incident is about comes first.
    """
    answering = service.serving or service.latest
    # The edge proxy logs only requests to public domains.
    if answering is None or not (service.traffic or service.public):
        return ()

    def query(log_filter: str) -> Callable[[], list[HttpLine]]:
        return lambda: railway.http_logs(answering.id, incident.window, log_filter, limit=MAX_HTTP_LINES)

    no_lines: list[HttpLine] = []
    kinds: set[str] = {finding.kind for finding in incident.findings}
    refuses = "client_errors" in kinds
    failing = reading.ask_railway(GapPart.FAILING_REQUESTS, service.name, query(FAILING_FILTER), no_lines)
    slow, refused = no_lines, no_lines
    if kinds & SLOW_KINDS:
        slow = reading.ask_railway(GapPart.SLOW_REQUESTS, service.name, query(SLOW_FILTER), no_lines)
    if refuses:
        refused = reading.ask_railway(GapPart.REFUSED_REQUESTS, service.name, query(REFUSED_FILTER), no_lines)
    # Statuses are checked again: a filter that Railway does not know returns every request.
    slow_below = 400 if refuses else 500
    groups = {
        "failing": [line for line in failing if line.status >= 500],
        "refused": [line for line in refused if 400 <= line.status < 500],
        "slow": [line for line in slow if line.status < slow_below and line.ms >= SLOW_MS],
    }
    first, *others = (group_requests(groups[name], MAX_FIRST_GROUP) for name in _order(kinds))
    return (*first, *(pattern for group in others for pattern in group[:MAX_OTHER_GROUP]))


def _order(kinds: set[str]) -> tuple[str, str, str]:
    if "server_errors" not in kinds and "client_errors" in kinds:
        return ("refused", "slow", "failing")
    if "server_errors" not in kinds and "latency" in kinds:
        return ("slow", "failing", "refused")
    return ("failing", "refused", "slow")
