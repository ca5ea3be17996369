"""Time gone by as Railway still holds it: stretches of up to six hours, read whole and cut into windows.

A stretch costs three requests for up to 20 services (what they used, what they logged, their traffic), four with the
feed of events. What the services are comes from a survey of today; what their deployments were at the time is worked
out from when they changed.
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
from workers.models import (
    Environment,
    Gap,
    GapPart,
    InstanceUsage,
    Point,
    Service,
    Survey,
    Window,
)

T = TypeVar("T")

CHUNK_LENGTH = timedelta(hours=6)
SAMPLE_SECONDS = 60
"""Railway's own command asks for this step up to six hours, and for a wider one beyond."""
MAX_CONCURRENT_READS = 4
ESSENTIAL_PARTS = frozenset({GapPart.USAGE, GapPart.DISK, GapPart.STARTS, GapPart.ERROR_LINES})
"""Parts without which trouble of the past may stay hidden; who called whom is taken from today."""
FLOOD_LINES = 0.9 * MAX_ERROR_LINES
"""Error lines of all services in one stretch."""


def split_into_chunks(start: datetime, end: datetime) -> list[Window]:
    """The time between cut into pieces of at most `LENGTH`, newest first, each ending where a newer one begins."""
    found = []
    while end > start:
        begin = max(start, end - CHUNK_LENGTH)
        found.append(Window(start=begin, end=end))
        end = begin
    return found


def requests_per_chunk(survey: Survey, *, events: bool = False) -> int:
    """How many requests one stretch takes."""
    return 2 + events + -(-len(_asked_for(survey)) // MAX_SERVICES_PER_REQUEST)


def _asked_for(shape: Survey) -> list[str]:
    """The services that may have had traffic."""
    return [one.id for one in shape.services if one.public or one.serving or one.latest]


class _Read(NamedTuple):
    used: UsageResult
    seen: Traffic
    spoken: LogActivity
    happened: Sequence[ServiceEvent]
    gaps: list[Gap]


def read_chunk(railway: Railway, survey: Survey, window: Window, *, events: bool = False) -> Survey:
    """What the services of `shape` did in a stretch; what Railway refuses is in `failed_reads`.

    Raises RailwayBusy, and RailwayRefused where it refuses all of it.
    """
    got = _ask(railway, survey, window, events)
    names = {one.id: one.name for one in survey.services}
    refused = [
        Gap(part=GapPart.TRAFFIC, subject=names.get(service, service), reason=reason)
        for service, reason in got.seen.errors.items()
    ]
    return survey.model_copy(
        update={
            "window": window, "step_seconds": SAMPLE_SECONDS, "platform_incident": None,
            "failed_reads": (*got.gaps, *refused),
            "services": tuple(_with(one, got) for one in survey.services),
        }
    )  # fmt: skip


def _ask(railway: Railway, shape: Survey, window: Window, events: bool) -> _Read:
    environment = Environment(project_id=shape.project_id, environment_id=shape.environment_id)
    refused: list[RailwayRefused] = []
    gaps: list[Gap] = []

    def take(name: GapPart, part: Future[T], absent: T) -> T:
        try:
            return part.result()
        except RailwayRefused as error:
            refused.append(error)
            gaps.append(Gap(part=name, reason=str(error)))
            return absent

    with ThreadPoolExecutor(MAX_CONCURRENT_READS, thread_name_prefix="stretch") as pool:
        using = pool.submit(railway.fetch_usage, environment, window, SAMPLE_SECONDS)
        seeing = pool.submit(railway.traffic, environment, _asked_for(shape), window, SAMPLE_SECONDS)
        speaking = pool.submit(railway.fetch_logs, environment, window, SAMPLE_SECONDS)
        happening = pool.submit(_events, railway, environment, window) if events else None
        used = take(GapPart.USAGE, using, UsageResult({}, False, {}, ()))
        seen = take(GapPart.TRAFFIC, seeing, Traffic(by_service={}))
        spoken = take(GapPart.STARTS, speaking, LogActivity((), {}, (), {}, ()))
        nothing: Sequence[ServiceEvent] = ()
        happened = take(GapPart.EVENTS, happening, nothing) if happening else nothing
    if len(refused) >= MAX_CONCURRENT_READS - 1:
        raise refused[0]
    failed = [
        Gap(part=part, reason=str(error)) for part, error in (*used.failed.items(), *spoken.failed.items())
    ]
    gaps += [gap for gap in (*failed, *used.gaps, *spoken.gaps) if gap.part in ESSENTIAL_PARTS]
    return _Read(used, seen, spoken, happened, gaps)


def _events(railway: Railway, environment: Environment, window: Window) -> Sequence[ServiceEvent]:
    """The feed, which comes with the shape."""
    return railway.fetch_structure(environment, 1, window).events


def _with(service: Service, got: _Read) -> Service:
    """The service as it is, with the series of the stretch."""
    own = {one.id for one in service.deployments}
    used = got.used.usage.get(service.id)
    # Of a flood only the end was counted: then nothing is known of the rest.
    flood = sum(count for points in got.spoken.errors.values() for _, count in points) >= FLOOD_LINES
    named = [one for one in got.happened if one.service_id == service.id]
    unnamed = [one for one in got.happened if one.service_id is None and one.event.deployment_id in own]
    return service.model_copy(
        update={
            "usage": _mean_replica(used, service.replicas) if used else (),
            "disk": used.disk if used else (),
            "traffic": got.seen.by_service.get(service.id, ()),
            "traffic_step_seconds": SAMPLE_SECONDS,
            "starts": tuple(one for one in got.spoken.starts if one.deployment_id in own),
            "error_lines": () if flood else got.spoken.errors.get(service.id, ()),
            "events": tuple(sorted((one.event for one in (*named, *unnamed)), key=lambda one: one.at)),
        }
    )


def _mean_replica(used: ServiceUsage, replicas: int) -> tuple[InstanceUsage, ...]:
    """Where Railway gave the sum of all replicas, the mean one."""
    if not used.summed or replicas < 2:
        return used.instances

    def share(points: Iterable[Point]) -> tuple[Point, ...]:
        return tuple((at, value / replicas) for at, value in points)

    return tuple(
        one.model_copy(update={"cpu": share(one.cpu), "memory": share(one.memory)}) for one in used.instances
    )
