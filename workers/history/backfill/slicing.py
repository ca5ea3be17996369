"""A stretch of time cut into windows, each as a survey taken at its end would have shown it. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TypeVar

from workers.models import Deployment, InstanceUsage, Point, Service, Survey, Volume, Window

T = TypeVar("T")

SERVED = ("SUCCESS", "CRASHED", "SLEEPING", "REMOVED", "REMOVING")
PREVIOUS_STATUS = {
    "SUCCESS": "DEPLOYING", "FAILED": "DEPLOYING", "CRASHED": "SUCCESS", "SLEEPING": "SUCCESS",
    "REMOVED": "SUCCESS", "REMOVING": "SUCCESS", "SKIPPED": "DEPLOYING",
}  # fmt: skip
"""What a deployment was before its status became what it is now."""
MB_PER_GB = 1000


def slice_window(chunk: Survey, window: Window, known_services: Collection[str] = ()) -> Survey:
    """The window as a survey taken at its end would have shown it.

    Services that were not there yet are left out; those in `known` (ids) were there before.
    """
    there = [one for one in chunk.services if one.id in known_services or _was_there(one, window)]
    services = tuple(_at_the_time(one, window) for one in there)
    return chunk.model_copy(update={"window": window, "services": services})


def _was_there(service: Service, window: Window) -> bool:
    if any(one.created_at <= window.start for one in service.deployments):
        return True
    start, end = window.start.timestamp(), window.end.timestamp()
    times = [service.traffic, *(one.cpu for one in service.usage), *(one.memory for one in service.usage)]
    return any(_between(series, _time, start, end) for series in times)


def _time(one: object) -> float:
    """When: of a point or of whatever has `at`."""
    at = one[0] if isinstance(one, tuple) else one.at  # type: ignore[attr-defined]  # points, minutes, starts, events
    return float(at.timestamp() if isinstance(at, datetime) else at)


def _between(series: Sequence[T], time: Callable[[T], float], start: float, end: float) -> tuple[T, ...]:
    """What lies in [start, end); the series is ordered by time."""
    return tuple(series[bisect_left(series, start, key=time) : bisect_left(series, end, key=time)])


def _at_the_time(service: Service, window: Window) -> Service:
    start, end = window.start.timestamp(), window.end.timestamp()
    usage = [
        one.model_copy(
            update={"cpu": _between(one.cpu, _time, start, end), "memory": _between(one.memory, _time, start, end)}
        )
        for one in service.usage
    ]  # fmt: skip
    deployments = tuple(_then(one, window.end) for one in service.deployments if one.created_at <= window.end)
    disk = _between(service.disk, _time, start, end)
    return service.model_copy(
        update={
            "usage": tuple(one for one in usage if one.cpu or one.memory),
            "traffic": _between(service.traffic, _time, start, end),
            "starts": _between(service.starts, _time, start, end),
            "events": _between(service.events, _time, start, end),
            "error_lines": _between(service.error_lines, _time, start, end),
            "disk": disk,
            "volumes": tuple(_filled(one, disk) for one in service.volumes) if disk else (),
            "deployments": deployments,
            "latest": next(iter(deployments), None),
            "serving": next((one for one in deployments if one.status in SERVED), None),
        }
    )


def _then(deployment: Deployment, moment: datetime) -> Deployment:
    """The deployment as it was; what its instances did is not known any more."""
    changed = deployment.status_at
    if changed is None or changed <= moment:
        return deployment.model_copy(update={"instance_states": ()})
    was = PREVIOUS_STATUS.get(deployment.status, deployment.status)
    return deployment.model_copy(
        update={"instance_states": (), "status": was, "status_at": None, "stopped": False}
    )


def _filled(volume: Volume, disk: Sequence[Point]) -> Volume:
    return volume.model_copy(update={"used_mb": disk[-1][1] * MB_PER_GB})


def join_chunks(before: Survey | None, after: Survey, start: datetime) -> Survey:
    """Both stretches as one from `start` on: windows may reach over the seam."""
    if before is None:
        return after
    older = {one.id: one for one in before.services}
    span = start.timestamp(), after.window.start.timestamp()
    services = tuple(_joined(older.get(one.id), one, *span) for one in after.services)
    window = Window(start=max(start, before.window.start), end=after.window.end)
    gaps = tuple(dict.fromkeys((*before.failed_reads, *after.failed_reads)))
    return after.model_copy(update={"window": window, "services": services, "failed_reads": gaps})


def _joined(older: Service | None, newer: Service, start: float, seam: float) -> Service:
    """From the older one what lies before the seam: what lies on it came with both."""
    if older is None:
        return newer

    def both(name: str) -> tuple[object, ...]:
        first, second = getattr(older, name), getattr(newer, name)
        return (*_between(first, _time, start, seam), *second)

    names = ("traffic", "starts", "events", "error_lines", "disk")
    return newer.model_copy(
        update={**{name: both(name) for name in names}, "usage": _same_replicas(older, newer, start, seam)}
    )


def _same_replicas(older: Service, newer: Service, start: float, seam: float) -> tuple[InstanceUsage, ...]:
    found: dict[tuple[str, str | None], InstanceUsage] = {}
    for service, begin, end in ((older, start, seam), (newer, seam, float("inf"))):
        for one in service.usage:
            key = (one.instance_id, one.deployment_id)
            known = found.get(key, one.model_copy(update={"cpu": (), "memory": ()}))
            cpu, memory = (_between(each, _time, begin, end) for each in (one.cpu, one.memory))
            found[key] = known.model_copy(
                update={"cpu": (*known.cpu, *cpu), "memory": (*known.memory, *memory)}
            )
    return tuple(found.values())
