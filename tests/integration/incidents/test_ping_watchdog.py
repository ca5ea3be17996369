"""Pings that stay away are told once, and once more when they come again; a slower clock is no silent one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from tests.support.pipeline import Line, line
from workers.engine.journal import DUE
from workers.incidents import controls, intake, ping_watchdog
from workers.models import Alert
from workers.pipeline import failures, stages

USUAL = 600.0


@pytest.fixture
def quiet(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[Line]:
    """A worker that has just started, where no ping ever came."""
    with line(store, store_url, tmp_path, failing=False) as running:
        ping_watchdog.expect(running.journal, USUAL)
        yield running


def ping(running: Line, *, apart: float | None = None) -> None:
    """As the door takes it: and where Railway's limit asks for it, the next one is to come later."""
    alert = Alert(id=f"p{datetime.now(UTC).timestamp()}", source="ping", kind="ping", at=datetime.now(UTC))
    intake.take_in(alert, None, running.journal, lambda _key: None, ping_seconds=USUAL)
    if apart:
        intake.promise(running.journal, apart)


def look(running: Line, minutes: float = 0) -> None:
    """As the mover would wake whoever waits for pings, so many minutes from now; and what is to be said is said."""
    later = replace(running.services, now=lambda: datetime.now(UTC) + timedelta(minutes=minutes))
    stages.work(later, "pings", intake.PINGS)
    for key in running.due():
        if ":tell:" in key:
            stages.work(later, "tell", key)


def told(running: Line) -> list[str]:
    return [message.text for message in running.slack.messages]


def due_in_minutes(running: Line) -> float:
    at = running.store.zscore(DUE, intake.PINGS)
    assert at is not None
    return at / 60_000 - datetime.now(UTC).timestamp() / 60


def test_after_a_start_pings_are_waited_for_at_once(quiet: Line) -> None:
    assert 29 < due_in_minutes(quiet) <= 30

    look(quiet, minutes=29)

    assert told(quiet) == []
    assert due_in_minutes(quiet) < 2


def test_pings_are_waited_for_however_often_waiting_for_them_broke(quiet: Line) -> None:
    quiet.store.hset(intake.PINGS, "deaths", 9)
    quiet.store.hdel(intake.PINGS, "lease")

    look(quiet)

    [words] = told(quiet)
    assert "pings are not looked after: the worker died 9 times" in words
    assert 55 < due_in_minutes(quiet) <= 60
    assert not quiet.store.hexists(intake.PINGS, "ended")


def test_three_pings_that_stay_away_are_told_once(quiet: Line) -> None:
    ping(quiet)

    for minutes in (31, 41, 24 * 60):
        look(quiet, minutes)

    [words] = told(quiet)
    assert "no ping since" in words
    assert "TRACKWALKER_PUBLIC_URL" in words


def test_a_ping_that_never_came_is_told_as_well(quiet: Line) -> None:
    look(quiet, minutes=31)

    assert len(told(quiet)) == 1


def test_pings_that_come_again_are_told_once_and_may_stay_away_again(quiet: Line) -> None:
    quiet.store.hincrby(intake.PINGS, "opened", -120_000)
    look(quiet, minutes=31)

    ping(quiet)
    woken = due_in_minutes(quiet)
    for minutes in (0, 5, 31):
        look(quiet, minutes)

    assert woken <= 0
    assert ["come again" in words for words in told(quiet)] == [False, True, False]


def test_pings_that_come_are_never_spoken_of(quiet: Line) -> None:
    for _ in range(5):
        ping(quiet)
        look(quiet, minutes=29)

    assert told(quiet) == []


@pytest.mark.parametrize("silence", [False, True])
def test_a_worker_that_dies_between_telling_and_remembering_tells_it_once(
    quiet: Line, let_leases_run_out: Callable[[], None], silence: bool
) -> None:
    if not silence:
        look(quiet, minutes=31)
        ping(quiet)
    before, minutes = len(told(quiet)), 31 if silence else 0
    claim = quiet.journal.claim(intake.PINGS, "pings")
    assert claim is not None
    note = ping_watchdog.look(claim, USUAL, datetime.now(UTC) + timedelta(minutes=minutes))
    failures.tell_trouble(quiet.journal, note, quiet.services.now())

    let_leases_run_out()
    look(quiet, minutes + 2)

    assert len(told(quiet)) == before + 1


def test_a_worker_that_starts_again_does_not_repeat_it(quiet: Line) -> None:
    look(quiet, minutes=31)

    ping_watchdog.expect(quiet.journal, USUAL)
    look(quiet, minutes=32)

    assert len(told(quiet)) == 1


def test_after_a_long_absence_of_everything_the_clock_has_time_for_its_first_ping(quiet: Line) -> None:
    ping(quiet)
    quiet.store.zadd(DUE, {intake.PINGS: 1})
    quiet.store.hset(intake.PINGS, "last", 1)

    ping_watchdog.expect(quiet.journal, USUAL)

    assert 0.9 < due_in_minutes(quiet) <= 1


@pytest.mark.parametrize(("apart", "late"), [(3600, 80), (2100, 55), (900, 35)])
def test_a_clock_that_was_asked_to_wait_longer_is_not_missed_before(
    quiet: Line, apart: float, late: float
) -> None:
    ping(quiet, apart=apart)

    look(quiet, late - 1)
    early, looked_at = told(quiet), due_in_minutes(quiet)
    look(quiet, late + 1)

    assert early == []
    assert 0 < looked_at <= 1
    assert len(told(quiet)) == 1


def test_a_ping_that_asks_for_no_wait_ends_the_one_before(quiet: Line) -> None:
    ping(quiet, apart=3600)
    ping(quiet)

    look(quiet, minutes=31)

    assert len(told(quiet)) == 1


def test_while_paused_it_is_kept_and_told_afterwards(quiet: Line) -> None:
    controls.pause(quiet.journal)
    look(quiet, minutes=31)
    kept = told(quiet)

    controls.resume(quiet.journal)
    quiet.drive(lambda: told(quiet))

    assert kept == []
    assert "no ping since" in told(quiet)[0]


def test_a_slack_that_is_away_hears_of_it_later(quiet: Line) -> None:
    quiet.slack.faults.add("503", times=3)

    look(quiet, minutes=31)
    quiet.drive(lambda: told(quiet))

    assert len(told(quiet)) == 1


def test_a_ping_that_comes_while_it_is_looked_is_seen_at_once(quiet: Line) -> None:
    claim = quiet.journal.claim(intake.PINGS, "pings")
    assert claim is not None
    late = datetime.now(UTC) + timedelta(minutes=31)

    ping(quiet)
    ping_watchdog.let_go(claim, USUAL, late)

    assert due_in_minutes(quiet) <= 0


def test_who_waits_for_pings_never_ends_and_is_one(quiet: Line) -> None:
    for minutes in (31, 0, 29, 31):
        ping(quiet)
        look(quiet, minutes)

    assert [key for key in quiet.due() if "pings" in key] == [intake.PINGS]
    assert not quiet.store.hexists(intake.PINGS, "ended")
