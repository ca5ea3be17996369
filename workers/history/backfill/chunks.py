"""Chunks: up to six hours of an environment's past, read from Railway as one survey.

A chunk costs three requests per 20 services (usage, logs, traffic), and one more with the event feed. The services are
those of a present survey; `slicing` derives the past states of their deployments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from workers.clients.railway import (
    MAX_SERVICES_PER_REQUEST,
    LogActivity,
    Railway,
    ServiceEvent,
    ServiceUsage,
    Traffic,
    UsageResult,
)
from workers.clients.railway.documents import MAX_ERROR_LINES
from workers.errors import RailwayRefused
from workers.models import Environment, Gap, GapPart, InstanceUsage, Point, Service, Survey, Window

T = TypeVar("T")

CHUNK_LENGTH = timedelta(hours=6)  # the longest span for which Railway's own CLI asks for one-minute samples
SAMPLE_SECONDS = 60
MAX_CONCURRENT_READS = 4  # one thread per read of a chunk
ESSENTIAL_PARTS = frozenset({GapPart.USAGE, GapPart.DISK, GapPart.STARTS, GapPart.ERROR_LINES})
"""Parts of a chunk whose gaps are recorded. The call graph is taken from the present survey."""
# Error lines of all services per chunk. Railway returns at most MAX_ERROR_LINES, the newest ones; close to that number
# the earlier part of the chunk is unknown.
FLOOD_LINES = 0.9 * MAX_ERROR_LINES


class _Reads(NamedTuple):
    """The results of the reads of one chunk."""

    usage: UsageResult
    traffic: Traffic
    logs: LogActivity
    events: Sequence[ServiceEvent]
    gaps: list[Gap]


def split_into_chunks(start: datetime, end: datetime) -> list[Window]:
    """The time from `start` to `end` in adjacent windows of at most CHUNK_LENGTH, newest first."""
    windows = []
    while end > start:
        chunk_start = max(start, end - CHUNK_LENGTH)
        windows.append(Window(start=chunk_start, end=end))
        end = chunk_start
    return windows


def requests_per_chunk(survey: Survey, *, events: bool = False) -> int:
    """The number of requests that one chunk takes.

    Args:
        events: Whether the chunk includes the event feed.
    """
    return 2 + events + -(-len(_services_with_traffic(survey)) // MAX_SERVICES_PER_REQUEST)


def _services_with_traffic(survey: Survey) -> list[str]:
    """The ids of the services that may have had traffic."""
    return [service.id for service in survey.services if service.public or service.serving or service.latest]


def read_chunk(railway: Railway, survey: Survey, window: Window, *, events: bool = False) -> Survey:
    """The services of `survey` with their series in `window`; refused reads are in `failed_reads`.

    Args:
        events: Read the event feed as well, at the cost of one more request.

    Raises:
        RailwayBusy: Railway does not answer now.
        RailwayRefused: Railway refuses every read of the chunk.
    """
    reads = _read(railway, survey, window, events)
    names = {service.id: service.name for service in survey.services}
    traffic_gaps = [
        Gap(part=GapPart.TRAFFIC, subject=names.get(service_id, service_id), reason=reason)
        for service_id, reason in reads.traffic.errors.items()
    ]
    return survey.model_copy(
        update={
            "window": window, "step_seconds": SAMPLE_SECONDS, "platform_incident": None,
            "failed_reads": (*reads.gaps, *traffic_gaps),
            "services": tuple(_with_series(service, reads) for service in survey.services),
        }
    )  # fmt: skip


def _read(railway: Railway, survey: Survey, window: Window, events: bool) -> _Reads:
    environment = Environment(project_id=survey.project_id, environment_id=survey.environment_id)
    refused: list[RailwayRefused] = []
    gaps: list[Gap] = []

    def result(part: GapPart, future: Future[T], default: T) -> T:
        try:
            return future.result()
        except RailwayRefused as error:
            refused.append(error)
            gaps.append(Gap(part=part, reason=str(error)))
            return default

    with ThreadPoolExecutor(MAX_CONCURRENT_READS, thread_name_prefix="chunk") as pool:
        service_ids = _services_with_traffic(survey)
        usage_future = pool.submit(railway.fetch_usage, environment, window, SAMPLE_SECONDS)
        traffic_future = pool.submit(railway.traffic, environment, service_ids, window, SAMPLE_SECONDS)
        logs_future = pool.submit(railway.fetch_logs, environment, window, SAMPLE_SECONDS)
        events_future = pool.submit(_read_events, railway, environment, window) if events else None
        usage = result(GapPart.USAGE, usage_future, UsageResult({}, False, {}, ()))
        traffic = result(GapPart.TRAFFIC, traffic_future, Traffic(by_service={}))
        logs = result(GapPart.STARTS, logs_future, LogActivity((), {}, (), {}, ()))
        no_events: Sequence[ServiceEvent] = ()
        feed = result(GapPart.EVENTS, events_future, no_events) if events_future else no_events
    # The reads of usage, traffic and logs all failed: there is nothing to evaluate.
    if len(refused) >= MAX_CONCURRENT_READS - 1:
        raise refused[0]
    failed = [
        Gap(part=part, reason=str(error)) for part, error in (*usage.failed.items(), *logs.failed.items())
    ]
    gaps += [gap for gap in (*failed, *usage.gaps, *logs.gaps) if gap.part in ESSENTIAL_PARTS]
    return _Reads(usage, traffic, logs, feed, gaps)


def _read_events(railway: Railway, environment: Environment, window: Window) -> Sequence[ServiceEvent]:
    # Railway returns the event feed together with the structure of the environment.
    return railway.fetch_structure(environment, 1, window).events


def _with_series(service: Service, reads: _Reads) -> Service:
    """The service as it is at present, with its series in the chunk."""
    deployment_ids = {deployment.id for deployment in service.deployments}
    usage = reads.usage.usage.get(service.id)
    error_lines = sum(lines for points in reads.logs.errors.values() for _, lines in points)
    own_events = [
        entry.event
        for entry in reads.events
        if entry.service_id == service.id
        or (entry.service_id is None and entry.event.deployment_id in deployment_ids)
    ]
    return service.model_copy(
        update={
            "usage": _mean_replica(usage, service.replicas) if usage else (),
            "disk": usage.disk if usage else (),
            "egress": usage.egress if usage else (),
            "traffic": reads.traffic.by_service.get(service.id, ()),
            "traffic_step_seconds": SAMPLE_SECONDS,
            "starts": tuple(start for start in reads.logs.starts if start.deployment_id in deployment_ids),
            "error_lines": () if error_lines >= FLOOD_LINES else reads.logs.errors.get(service.id, ()),
            "events": tuple(sorted(own_events, key=lambda event: event.at)),
        }
    )


def _mean_replica(usage: ServiceUsage, replicas: int) -> tuple[InstanceUsage, ...]:
    """The usage per replica; where Railway returned the sum of all replicas, that of their mean."""
    if not usage.summed or replicas < 2:
        return usage.instances

    def mean(points: Iterable[Point]) -> tuple[Point, ...]:
        return tuple((at, value / replicas) for at, value in points)

    return tuple(
        instance.model_copy(update={"cpu": mean(instance.cpu), "memory": mean(instance.memory)})
        for instance in usage.instances
    )
