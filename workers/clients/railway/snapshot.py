"""The environment as it is and was in the window. Every read that fails is said: absent is not healthy.

Three requests side by side (what there is, what it used, what it said), then one for every twenty services: their
traffic, and the limits of those whose metrics name none. A hundred services are eight requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    TrafficMinute,
    Volume,
    Window,
)  # fmt: skip

T = TypeVar("T")

MAX_CONCURRENT_READS = 6
"""Reads side by side: below Railway's ten requests a second for its smallest paying plan."""
MAX_DEPLOYMENTS = 100
"""Deployments of the whole environment, newest first: one page."""
UNATTRIBUTED_USAGE = Gap(part=GapPart.USAGE, reason="there are series that name no service")


@dataclass
class _Parts:
    """Reads beside the architecture. A part that fails becomes a gap, and the survey goes on without it."""

    asked: int = 0
    failed: list[RailwayBusy | RailwayRefused] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def take(self, names: tuple[GapPart, ...], part: Callable[[], T], absent: T) -> T:
        self.asked += len(names)
        try:
            return part()
        except (RailwayBusy, RailwayRefused) as error:
            self.lack(dict.fromkeys(names, error))
            return absent

    def lack(self, failed: Mapping[GapPart, RailwayBusy | RailwayRefused]) -> None:
        self.failed += failed.values()
        self.gaps += [Gap(part=name, reason=str(error)) for name, error in failed.items()]

    def raise_if_all_failed(self) -> None:
        """Nothing but names came: rather look again later than judge by them."""
        busy = next((error for error in self.failed if isinstance(error, RailwayBusy)), None)
        if busy and len(self.failed) == self.asked:
            raise busy


class _Read(NamedTuple):
    """All that came, in the words of the survey; for a part that failed, nothing."""

    shape: EnvironmentStructure
    used: UsageResult
    spoken: LogActivity
    edge: HttpMetrics


def take_survey(railway: Railway, environment: Environment, window: Window, step_seconds: int) -> Survey:
    """What the environment is and did in the window, with one sample per step.

    Raises RailwayBusy or RailwayRefused where the services themselves cannot be read, and RailwayBusy where nothing
    else could; any other read that fails is in `failed_reads`.
    """
    parts = _Parts()
    with ThreadPoolExecutor(MAX_CONCURRENT_READS, thread_name_prefix="survey") as pool:
        shaped = pool.submit(railway.fetch_structure, environment, MAX_DEPLOYMENTS, window)
        using = pool.submit(railway.fetch_usage, environment, window, step_seconds)
        speaking = pool.submit(railway.fetch_logs, environment, window, step_seconds)
        try:
            shape = shaped.result()
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, RailwayRefused) and "not found" in str(error).lower():
                watched = f"{environment.project_id}/{environment.environment_id}"
                raise RailwayRefused(f"{error} (TRACKWALKER_ENVIRONMENTS: {watched})") from error
            raise
        used = parts.take((GapPart.USAGE, GapPart.DISK), using.result, UsageResult({}, False, {}, ()))
        edges = [
            (asks, pool.submit(railway.fetch_http_metrics, environment, asks, window, step_seconds))
            for asks in batches(_asks(shape, used))
        ]
        edge = _joined(parts, shape, edges)
        names = (GapPart.STARTS, GapPart.ERROR_LINES, GapPart.LOOKUPS)
        spoken = parts.take(names, speaking.result, LogActivity((), {}, (), {}, ()))
    parts.asked += shape.asked
    for some in (shape.failed, used.failed, spoken.failed):
        parts.lack(some)
    parts.raise_if_all_failed()
    return _survey(environment, window, step_seconds, _Read(shape, used, spoken, edge), parts)


def _asks(shape: EnvironmentStructure, used: UsageResult) -> list[ServiceQuery]:
    """Traffic of whatever was ever deployed, limits of what was measured without any."""
    services = shape.architecture.services
    talks = {one.id for one in services if one.public or one.serving or one.latest}
    bare = {name for name, one in used.usage.items() if one.cpu_limit is None or one.memory_limit is None}
    ids = dict.fromkeys([one.id for one in services if one.id in talks | bare])
    return [ServiceQuery(one, one in talks, one in bare) for one in ids]


def _joined(
    parts: _Parts,
    shape: EnvironmentStructure,
    edges: list[tuple[tuple[ServiceQuery, ...], Future[HttpMetrics]]],
) -> HttpMetrics:
    """All batches as one. One that failed hides the traffic of its own services; all of them are one sentence."""
    names = {one.id: one.name for one in shape.architecture.services}
    joined = HttpMetrics({}, {}, {}, {}, [])
    failed: dict[str, RailwayBusy | RailwayRefused] = {}
    for asks, future in edges:
        try:
            one = future.result()
        except (RailwayBusy, RailwayRefused) as error:
            failed |= {ask.service_id: error for ask in asks}
            continue
        joined.traffic.update(one.traffic)
        joined.limits.update(one.limits)
        joined.traffic_errors.update(one.traffic_errors)
        joined.limit_errors.update(one.limit_errors)
        joined.gaps.extend(one.gaps)
    asked = sum(len(asks) for asks, _ in edges)
    parts.asked += bool(edges)
    if asked and len(failed) == asked:
        parts.lack({GapPart.TRAFFIC: next(iter(failed.values()))})
        return joined
    refused = {**joined.traffic_errors, **{one: str(error) for one, error in failed.items()}}
    parts.gaps += [
        Gap(part=GapPart.TRAFFIC, subject=names.get(service, service), reason=reason)
        for service, reason in refused.items()
    ]
    parts.gaps += [
        Gap(part=GapPart.LIMITS, reason=reason) for reason in dict.fromkeys(joined.limit_errors.values())
    ]
    parts.gaps += dict.fromkeys(joined.gaps)
    return joined


