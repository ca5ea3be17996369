"""What the services of an environment used, logged and looked up: one request for each of the two."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from workers.clients.railway import batch, graphql_types, series
from workers.clients.railway.batch import BatchResult, Failure
from workers.clients.railway.documents import LOGS, MAX_ERROR_LINES, USAGE
from workers.clients.railway.series import ServiceUsage
from workers.clients.railway.service_calls import Lookup
from workers.clients.railway.transport import Transport
from workers.errors import RailwayBusy, RailwayRefused
from workers.models import ContainerStart, Environment, Gap, GapPart, Moment, Point, Window

T = TypeVar("T")

CONTAINER_START_MESSAGE = "Starting Container"
"""What the platform writes into a deployment's log whenever it starts one of its containers."""


class LineStamp(graphql_types.ApiModel):
    """A line of which only time and place count."""

    timestamp: Moment
    message: str = ""
    tags: graphql_types.Tags | None = None


class UsageResult(NamedTuple):
    """Usage by service id, and the error of each part that failed. `stray`: some series name no service."""

    usage: dict[str, ServiceUsage]
    has_unattributed: bool
    failed: dict[GapPart, Failure]
    gaps: tuple[Gap, ...]


class LogActivity(NamedTuple):
    """Starts of containers, oldest first; error lines per step by service id; lookups of internal names."""

    starts: tuple[ContainerStart, ...]
    errors: dict[str, tuple[Point, ...]]
    lookups: tuple[Lookup, ...]
    failed: dict[GapPart, Failure]
    gaps: tuple[Gap, ...]


def read_usage(
    transport: Transport, environment: Environment, window: Window, step_seconds: int
) -> UsageResult:
    """Raises RailwayBusy or RailwayRefused only where CPU and memory cannot be read."""
    asked: dict[str, object] = {
        "projectId": environment.project_id,
        "environmentId": environment.environment_id,
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        "step": step_seconds,
    }
    got = batch.fetch(transport, "Metrics", USAGE, asked, needed="usage")
    failed: dict[GapPart, Failure] = {}
    every = got.part("usage", graphql_types.ValidItems[graphql_types.Series])
    nothing: list[graphql_types.Series] = []
    disks = _part(
        failed,
        GapPart.DISK,
        lambda: got.part("disk", graphql_types.ValidItems[graphql_types.Series]),
        nothing,
    )
    stray = any(one.values and not one.tags.service_id for one in every)
    return UsageResult(
        series.usage_by_service(every, disks), stray, failed, tuple(dict.fromkeys(got.missing))
    )


def read_logs(
    transport: Transport, environment: Environment, window: Window, step_seconds: int,
    parts: Mapping[str, str] = LOGS,
) -> LogActivity:  # fmt: skip
    """Raises RailwayBusy or RailwayRefused only where Railway answers nothing at all.

    Of error lines the newest 2000 of the environment are counted: in a flood the older steps are left out, and said.
    """
    asked: dict[str, object] = {
        "environmentId": environment.environment_id,
        "since": window.start.isoformat(),
        "until": window.end.isoformat(),
    }
    got = batch.fetch(transport, "Logs", parts, asked)
    failed: dict[GapPart, Failure] = {}
    return LogActivity(
        starts=_part(failed, GapPart.STARTS, lambda: _starts(got, window), ()),
        errors=_part(failed, GapPart.ERROR_LINES, lambda: _errors(got, window, step_seconds), {}),
        lookups=_part(
            failed, GapPart.LOOKUPS, lambda: tuple(got.part("lookups", graphql_types.ValidItems[Lookup])), ()
        ),
        failed=failed,
        gaps=tuple(dict.fromkeys(got.missing)),
    )


def read_starts(transport: Transport, environment: Environment, window: Window) -> tuple[ContainerStart, ...]:
    """Every start of a container that the platform logged, oldest first."""
    got = read_logs(transport, environment, window, 60, {"starts": LOGS["starts"]})
    if GapPart.STARTS in got.failed:
        raise got.failed[GapPart.STARTS]
    return got.starts


def _part(failed: dict[GapPart, Failure], part: GapPart, take: Callable[[], T], absent: T) -> T:
    try:
        return take()
    except (RailwayBusy, RailwayRefused) as error:
        failed[part] = error
        return absent


def _lines(got: BatchResult, alias: str, window: Window) -> list[LineStamp]:
    found = got.part(alias, graphql_types.ValidItems[LineStamp])
    return [line for line in found if window.start <= line.timestamp <= window.end]


def _starts(got: BatchResult, window: Window) -> tuple[ContainerStart, ...]:
    found = [
        ContainerStart(at=line.timestamp, deployment_id=line.tags.deployment_id)
        for line in _lines(got, "starts", window)
        # A service may well print these words inside a line of its own.
        if line.tags and line.tags.deployment_id and line.message.strip() == CONTAINER_START_MESSAGE
    ]
    return tuple(sorted(found, key=lambda one: one.at))


def _errors(got: BatchResult, window: Window, step_seconds: int) -> dict[str, tuple[Point, ...]]:
    lines = _lines(got, "errors", window)
    begin = window.start.timestamp()
    complete = len(lines) < MAX_ERROR_LINES
    if not complete:
        got.missing.append(
            batch.gap("errors", f"only the newest {MAX_ERROR_LINES} of the environment were read")
        )
    oldest = min((line.timestamp.timestamp() for line in lines), default=begin)
    # In a flood only the end of the oldest step was read.
    first = begin if complete else begin + ((oldest - begin) // step_seconds + 1) * step_seconds
    by_service: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        if line.tags and line.tags.service_id and line.timestamp.timestamp() >= first:
            by_service[line.tags.service_id].append(line.timestamp.timestamp())
    return {
        name: series.counts_per_step(moments, begin, step_seconds) for name, moments in by_service.items()
    }
