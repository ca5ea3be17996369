"""Outages are waited out: the delays, their limits, and the report once the patience is used up."""

from __future__ import annotations

import re
import time

import pytest

from tests.support.pipeline import PipelineHarness
from workers import errors
from workers.engine import retries
from workers.engine.retries import DAY, HOUR
from workers.engine.schema import PREFIX, SCHEDULE
from workers.errors import AgentBusy, GitHubBusy, NotAvailable, RailwayBusy, SlackBusy

KINDS = (RailwayBusy, GitHubBusy, AgentBusy, SlackBusy, NotAvailable)
TRIES = (0, 1, 2, 3, 5, 8, 12, 13, 100, 10_000)
DRAWS = 200
FOREVER = 1_000_000


def drawn(error: NotAvailable, tries: int, *, is_notification: bool = False) -> list[float]:
    return [retries.wait(error, tries, is_notification=is_notification) for _ in range(DRAWS)]


# ---- how soon --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tries", TRIES)
@pytest.mark.parametrize("is_notification", [False, True])
def test_waits_double_up_to_the_longest_with_jitter_in_the_upper_half(
    kind: type[NotAvailable], tries: int, is_notification: bool
) -> None:
    patient = retries.patience(kind("away"), is_notification=is_notification)
    grown = min(patient.longest, patient.first * 2**tries)

    waits = drawn(kind("away"), tries, is_notification=is_notification)

    assert grown / 2 <= min(waits) <= max(waits) <= grown
    assert max(waits) - min(waits) > grown / 4, "what failed together must not come back together"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("asked", [0.5, 60.0, 3600.0, 2 * HOUR, 5 * HOUR, 30 * DAY, float("inf")])
@pytest.mark.parametrize("tries", [0, 20])
def test_retry_after_is_respected_up_to_two_hours(kind: type[NotAvailable], asked: float, tries: int) -> None:
    waits = drawn(kind("away", retry_after=asked), tries)

    assert min(waits) >= min(asked, 2 * HOUR)
    assert max(waits) <= max(1.1 * min(asked, 2 * HOUR), retries.patience(kind("away")).longest)


@pytest.mark.parametrize("asked", [None, 0.0, -5.0, float("-inf"), float("nan")])
def test_an_absurd_retry_after_changes_nothing(asked: float | None) -> None:
    assert all(1 <= wait <= 2 for wait in drawn(RailwayBusy("away", retry_after=asked), 0))


def test_every_retriable_error_has_a_patience_and_notifications_the_longest() -> None:
    kinds = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, NotAvailable)
    ]

    assert set(KINDS) <= set(kinds)
    for kind in kinds:
        patient = retries.patience(kind("away"))
        assert 0 < patient.first <= patient.longest < 2 * HOUR < patient.give_up <= 7 * DAY
        assert retries.patience(kind("away"), is_notification=True) == retries.NOTIFICATION_PATIENCE
    assert retries.patience(SlackBusy("away")).give_up == retries.NOTIFICATION_PATIENCE.give_up == 7 * DAY
    assert retries.patience(RailwayBusy("away")).give_up == 8 * HOUR


def test_a_long_outage_causes_few_attempts_and_its_end_is_noticed_within_minutes() -> None:
    clock, tries = 0.0, 0
    while clock < 8 * HOUR:
        longest = retries.wait(RailwayBusy("away"), tries)
        clock, tries = clock + longest, tries + 1
        assert longest <= 300

    assert tries < 250


# ---- for how long ----------------------------------------------------------------------------


def fail(running: PipelineHarness, key: str, *, times: int = 3) -> None:
    """Run the journal's stage this many times, each time as soon as it is due."""
    for _ in range(times):
        running.store.zadd(SCHEDULE, {key: 1})
        running.work_next()


def has_failed_for(running: PipelineHarness, key: str, seconds: float) -> None:
    """Make the stage look as if it had failed for so long already."""
    assert running.store.hexists(key, "failing_since")
    running.store.hset(key, "failing_since", int((time.time() - seconds) * 1000))


def surveying(running: PipelineHarness) -> str:
    """The key of a sweep before its survey."""
    running.alert()
    running.drive(lambda: list(running.store.scan_iter(f"{PREFIX}sweep:*")))
    return f"{PREFIX}sweep:env-1:1"


def enriching(running: PipelineHarness) -> str:
    """The key of an incident before its evidence."""
    running.alert()
    running.drive(running.incidents)
    return running.incidents()[0]


def is_over(running: PipelineHarness) -> bool:
    return bool(running.outcome_kind()) and bool(running.outcome_posts())


def test_each_failed_attempt_is_counted_and_blocks_wake_ups_until_the_next(
    reporting: PipelineHarness,
) -> None:
    key = surveying(reporting)
    reporting.railway.faults.add("503", times=FOREVER)

    fail(reporting, key)

    fields = reporting.journal.fields(key)
    assert fields["attempts"] == b"3"
    assert int(fields["not_before"]) > time.time() * 1000
    assert reporting.journal.claim(key, "survey") is None


