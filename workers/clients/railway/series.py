"""Metrics as our series: usage per replica, requests per step. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from workers.clients.railway import graphql_types
from workers.models import InstanceUsage, Model, Point, TrafficMinute

OK, CLIENT_ERROR, SERVER_ERROR = 400, 400, 500
"""Below OK is fine, from CLIENT_ERROR on the caller's fault, from SERVER_ERROR on ours."""


class ServiceUsage(Model):
    """What a service used, and its limits in vCPU and GB.

    `summed`: Railway named no replica, so the series is the sum of all of them; `limits_summed` likewise.
    """

    instances: tuple[InstanceUsage, ...] = ()
    disk: tuple[Point, ...] = ()
    """GB on its volumes over time, oldest first."""
    cpu_limit: float | None = None
    memory_limit: float | None = None
    summed: bool = False
    limits_summed: bool = False


def usage_by_service(
    answer: Iterable[graphql_types.Series], disks: Iterable[graphql_types.Series] = ()
) -> dict[str, ServiceUsage]:
    """Usage by service id. Series without values, or of no service, say nothing and are left out."""
    by_service: dict[str, list[graphql_types.Series]] = defaultdict(list)
    for series in (*answer, *disks):
        if series.tags.service_id and series.values:
            by_service[series.tags.service_id].append(series)
    return {service_id: _service_usage(series) for service_id, series in by_service.items()}


def _service_usage(every: list[graphql_types.Series]) -> ServiceUsage:
    named: dict[str, list[graphql_types.Series]] = defaultdict(list)
    for series in every:
        named[series.measurement].append(series)
    cpu, memory = _points(named["CPU_USAGE"]), _points(named["MEMORY_USAGE_GB"])
    instances = tuple(
        InstanceUsage(
            instance_id=instance,
            deployment_id=deployment or None,
            cpu=cpu.get((instance, deployment), ()),
            memory=memory.get((instance, deployment), ()),
        )
        for instance, deployment in sorted({**cpu, **memory})
    )
    limits = named["CPU_LIMIT"] + named["MEMORY_LIMIT_GB"]
    return ServiceUsage(
        instances=instances,
        disk=_sum(named["DISK_USAGE_GB"]),
        cpu_limit=_last(named["CPU_LIMIT"]),
        memory_limit=_last(named["MEMORY_LIMIT_GB"]),
        summed=any(not one.instance_id for one in instances),
        limits_summed=any(not one.tags.deployment_instance_id for one in limits),
    )


def _points(every: list[graphql_types.Series]) -> dict[tuple[str, str], tuple[Point, ...]]:
    """By instance and deployment, oldest first."""
    found: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for series in every:
        key = (series.tags.deployment_instance_id or "", series.tags.deployment_id or "")
        found[key] |= {one.ts: one.value for one in series.values}
    return {key: tuple(sorted(values.items())) for key, values in found.items()}


def _sum(every: list[graphql_types.Series]) -> tuple[Point, ...]:
    """Of all volumes, oldest first."""
    found: dict[int, float] = defaultdict(float)
    for series in every:
        for one in series.values:
            found[one.ts] += one.value
    return tuple(sorted(found.items()))


def _last(limits: list[graphql_types.Series]) -> float | None:
    """The newest limit that is one; 0 means that none is known."""
    values = [(one.ts, one.value) for series in limits for one in series.values if one.value > 0]
    return max(values)[1] if values else None


def traffic_steps(
    statuses: Sequence[graphql_types.Statuses],
    durations: graphql_types.Durations | None,
    start: int,
    step: int,
) -> tuple[TrafficMinute, ...]:
    """Requests per step from `start`, oldest first; steps of which Railway says nothing are left out."""
    counts: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    at: dict[int, int] = {}
    for series in statuses:
        for sample in series.samples:
            place = (sample.ts - start) // step
            counts[place][series.status_code] += sample.value
            at[place] = min(sample.ts, at.get(place, sample.ts))
    slow: dict[int, float] = {}
    for one in durations.samples if durations else ():
        place = (one.ts - start) // step
        slow[place] = max(one.p95, slow.get(place, 0.0))
    return tuple(_minute(at[place], counts[place], slow.get(place)) for place in sorted(counts))


def counts_per_step(moments: Iterable[float], start: float, step: int) -> tuple[Point, ...]:
    """How many per step from `start`, oldest first; steps without any are left out."""
    found: dict[int, float] = defaultdict(float)
    for at in moments:
        found[int(start + (at - start) // step * step)] += 1
    return tuple(sorted(found.items()))


def _minute(at: int, counts: dict[int, float], p95: float | None) -> TrafficMinute:
    total = round(sum(counts.values()))
    return TrafficMinute(
        at=at,
        requests=total,
        ok=round(sum(count for status, count in counts.items() if status < OK)),
        client_errors=round(sum(n for status, n in counts.items() if CLIENT_ERROR <= status < SERVER_ERROR)),
        server_errors=round(sum(count for status, count in counts.items() if status >= SERVER_ERROR)),
        p95_ms=p95 if total else None,
    )
