"""The environment as it is and was in the window. Every read that fails is said: absent is not healthy."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from workers.errors import RailwayBusy, RailwayRefused
from workers.models import (
    ContainerStart,
    Deployment,
    Environment,
    Point,
    Service,
    Survey,
    Volume,
    Window,
)  # fmt: skip
from workers.railway import Railway, ServiceUsage, Traffic

T = TypeVar("T")

READERS = 6
"""Reads side by side: below Railway's ten requests a second for its smallest paying plan."""
HISTORY = 100
"""Deployments of the whole environment, newest first: one page."""


@dataclass
class _Parts:
    """Everything beside the architecture: a part that fails leaves a sentence, and the rest goes on."""

    asked: int = 0
    failed: list[RailwayBusy | RailwayRefused] = field(default_factory=list)
    not_seen: list[str] = field(default_factory=list)

    def take(self, name: str, part: Future[T], absent: T) -> T:
        self.asked += 1
        try:
            return part.result()
        except (RailwayBusy, RailwayRefused) as error:
            self.failed.append(error)
            self.not_seen.append(f"{name}: {error}")
            return absent

    def raise_if_all_failed(self) -> None:
        """Nothing but names came: rather look again later than judge by them."""
        busy = next((error for error in self.failed if isinstance(error, RailwayBusy)), None)
        if busy and len(self.failed) == self.asked:
            raise busy


class _Asked(NamedTuple):
    """What is being read beside the architecture."""

    usage: Future[dict[str, ServiceUsage]]
    starts: Future[tuple[ContainerStart, ...]]
    history: Future[list[Deployment]]
    volumes: Future[dict[str | None, tuple[Volume, ...]]]
    branches: Future[dict[str, str]]
    project: Future[str]
    platform: Future[str | None]


class _Read(NamedTuple):
    """What came of it; for a part that failed, nothing."""

    usage: dict[str, ServiceUsage]
    traffic: Traffic
    starts: tuple[ContainerStart, ...]
    history: list[Deployment]
    volumes: dict[str | None, tuple[Volume, ...]]
    branches: dict[str, str]


def survey(railway: Railway, environment: Environment, window: Window, step_seconds: int) -> Survey:
    """What the environment is and did in the window, with one sample per step.

    Raises RailwayBusy or RailwayRefused where the services themselves cannot be read, and RailwayBusy where nothing
    else could; any other read that fails is a sentence in `not_seen`.
    """
    parts = _Parts()
    with ThreadPoolExecutor(READERS, thread_name_prefix="survey") as pool:
        shape = pool.submit(railway.architecture, environment)
        asked = _ask(pool, railway, environment, window, step_seconds)
        try:
            shown = shape.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        ids = [one.id for one in shown.services if one.public or one.serving or one.latest]
        traffic = pool.submit(railway.traffic, environment, ids, window, step_seconds)
        used = parts.take("CPU and memory", asked.usage, {})
        bare = [one for one, seen in used.items() if seen.cpu_limit is None or seen.memory_limit is None]
        limits = pool.submit(railway.limits, environment, bare)
        known = parts.take("limits", limits, {}) if bare else {}
        read = _collect(
            parts, asked, {one: _limited(seen, known.get(one)) for one, seen in used.items()}, traffic
        )
        project = parts.take("project name", asked.project, environment.project_id)
        incident = parts.take("Railway's own status", asked.platform, None)
    parts.raise_if_all_failed()
    names = {one.id: one.name for one in shown.services}
    refused = [f"traffic of {names.get(one, one)}: {why}" for one, why in read.traffic.refused.items()]
    return Survey(
        project_id=environment.project_id,
        project_name=project,
        environment_id=environment.environment_id,
        environment_name=shown.environment_name,
        window=window,
        step_seconds=step_seconds,
        services=tuple(
            _complete(one, read, step_seconds) for one in _with_volumes(shown.services, read.volumes)
        ),
        platform_incident=incident,
        not_seen=(*shown.not_seen, *refused, *parts.not_seen),
    )


def _ask(
    pool: ThreadPoolExecutor, railway: Railway, environment: Environment, window: Window, step_seconds: int
) -> _Asked:
    return _Asked(
        usage=pool.submit(railway.usage, environment, window, step_seconds),
        starts=pool.submit(railway.container_starts, environment, window),
        history=pool.submit(railway.deployments, environment, None, HISTORY),
        volumes=pool.submit(railway.volumes, environment),
        branches=pool.submit(railway.branches, environment),
        project=pool.submit(railway.project_name, environment.project_id),
        platform=pool.submit(railway.platform_incident),
    )


def _collect(parts: _Parts, asked: _Asked, usage: dict[str, ServiceUsage], traffic: Future[Traffic]) -> _Read:
    return _Read(
        usage=usage,
        traffic=parts.take("traffic", traffic, Traffic(by_service={})),
        starts=parts.take("container starts", asked.starts, ()),
        history=parts.take("deployments", asked.history, []),
        volumes=parts.take("volumes", asked.volumes, {}),
        branches=parts.take("deployment branches", asked.branches, {}),
    )


def _limited(seen: ServiceUsage, limits: tuple[float | None, float | None] | None) -> ServiceUsage:
    """With the configured limits, which are per replica, where the metrics name none."""
    cpu, memory = limits or (None, None)
    return seen.model_copy(
        update={"cpu_limit": seen.cpu_limit or cpu, "memory_limit": seen.memory_limit or memory}
    )


def _complete(service: Service, read: _Read, step_seconds: int) -> Service:
    """The service with its series and its history."""
    named = [one for one in (service.serving, service.latest) if one]
    known = {one.id: one for one in (*named, *(one for one in read.history if one.service_id == service.id))}
    seen = _per_replica(read.usage.get(service.id, ServiceUsage()), service.replicas)
    minutes = read.traffic.by_service.get(service.id, ())
    return service.model_copy(
        update={
            "branch": read.branches.get(service.id) or service.branch,
            "public": service.public or any(minute.requests for minute in minutes),
            "deployments": tuple(sorted(known.values(), key=lambda one: one.created_at, reverse=True)),
            "cpu_limit": seen.cpu_limit,
            "memory_limit": seen.memory_limit,
            "usage": seen.instances,
            "traffic": minutes,
            "traffic_step_seconds": step_seconds,
            "starts": tuple(one for one in read.starts if one.deployment_id in known),
        }
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
