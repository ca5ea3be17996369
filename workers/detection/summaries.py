"""A window of one service in the few numbers by which later windows are judged. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from workers.detection.statistics import clean, quantile, runs, step_of
from workers.models import Point, Service, Summary, Survey

HIGH_CPU = 0.8
"""Of the limit: what counts as high CPU, here and in the rules."""
PEAK_SECONDS = 300.0


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
        cpu_peak=_peak(survey, cpu),
        memory_mean=_mean(memory),
        memory_low=min((value for points in memory for _, value in points), default=None),
        memory_high=max((value for points in memory for _, value in points), default=None),
        disk=disk,
        requests=float(sum(one.requests for one in service.traffic)) if seen else None,
        server_errors=float(sum(one.server_errors for one in service.traffic)) if seen else None,
        ok=float(sum(one.ok for one in service.traffic)) if seen else None,
        p95_median=quantile(slow, 0.5) if slow else None,
        p95_high=quantile(slow, 0.9) if slow else None,
        cpu_high_minutes=_high_minutes(service, survey, cpu),
        restarted=_restarted(service, survey) if any(memory) or service.events or service.starts else None,
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


def _peak(survey: Survey, cpu: Sequence[Sequence[Point]]) -> float | None:
    """The highest mean over PEAK_SECONDS on end of any replica; of fewer samples the mean of all."""
    found = []
    for points in cpu:
        values = [value for _, value in points]
        step = step_of([float(at) for at, _ in points], survey.step_seconds)
        width = max(1, min(len(values), round(PEAK_SECONDS / step)))
        total = sum(values[:width])
        best = total
        for i in range(width, len(values)):
            total += values[i] - values[i - width]
            best = max(best, total)
        if values:
            found.append(best / width)
    return max(found, default=None)


def _restarted(service: Service, survey: Survey) -> bool:
    """Whether a container began anew: told, never guessed from memory, which collectors free as well."""
    window = survey.window
    told = [*(one.at for one in service.starts), *(one.at for one in service.events)]
    live = [one.created_at for one in service.deployments if one.status in ("SUCCESS", "CRASHED", "REMOVED")]
    return any(window.start <= at <= window.end for at in (*told, *live))
