"""Aggregates the world's samples and requests as Railway's metrics do: by step and by tag."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from statistics import fmean
from typing import Any

from tests.support.fakes.railway_types import Request, Sample, World, WorldService

DEFAULT_STEP = 30
MEASURES: dict[str, Callable[[WorldService, Sample], float | None]] = {
    "CPU_USAGE": lambda _service, sample: sample.cpu,
    "MEMORY_USAGE_GB": lambda _service, sample: sample.memory_gb,
    "CPU_LIMIT": lambda service, _sample: service.cpu_limit,
    "MEMORY_LIMIT_GB": lambda service, _sample: service.memory_limit,
}
TAGS = {
    "SERVICE_ID": "serviceId",
    "DEPLOYMENT_ID": "deploymentId",
    "DEPLOYMENT_INSTANCE_ID": "deploymentInstanceId",
    "ENVIRONMENT_ID": "environmentId",
    "PROJECT_ID": "projectId",
}


def usage(
    world: World,
    services: Iterable[WorldService],
    measure: str,
    start: float,
    end: float,
    step: int,
    group: list[str],
) -> list[dict[str, Any]]:
    """Series of one measurement. Replicas with the same requested tags are summed."""
    sums: dict[tuple[tuple[str, str], ...], dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for service in services:
        tags = {
            "PROJECT_ID": world.project_id,
            "ENVIRONMENT_ID": world.environment_id,
            "SERVICE_ID": service.id,
        }
        if group == ["SERVICE_ID"]:
            sums[(("serviceId", service.id),)] = defaultdict(float)
        for (instance, deployment, moment), value in _means(service, measure, start, end, step).items():
            own = tags | {"DEPLOYMENT_ID": deployment, "DEPLOYMENT_INSTANCE_ID": instance}
            key = tuple((TAGS[name], own[name]) for name in group if name in TAGS)
            sums[key][moment] += value
    return [
        {
            "measurement": measure,
            "tags": dict(key),
            "values": [{"ts": at, "value": value} for at, value in sorted(values.items())],
        }
        for key, values in sums.items()
    ]


def _means(
    service: WorldService, measure: str, start: float, end: float, step: int
) -> dict[tuple[str, str, int], float]:
    """Mean of each replica's samples per step."""
    series: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    if measure == "DISK_USAGE_GB":
        for at, used in service.disk:
            if start <= at <= end:
                series["", "", _floor(at, step)].append(used)
    read = MEASURES.get(measure)
    for sample in service.samples:
        value = read(service, sample) if read and start <= sample.at <= end else None
        if value is not None:
            series[sample.instance_id, sample.deployment_id, _floor(sample.at, step)].append(value)
    return {key: fmean(values) for key, values in series.items()}


def counts(requests: Iterable[Request], step: int) -> list[dict[str, int]]:
    """Number of requests per step; empty steps are left out."""
    series: dict[int, int] = defaultdict(int)
    for request in requests:
        series[_floor(request.at, step)] += 1
    return [{"ts": at, "value": count} for at, count in sorted(series.items())]


def durations(requests: list[Request], step: int | None, start: float) -> list[dict[str, float]]:
    """Percentiles in milliseconds per step, or one sample for the whole window."""
    series: dict[int, list[float]] = defaultdict(list)
    for request in requests:
        series[_floor(request.at, step) if step else int(start)].append(request.ms)
    return [
        {"ts": at} | {f"p{share}": _percentile(values, share) for share in (50, 90, 95, 99)}
        for at, values in sorted(series.items())
    ]


def _percentile(values: list[float], share: int) -> float:
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * share / 100) - 1)]


def _floor(at: float, step: int) -> int:
    return int(at // step * step)