def _survey(
    environment: Environment, window: Window, step_seconds: int, read: _Read, parts: _Parts
) -> Survey:
    shape = read.shape
    services = _with_volumes(shape.architecture.services, shape.volumes)
    missing = dict.fromkeys((*shape.architecture.gaps, *read.used.gaps, *read.spoken.gaps))
    unmeasured = read.used.has_unattributed and any(
        one.serving and one.id not in read.used.usage for one in services
    )
    return Survey(
        project_id=environment.project_id,
        project_name=shape.project_name or environment.project_id,
        environment_id=environment.environment_id,
        environment_name=shape.architecture.environment_name,
        window=window,
        step_seconds=step_seconds,
        services=tuple(_complete(one, read, step_seconds) for one in services),
        calls=find_calls(services, shape.variables, read.spoken.lookups),
        platform_incident=shape.platform_incident,
        failed_reads=(
            *missing,
            *([UNATTRIBUTED_USAGE] if unmeasured else []),
            *dict.fromkeys(parts.gaps),
        ),
        feed=shape.feed,
        feed_read=GapPart.EVENTS not in shape.failed,
    )


def _limited(seen: ServiceUsage, limits: tuple[float | None, float | None] | None) -> ServiceUsage:
    """With the configured limits, which are per replica, where the metrics name none."""
    cpu, memory = limits or (None, None)
    return seen.model_copy(
        update={"cpu_limit": seen.cpu_limit or cpu, "memory_limit": seen.memory_limit or memory}
    )


def _complete(service: Service, read: _Read, step_seconds: int) -> Service:
    """The service with its series and its history."""
    known = _deployments(service, read.shape.history)
    used = _limited(read.used.usage.get(service.id, ServiceUsage()), read.edge.limits.get(service.id))
    seen = _per_replica(used, service.replicas)
    minutes: tuple[TrafficMinute, ...] = read.edge.traffic.get(service.id, ())
    return service.model_copy(
        update={
            "branch": read.shape.branches.get(service.id) or service.branch,
            "public": service.public or any(minute.requests for minute in minutes),
            "deployments": tuple(sorted(known.values(), key=lambda one: one.created_at, reverse=True)),
            "cpu_limit": seen.cpu_limit,
            "memory_limit": seen.memory_limit,
            "usage": seen.instances,
            "disk": seen.disk,
            "traffic": minutes,
            "traffic_step_seconds": step_seconds,
            "starts": tuple(one for one in read.spoken.starts if one.deployment_id in known),
            "events": _events(service, known, read.shape),
            "error_lines": read.spoken.errors.get(service.id, ()),
        }
    )


def _deployments(service: Service, history: list[Deployment]) -> dict[str, Deployment]:
    named = [one for one in (service.serving, service.latest) if one]
    return {one.id: one for one in (*named, *(one for one in history if one.service_id == service.id))}


def _events(
    service: Service, known: Mapping[str, Deployment], shape: EnvironmentStructure
) -> tuple[PlatformEvent, ...]:
    """Of the feed, what names the service, or else one of its deployments."""
    return tuple(
        one.event
        for one in shape.events
        if one.service_id == service.id or (one.service_id is None and one.event.deployment_id in known)
    )


def _with_volumes(
    services: tuple[Service, ...], volumes: Mapping[str | None, tuple[Volume, ...]]
) -> list[Service]:
    """A volume without a service goes to the one whose name it bears, as Railway names new volumes."""
    stray = {one.name.lower(): one for one in volumes.get(None, ())}
    found = []
    for service in services:
        default = stray.get(f"{service.name.lower()}-volume")
        own = volumes.get(service.id) or ((default,) if default else ())
        found.append(service.model_copy(update={"volumes": own}))
    return found


def _per_replica(seen: ServiceUsage, replicas: int) -> ServiceUsage:
    """The mean replica, where Railway named none and so gave the sum of all."""
    if not seen.summed or replicas < 2:
        return seen

    def share(points: tuple[Point, ...]) -> tuple[Point, ...]:
        return tuple((at, value / replicas) for at, value in points)

    instances = [
        one.model_copy(update={"cpu": share(one.cpu), "memory": share(one.memory)}) for one in seen.instances
    ]
    parts = replicas if seen.limits_summed else 1
    return seen.model_copy(
        update={
            "instances": tuple(instances),
            "cpu_limit": seen.cpu_limit and seen.cpu_limit / parts,
            "memory_limit": seen.memory_limit and seen.memory_limit / parts,
        }
    )
