"""What the past changes: a service is compared with itself, habits are known, a symptom belongs to its cause."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from tests.unit.detection.test_detection import (
    END,
    START,
    T0,
    deployment,
    kinds,
    service,
    survey,
    traffic,
    usage,
)
from workers.detection import detect, group_by_cause, rank_suspects
from workers.models import (
    ContainerStart,
    Finding,
    Gap,
    GapPart,
    InstanceUsage,
    PlatformEvent,
    Service,
    Severity,
    Summary,
    TrafficMinute,
    Volume,
)

CALM = Summary(
    minutes=30, cpu_mean=0.2, cpu_peak=0.25, memory_mean=0.4, memory_low=0.39, memory_high=0.41, requests=1500,
    server_errors=0, ok=1480, p95_median=40, p95_high=55, cpu_high_minutes=0, restarted=False,
)  # fmt: skip


def past(count: int = 48, **changes: object) -> list[Summary]:
    """Earlier windows that follow each other up to this one, all alike."""
    return [
        CALM.model_copy(update={"at": START - timedelta(minutes=30 * age), **changes})
        for age in reversed(range(count))
    ]


def unasked(count: int = 48, **changes: object) -> list[Summary]:
    """The past of a service that nobody calls from outside."""
    nothing = {"requests": None, "server_errors": None, "ok": None, "p95_median": None, "p95_high": None}
    return past(count, **(nothing | changes))


def judged(one: Service, before: Sequence[Summary] = (), **more: object) -> list[Finding]:
    return detect(survey(one, **more), min_duration_minutes=4, history={one.id: before})


def loud(found: Sequence[Finding]) -> list[str]:
    return sorted(one.kind for one in found if one.severity is not Severity.NOTICE)


def refusing(ok: int, refused: int, minutes: int = 30) -> tuple[TrafficMinute, ...]:
    return tuple(
        TrafficMinute(
            at=T0 + 60 * i, requests=ok + refused, ok=ok, client_errors=refused, server_errors=0, p95_ms=40
        )
        for i in range(minutes)
    )


def event(kind: str, minute: float) -> PlatformEvent:
    return PlatformEvent.model_validate({"kind": kind, "at": START + timedelta(minutes=minute)})


# ---- CPU -------------------------------------------------------------------------------------


def test_a_busy_loop_far_below_the_limit_is_found_against_what_is_usual() -> None:
    looping = service(cpu_limit=8.0, usage=(usage([0.2] * 10 + [1.3] * 20),), traffic=traffic([0] * 30))

    [found] = judged(looping, past())

    assert (found.kind, found.severity) == ("cpu", Severity.WARNING)
    assert found.numbers["baseline_vcpu"] == 0.25 and "baseline maximum 0.25 vCPU" in found.sentence
    assert judged(looping) == []


def test_cpu_that_more_requests_explain_is_no_busy_loop() -> None:
    working = service(
        cpu_limit=8.0, usage=(usage([1.3] * 30),), traffic=traffic([0] * 30, requests=400), public=True
    )

    assert loud(judged(working, past())) == []


def test_a_job_that_takes_its_cpu_in_every_window_is_a_habit_and_alarms_nobody() -> None:
    job = service(usage=(usage([0.2] * 10 + [1.9] * 12 + [0.2] * 8),))

    habit = judged(job, unasked(cpu_high_minutes=11))
    new = judged(job, unasked())

    assert (
        kinds(habit) == [("cpu", "notice")]
        and habit[0].is_baseline
        and "matches its baseline" in habit[0].sentence
    )
    assert loud(new) == ["cpu"]


def test_a_nightly_job_is_known_by_its_hour() -> None:
    job = service(usage=(usage([1.9] * 20 + [0.2] * 10),))
    nights = unasked(48 * 3)
    at_this_hour = [
        one.model_copy(update={"cpu_high_minutes": 20.0}) if i % 48 == 0 else one
        for i, one in enumerate(nights)
    ]
    at_another = [
        one.model_copy(update={"cpu_high_minutes": 20.0}) if i % 48 == 20 else one
        for i, one in enumerate(nights)
    ]

    assert loud(judged(job, at_this_hour)) == []
    assert loud(judged(job, at_another)) == ["cpu"]


def test_three_minutes_of_cpu_count_where_answers_suffered_and_not_where_they_did_not() -> None:
    cpu = usage([0.2] * 15 + [1.9] * 3 + [0.2] * 12)
    harmed = service(usage=(cpu,), traffic=traffic([0] * 30, p95=[40] * 15 + [400] * 3 + [40] * 12))
    unharmed = service(usage=(cpu,), traffic=traffic([0] * 30))

    assert loud(judged(harmed, past())) == ["cpu"]
    assert judged(unharmed, past()) == []


def test_without_a_past_a_service_may_be_busy_by_nature_until_it_is_flat_at_its_limit() -> None:
    busy, flat = (service(usage=(usage([level] * 30),)) for level in (1.85, 1.98))

    assert kinds(judged(busy)) == [("cpu", "notice")]
    assert kinds(judged(flat)) == [("cpu", "critical")]


def test_the_first_minutes_of_a_deployment_may_be_busy() -> None:
    fresh = deployment("new", minutes=10)
    starting = service(
        serving=fresh, latest=fresh, deployments=(fresh,), usage=(usage([0.2] * 10 + [1.95] * 7 + [0.2] * 13),)
    )  # fmt: skip

    assert loud(judged(starting, unasked())) == []


# ---- memory ----------------------------------------------------------------------------------


def test_a_slow_leak_is_seen_over_many_windows_and_says_when_it_is_full() -> None:
    lows = [0.5 + 0.006 * i for i in range(48)]
    before = [
        one.model_copy(update={"memory_low": low, "memory_mean": low, "memory_high": low + 0.003})
        for one, low in zip(unasked(), lows, strict=True)
    ]
    leaking = service(usage=(usage(memory=[0.79 + 0.0002 * i for i in range(30)]),))

    [found] = judged(leaking, before)

    assert found.kind == "memory_growth" and found.severity is Severity.WARNING
    assert found.seconds_to_limit == pytest.approx(0.21 / 0.006 * 1800, rel=0.1)
    assert found.numbers["hours_seen"] >= 20


def test_a_leak_that_a_deployment_cut_is_not_counted_from_before_it() -> None:
    lows = [0.5 + 0.008 * i for i in range(40)] + [0.3] * 8
    before = [
        one.model_copy(update={"memory_low": low, "restarted": i == 40})
        for i, (one, low) in enumerate(zip(unasked(), lows, strict=True))
    ]

    assert judged(service(usage=(usage(memory=[0.3] * 30),)), before) == []


def by_day(age: int) -> float:
    """How far it has gone from the quiet to the busy time of a day, 0.0 to 1.0: up for twelve hours, then down."""
    return 1 - (age % 48) / 24 if age % 48 < 24 else (age % 48) / 24 - 1


def test_memory_that_follows_the_requests_of_the_day_is_no_leak() -> None:
    before = [
        one.model_copy(
            update={
                "memory_low": 0.5 + 0.3 * by_day(age), "memory_mean": 0.5 + 0.3 * by_day(age),
                "memory_high": 0.51 + 0.3 * by_day(age), "requests": 500 + 2000 * by_day(age),
            }
        )
        for age, one in zip(reversed(range(96)), past(96), strict=True)
    ]  # fmt: skip
    busy = service(usage=(usage(memory=[0.8] * 30),), traffic=traffic([0] * 30, requests=83))
    leaking = service(usage=(usage(memory=[0.95] * 30),), traffic=traffic([0] * 30, requests=83))

    assert loud(judged(busy, before)) == []
    assert "memory" in loud(judged(leaking, before))


def test_memory_that_grows_like_this_every_day_is_no_leak() -> None:
    def worked(hours_ago: float) -> float:
        """It begins anew twelve hours ago, and grows until the next day."""
        return 0.3 + 0.024 * ((12 - hours_ago) % 24)

    def days(kept: int) -> list[Summary]:
        ages = [age / 2 for age in reversed(range(kept))]
        return [
            one.model_copy(
                update={"memory_low": worked(age), "memory_mean": worked(age), "restarted": age % 24 == 12}
            )
            for age, one in zip(ages, unasked(kept), strict=True)
        ]

    growing = service(usage=(usage(memory=[0.6] * 30),))

    assert judged(growing, days(48 * 3)) == []
    assert loud(judged(growing, days(23))) == ["memory_growth"]


def test_a_leak_shows_although_requests_rise_where_so_many_never_needed_so_much() -> None:
    def leaked(age: int) -> float:
        return 0.3 if age >= 20 else 0.65 - 0.017 * age

    before = [
        one.model_copy(
            update={
                "memory_low": leaked(age), "memory_mean": leaked(age) + 0.01, "memory_high": leaked(age) + 0.02,
                "requests": 500 + 2000 * by_day(age), "restarted": age == 20,
            }
        )
        for age, one in zip(reversed(range(96)), past(96), strict=True)
    ]  # fmt: skip

    found = judged(
        service(usage=(usage(memory=[0.66] * 30),), traffic=traffic([0] * 30, requests=83)), before
    )

    assert loud(found) == ["memory_growth"]


def test_a_collectors_tooth_longer_than_the_window_is_known_by_its_earlier_height() -> None:
    rising = service(usage=(usage(memory=[0.4 + 0.01 * i for i in range(30)]),))

    assert loud(judged(rising, unasked(memory_high=0.75))) == []
    assert loud(judged(rising, unasked())) == ["memory_growth"]


def test_high_memory_that_was_always_there_is_known_until_nothing_is_left() -> None:
    def high(share: float) -> list[Finding]:
        before = unasked(memory_mean=share, memory_low=share, memory_high=share)
        return judged(service(usage=(usage(memory=[share] * 30),)), before)

    assert kinds(high(0.93)) == [("memory", "notice")] and high(0.93)[0].is_baseline
    assert kinds(high(0.99)) == [("memory", "critical")]


def test_what_old_and_new_containers_use_together_in_a_rollout_is_no_saturation() -> None:
    fresh = deployment("new", minutes=10)
    memory = [0.6] * 10 + [1.15] * 5 + [0.6] * 15
    rolling = service(
        serving=fresh, latest=fresh, deployments=(fresh,),
        usage=(InstanceUsage(instance_id="", memory=tuple((T0 + 60 * i, v) for i, v in enumerate(memory))),),
        starts=(ContainerStart(at=fresh.created_at, deployment_id="new"),),
    )  # fmt: skip

    assert loud(judged(rolling, unasked())) == []


# ---- answers ---------------------------------------------------------------------------------


def test_latency_that_tripled_below_a_second_is_found_against_the_services_own_usual() -> None:
    slow = service(traffic=traffic([0] * 30, p95=[40] * 15 + [350] * 15))

    [found] = judged(slow, past())

    assert (found.kind, found.severity) == ("latency", Severity.WARNING)
    assert found.numbers["baseline_ms"] == 40 and found.ongoing


def test_a_service_that_is_slow_by_nature_is_left_alone() -> None:
    slow = service(traffic=traffic([0] * 30, p95=3500))

    assert judged(slow, past(p95_median=3400, p95_high=3900)) == []
    assert loud(judged(slow)) == []


def test_a_little_slower_is_a_notice_that_starts_nothing() -> None:
    found = judged(service(traffic=traffic([0] * 30, p95=110)), past())

    assert kinds(found) == [("latency", "notice")] and not found[0].is_baseline


def test_slowness_of_a_few_minutes_that_is_over_starts_nothing() -> None:
    over = service(traffic=traffic([0] * 30, p95=[40] * 10 + [900] * 5 + [40] * 15))

    assert kinds(judged(over, past())) == [("latency", "notice")]


def test_what_has_always_failed_is_known_until_it_gets_worse() -> None:
    before = past(server_errors=75, ok=1405)

    same = judged(service(traffic=traffic([3] * 30)), before)
    worse = judged(service(traffic=traffic([20] * 30)), before)

    assert kinds(same) == [("server_errors", "notice")] and same[0].is_baseline
    assert loud(worse) == ["server_errors"]


def test_what_breaks_every_hour_is_a_habit() -> None:
    before = [
        one.model_copy(update={"server_errors": 24.0 if i % 2 else 0.0}) for i, one in enumerate(past())
    ]

    same = judged(service(traffic=traffic([0] * 12 + [4] * 6 + [0] * 12)), before)
    more = judged(service(traffic=traffic([0] * 12 + [20] * 6 + [0] * 12)), before)

    assert loud(same) == [] and same[0].is_baseline
    assert loud(more) == ["server_errors"]


def test_a_weekly_job_is_known_by_the_week_before() -> None:
    job = service(usage=(usage([1.9] * 20 + [0.2] * 10),))
    weekly = [
        one.model_copy(update={"cpu_high_minutes": 20.0}) if i == 0 else one
        for i, one in enumerate(unasked(48 * 7))
    ]

    assert loud(judged(job, weekly)) == []


def test_an_outage_of_the_last_two_minutes_is_told_at_once() -> None:
    [found] = judged(service(traffic=traffic([0] * 28 + [50] * 2)), past())

    assert (found.kind, found.severity, found.ongoing) == ("server_errors", Severity.CRITICAL, True)


def test_a_stray_failure_does_not_make_three_bad_minutes_last() -> None:
    over = service(traffic=traffic([0] * 10 + [45] * 3 + [0, 1] + [0] * 15))

    assert loud(judged(over, past())) == []


def test_two_minutes_of_failures_while_a_deployment_begins_are_its_price() -> None:
    fresh = deployment("new", minutes=28)
    rolling = service(serving=fresh, latest=fresh, deployments=(fresh,), traffic=traffic([0] * 28 + [50] * 2))

    assert judged(rolling, past()) == []


def test_a_handful_of_requests_of_which_half_failed_proves_nothing() -> None:
    failed = [1 if i % 6 == 0 else 0 for i in range(30)]
    few = tuple(
        one.model_copy(update={"requests": 2 * bad, "ok": bad, "server_errors": bad})
        for one, bad in zip(traffic(failed), failed, strict=True)
    )

    assert judged(service(traffic=few), past(requests=10, ok=10)) == []


def test_refusals_on_top_of_unchanged_successes_are_a_scan() -> None:
    assert loud(judged(service(traffic=refusing(50, 80)), past(requests=1500, ok=1500))) == []


def test_refusals_in_place_of_successes_are_found() -> None:
    [found] = judged(service(traffic=refusing(8, 42)), past(requests=1500, ok=1480))

    assert (found.kind, found.severity) == ("client_errors", Severity.WARNING)
    assert found.numbers["refused_percent"] == 84


def test_requests_that_stay_away_are_found_where_many_always_came() -> None:
    gone = service(traffic=traffic([0] * 15))

    assert loud(judged(gone, past())) == ["traffic_lost"]
    assert judged(gone.model_copy(update={"sleeps": True}), past()) == []
    assert loud(judged(gone, past(requests=3, ok=3))) == []


def test_requests_that_could_not_be_read_are_not_requests_that_stay_away() -> None:
    blind = service(traffic=())

    gap = Gap(part=GapPart.TRAFFIC, subject="api", reason="Not Authorized")

    assert judged(blind, past(), failed_reads=(gap,)) == []


def test_a_surge_without_harm_is_a_notice() -> None:
    assert kinds(judged(service(traffic=traffic([0] * 30, requests=300)), past())) == [
        ("traffic_surge", "notice")
    ]


# ---- containers and deployments --------------------------------------------------------------


def test_a_kill_for_memory_is_told_by_the_feed_and_a_single_crash_is_a_notice() -> None:
    killed = judged(service(events=(event("oom", 12),)))
    repeatedly = judged(service(events=(event("oom", 12), event("oom", 25))))
    crashed = judged(service(events=(event("crashed", 12), event("started", 12.2))))

    assert kinds(killed) == [("oom_killed", "warning")]
    assert kinds(repeatedly) == [("oom_killed", "critical")]
    assert kinds(crashed) == [("restart_loop", "notice")]


def test_repeated_crashes_are_a_loop() -> None:
    looping = service(events=tuple(event("crashed", minute) for minute in (5, 12, 20, 28)))

    assert kinds(judged(looping)) == [("restart_loop", "critical")]


def test_a_deployment_that_never_ends_is_stuck() -> None:
    stuck = deployment("new", status="DEPLOYING", minutes=-20)
    waiting = service(serving=None, latest=stuck, deployments=(stuck,))

    assert kinds(judged(waiting)) == [("stuck_deployment", "warning")]
    assert kinds(judged(service(latest=stuck))) == [("stuck_deployment", "notice")]


def test_a_service_whose_last_deployment_was_removed_is_missing_if_it_worked_before() -> None:
    removed = deployment(status="REMOVED")
    gone = service(serving=None, latest=removed, deployments=(removed,))

    assert loud(judged(gone, unasked())) == ["missing"]
    assert judged(gone) == []


# ---- volumes ---------------------------------------------------------------------------------


def with_volume(used: float, disk: Sequence[float]) -> Service:
    one = Volume(id="v", name="data", mount_path="/data", used_mb=1000 * used, size_mb=1000)
    return service(volumes=(one,), disk=tuple((T0 + 60 * i, value) for i, value in enumerate(disk)))


def test_a_volume_that_fills_says_when_it_is_full_long_before() -> None:
    before = [one.model_copy(update={"disk": 0.3 + 0.008 * i}) for i, one in enumerate(unasked())]

    [found] = judged(with_volume(0.69, [0.684 + 0.0002 * i for i in range(30)]), before)

    assert (found.kind, found.severity) == ("volume", Severity.WARNING)
    assert found.seconds_to_limit == pytest.approx(0.31 / 0.008 * 1800, rel=0.15)


def test_a_volume_that_is_cleared_up_now_and_then_is_left_alone() -> None:
    before = [one.model_copy(update={"disk": 0.3 + 0.03 * (i % 12)}) for i, one in enumerate(unasked())]

    assert judged(with_volume(0.65, [0.63 + 0.0006 * i for i in range(30)]), before) == []


def test_a_volume_that_has_long_been_nearly_full_is_known() -> None:
    found = judged(with_volume(0.88, [0.88] * 30), unasked(disk=0.88))

    assert kinds(found) == [("volume", "notice")] and found[0].is_baseline


# ---- causes ----------------------------------------------------------------------------------


def sick(name: str, **more: object) -> Service:
    return service(id=name, name=name, traffic=traffic([0] * 10 + [20] * 20), **more)


def test_who_calls_a_sick_service_and_only_fails_is_its_symptom() -> None:
    seen = survey(sick("web"), sick("api"), sick("db-proxy"), calls=(("web", "api"), ("api", "db-proxy")))

    [trouble] = group_by_cause(detect(seen, min_duration_minutes=4), seen)

    assert trouble.subject.name == "db-proxy"
    assert {one.service for one in trouble.symptoms} == {"web", "api"}


def test_evidence_of_its_own_makes_a_cause_even_of_a_caller() -> None:
    hot = sick("web", usage=(usage([1.95] * 30),))
    seen = survey(hot, sick("api"), calls=(("web", "api"),))

    opened = group_by_cause(detect(seen, min_duration_minutes=4), seen)

    assert [one.subject.name for one in opened] == ["web", "api"]


def test_a_cause_is_found_through_services_whose_requests_are_not_seen() -> None:
    quiet = service(id="worker", name="worker")
    full = service(id="db", name="db", usage=(usage([1.95] * 30),))
    seen = survey(sick("web"), quiet, full, calls=(("web", "worker"), ("worker", "db")))

    [trouble] = group_by_cause(detect(seen, min_duration_minutes=4), seen)

    assert trouble.subject.name == "db" and [one.service for one in trouble.symptoms] == ["web"]


def test_services_that_call_each_other_in_a_circle_are_one_trouble() -> None:
    seen = survey(sick("a"), sick("b"), calls=(("a", "b"), ("b", "a")))

    assert len(group_by_cause(detect(seen, min_duration_minutes=4), seen)) == 1


def test_everybody_who_is_sick_is_a_suspect_and_the_cause_comes_first() -> None:
    seen = survey(sick("web"), sick("api"), calls=(("web", "api"),))

    assert rank_suspects(detect(seen, min_duration_minutes=4), seen) == ["api", "web"]


def test_findings_carry_the_deployment_next_to_their_onset() -> None:
    fresh = deployment("new", minutes=9)
    broken = sick("api", serving=fresh, latest=fresh, deployments=(fresh, deployment()))

    [found] = judged(broken, unasked())

    assert found.deployment_id == "new" and found.since == START + timedelta(minutes=10)
    assert END - found.since == timedelta(minutes=20)
