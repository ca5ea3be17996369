"""Resource usage, logs and DNS lookups of all services of an environment: one request for usage, one for the rest."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from workers.clients.railway import batch, series
from workers.clients.railway.api_model import ApiModel, ValidItems
from workers.clients.railway.batch import BatchResult, Failure, read_or_default
from workers.clients.railway.documents import LOGS, MAX_ERROR_LINES, USAGE
from workers.clients.railway.graphql_types import Series, Tags
from workers.clients.railway.series import ServiceUsage
from workers.clients.railway.service_calls import Lookup
from workers.clients.railway.transport import Transport
from workers.models import ContainerStart, Environment, Gap, GapPart, Moment, Point, Window

# The platform writes this line into a deployment's log each time it starts one of its containers.
CONTAINER_START_MESSAGE = "Starting Container"


class LineStamp(ApiModel):
    """A log line of which the time and the service count."""

    timestamp: Moment
    message: str = ""
    tags: Tags | None = None


class UsageResult(NamedTuple):
    """Usage of all services."""

    usage: dict[str, ServiceUsage]
    """By service id. A service without samples is absent."""
    has_unattributed: bool
    """True if some series name no service."""
    failed: dict[GapPart, Failure]
    gaps: tuple[Gap, ...]
    """Pieces of the answer that were null or invalid."""


class LogActivity(NamedTuple):
    """Facts from the logs of all services. A part that failed is empty, with its error in `failed`."""

    starts: tuple[ContainerStart, ...]
    """Oldest first."""
    errors: dict[str, tuple[Point, ...]]
    """Number of error lines per step, by service id."""
    lookups: tuple[Lookup, ...]
    """DNS lookups of internal names."""
    failed: dict[GapPart, Failure]
    gaps: tuple[Gap, ...]
    """Pieces of the answer that were null or invalid."""


def read_usage(
    transport: Transport, environment: Environment, window: Window, step_seconds: int
) -> UsageResult:
    """CPU, memory and disk of all services. Raises RailwayBusy or RailwayRefused if CPU and memory cannot be read."""
    variables: dict[str, object] = {
        "projectId": environment.project_id,
        "environmentId": environment.environment_id,
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        "step": step_seconds,
    }
    result = batch.fetch(transport, "Metrics", USAGE, variables, required="usage")
    failed: dict[GapPart, Failure] = {}
    usage = result.part("usage", ValidItems[Series])
    no_series: list[Series] = []
    disk = read_or_default(failed, GapPart.DISK, lambda: result.part("disk", ValidItems[Series]), no_series)
    unattributed = any(item.values and not item.tags.service_id for item in usage)
    by_service = series.usage_by_service(usage, disk)
    return UsageResult(by_service, unattributed, failed, tuple(dict.fromkeys(result.missing)))


def read_logs(
    transport: Transport, environment: Environment, window: Window, step_seconds: int
) -> LogActivity:
    """Container starts, error lines and lookups. Raises RailwayBusy or RailwayRefused if all of them fail.

    Railway returns the newest MAX_ERROR_LINES error lines of the environment. If there are more, the steps before the
    oldest of them are left out and a gap is recorded.
    """
    variables: dict[str, object] = {
        "environmentId": environment.environment_id,
        "since": window.start.isoformat(),
        "until": window.end.isoformat(),
    }
    result = batch.fetch(transport, "Logs", LOGS, variables)
    failed: dict[GapPart, Failure] = {}
    return LogActivity(
        starts=read_or_default(failed, GapPart.STARTS, lambda: _starts(result, window), ()),
        errors=read_or_default(
            failed, GapPart.ERROR_LINES, lambda: _errors(result, window, step_seconds), {}
        ),
        lookups=read_or_default(
            failed, GapPart.LOOKUPS, lambda: tuple(result.part("lookups", ValidItems[Lookup])), ()
        ),
        failed=failed,
        # Evaluated last: the reads above add to result.missing.
        gaps=tuple(dict.fromkeys(result.missing)),
    )


def _lines(result: BatchResult, alias: str, window: Window) -> list[LineStamp]:
    lines = result.part(alias, ValidItems[LineStamp])
    return [line for line in lines if window.start <= line.timestamp <= window.end]


def _starts(result: BatchResult, window: Window) -> tuple[ContainerStart, ...]:
    starts = [
        ContainerStart(at=line.timestamp, deployment_id=line.tags.deployment_id)
        for line in _lines(result, "starts", window)
        # Railway's filter matches substrings, and a service may print these words inside a line of its own.
        if line.tags and line.tags.deployment_id and line.message.strip() == CONTAINER_START_MESSAGE
    ]
    return tuple(sorted(starts, key=lambda start: start.at))


def _errors(result: BatchResult, window: Window, step_seconds: int) -> dict[str, tuple[Point, ...]]:
    lines = _lines(result, "errors", window)
    start = window.start.timestamp()
    complete = len(lines) < MAX_ERROR_LINES
    if not complete:
        reason = f"only the newest {MAX_ERROR_LINES} of the environment were read"
        result.missing.append(batch.gap("errors", reason))
    oldest = min((line.timestamp.timestamp() for line in lines), default=start)
    # If the answer is truncated, it holds only the end of its oldest step: count from the next step on.
    count_from = start if complete else start + ((oldest - start) // step_seconds + 1) * step_seconds
    by_service: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        if line.tags and line.tags.service_id and line.timestamp.timestamp() >= count_from:
            by_service[line.tags.service_id].append(line.timestamp.timestamp())
    return {
        service: series.counts_per_step(moments, start, step_seconds)
        for service, moments in by_service.items()
    }
