"""How the series of each kind of finding is read from a survey and from the history of the service. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from statistics import median
from typing import NamedTuple

from workers.models import Finding, Point, Service, Summary

MB_PER_GB = 1000.0


class Band(NamedTuple):
    """The usual values of a series, as far as they are known."""

    low: float | None = None
    high: float | None = None


class Measure(NamedTuple):
    """How the series of a kind of finding is read from a service and from its history."""

    title: str
    unit: str
    series: Callable[[Service], list[Point]]
    limit: Callable[[Service], float | None]
    band: Callable[[Sequence[Summary]], Band]
    keeps_peaks: bool = True
    """True if downsampling keeps the highest value of each step, False for the mean."""


def measure_of(finding: Finding, services: Sequence[Service]) -> Measure:
    """The series of the finding's kind; for a kind without one, that which shows most of what people notice."""
    if finding.kind in MEASURES:
        return MEASURES[finding.kind]
    if any(minute.requests for service in services for minute in service.traffic):
        return FAILED_REQUESTS if any(_has_failed(service) for service in services) else REQUESTS
    return CPU


def _has_failed(service: Service) -> bool:
    return any(minute.server_errors for minute in service.traffic)


# ---- series ----------------------------------------------------------------------------------


def _cpu(service: Service) -> list[Point]:
    return _highest([usage.cpu for usage in service.usage])


def _memory(service: Service) -> list[Point]:
    return _highest([usage.memory for usage in service.usage])


def _highest(replicas: Sequence[Sequence[Point]]) -> list[Point]:
    """The highest replica at each moment: limits are per replica."""
    highest: dict[int, float] = {}
    for points in replicas:
        for at, value in points:
            highest[at] = max(value, highest.get(at, value))
    return sorted(highest.items())


def _failed_share(service: Service) -> list[Point]:
    return [(step.at, 100 * step.server_errors / step.requests) for step in service.traffic if step.requests]


def _refused_share(service: Service) -> list[Point]:
    return [(step.at, 100 * step.client_errors / step.requests) for step in service.traffic if step.requests]


def _latency(service: Service) -> list[Point]:
    return [(step.at, step.p95_ms) for step in service.traffic if step.p95_ms is not None]


def _requests(service: Service) -> list[Point]:
    minutes = max(service.traffic_step_seconds, 1) / 60
    return [(step.at, step.requests / minutes) for step in service.traffic]


def _starts(service: Service) -> list[Point]:
    """Container starts so far in the window: a crash loop is a steep line."""
    return [(int(start.at.timestamp()), number) for number, start in enumerate(service.starts, 1)]


def _volume_limit(service: Service) -> float | None:
    return sum(volume.size_mb for volume in service.volumes) / MB_PER_GB or None


def _no_limit(_service: Service) -> float | None:
    return None


# ---- usual bands -----------------------------------------------------------------------------


def _middle(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and isfinite(value)]
    return median(known) if known else None


def _cpu_band(before: Sequence[Summary]) -> Band:
    return Band(_middle([item.cpu_mean for item in before]), _middle([item.cpu_peak for item in before]))


def _memory_band(before: Sequence[Summary]) -> Band:
    return Band(_middle([item.memory_low for item in before]), _middle([item.memory_high for item in before]))


def _latency_band(before: Sequence[Summary]) -> Band:
    high = _middle([item.p95_high for item in before])
    return Band(_middle([item.p95_median for item in before]), high)


def _failed_band(before: Sequence[Summary]) -> Band:
    shares = [100 * (item.server_errors or 0) / item.requests for item in before if item.requests]
    return Band(0.0, max(shares)) if shares else Band()


def _refused_band(before: Sequence[Summary]) -> Band:
    shares = [
        100 * max(0.0, item.requests - item.ok - (item.server_errors or 0)) / item.requests
        for item in before
        if item.requests and item.ok is not None
    ]
    return Band(min(shares), max(shares)) if shares else Band()


def _requests_band(before: Sequence[Summary]) -> Band:
    rates = [item.requests / item.minutes for item in before if item.requests is not None and item.minutes]
    return Band(min(rates), max(rates)) if rates else Band()


def _disk_band(before: Sequence[Summary]) -> Band:
    values = [item.disk for item in before if item.disk is not None]
    return Band(min(values), max(values)) if values else Band()


def _no_band(_before: Sequence[Summary]) -> Band:
    return Band()


CPU = Measure("CPU", "vCPU", _cpu, lambda service: service.cpu_limit, _cpu_band)
MEMORY = Measure("Memory", "GB", _memory, lambda service: service.memory_limit, _memory_band)
FAILED_REQUESTS = Measure("Failed requests (5xx)", "%", _failed_share, _no_limit, _failed_band)
REFUSED_REQUESTS = Measure("Refused requests (4xx)", "%", _refused_share, _no_limit, _refused_band)
LATENCY = Measure("Response time (p95)", "ms", _latency, _no_limit, _latency_band)
REQUESTS = Measure("Requests", "per minute", _requests, _no_limit, _requests_band, keeps_peaks=False)
STARTS = Measure("Container starts", "starts", _starts, _no_limit, _no_band)
VOLUME = Measure("Volume", "GB", lambda service: list(service.disk), _volume_limit, _disk_band)
ERROR_LINES = Measure(
    "Error lines in the log", "lines", lambda service: list(service.error_lines), _no_limit, _no_band
)
EGRESS = Measure("Sent data", "GB", lambda service: list(service.egress), _no_limit, _no_band)

MEASURES: dict[str, Measure] = {
    "cpu": CPU,
    "memory": MEMORY,
    "memory_growth": MEMORY,
    "oom_killed": MEMORY,
    "server_errors": FAILED_REQUESTS,
    "client_errors": REFUSED_REQUESTS,
    "latency": LATENCY,
    "traffic_lost": REQUESTS,
    "traffic_drop": REQUESTS,
    "traffic_surge": REQUESTS,
    "restart_loop": STARTS,
    "volume": VOLUME,
    "error_logs": ERROR_LINES,
    "worker_idle": CPU,
    "cron_overlap": CPU,
    "cron_slower": CPU,
    "cron_missed": CPU,
    "egress": EGRESS,
}
"""The series of a kind of finding."""