def test_a_sweep_continues_after_six_hours_without_railway(reporting: PipelineHarness) -> None:
    key = surveying(reporting)
    reporting.railway.faults.add("503", times=FOREVER)
    fail(reporting, key)
    has_failed_for(reporting, key, 6 * HOUR)
    fail(reporting, key)
    reporting.railway.faults.clear()

    reporting.drive(lambda: is_over(reporting), stages=120)

    assert reporting.outcome_kind() == "reported"
    assert not reporting.store.hexists(key, "failing_since")


def test_an_incident_continues_after_six_hours_without_railway(reporting: PipelineHarness) -> None:
    key = enriching(reporting)
    reporting.railway.faults.add("503", times=FOREVER)
    fail(reporting, key)
    has_failed_for(reporting, key, 6 * HOUR)
    fail(reporting, key)
    reporting.railway.faults.clear()

    reporting.drive(lambda: is_over(reporting), stages=120)

    assert reporting.outcome_kind() == "reported"
    assert reporting.incidents() == [key]


def test_alerts_are_answered_after_eight_hours_without_railway(reporting: PipelineHarness) -> None:
    key = surveying(reporting)
    reporting.railway.faults.add("503", times=FOREVER)
    fail(reporting, key)
    has_failed_for(reporting, key, 8 * HOUR + 60)

    fail(reporting, key, times=1)
    reporting.drive(lambda: any("check failed" in text for text in reporting.slack.texts))

    assert reporting.store.hexists(key, "ended")
    assert "503" in reporting.slack.texts[-1]


def test_raw_facts_are_reported_after_eight_hours_without_railway(reporting: PipelineHarness) -> None:
    key = enriching(reporting)
    reporting.railway.faults.add("503", times=FOREVER)
    fail(reporting, key)
    has_failed_for(reporting, key, 8 * HOUR + 60)

    fail(reporting, key, times=1)
    reporting.drive(lambda: is_over(reporting), stages=120)

    assert reporting.outcome_kind() == "failed"
    assert re.search(r"\b3\d % of requests fail since", reporting.slack.texts[-1])
    assert "Stopped while gathering evidence: Railway answered 503" in reporting.slack.texts[-1]


def test_a_successful_attempt_resets_the_patience(reporting: PipelineHarness) -> None:
    key = surveying(reporting)
    reporting.railway.faults.add("503", times=FOREVER)
    fail(reporting, key)
    has_failed_for(reporting, key, 7 * HOUR)
    reporting.railway.faults.clear()
    fail(reporting, key, times=1)

    fields = reporting.journal.fields(key)

    assert fields["stage"] == b"analyse"
    assert "failing_since" not in fields
    assert fields["attempts"] == b"0"


def test_a_refusal_is_not_retried(reporting: PipelineHarness) -> None:
    key = surveying(reporting)
    reporting.railway.faults.add("refuse", times=FOREVER)

    fail(reporting, key, times=1)

    assert reporting.store.hexists(key, "ended")
    assert reporting.journal.fields(key).get("attempts", b"0") == b"0"


@pytest.mark.parametrize("kind", ["503", "refuse"])
def test_messages_are_posted_after_days_without_slack(reporting: PipelineHarness, kind: str) -> None:
    reporting.slack.faults.add(kind, times=FOREVER)  # type: ignore[arg-type]  # both are kinds of faults
    key = enriching(reporting)
    tell = key.replace(PREFIX, f"{PREFIX}notification:", 1)
    reporting.drive(reporting.outcome_kind)
    fail(reporting, tell)
    has_failed_for(reporting, tell, 5 * DAY)
    fail(reporting, tell)
    reporting.slack.faults.clear()

    reporting.drive(lambda: is_over(reporting), stages=120)

    assert "5xx" in reporting.slack.texts[-1]
    assert len([text for text in reporting.slack.texts if "5xx" in text]) <= 2


def test_a_notification_ends_after_a_week_without_slack_and_is_kept_in_the_journal(
    reporting: PipelineHarness,
) -> None:
    reporting.slack.faults.add("503", times=FOREVER)
    key = enriching(reporting)
    tell = key.replace(PREFIX, f"{PREFIX}notification:", 1)
    reporting.drive(reporting.outcome_kind)
    fail(reporting, tell)
    has_failed_for(reporting, tell, 7 * DAY + 60)

    fail(reporting, tell, times=1)

    assert reporting.journal.fields(tell)["outcome"].startswith(b"given up: Slack")
    assert reporting.outcome_kind() == "reported"


def test_an_outage_of_slack_delays_no_stage(reporting: PipelineHarness) -> None:
    reporting.slack.faults.add("503", times=FOREVER)
    key = enriching(reporting)

    reporting.drive(lambda: reporting.store.hget(key, "stage") == b"watch", stages=120)

    assert reporting.outcome_kind() == "reported"
    assert reporting.slack.texts == []
