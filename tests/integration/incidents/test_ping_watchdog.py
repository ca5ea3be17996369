"""Missing pings are reported once, and once more when they resume; a slowed-down clock is not missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from tests.support import people
from tests.support.pipeline import PipelineHarness, harness
from workers.engine.schema import PINGS, SCHEDULE
from workers.incidents import intake, ping_watchdog
from workers.models import Alert
from workers.pipeline import failures
from workers.pipeline.worker import run_stage

PING_SECONDS = 600.0


@pytest.fixture
def quiet(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[PipelineHarness]:
    """A worker that has just started and has not received a ping."""
    with harness(store, store_url, tmp_path, failing=False) as running:
        ping_watchdog.start(running.journal, PING_SECONDS)
        yield running


def ping(running: PipelineHarness, *, apart: float | None = None) -> None:
    """Ingest a ping; `apart` is the longer wait in seconds that the receiver asks the clock for."""
    alert = Alert(
        id=f"p{datetime.now(UTC).timestamp()}", source="ping", kind="ping", received_at=datetime.now(UTC)
    )
    intake.ingest(alert, None, running.journal, lambda _key: None, ping_seconds=PING_SECONDS)
    if apart:
        intake.extend_ping_deadline(running.journal, apart)


def run_watchdog(running: PipelineHarness, minutes: float = 0) -> None:
    """Run the watchdog as if it were due so many minutes from now, and then its notifications."""
    later = replace(running.services, now=lambda: datetime.now(UTC) + timedelta(minutes=minutes))
    run_stage(later, "pings", PINGS)
    for key in running.due():
        if ":notification:" in key:
            run_stage(later, "notify", key)


def due_in_minutes(running: PipelineHarness) -> float:
    at = running.store.zscore(SCHEDULE, PINGS)
    assert at is not None
    return at / 60_000 - datetime.now(UTC).timestamp() / 60


def test_pings_are_expected_from_the_start_of_a_worker(quiet: PipelineHarness) -> None:
    assert 29 < due_in_minutes(quiet) <= 30

    run_watchdog(quiet, minutes=29)

    assert quiet.slack.texts == []
    assert due_in_minutes(quiet) < 2


def test_the_watchdog_goes_on_after_it_crashed_repeatedly(quiet: PipelineHarness) -> None:
    quiet.store.hset(PINGS, "crashes", 9)
    quiet.store.hdel(PINGS, "lease")

    run_watchdog(quiet)

    [text] = quiet.slack.texts
    assert "The ping watchdog failed: the worker crashed 9 times" in text
    assert 55 < due_in_minutes(quiet) <= 60
    assert not quiet.store.hexists(PINGS, "ended")


def test_three_missing_pings_are_reported_once(quiet: PipelineHarness) -> None:
    ping(quiet)

    for minutes in (31, 41, 24 * 60):
        run_watchdog(quiet, minutes)

    [text] = quiet.slack.texts
    assert "no scheduled check since" in text
    assert "TRACKWALKER_PUBLIC_URL" in text


def test_a_clock_that_never_pinged_is_reported(quiet: PipelineHarness) -> None:
    run_watchdog(quiet, minutes=31)

    assert len(quiet.slack.texts) == 1


def test_resumed_pings_are_reported_once_and_may_stop_again(quiet: PipelineHarness) -> None:
    quiet.store.hincrby(PINGS, "opened", -120_000)
    run_watchdog(quiet, minutes=31)

    ping(quiet)
    woken = due_in_minutes(quiet)
    for minutes in (0, 5, 31):
        run_watchdog(quiet, minutes)

    assert woken <= 0
    assert ["run again" in text for text in quiet.slack.texts] == [False, True, False]


def test_regular_pings_are_never_reported(quiet: PipelineHarness) -> None:
    for _ in range(5):
        ping(quiet)
        run_watchdog(quiet, minutes=29)

    assert quiet.slack.texts == []


@pytest.mark.parametrize("silence", [False, True])
def test_a_crash_between_the_report_and_its_record_reports_once(
    quiet: PipelineHarness, let_leases_run_out: Callable[[], None], silence: bool
) -> None:
    if not silence:
        run_watchdog(quiet, minutes=31)
        ping(quiet)
    before, minutes = len(quiet.slack.texts), 31 if silence else 0
    claim = quiet.journal.claim(PINGS, "pings")
    assert claim is not None
    # The time of the later check, so that both stand on one day shortly before midnight too.
    now = datetime.now(UTC) + timedelta(minutes=minutes)
    report = ping_watchdog.check(claim, PING_SECONDS, now)
    assert report is not None
    failures.report_once_a_day(quiet.journal, report, now)

    let_leases_run_out()
    run_watchdog(quiet, minutes + 2)

    assert len(quiet.slack.texts) == before + 1


def test_a_restarted_worker_does_not_repeat_the_report(quiet: PipelineHarness) -> None:
    run_watchdog(quiet, minutes=31)

    ping_watchdog.start(quiet.journal, PING_SECONDS)
    run_watchdog(quiet, minutes=32)

    assert len(quiet.slack.texts) == 1


def test_after_a_long_downtime_the_clock_has_time_for_its_first_ping(
    quiet: PipelineHarness,
) -> None:
    ping(quiet)
    quiet.store.zadd(SCHEDULE, {PINGS: 1})
    quiet.store.hset(PINGS, "last", 1)

    ping_watchdog.start(quiet.journal, PING_SECONDS)

    assert 0.9 < due_in_minutes(quiet) <= 1


@pytest.mark.parametrize(("apart", "late"), [(3600, 80), (2100, 55), (900, 35)])
def test_a_clock_that_was_told_to_wait_is_not_missed_earlier(
    quiet: PipelineHarness, apart: float, late: float
) -> None:
    ping(quiet, apart=apart)

    run_watchdog(quiet, late - 1)
    early, due_in = quiet.slack.texts, due_in_minutes(quiet)
    run_watchdog(quiet, late + 1)

    assert early == []
    assert 0 < due_in <= 1
    assert len(quiet.slack.texts) == 1


def test_a_ping_without_a_longer_wait_ends_an_earlier_one(quiet: PipelineHarness) -> None:
    ping(quiet, apart=3600)
    ping(quiet)

    run_watchdog(quiet, minutes=31)

    assert len(quiet.slack.texts) == 1


def test_a_report_waits_while_the_product_is_paused(quiet: PipelineHarness) -> None:
    people.pause(quiet.journal)
    run_watchdog(quiet, minutes=31)
    kept = quiet.slack.texts

    people.resume(quiet.journal)
    quiet.drive(lambda: quiet.slack.texts)

    assert kept == []
    assert "no scheduled check since" in quiet.slack.texts[0]


def test_a_report_is_retried_while_slack_is_unavailable(quiet: PipelineHarness) -> None:
    quiet.slack.faults.add("503", times=3)

    run_watchdog(quiet, minutes=31)
    quiet.drive(lambda: quiet.slack.texts)

    assert len(quiet.slack.texts) == 1


def test_a_ping_during_the_check_wakes_the_watchdog_at_once(quiet: PipelineHarness) -> None:
    claim = quiet.journal.claim(PINGS, "pings")
    assert claim is not None
    late = datetime.now(UTC) + timedelta(minutes=31)

    ping(quiet)
    ping_watchdog.reschedule(claim, PING_SECONDS, late)

    assert due_in_minutes(quiet) <= 0


def test_there_is_one_watchdog_and_it_never_ends(quiet: PipelineHarness) -> None:
    for minutes in (31, 0, 29, 31):
        ping(quiet)
        run_watchdog(quiet, minutes)

    assert [key for key in quiet.due() if "pings" in key] == [PINGS]
    assert not quiet.store.hexists(PINGS, "ended")
