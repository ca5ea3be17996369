"""Takes the survey of an environment. A read that fails becomes a gap: missing data does not count as healthy.

Three requests run concurrently (structure, usage, logs), then one request for every 20 services: their traffic, and
the limits of those whose metrics name none. A hundred services take eight requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from workers.clients.railway import (
    EnvironmentStructure,
    HttpMetrics,
    LogActivity,
    Railway,
    ServiceQuery,
    ServiceUsage,
    UsageResult,
    batches,
    find_calls,
)
from workers.clients.railway.structure import OPTIONAL_PARTS
from workers.errors import RailwayBusy, RailwayRefused
from workers.models import (
    Deployment,
    Environment,
    Gap,
    GapPart,
    PlatformEvent,
    Point,
    Service,
    Survey,
    Volume,
    Window,
)  # fmt: skip

T = TypeVar("T")

MAX_CONCURRENT_READS = 6
"""Concurrent requests; below the 10 per second that Railway accepts on its smallest paid plan."""
MAX_DEPLOYMENTS = 100
"""Newest deployments of the whole environment that are read: one page."""
UNATTRIBUTED_USAGE = Gap(part=GapPart.USAGE, reason="some series name no service")


@dataclass
class _Reads:
    """Bookkeeping of the reads beside the services.

    Attributes:
        attempted: number of parts that were requested.
        errors: the error of each part that failed as a whole.
        gaps: the gaps of these parts and of single services.
    """

    attempted: int = 0
    errors: list[RailwayBusy | RailwayRefused] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def result(self, parts: tuple[GapPart, ...], future: Future[T], default: T) -> T:
        """The result of a read; if it failed, `default` and a gap for each of its parts."""
        self.attempted += len(parts)
        try:
            return future.result()
        except (RailwayBusy, RailwayRefused) as error:
            self.add_failures(dict.fromkeys(parts, error))
            return default

    def add_failures(self, failed: Mapping[GapPart, RailwayBusy | RailwayRefused]) -> None:
        self.errors += failed.values()
        self.gaps += [Gap(part=part, reason=str(error)) for part, error in failed.items()]

    def raise_if_all_failed(self) -> None:
        """Raise RailwayBusy if no part could be read: a later attempt is better than a survey of names."""
        busy = next((error for error in self.errors if isinstance(error, RailwayBusy)), None)
        if busy and len(self.errors) == self.attempted:
            raise busy


class _Results(NamedTuple):
    """All results; empty for a read that failed."""

    structure: EnvironmentStructure
    usage: UsageResult
    logs: LogActivity
    http: HttpMetrics


def take_survey(railway: Railway, environment: Environment, window: Window, step_seconds: int) -> Survey:
    """The environment and its activity in the window, with one sample per step.

    Any read beside the services that fails is in `failed_reads`.

    Raises:
        RailwayBusy: the services, or all other parts, cannot be read now.
        RailwayRefused: Railway refuses the services themselves.
    """
    reads = _Reads()
    with ThreadPoolExecutor(MAX_CONCURRENT_READS, thread_name_prefix="survey") as pool:
        structure_read = pool.submit(railway.fetch_structure, environment, MAX_DEPLOYMENTS, window)
        usage_read = pool.submit(railway.fetch_usage, environment, window, step_seconds)
        logs_read = pool.submit(railway.fetch_logs, environment, window, step_seconds)
        try:
            structure = structure_read.result()
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, RailwayRefused) and "not found" in str(error).lower():
                value = f"{environment.project_id}/{environment.environment_id}"
                raise RailwayRefused(f"{error} (TRACKWALKER_ENVIRONMENTS: {value})") from error
            raise
        no_usage = UsageResult({}, False, {}, ())
        usage = reads.result((GapPart.USAGE, GapPart.DISK), usage_read, no_usage)
        http_reads = [
            (queries, pool.submit(railway.fetch_http_metrics, environment, queries, window, step_seconds))
            for queries in batches(_service_queries(structure, usage))
        ]
        http = _join(reads, structure, http_reads)
        log_parts = (GapPart.STARTS, GapPart.ERROR_LINES, GapPart.LOOKUPS)
        logs = reads.result(log_parts, logs_read, LogActivity((), {}, (), {}, ()))
    reads.attempted += OPTIONAL_PARTS
    for failed in (structure.failed, usage.failed, logs.failed):
        reads.add_failures(failed)
    reads.raise_if_all_failed()
    return _build_survey(environment, window, step_seconds, _Results(structure, usage, logs, http), reads)


def _service_queries(structure: EnvironmentStructure, usage: UsageResult) -> list[ServiceQuery]:
    """Traffic of every service that was ever deployed, limits of every service measured without them."""
    services = structure.services
    with_traffic = {service.id for service in services if service.public or service.serving or service.latest}
    without_limits = {
        service_id
        for service_id, item in usage.usage.items()
        if item.cpu_limit is None or item.memory_limit is None
    }
    ids = dict.fromkeys(service.id for service in services if service.id in with_traffic | without_limits)
    return [ServiceQuery(item, item in with_traffic, item in without_limits) for item in ids]


def _join(
    reads: _Reads,
    structure: EnvironmentStructure,
    http_reads: list[tuple[tuple[ServiceQuery, ...], Future[HttpMetrics]]],
) -> HttpMetrics:
    """All batches as one. A failed batch is a gap per service; if all batches failed, one gap stands for all."""
    names = {service.id: service.name for service in structure.services}
    joined = HttpMetrics({}, {}, {}, {}, [])
    failed: dict[str, RailwayBusy | RailwayRefused] = {}
    for queries, future in http_reads:
        try:
            metrics = future.result()
        except (RailwayBusy, RailwayRefused) as error:
            failed |= {query.service_id: error for query in queries}
            continue
        joined.traffic.update(metrics.traffic)
        joined.limits.update(metrics.limits)
        joined.traffic_errors.update(metrics.traffic_errors)
        joined.limit_errors.update(metrics.limit_errors)
        joined.gaps.extend(metrics.gaps)
    requested = sum(len(queries) for queries, _ in http_reads)
    reads.attempted += bool(http_reads)
    if requested and len(failed) == requested:
        reads.add_failures({GapPart.TRAFFIC: next(iter(failed.values()))})
        return joined
    reasons = {**joined.traffic_errors, **{service_id: str(error) for service_id, error in failed.items()}}
    reads.gaps += [
        Gap(part=GapPart.TRAFFIC, subject=names.get(service_id, service_id), reason=reason)
        for service_id, reason in reasons.items()
    ]
    reads.gaps += [
        Gap(part=GapPart.LIMITS, reason=reason) for reason in dict.fromkeys(joined.limit_errors.values())
    ]
    reads.gaps += dict.fromkeys(joined.gaps)
    return joined


def _build_survey(
    environment: Environment, window: Window, step_seconds: int, results: _Results, reads: _Reads
) -> Survey:
    structure, usage, logs, _ = results
    services = _with_volumes(structure.services, structure.volumes)
    gaps = dict.fromkeys((*structure.gaps, *usage.gaps, *logs.gaps))
    # Series without a service may be those of a service that has none.
    unmeasured = any(service.serving and service.id not in usage.usage for service in services)
    unattributed = [UNATTRIBUTED_USAGE] if usage.has_unattributed and unmeasured else []
    return Survey(
        project_id=environment.project_id,
        project_name=structure.project_name or environment.project_id,
        environment_id=environment.environment_id,
        environment_name=structure.environment_name,
        window=window,
        step_seconds=step_seconds,
        services=tuple(_complete(service, results, step_seconds) for service in services),
        calls=find_calls(services, structure.variables, logs.lookups),
        platform_incident=structure.platform_incident,
        failed_reads=(*gaps, *unattributed, *dict.fromkeys(reads.gaps)),
        feed=structure.feed,
        feed_read=GapPart.EVENTS not in structure.failed,
    )


def _complete(service: Service, results: _Results, step_seconds: int) -> Service:
    """The service with its series, deployments and events."""
    structure, usage, logs, http = results
    deployments = _deployments_by_id(service, structure.deployments)
    limits = http.limits.get(service.id)
    own_usage = _with_limits(usage.usage.get(service.id, ServiceUsage()), limits)
    own_usage = _per_replica(own_usage, service.replicas)
    traffic = http.traffic.get(service.id, ())
    return service.model_copy(
        update={
            "branch": structure.branches.get(service.id) or service.branch,
            # Domains come from the configuration; requests at the edge prove the same.
            "public": service.public or any(step.requests for step in traffic),
            "deployments": tuple(
                sorted(deployments.values(), key=lambda item: item.created_at, reverse=True)
            ),
            "cpu_limit": own_usage.cpu_limit,
            "memory_limit": own_usage.memory_limit,
            "usage": own_usage.instances,
            "disk": own_usage.disk,
            "egress": own_usage.egress,
            "traffic": traffic,
            "traffic_step_seconds": step_seconds,
            "starts": tuple(start for start in logs.starts if start.deployment_id in deployments),
            "events": _events(service, deployments, structure),
            "error_lines": logs.errors.get(service.id, ()),
        }
    )


def _with_limits(usage: ServiceUsage, limits: tuple[float | None, float | None] | None) -> ServiceUsage:
    """The usage with the configured limits, which are per replica, if the metrics name none."""
    cpu, memory = limits or (None, None)
    return usage.model_copy(
        update={"cpu_limit": usage.cpu_limit or cpu, "memory_limit": usage.memory_limit or memory}
    )


def _deployments_by_id(service: Service, newest: list[Deployment]) -> dict[str, Deployment]:
    own = [item for item in (service.serving, service.latest) if item]
    return {item.id: item for item in (*own, *(item for item in newest if item.service_id == service.id))}


def _events(
    service: Service, deployments: Mapping[str, Deployment], structure: EnvironmentStructure
) -> tuple[PlatformEvent, ...]:
    """Events that name the service, and events without a service that name one of its deployments."""
    return tuple(
        item.event
        for item in structure.events
        if item.service_id == service.id
        or (item.service_id is None and item.event.deployment_id in deployments)
    )


def _with_volumes(
    services: tuple[Service, ...], volumes: Mapping[str | None, tuple[Volume, ...]]
) -> list[Service]:
    """The services with their volumes.

    A volume without a service id goes to the service `x` if it is named `x-volume`: Railway names new volumes so.
    """
    unassigned = {volume.name.lower(): volume for volume in volumes.get(None, ())}
    completed = []
    for service in services:
        default = unassigned.get(f"{service.name.lower()}-volume")
        own = volumes.get(service.id) or ((default,) if default else ())
        completed.append(service.model_copy(update={"volumes": own}))
    return completed


def _per_replica(usage: ServiceUsage, replicas: int) -> ServiceUsage:
    """The usage of the mean replica, if Railway named no replica and returned the sum."""
    if not usage.summed or replicas < 2:
        return usage

    def mean(points: tuple[Point, ...]) -> tuple[Point, ...]:
        return tuple((at, value / replicas) for at, value in points)

    instances = [
        instance.model_copy(update={"cpu": mean(instance.cpu), "memory": mean(instance.memory)})
        for instance in usage.instances
    ]
    divisor = replicas if usage.limits_summed else 1
    return usage.model_copy(
        update={
            "instances": tuple(instances),
            "cpu_limit": usage.cpu_limit and usage.cpu_limit / divisor,
            "memory_limit": usage.memory_limit and usage.memory_limit / divisor,
        }
    )
