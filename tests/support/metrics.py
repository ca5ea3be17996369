"""Builders for detection tests: metric series of one service in the standard window, and its history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tests.support.builders import START, service_id, survey
from workers.detection import detect
from workers.models import (
    ContainerStart,
    Deployment,
    Finding,
    InstanceUsage,
    PlatformEvent,
    Point,
    Service,
    Summary,
    TrafficMinute,
    Volume,
    alerting_findings,
)

T0 = int(START.timestamp())
MIN_DURATION_MINUTES = 4.0

CALM = Summary(
    minutes=30, cpu_mean=0.2, cpu_peak=0.25, memory_mean=0.4, memory_low=0.39, memory_high=0.41, requests=1500,
    server_errors=0, ok=1480, p95_median=40, p95_high=55, cpu_high_minutes=0, restarted=False,
)  # fmt: skip


def points(values: Sequence[float], step: int = 60) -> tuple[Point, ...]:
    """One sample per `step` seconds from the start of the window."""
    return tuple((T0 + i * step, value) for i, value in enumerate(values))


def usage(
    cpu: Sequence[float] = (), memory: Sequence[float] = (), step: int = 60, instance: str = "i1"
) -> InstanceUsage:
    """The usage of one replica, in vCPU and GB."""
    return InstanceUsage(
        instance_id=instance, deployment_id="live", cpu=points(cpu, step), memory=points(memory, step)
    )


def traffic(
    failed: Sequence[int], requests: int = 50, p95: Sequence[float] | float = 40
) -> tuple[TrafficMinute, ...]:
    """One step per minute with that many requests, of which `failed` fail with 5xx; `p95` in milliseconds."""
    latencies = [p95] * len(failed) if isinstance(p95, (int, float)) else p95
    return tuple(
        TrafficMinute(
            at=T0 + 60 * i, requests=requests, ok=requests - failures, client_errors=0,
            server_errors=failures, p95_ms=latency,
        )
        for i, (failures, latency) in enumerate(zip(failed, latencies, strict=True))
    )  # fmt: skip


def rejecting(ok: int, rejected: int, minutes: int = 30) -> tuple[TrafficMinute, ...]:
    """Traffic with that many successes and 4xx responses per minute."""
    return tuple(
        TrafficMinute(
            at=T0 + 60 * i, requests=ok + rejected, ok=ok, client_errors=rejected, server_errors=0, p95_ms=40
        )
        for i in range(minutes)
    )


def deployment(
    name: str = "live", status: str = "SUCCESS", minute: float = -600, **fields: Any
) -> Deployment:
    """A deployment created that many minutes after the start of the window."""
    at = START + timedelta(minutes=minute)
    values = {"id": name, "service_id": service_id("api"), "status": status, "created_at": at}
    return Deployment.model_validate(values | fields)


def event(kind: str, minute: float) -> PlatformEvent:
    return PlatformEvent.model_validate({"kind": kind, "at": START + timedelta(minutes=minute)})


def starts(*minutes: float, deployment_id: str = "live") -> tuple[ContainerStart, ...]:
    """Container starts at these minutes of the window."""
    return tuple(
        ContainerStart(at=START + timedelta(minutes=minute), deployment_id=deployment_id)
        for minute in minutes
    )


def volume(used_mb: float, size_mb: float = 1000) -> Volume:
    return Volume(id="v", name="data", mount_path="/data", used_mb=used_mb, size_mb=size_mb)


def live_service(name: str = "api", **fields: Any) -> Service:
    """A public service with a healthy deployment and limits of 2 vCPU and 1 GB."""
    live = deployment()
    values = {
        "id": service_id(name), "name": name, "serving": live, "latest": live, "deployments": (live,),
        "cpu_limit": 2.0, "memory_limit": 1.0, "public": True,
    }  # fmt: skip
    return Service.model_validate(values | fields)


def failing_service(name: str, **fields: Any) -> Service:
    """A service with 5xx in the last 20 minutes of the window."""
    return live_service(name, traffic=traffic([0] * 10 + [20] * 20), **fields)


def history(count: int = 48, **changes: Any) -> list[Summary]:
    """Equal earlier windows that follow each other up to this window."""
    return [
        CALM.model_copy(update={"at": START - timedelta(minutes=30 * age), **changes})
        for age in reversed(range(count))
    ]


def worker_history(count: int = 48, **changes: Any) -> list[Summary]:
    """The history of a service without HTTP traffic."""
    no_traffic = dict.fromkeys(("requests", "server_errors", "ok", "p95_median", "p95_high"))
    return history(count, **(no_traffic | changes))


def detected(service: Service, summaries: Sequence[Summary] = (), **fields: Any) -> list[Finding]:
    """The findings about the service, compared with its history; `fields` replace those of the survey."""
    return detect(
        survey(service, **fields),
        min_duration_minutes=MIN_DURATION_MINUTES,
        history={service.id: summaries},
    )


def severities(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Kind and severity of each finding, sorted."""
    return sorted((finding.kind, finding.severity.value) for finding in findings)


def alerting_kinds(findings: Sequence[Finding]) -> list[str]:
    """The kinds of the findings above a notice, sorted."""
    return sorted(finding.kind for finding in alerting_findings(findings))
