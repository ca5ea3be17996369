"""How a sweep without an incident's trouble sees its service: only what is measured and well counts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import builders
from workers.incidents.recovery import Recovery, assess_recovery, measure_service, required_quiet_ms
from workers.models import (
    ContainerStart,
    Finding,
    Gap,
    GapPart,
    Incident,
    InstanceUsage,
    Service,
    Severity,
    Subject,
    Summary,
    Survey,
    Volume,
)

END = int(builders.END.timestamp())
BEFORE = tuple(
    Summary(
        requests=1200.0, minutes=30.0, ok=1190.0, server_errors=2.0, p95_median=120.0, cpu_peak=0.5, cpu_mean=0.4,
        memory_high=0.5, error_lines=4.0,
    )
    for _ in range(12)
)  # fmt: skip


def service(**fields: Any) -> Service:
    values: dict[str, Any] = {
        "serving": builders.deployment(), "latest": builders.deployment(), "traffic": builders.traffic([40] * 30),
        "cpu_limit": 2.0, "memory_limit": 1.0,
    }  # fmt: skip
    return builders.service(**values | fields)


def usage(*, cpu: float = 0.4, memory: float = 0.5) -> tuple[InstanceUsage, ...]:
    def points(value: float) -> tuple[tuple[int, float], ...]:
        return tuple((END - 60 * minute, value) for minute in range(30, 0, -1))

    return (InstanceUsage(instance_id="i", cpu=points(cpu), memory=points(memory)),)


def view(
    trouble: Finding,
    current: Service,
    *findings: Finding,
    before: tuple[Summary, ...] = BEFORE,
    **fields: Any,
) -> Recovery | None:
    """The view of a sweep; the detector gets no history, so that only the measurements decide."""
    survey = builders.survey(current, **fields)
    return assess_recovery(builders.incident(trouble), [], survey, list(findings), before=before)


def p95(value: float) -> Any:
    return tuple(minute.model_copy(update={"p95_ms": value}) for minute in builders.traffic([40] * 30))


SLOW = builders.finding("latency", numbers={"baseline_ms": 120.0})
WELL, SICK, UNKNOWN = Recovery.HEALTHY, Recovery.STILL_SICK, None
CASES: dict[str, tuple[Finding, Service, Recovery | None]] = {
    "errors: none fail": (builders.finding(), service(), WELL),
    "errors: every tenth fails": (
        builders.finding(),
        service(traffic=builders.traffic([40] * 30, server_errors=4)),
        SICK,
    ),
    "errors: no requests": (builders.finding(), service(traffic=()), UNKNOWN),
    "errors: hardly any requests": (builders.finding(), service(traffic=builders.traffic([1] * 30)), UNKNOWN),
    "latency: as before": (SLOW, service(traffic=p95(130)), WELL),
    "latency: three times": (SLOW, service(traffic=p95(380)), SICK),
    "latency: no requests": (builders.finding("latency"), service(traffic=()), UNKNOWN),
    "traffic: back": (builders.finding("traffic_lost"), service(), WELL),
    "traffic: a trickle": (builders.finding("traffic_lost"), service(traffic=builders.traffic([2] * 30)), SICK),
    "traffic: none": (builders.finding("traffic_lost"), service(traffic=()), SICK),
    "cpu: low": (builders.finding("cpu"), service(usage=usage(cpu=0.5)), WELL),
    "cpu: at the limit": (builders.finding("cpu"), service(usage=usage(cpu=1.9)), SICK),
    "cpu: not measured": (builders.finding("cpu"), service(), UNKNOWN),
    "memory: low": (builders.finding("memory"), service(usage=usage(memory=0.5)), WELL),
    "memory: near the limit": (builders.finding("memory"), service(usage=usage(memory=0.93)), SICK),
    "memory: not measured": (builders.finding("memory_growth"), service(), UNKNOWN),
    "leak: as high as before": (
        builders.finding("memory_growth", numbers={"now_percent": 80.0}),
        service(usage=usage(memory=0.78)),
        SICK,
    ),
    "volume: full": (
        builders.finding("volume", numbers={"used_percent": 97.0}, labels={"volume": "data"}),
        service(volumes=(Volume(id="v", name="data", mount_path="/", used_mb=970, size_mb=1000),)),
        SICK,
    ),
    "volume: larger": (
        builders.finding("volume", numbers={"used_percent": 97.0}, labels={"volume": "data"}),
        service(volumes=(Volume(id="v", name="data", mount_path="/", used_mb=970, size_mb=5000),)),
        WELL,
    ),
    "crashed: runs": (builders.finding("crashed"), service(), WELL),
    "crashed: still": (builders.finding("crashed"), service(serving=builders.deployment(status="CRASHED")), SICK),
    "crashed: all instances": (
        builders.finding("crashed"),
        service(serving=builders.deployment(instance_states=("CRASHED",))),
        SICK,
    ),
    "stopped: still": (builders.finding("stopped"), service(serving=builders.deployment(stopped=True)), SICK),
    "failed deployment: the next works": (builders.finding("failed_deployment"), service(), WELL),
    "failed deployment: the next builds": (
        builders.finding("failed_deployment"),
        service(latest=builders.deployment(status="BUILDING")),
        UNKNOWN,
    ),
    "failed deployment: the next was skipped": (
        builders.finding("failed_deployment"),
        service(latest=builders.deployment(status="SKIPPED")),
        SICK,
    ),
    "cron: no tick": (builders.finding("cron_missed"), service(cron="0 3 * * *"), UNKNOWN),
    "cron: ran": (
        builders.finding("cron_missed"),
        service(cron="0 3 * * *", starts=(ContainerStart(at=builders.ONSET, deployment_id="d1"),)),
        WELL,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_only_a_measurement_like_that_before_the_onset_is_a_recovery(name: str) -> None:
    trouble, current, expected = CASES[name]

    assert view(trouble, current) == expected


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[2] is WELL])
def test_a_failed_read_of_the_service_is_no_recovery(name: str) -> None:
    trouble, current, _ = CASES[name]

    gap = Gap(part=GapPart.DEPLOYMENTS, reason="503")
    assert view(trouble, current, failed_reads=(gap,)) is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"severity": Severity.NOTICE}, SICK),
        ({"severity": Severity.NOTICE, "is_baseline": True}, SICK),
        ({"severity": Severity.NOTICE, "ongoing": False}, WELL),
    ],
)
def test_without_a_time_before_the_onset_a_notice_that_goes_on_is_the_trouble(
    fields: dict[str, Any], expected: Recovery
) -> None:
    assert view(builders.finding(), service(), builders.finding(**fields), before=()) == expected


@pytest.mark.parametrize(
    ("incident_text", "gaps", "expected"),
    [
        (None, (), WELL),
        ("degraded", (), SICK),
        (None, (Gap(part=GapPart.PLATFORM_STATUS, reason="503"),), UNKNOWN),
        (None, (Gap(part=GapPart.TRAFFIC, reason="503"),), UNKNOWN),
    ],
)
def test_an_incident_of_railway_is_over_when_railway_says_so(
    incident_text: str | None, gaps: tuple[Gap, ...], expected: Recovery | None
) -> None:
    survey = builders.survey(service(), platform_incident=incident_text, failed_reads=gaps)

    assert assess_recovery(_platform_incident(), [], survey, []) == expected


def test_after_an_incident_of_railway_each_service_is_looked_at_once_more() -> None:
    silent = service(public=True, traffic=())

    assert measure_service(_platform_incident(), builders.survey(silent)).still_affected == ("api",)
    assert measure_service(_platform_incident(), builders.survey(service(public=True))).still_affected == ()


def _platform_incident() -> Incident:
    return builders.incident(
        builders.finding(), subject=Subject(kind="platform", key="platform", name="Railway")
    )


@pytest.mark.parametrize(
    ("trouble", "relapse_minutes", "expected"),
    [
        (builders.finding(), 0, 10),
        (builders.finding(), 50, 100),
        (builders.finding("oom_killed"), 0, 120),
        (builders.finding("memory_growth", numbers={"hours_seen": 5.0}), 0, 300),
        (builders.finding("memory_growth", numbers={"minutes_seen": 29.0}), 20, 40),
        (builders.finding(), 10_000, 24 * 60),
    ],
)
def test_trouble_that_comes_and_goes_needs_a_longer_time_without_it(
    trouble: Finding, relapse_minutes: int, expected: int
) -> None:
    assert required_quiet_ms([trouble], relapse_minutes * 60_000) == expected * 60_000


def test_a_service_that_is_gone_is_removed_unless_the_list_is_incomplete() -> None:
    partial = Gap(part=GapPart.ENVIRONMENT, reason="1 entry unreadable")
    other = builders.service("web")

    def removed(survey: Survey) -> Recovery | None:
        return assess_recovery(builders.incident(), [], survey, [])

    assert removed(builders.survey(other)) is Recovery.REMOVED
    assert removed(builders.survey(other, failed_reads=(partial,))) is None
