"""What counts as sick: minutes and counts, never a single sample; each service by itself; platform trouble apart."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from workers.detection import detect, group_by_cause
from workers.detection.statistics import floors, intervals, kendall_tau, theil_sen, wilson_low
from workers.models import (
    ContainerStart,
    Deployment,
    Finding,
    InstanceUsage,
    Service,
    Severity,
    Survey,
    TrafficMinute,
    Volume,
    Window,
)

END = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
START = END - timedelta(minutes=30)
T0 = int(START.timestamp())


def deployment(
    name: str = "live", status: str = "SUCCESS", minutes: float = -600, **more: object
) -> Deployment:
    at = START + timedelta(minutes=minutes)
    values = {"id": name, "service_id": "s1", "status": status, "created_at": at, **more}
    return Deployment.model_validate(values)


def points(values: Sequence[float], step: int = 60) -> tuple[tuple[int, float], ...]:
    return tuple((T0 + i * step, value) for i, value in enumerate(values))


def usage(
    cpu: Sequence[float] = (), memory: Sequence[float] = (), step: int = 60, instance: str = "i1"
) -> InstanceUsage:
    return InstanceUsage(
        instance_id=instance, deployment_id="live", cpu=points(cpu, step), memory=points(memory, step)
    )


def traffic(
    failed: Sequence[int], requests: int = 50, p95: Sequence[float] | float = 40
) -> tuple[TrafficMinute, ...]:
    slow = [p95] * len(failed) if isinstance(p95, (int, float)) else p95
    return tuple(
        TrafficMinute(
            at=T0 + 60 * i,
            requests=requests,
            ok=requests - bad,
            client_errors=0,
            server_errors=bad,
            p95_ms=ms,
        )
        for i, (bad, ms) in enumerate(zip(failed, slow, strict=True))
    )


def service(**more: object) -> Service:
    live = deployment()
    values = {
        "id": "s1", "name": "api", "serving": live, "latest": live, "deployments": (live,),
        "cpu_limit": 2.0, "memory_limit": 1.0, "public": True, **more,
    }  # fmt: skip
    return Service.model_validate(values)


def survey(*services: Service, **more: object) -> Survey:
    values = {
        "project_id": "p", "project_name": "shop", "environment_id": "e", "environment_name": "production",
        "window": Window(start=START, end=END), "step_seconds": 60, "services": services, **more,
    }  # fmt: skip
    return Survey.model_validate(values)


def judged(*services: Service, **more: object) -> list[Finding]:
    return detect(survey(*services, **more), min_duration_minutes=4)


def kinds(found: list[Finding]) -> list[tuple[str, str]]:
    return sorted((one.kind, one.severity.value) for one in found)


def test_a_quiet_service_has_no_findings() -> None:
    quiet = service(usage=(usage([0.2] * 30, [0.4] * 30),), traffic=traffic([0] * 30))

    assert judged(quiet) == []


def test_cpu_near_its_limit_for_minutes_is_critical_while_it_lasts() -> None:
    busy = service(usage=(usage([0.2] * 20 + [1.9] * 10),))

    found = judged(busy)

    assert kinds(found) == [("cpu", "critical")]
    assert found[0].since == START + timedelta(minutes=20)
    assert found[0].ongoing
    assert "95 % of its 2-vCPU limit" in found[0].sentence and "11:50 UTC" in found[0].sentence


def test_cpu_that_has_recovered_is_a_warning_and_says_until_when() -> None:
    found = judged(service(usage=(usage([0.2] * 8 + [1.9] * 17 + [0.2] * 5),)))

    assert kinds(found) == [("cpu", "warning")]
    assert "until 11:55 UTC" in found[0].sentence


@pytest.mark.parametrize("spikes", [[5], [5, 15], [5, 6, 20, 21, 28]])
def test_spikes_of_a_minute_or_two_are_nothing(spikes: list[int]) -> None:
    cpu = [2.0 if i in spikes else 0.2 for i in range(30)]

    assert judged(service(usage=(usage(cpu),))) == []


def test_one_missing_sample_is_bridged_and_a_gap_is_not_holding() -> None:
    whole = usage([0.2] * 20 + [1.9, 1.9, 0.5, 1.9, 1.9] + [0.2] * 5)
    parted = InstanceUsage(instance_id="i1", cpu=tuple((T0 + s, 1.9) for s in (0, 60, 600, 660, 1200, 1260)))

    assert kinds(judged(service(usage=(whole,)))) == [("cpu", "notice")]
    assert judged(service(usage=(parted,))) == []


def test_a_single_sample_is_never_a_run_even_when_its_step_is_long() -> None:
    found = detect(survey(service(usage=(usage([2.0], step=600),)), step_seconds=600), min_duration_minutes=4)

    assert found == []


def test_replicas_are_judged_singly_against_the_limit_of_one() -> None:
    three = tuple(usage([1.2] * 30, [0.5] * 30, instance=f"i{n}") for n in range(3))
    hot = (*three, usage([1.95] * 30, [0.5] * 30, instance="hot"))

    assert judged(service(usage=three, replicas=3)) == []
    assert "1 of 4 replicas" in judged(service(usage=hot, replicas=4))[0].sentence


def test_memory_that_stays_high_is_a_notice_below_90_and_critical_above_95_percent() -> None:
    def severity(share: float) -> list[tuple[str, str]]:
        return kinds(judged(service(usage=(usage(memory=[share] * 30),))))

    assert severity(0.75) == []
    assert severity(0.85) == [("memory", "notice")]
    assert severity(0.92) == [("memory", "warning")]
    assert severity(0.97) == [("memory", "critical")]


def test_memory_that_grows_towards_its_limit_says_when_it_gets_there() -> None:
    found = judged(service(usage=(usage(memory=[0.3 + 0.012 * i for i in range(30)]),)))

    assert kinds(found) == [("memory_growth", "warning")]
    assert found[0].numbers["minutes_to_limit"] == pytest.approx(29.3, abs=1)


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(lambda i: 0.3 + 0.05 * (i % 8), id="a collector's sawtooth"),
        pytest.param(lambda i: 0.6 - 0.4 * 2.718 ** (-i / 5), id="a cache that fills"),
        pytest.param(lambda i: 0.5 + 0.001 * (i % 3), id="noise"),
        pytest.param(lambda i: 0.8 - 0.01 * i, id="falling"),
        pytest.param(lambda i: (0.5 if i < 12 else 0.62) + 0.0005 * i, id="a step up"),
    ],
)
def test_memory_that_does_not_lead_to_the_limit_is_silent(shape: Callable[[int], float]) -> None:
    assert judged(service(usage=(usage(memory=[shape(i) for i in range(30)]),))) == []


def test_growth_is_measured_from_the_last_restart_on() -> None:
    memory = [0.3 + 0.02 * i for i in range(22)] + [0.2] * 8
    restart = ContainerStart(at=START + timedelta(minutes=22), deployment_id="live")

    assert judged(service(usage=(usage(memory=memory),), starts=(restart,))) == []


def test_a_container_restarted_at_its_memory_limit_is_found_though_no_sample_stays_there() -> None:
    memory = [0.3 + 0.07 * (i % 10) for i in range(30)]
    starts = tuple(ContainerStart(at=START + timedelta(minutes=m), deployment_id="live") for m in (10, 20))

    found = judged(service(usage=(usage(memory=memory),), starts=starts))

    assert ("memory", "critical") in kinds(found)
    assert next(one for one in found if one.kind == "memory").numbers["restarts"] == 2


def test_lasting_5xx_are_found_with_share_count_and_onset() -> None:
    found = judged(service(traffic=traffic([0] * 10 + [17] * 20)))

    assert kinds(found) == [("server_errors", "critical")]
    assert found[0].since == START + timedelta(minutes=10)
    assert found[0].sentence == ("34 % of requests failing (5xx, 340 of 1,000) since 11:40 UTC, ongoing")


def test_a_few_lasting_5xx_are_a_warning() -> None:
    assert kinds(judged(service(traffic=traffic([2, 1] * 15)))) == [("server_errors", "warning")]


@pytest.mark.parametrize(
    "failed",
    [
        pytest.param([0] * 14 + [20] + [0] * 15, id="one burst"),
        pytest.param([0] * 5 + [12] + [0] * 18 + [12] + [0] * 5, id="two bursts far apart"),
        pytest.param([1] + [0] * 14 + [1] + [0] * 13 + [1], id="a failure now and then"),
        pytest.param([0] * 28 + [0, 4], id="four failures"),
    ],
)
def test_bursts_and_single_failures_are_nothing(failed: list[int]) -> None:
    assert judged(service(traffic=traffic(failed))) == []


def test_a_total_outage_of_the_last_minutes_fires_at_once() -> None:
    found = judged(service(traffic=traffic([0] * 26 + [50] * 4)))

    assert kinds(found) == [("server_errors", "critical")]
    assert "100 % of requests failing (5xx, 200 of 200)" in found[0].sentence


def test_few_requests_that_all_fail_are_enough_and_one_of_three_is_not() -> None:
    assert kinds(judged(service(traffic=traffic([1] * 30, requests=1)))) == [("server_errors", "critical")]
    assert judged(service(traffic=traffic([0] * 29 + [1], requests=3))) == []


def test_slow_answers_for_minutes_are_found_with_what_was_usual() -> None:
    found = judged(service(traffic=traffic([0] * 30, p95=[80] * 15 + [3500] * 15)))

    assert kinds(found) == [("latency", "critical")]
    assert "3.5 s" in found[0].sentence and "baseline 80 ms" in found[0].sentence


def test_a_slow_minute_or_a_handful_of_slow_requests_is_nothing() -> None:
    blip = traffic([0] * 30, p95=[80] * 15 + [9000] + [80] * 14)
    handful = traffic([0] * 30, requests=2, p95=[80] * 26 + [4000] * 4)

    assert judged(service(traffic=blip)) == []
    assert judged(service(traffic=handful)) == []


def test_a_crashed_serving_deployment_is_critical() -> None:
    dead = deployment("dead", "CRASHED", -60, instance_states=("CRASHED",))

    found = judged(service(serving=dead, latest=dead, deployments=(dead,)))

    assert kinds(found) == [("crashed", "critical")]
    assert found[0].deployment_id == "dead"


def test_a_crash_of_some_replicas_is_a_warning() -> None:
    half = deployment("half", "CRASHED", instance_states=("CRASHED", "RUNNING"))

    assert kinds(judged(service(serving=half, latest=half))) == [("crashed", "warning")]


def test_a_failed_deployment_beside_a_serving_one_is_a_warning_that_says_so() -> None:
    failed = deployment("failed", "FAILED", 10, commit="0123456789abcdef")

    found = judged(service(latest=failed, deployments=(failed, deployment())))

    assert kinds(found) == [("failed_deployment", "warning")]
    assert "commit 0123456" in found[0].sentence and "older deployment" in found[0].sentence


def test_a_failed_deployment_without_any_other_is_critical() -> None:
    failed = deployment("failed", "FAILED", 10)

    for serving in (None, failed):
        found = judged(service(serving=serving, latest=failed, deployments=(failed,)))
        assert kinds(found) == [("failed_deployment", "critical")]


def test_restarts_count_beyond_the_replicas() -> None:
    def starts(count: int) -> tuple[ContainerStart, ...]:
        return tuple(
            ContainerStart(at=START + timedelta(minutes=8 * n + 4), deployment_id="live")
            for n in range(count)
        )

    assert kinds(judged(service(starts=starts(3)))) == [("restart_loop", "critical")]
    assert judged(service(starts=starts(2))) == []
    assert judged(service(starts=starts(4), replicas=3)) == []
    assert judged(service(starts=starts(5), cron="*/5 * * * *")) == []


def test_a_stopped_service_is_sick_unless_it_is_meant_to_end() -> None:
    ended = deployment("ended", stopped=True)

    assert kinds(judged(service(serving=ended, latest=ended))) == [("stopped", "critical")]
    assert judged(service(serving=ended, latest=ended, cron="0 * * * *")) == []
    assert judged(service(serving=ended, latest=ended, sleeps=True)) == []


def test_a_filling_volume_is_a_warning_and_a_full_one_critical() -> None:
    def volume(used: float, size: float = 1000) -> tuple[Volume, ...]:
        return (Volume(id="v", name="data", mount_path="/data", used_mb=used, size_mb=size),)

    assert judged(service(volumes=volume(840))) == []
    assert kinds(judged(service(volumes=volume(860)))) == [("volume", "warning")]
    assert kinds(judged(service(volumes=volume(960)))) == [("volume", "critical")]
    assert judged(service(volumes=volume(10, 0))) == []


def test_a_window_of_a_minute_works_by_its_settings_alone() -> None:
    window = Window(start=START, end=START + timedelta(seconds=60))
    failing = tuple(
        TrafficMinute(at=T0 + 2 * i, requests=5, ok=3, client_errors=0, server_errors=2 * (i > 15), p95_ms=9)
        for i in range(30)
    )
    leaking = usage(memory=[0.3 + 0.012 * i for i in range(30)], step=2)
    sick = service(traffic=failing, traffic_step_seconds=2, usage=(leaking,))

    found = detect(survey(sick, window=window, step_seconds=2), min_duration_minutes=0.1)

    assert kinds(found) == [("memory_growth", "warning"), ("server_errors", "critical")]
    assert "11:30:32 UTC" in next(one for one in found if one.kind == "server_errors").sentence


def test_the_deployment_next_to_the_onset_is_named_not_the_newest() -> None:
    newer = deployment("newer", minutes=25)
    before = deployment("before", minutes=9)
    sick = service(deployments=(newer, before, deployment()), traffic=traffic([0] * 10 + [17] * 20))

    assert judged(sick)[0].deployment_id == "before"


def random_survey(seed: int) -> Survey:
    """Anything: gaps, disorder, no limits, steps that do not fit, values that are no numbers."""
    dice = random.Random(seed)

    def series() -> tuple[tuple[int, float], ...]:
        odd = (0.0, -1.0, 1e12, float("nan"), float("inf"))
        times = [T0 + dice.randrange(-500, 4000) for _ in range(dice.randrange(0, 60))]
        return tuple((at, dice.choice((*odd, dice.random(), dice.random()))) for at in times)

    def one(n: int) -> Service:
        statuses = ("SUCCESS", "FAILED", "CRASHED", "SLEEPING", "REMOVED", "NEW_STATUS")
        known = [
            deployment(f"d{i}", dice.choice(statuses), dice.randrange(-9000, 40), stopped=dice.random() < 0.2)
            for i in range(dice.randrange(0, 4))
        ]
        rows = [
            TrafficMinute(
                at=T0 + dice.randrange(0, 1800), requests=(total := dice.randrange(0, 9)), ok=0, client_errors=0,
                server_errors=dice.randrange(0, total + 1), p95_ms=dice.choice((None, 0.0, dice.random() * 9000)),
            )
            for _ in range(dice.randrange(0, 40))
        ]  # fmt: skip
        starts = [
            ContainerStart(at=START + timedelta(seconds=dice.randrange(0, 1800)), deployment_id=f"d{i % 3}")
            for i in range(dice.randrange(0, 8))
        ]
        replicas = [
            InstanceUsage(
                instance_id=f"i{i}", deployment_id=dice.choice((None, "d0")), cpu=series(), memory=series()
            )
            for i in range(dice.randrange(0, 4))
        ]
        return service(
            id=f"s{n}", name=f"n{n}", serving=dice.choice([None, *known]), latest=dice.choice([None, *known]),
            deployments=tuple(known), usage=tuple(replicas), traffic=tuple(rows), starts=tuple(starts),
            cpu_limit=dice.choice((None, 0.0, 0.5)), memory_limit=dice.choice((None, 0.0, 0.5)),
            traffic_step_seconds=dice.choice((1, 60, 3600)), replicas=dice.randrange(0, 4),
        )  # fmt: skip

    incident = dice.choice((None, "an outage"))
    return survey(*(one(n) for n in range(dice.randrange(0, 4))), step_seconds=dice.choice((1, 60, 3600)),
                  platform_incident=incident)  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_whatever_was_surveyed_is_judged_without_a_crash_and_the_same_each_time(seed: int) -> None:
    seen = random_survey(seed)

    found = detect(seen, min_duration_minutes=4)
    opened = group_by_cause(found, seen)

    assert found == detect(random_survey(seed), min_duration_minutes=4)
    assert all(one.sentence and "nan" not in one.sentence for one in found)
    sick = {one.service_id for one in found if one.severity is not Severity.NOTICE}
    assert {one.service_id for _, group, _ in opened for one in group} == sick


@pytest.mark.parametrize("seed", range(20))
def test_more_failures_never_make_a_finding_go_away(seed: int) -> None:
    dice = random.Random(seed)
    share = dice.random() * 0.5
    failed = [sum(dice.random() < share for _ in range(50)) for _ in range(30)]
    worse = [min(50, bad + dice.randrange(0, 10)) for bad in failed]

    before, after = judged(service(traffic=traffic(failed))), judged(service(traffic=traffic(worse)))

    assert len(after) >= len(before)


def test_each_sick_service_is_a_cause_of_its_own_and_its_notices_go_along() -> None:
    failing = traffic([0] * 10 + [17] * 20)
    one = service(id="s1", name="api", traffic=failing, usage=(usage(memory=[0.85] * 30),))
    other = service(id="s2", name="web", usage=(usage([1.96] * 30),))
    noticed = service(id="s3", name="cache", usage=(usage(memory=[0.85] * 30),))
    seen = survey(one, other, noticed)

    opened = group_by_cause(detect(seen, min_duration_minutes=4), seen)

    assert [(cause.kind, cause.key, cause.name) for cause, _, _ in opened] == [
        ("service", "s2", "web"), ("service", "s1", "api")
    ]  # fmt: skip
    assert kinds(opened[1][1]) == [("memory", "notice"), ("server_errors", "critical")]


def test_several_sick_services_during_railways_own_trouble_are_one_cause() -> None:
    failing = traffic([0] * 10 + [17] * 20)
    both = [service(id=f"s{n}", name=f"n{n}", traffic=failing) for n in (1, 2)]
    seen = survey(*both, platform_incident="networking is degraded")
    alone = survey(both[0], platform_incident="networking is degraded")

    [(cause, found, _)] = group_by_cause(detect(seen, min_duration_minutes=4), seen)

    assert (cause.kind, cause.key) == ("platform", "platform") and len(found) == 2
    assert group_by_cause(detect(alone, min_duration_minutes=4), alone)[0][0].kind == "service"


def test_the_statistics_are_what_they_are_called() -> None:
    line = [(i, 2.0 * i) for i in range(10)]

    assert theil_sen([*line, (10, 500.0)]) == pytest.approx(2.0)
    assert kendall_tau([1, 2, 3, 2.5]) == pytest.approx(4 / 6)
    assert [value for _, value in floors(line, 2)] == [0.0, 10.0]
    assert wilson_low(34, 100) == pytest.approx(0.2546, abs=1e-3)
    assert wilson_low(0, 0) == 0.0
    assert [(run.first, run.last) for run in intervals([0, 1, 2, 3, 9], [True] * 5, 1)] == [(0, 3)]
