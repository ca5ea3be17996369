"""Slicing: the part of a chunk in one window, as a survey at the end of that window would have shown it. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TypeVar

from workers.models import Deployment, InstanceUsage, Service, Survey, Volume, Window

T = TypeVar("T")

SERVED_STATUSES = ("SUCCESS", "CRASHED", "SLEEPING", "REMOVED", "REMOVING")
PREVIOUS_STATUS = {
    "SUCCESS": "DEPLOYING", "FAILED": "DEPLOYING", "CRASHED": "SUCCESS", "SLEEPING": "SUCCESS",
    "REMOVED": "SUCCESS", "REMOVING": "SUCCESS", "SKIPPED": "DEPLOYING",
}  # fmt: skip
"""The status of a deployment before its last change. Railway keeps no history of statuses."""
MB_PER_GB = 1000


def slice_window(chunk: Survey, window: Window, known_services: Collection[str] = ()) -> Survey:
    """The survey of `window`, which lies in the chunk.

    Services that did not exist yet are left out.

    Args:
        known_services: Ids of services that existed before the window.
    """
    services = tuple(
        _at_end_of(service, window)
        for service in chunk.services
        if service.id in known_services or _existed(service, window)
    )
    return chunk.model_copy(update={"window": window, "services": services})


def _existed(service: Service, window: Window) -> bool:
    """Whether a deployment is older than the window, or a series has samples in it."""
    if any(deployment.created_at <= window.start for deployment in service.deployments):
        return True
    start, end = window.start.timestamp(), window.end.timestamp()
    series = [
        service.traffic,
        *(usage.cpu for usage in service.usage),
        *(usage.memory for usage in service.usage),
    ]
    return any(_between(samples, start, end) for samples in series)


def _epoch(sample: object) -> float:
    """Epoch seconds of a point, a traffic minute, a container start or an event."""
    at = sample[0] if isinstance(sample, tuple) else sample.at  # type: ignore[attr-defined]  # every other sample has `at`
    return float(at.timestamp() if isinstance(at, datetime) else at)


def _between(series: Sequence[T], start: float, end: float) -> tuple[T, ...]:
    """The samples in [start, end) of a series in order of time."""
    return tuple(series[bisect_left(series, start, key=_epoch) : bisect_left(series, end, key=_epoch)])


def _at_end_of(service: Service, window: Window) -> Service:
    start, end = window.start.timestamp(), window.end.timestamp()
    usage = [
        replica.model_copy(
            update={
                "cpu": _between(replica.cpu, start, end), "memory": _between(replica.memory, start, end),
            }
        )
        for replica in service.usage
    ]  # fmt: skip
    deployments = tuple(
        _deployment_at(deployment, window.end)
        for deployment in service.deployments
        if deployment.created_at <= window.end
    )
    serving = (deployment for deployment in deployments if deployment.status in SERVED_STATUSES)
    disk = _between(service.disk, start, end)
    return service.model_copy(
        update={
            "usage": tuple(replica for replica in usage if replica.cpu or replica.memory),
            "traffic": _between(service.traffic, start, end),
            "starts": _between(service.starts, start, end),
            "events": _between(service.events, start, end),
            "error_lines": _between(service.error_lines, start, end),
            "disk": disk,
            "egress": _between(service.egress, start, end),
            "volumes": tuple(_volume_at(volume, disk) for volume in service.volumes) if disk else (),
            "deployments": deployments,
            "latest": next(iter(deployments), None),
            "serving": next(serving, None),
        }
    )


def _deployment_at(deployment: Deployment, moment: datetime) -> Deployment:
    """The deployment as it was at that moment. The past states of its instances are unknown."""
    changed_at = deployment.status_at
    if changed_at is None or changed_at <= moment:
        return deployment.model_copy(update={"instance_states": ()})
    status = PREVIOUS_STATUS.get(deployment.status, deployment.status)
    return deployment.model_copy(
        update={"instance_states": (), "status": status, "status_at": None, "stopped": False}
    )


def _volume_at(volume: Volume, disk: Sequence[tuple[int, float]]) -> Volume:
    return volume.model_copy(update={"used_mb": disk[-1][1] * MB_PER_GB})


# ---- windows across two chunks ---------------------------------------------------------------


def join_chunks(older: Survey | None, newer: Survey, start: datetime) -> Survey:
    """Two adjacent chunks as one survey that begins at `start`, so that windows may cross the border between them."""
    if older is None:
        return newer
    older_services = {service.id: service for service in older.services}
    border = newer.window.start.timestamp()
    services = tuple(
        _joined(older_services.get(service.id), service, start.timestamp(), border)
        for service in newer.services
    )
    window = Window(start=max(start, older.window.start), end=newer.window.end)
    gaps = tuple(dict.fromkeys((*older.failed_reads, *newer.failed_reads)))
    return newer.model_copy(update={"window": window, "services": services, "failed_reads": gaps})


def _joined(older: Service | None, newer: Service, start: float, border: float) -> Service:
    if older is None:
        return newer

    def both(name: str) -> tuple[object, ...]:
        # Samples on the border are part of both chunks: take them from the newer one.
        return (*_between(getattr(older, name), start, border), *getattr(newer, name))

    names = ("traffic", "starts", "events", "error_lines", "disk", "egress")
    return newer.model_copy(
        update={**{name: both(name) for name in names}, "usage": _joined_usage(older, newer, start, border)}
    )


def _joined_usage(older: Service, newer: Service, start: float, border: float) -> tuple[InstanceUsage, ...]:
    """The usage of both chunks, per replica."""
    replicas: dict[tuple[str, str | None], InstanceUsage] = {}
    for service, first, last in ((older, start, border), (newer, border, float("inf"))):
        for usage in service.usage:
            key = (usage.instance_id, usage.deployment_id)
            joined = replicas.get(key, usage.model_copy(update={"cpu": (), "memory": ()}))
            cpu, memory = (_between(points, first, last) for points in (usage.cpu, usage.memory))
            replicas[key] = joined.model_copy(
                update={"cpu": (*joined.cpu, *cpu), "memory": (*joined.memory, *memory)}
            )
    return tuple(replicas.values())
