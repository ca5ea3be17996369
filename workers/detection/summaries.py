"""The summary of one window of a service: the numbers that later windows are compared with. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from workers.detection.statistics import clean, intervals, quantile, step_of
from workers.models import Finding, Point, Service, Severity, Summary, Survey

HIGH_CPU = 0.8  # share of the CPU limit from which CPU counts as high, here and in the CPU rule
PEAK_SECONDS = 300.0  # length of the moving average whose maximum is the CPU peak


REMEMBERED_NOTICES = frozenset({"traffic_drop", "worker_idle", "egress"})
"""Kinds of notices that a summary carries, because windows with them are no baseline."""


def with_kinds(summary: Summary, findings: Sequence[Finding]) -> Summary:
    """The summary with the kinds of the findings about its service that later windows leave out."""
    kinds = dict.fromkeys(finding.kind for finding in findings if finding.severity is not Severity.NOTICE)
    noticed = dict.fromkeys(
        finding.kind
        for finding in findings
        if finding.severity is Severity.NOTICE and finding.kind in REMEMBERED_NOTICES
    )
    return summary.model_copy(update={"alerting_kinds": tuple(kinds), "notice_kinds": tuple(noticed)})


def summarise(service: Service, survey: Survey) -> Summary:
    """The window as a Summary; a metric that was not measured is None."""
    cpu = [clean(usage.cpu) for usage in service.usage]
    memory = [clean(usage.memory) for usage in service.usage]
    latencies = [minute.p95_ms for minute in service.traffic if minute.p95_ms is not None]
    has_traffic = bool(service.traffic)
    disk = service.disk[-1][1] if service.disk else _used_disk(service)
    # A cron service without samples, starts and events did not run.
    is_observed = any(memory) or service.events or service.starts or service.cron
    return Summary(
        at=survey.window.end,
        minutes=survey.window.minutes,
        cpu_mean=_mean(cpu),
        cpu_peak=_peak(survey, cpu),
        memory_mean=_mean(memory),
        memory_low=min((value for points in memory for _, value in points), default=None),
        memory_high=max((value for points in memory for _, value in points), default=None),
        disk=disk,
        egress=sum(amount for _, amount in service.egress) if service.egress else None,
        requests=float(sum(minute.requests for minute in service.traffic)) if has_traffic else None,
        server_errors=float(sum(minute.server_errors for minute in service.traffic)) if has_traffic else None,
        ok=float(sum(minute.ok for minute in service.traffic)) if has_traffic else None,
        p95_median=quantile(latencies, 0.5) if latencies else None,
        p95_high=quantile(latencies, 0.9) if latencies else None,
        cpu_high_minutes=_high_cpu_minutes(service, survey, cpu),
        restarted=_restarted(service, survey) if is_observed else None,
        run_minutes=_run_minutes(service, survey) if service.cron else None,
        error_lines=sum(lines for _, lines in service.error_lines) if service.error_lines else None,
    )


def _mean(series: Sequence[Sequence[Point]]) -> float | None:
    values = [value for points in series for _, value in points]
    return sum(values) / len(values) if values else None


def _run_minutes(service: Service, survey: Survey) -> float:
    times = {at for usage in service.usage for at, value in usage.memory if value > 0}
    return len(times) * survey.step_seconds / 60


def _used_disk(service: Service) -> float | None:
    return service.volumes[0].used_mb / 1000 if service.volumes else None


def _high_cpu_minutes(service: Service, survey: Survey, cpu: Sequence[Sequence[Point]]) -> float | None:
    """The longest interval of high CPU of any replica, in minutes; None without a limit or samples."""
    limit = service.cpu_limit
    if not limit or not any(cpu):
        return None
    longest = 0.0
    for points in cpu:
        times = [float(at) for at, _ in points]
        step = step_of(times, survey.step_seconds)
        for interval in intervals(times, [value >= HIGH_CPU * limit for _, value in points], step):
            longest = max(longest, interval.seconds)
    return longest / 60


def _peak(survey: Survey, cpu: Sequence[Sequence[Point]]) -> float | None:
    """The highest moving average over PEAK_SECONDS of any replica; a shorter series is averaged as a whole."""
    peaks = []
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
            peaks.append(best / width)
    return max(peaks, default=None)


def _restarted(service: Service, survey: Survey) -> bool:
    """Whether a container started in the window, by the platform's report.

    A fall in memory is no evidence of a restart, because garbage collection frees memory as well.
    """
    window = survey.window
    starts = [*(start.at for start in service.starts), *(event.at for event in service.events)]
    rollouts = [
        deployment.created_at
        for deployment in service.deployments
        if deployment.status in ("SUCCESS", "CRASHED", "REMOVED")
    ]
    return any(window.start <= at <= window.end for at in (*starts, *rollouts))
