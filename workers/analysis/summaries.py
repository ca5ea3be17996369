"""A window of one service in the few numbers by which later windows are judged. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from workers.analysis.statistics import clean, quantile, runs, step_of
from workers.models import Point, Service, Summary, Survey

HIGH_CPU = 0.8
"""Of the limit: what counts as high CPU, here and in the rules."""
FELL = 0.6
"""Memory below this share of the sample before it: the process began anew."""


def summarise(service: Service, survey: Survey) -> Summary:
    """The window as a Summary; what was not seen is None in it."""
    cpu = [clean(one.cpu) for one in service.usage]
    memory = [clean(one.memory) for one in service.usage]
    slow = [one.p95_ms for one in service.traffic if one.p95_ms is not None]
    seen = bool(service.traffic)
    disk = service.disk[-1][1] if service.disk else _used(service)
    return Summary(
        at=survey.window.end,
        minutes=survey.window.minutes,
        cpu_mean=_mean(cpu),
        memory_mean=_mean(memory),
        memory_low=min((value for points in memory for _, value in points), default=None),
        disk=disk,
        requests=float(sum(one.requests for one in service.traffic)) if seen else None,
        server_errors=float(sum(one.server_errors for one in service.traffic)) if seen else None,
        ok=float(sum(one.ok for one in service.traffic)) if seen else None,
        p95_median=quantile(slow, 0.5) if slow else None,
        p95_high=quantile(slow, 0.9) if slow else None,
        cpu_high_minutes=_high_minutes(service, survey, cpu),
        restarted=_restarted(service, memory) if memory or service.events or service.starts else None,
        error_lines=sum(count for _, count in service.error_lines) if service.error_lines else None,
    )


def _mean(every: Sequence[Sequence[Point]]) -> float | None:
    values = [value for points in every for _, value in points]
    return sum(values) / len(values) if values else None


def _used(service: Service) -> float | None:
    return service.volumes[0].used_mb / 1000 if service.volumes else None


def _high_minutes(service: Service, survey: Survey, cpu: Sequence[Sequence[Point]]) -> float | None:
    limit = service.cpu_limit
    if not limit or not any(cpu):
        return None
    longest = 0.0
    for points in cpu:
        times = [float(at) for at, _ in points]
        step = step_of(times, survey.step_seconds)
        for run in runs(times, [value >= HIGH_CPU * limit for _, value in points], step):
            longest = max(longest, run.seconds)
    return longest / 60


def _restarted(service: Service, memory: Sequence[Sequence[Point]]) -> bool:
    if service.starts or service.events:
        return True
    return any(later < FELL * earlier for points in memory for (_, earlier), (_, later) in pairwise(points))
