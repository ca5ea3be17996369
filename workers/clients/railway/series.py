"""Converts Railway's metric series to ours: usage per replica, requests per step. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from workers.clients.railway.graphql_types import Durations, Series, Statuses
from workers.models import InstanceUsage, Model, Point, TrafficMinute

MIN_COUNTER_SAMPLES = 10
"""Samples that only rise if they are those of a counter."""
CLIENT_ERROR_FROM = 400
"""Lowest status of a request that failed because of its client; below, the request succeeded."""
SERVER_ERROR_FROM = 500
"""Lowest status of a request that failed because of the service."""


class ServiceUsage(Model):
    """Usage of one service in the window, and its limits per replica in vCPU and GB."""

    instances: tuple[InstanceUsage, ...] = ()
    disk: tuple[Point, ...] = ()
    """GB on all volumes of the service, oldest first."""
    egress: tuple[Point, ...] = ()
    """GB sent per step, oldest first."""
    cpu_limit: float | None = None
    memory_limit: float | None = None
    summed: bool = False
    """True if Railway named no replica: the series is then the sum of all replicas."""
    limits_summed: bool = False
    """True if the limits are those of all replicas together."""


def usage_by_service(usage: Iterable[Series], disk: Iterable[Series] = ()) -> dict[str, ServiceUsage]:
    """Usage by service id. A series without values means no data, not zero, and is left out."""
    by_service: dict[str, list[Series]] = defaultdict(list)
    for item in (*usage, *disk):
        if item.tags.service_id and item.values:
            by_service[item.tags.service_id].append(item)
    return {service_id: _service_usage(items) for service_id, items in by_service.items()}


def _service_usage(items: list[Series]) -> ServiceUsage:
    by_measurement: dict[str, list[Series]] = defaultdict(list)
    for item in items:
        by_measurement[item.measurement].append(item)
    cpu, memory = _by_instance(by_measurement["CPU_USAGE"]), _by_instance(by_measurement["MEMORY_USAGE_GB"])
    instances = tuple(
        InstanceUsage(
            instance_id=instance,
            deployment_id=deployment or None,
            cpu=cpu.get((instance, deployment), ()),
            memory=memory.get((instance, deployment), ()),
        )
        for instance, deployment in sorted({**cpu, **memory})
    )
    limits = by_measurement["CPU_LIMIT"] + by_measurement["MEMORY_LIMIT_GB"]
    return ServiceUsage(
        instances=instances,
        disk=_sum(by_measurement["DISK_USAGE_GB"]),
        egress=_amounts(_sum(by_measurement["NETWORK_TX_GB"])),
        cpu_limit=_newest(by_measurement["CPU_LIMIT"]),
        memory_limit=_newest(by_measurement["MEMORY_LIMIT_GB"]),
        summed=any(not instance.instance_id for instance in instances),
        limits_summed=any(not item.tags.deployment_instance_id for item in limits),
    )


def _by_instance(items: list[Series]) -> dict[tuple[str, str], tuple[Point, ...]]:
    """Points by (instance id, deployment id), oldest first."""
    points: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for item in items:
        key = (item.tags.deployment_instance_id or "", item.tags.deployment_id or "")
        points[key] |= {sample.ts: sample.value for sample in item.values}
    return {key: tuple(sorted(values.items())) for key, values in points.items()}


def _sum(items: list[Series]) -> tuple[Point, ...]:
    """The sum of the series, oldest first: a service may have several volumes."""
    totals: dict[int, float] = defaultdict(float)
    for item in items:
        for sample in item.values:
            totals[sample.ts] += sample.value
    return tuple(sorted(totals.items()))


def _amounts(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """The amount of each step; a series that never falls over many samples is a counter, whose differences are taken.

    Railway's schema does not say which of both NETWORK_TX_GB is.
    """
    values = [value for _, value in points]
    is_counter = len(values) >= MIN_COUNTER_SAMPLES and values == sorted(values) and values[0] < values[-1]
    if not is_counter:
        return points
    return tuple((at, value - before) for (_, before), (at, value) in pairwise(points))


def _newest(limits: list[Series]) -> float | None:
    # Railway writes 0 if no limit is set.
    values = [(sample.ts, sample.value) for item in limits for sample in item.values if sample.value > 0]
    return max(values)[1] if values else None


def traffic_steps(
    statuses: Sequence[Statuses], durations: Durations | None, start: int, step_seconds: int
) -> tuple[TrafficMinute, ...]:
    """Requests per step, oldest first; steps without a sample are left out.

    Args:
        durations: None if unknown, which leaves `p95_ms` None.
        start: epoch seconds at which the first step begins.
    """
    counts: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    begins: dict[int, int] = {}
    for item in statuses:
        for sample in item.samples:
            # Counts and durations are matched by the number of the step: their timestamps need not be equal.
            step = (sample.ts - start) // step_seconds
            counts[step][item.status_code] += sample.value
            begins[step] = min(sample.ts, begins.get(step, sample.ts))
    p95: dict[int, float] = {}
    for percentiles in durations.samples if durations else ():
        step = (percentiles.ts - start) // step_seconds
        p95[step] = max(percentiles.p95, p95.get(step, 0.0))
    return tuple(_traffic_step(begins[step], counts[step], p95.get(step)) for step in sorted(counts))


def counts_per_step(moments: Iterable[float], start: float, step_seconds: int) -> tuple[Point, ...]:
    """Number of moments per step, oldest first; empty steps are left out.

    Args:
        moments: epoch seconds, in any order.
        start: epoch seconds at which the first step begins.
    """
    counts: dict[int, float] = defaultdict(float)
    for moment in moments:
        counts[int(start + (moment - start) // step_seconds * step_seconds)] += 1
    return tuple(sorted(counts.items()))


def _traffic_step(at: int, counts: dict[int, float], p95: float | None) -> TrafficMinute:
    def total(low: int, high: float) -> int:
        return round(sum(count for status, count in counts.items() if low <= status < high))

    requests = round(sum(counts.values()))
    return TrafficMinute(
        at=at,
        requests=requests,
        ok=total(0, CLIENT_ERROR_FROM),
        client_errors=total(CLIENT_ERROR_FROM, SERVER_ERROR_FROM),
        server_errors=total(SERVER_ERROR_FROM, float("inf")),
        p95_ms=p95 if requests else None,
    )
