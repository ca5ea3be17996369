"""Less than usual: traffic far below its baseline, and a worker that falls silent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.metrics import alerting_kinds, detected, live_service, severities, usage, worker_history
from tests.support.stories import Minute, Story, changed, healthy_past, live
from workers.models import Finding, Service


def lived(
    story: Story, windows: int, days: float = 4, *, worker: bool = False
) -> list[list[tuple[str, str]]]:
    return [
        severities(findings)
        for findings in live(story, windows, healthy_past(days, worker=worker), worker=worker)
    ]


def share_of_traffic(share: float, **values: object) -> Story:
    return lambda _, minute: replace(minute, requests=share * minute.requests, **values)  # type: ignore[arg-type]


def test_a_quarter_of_the_traffic_of_this_hour_is_a_notice_for_as_long_as_it_lasts() -> None:
    windows = lived(share_of_traffic(0.25), 40)

    assert windows == [[("traffic_drop", "notice")]] * 40


def test_half_of_the_traffic_gives_no_finding() -> None:
    assert lived(share_of_traffic(0.5), 4) == [[]] * 4


def test_half_of_the_traffic_since_a_deployment_is_a_notice_and_goes_on() -> None:
    def vanished(number: int, minute: Minute) -> Minute:
        return share_of_traffic(0.5, deploys=number == 2)(number, minute)

    assert lived(vanished, 20, days=1) == [[("traffic_drop", "notice")]] * 20


def test_a_deployment_that_changes_nothing_gives_no_finding() -> None:
    assert lived(lambda number, minute: replace(minute, deploys=number == 2), 4) == [[]] * 4


def test_a_worker_that_falls_silent_is_a_notice_for_as_long_as_it_lasts() -> None:
    windows = lived(changed(cpu=0.001), 40, days=2, worker=True)

    assert windows == [[("worker_idle", "notice")]] * 40


def test_a_silence_that_lasts_alerts_if_a_week_shows_none() -> None:
    windows = lived(changed(cpu=0.001), 6, days=7, worker=True)

    assert windows == [[("worker_idle", "notice")]] * 2 + [[("worker_idle", "warning")]] * 4


@pytest.mark.parametrize(
    "service",
    [
        pytest.param(live_service(usage=(usage(cpu=[0.001] * 30),), public=False, sleeps=True), id="sleeps"),
        pytest.param(
            live_service(usage=(usage(cpu=[0.001] * 30),), public=False, cron="0 0 1 1 *"), id="cron"
        ),
        pytest.param(
            live_service(usage=(usage(cpu=[0.001] * 25 + [0.3] * 5),), public=False), id="works again"
        ),
        pytest.param(live_service(public=False), id="no samples"),
    ],
)
def test_a_service_that_may_be_silent_gives_no_finding(service: Service) -> None:
    assert detected(service, worker_history()) == []


def test_a_worker_that_waits_now_and_then_gives_no_finding() -> None:
    silent = live_service(usage=(usage(cpu=[0.001] * 30),), public=False)
    summaries = worker_history()
    summaries[3] = summaries[3].model_copy(update={"cpu_mean": 0.002})

    assert detected(silent, summaries) == []


def _kinds(windows: list[list[Finding]]) -> list[list[str]]:
    return [alerting_kinds(findings) for findings in windows]


def outage_each(minutes: int) -> Story:
    return lambda number, minute: replace(minute, failed=0.9) if number % minutes < 3 else minute


def test_outages_of_three_minutes_are_a_notice_and_alert_once_they_come_again_and_again() -> None:
    windows = list(live(outage_each(30), 12, healthy_past(2)))

    assert [severities(findings) for findings in windows[:2]] == [[("server_errors", "notice")]] * 2
    assert _kinds(windows[2:]) == [["server_errors"]] * 10
    assert "again in" in windows[-1][0].sentence


def test_an_outage_of_three_minutes_a_day_never_alerts() -> None:
    windows = list(live(outage_each(1440), 60, healthy_past(2)))

    assert _kinds(windows) == [[]] * 60


def test_a_nightly_slowdown_of_half_an_hour_is_known_after_two_nights() -> None:
    def backup(number: int, minute: Minute) -> Minute:
        return replace(minute, p95=3 * minute.p95) if 70 <= number % 1440 < 100 else minute

    alerts = [
        number
        for number, findings in enumerate(live(backup, 5 * 48, healthy_past(1)))
        if alerting_kinds(findings)
    ]

    assert {number // 48 for number in alerts} == {0, 1}


def test_a_nightly_job_is_known_when_the_clocks_change() -> None:
    def job(number: int, minute: Minute) -> Minute:
        shift = 60 if number > 4 * 1440 else 0
        return replace(minute, cpu=1.95) if 300 <= (number + shift) % 1440 < 330 else minute

    alerts = [
        number
        for number, findings in enumerate(live(job, 5 * 48, healthy_past(1)))
        if alerting_kinds(findings)
    ]

    assert [number // 48 for number in alerts] == [0]
