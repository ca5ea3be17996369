"""Redis does not grow without bound: every key has a TTL, is scheduled, or is one of the few listed here."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import pytest
import redis

from tests.benchmarks.kept import permanent_keys
from tests.support import people
from tests.support.journals import open_incident
from tests.support.pipeline import (
    PipelineHarness,
    Snapshot,
    StartHarness,
    driven_harness,
)
from workers.engine.broker import MAX_QUEUED, NAMESPACE, SEND_INTERVAL_SECONDS, intake_sender
from workers.engine.codec import MAX_STORED_BYTES
from workers.engine.journal_store import JournalStore
from workers.engine.schema import OPEN, PREFIX
from workers.incidents import opening, ping_watchdog
from workers.models import Outcome
from workers.pipeline.worker import run_stage


@pytest.fixture(scope="module")
def story(
    store_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[PipelineHarness, Snapshot]]:
    """One pipeline driven from a ping and an alert to the pull request's link in Slack."""

    def drive(running: PipelineHarness) -> None:
        ping(running)
        running.alert()
        running.drive(running.outcome_posts, stages=120)

    with driven_harness(store_url, tmp_path_factory.mktemp("story"), drive) as driven:
        yield driven


def ping(running: PipelineHarness) -> str:
    return running.alert(source="ping", kind="ping", service_id=None, service_name=None)


def work_all(running: PipelineHarness, *, stages: int = 60) -> None:
    """Run every due stage, and the stages that follow, until only journals that wait for the outside are left."""
    for _ in range(stages):
        if not running.due():
            return
        running.work_next()


def test_a_pipeline_up_to_the_pull_request_leaves_no_permanent_keys(proposed: PipelineHarness) -> None:
    assert proposed.outcome_kind() == "pull request"
    assert permanent_keys(proposed.store) == []


def test_a_merged_pull_request_leaves_no_permanent_keys(proposed: PipelineHarness) -> None:
    proposed.redeploy(proposed.github.merge(proposed.github.pulls[0].number))
    proposed.drive(lambda: proposed.follow_up() is not None)
    work_all(proposed)

    assert proposed.store.hlen(OPEN) == 0
    assert permanent_keys(proposed.store) == []


def test_a_closed_pull_request_leaves_no_permanent_keys(proposed: PipelineHarness) -> None:
    proposed.github.close(proposed.github.pulls[0].number)
    work_all(proposed)

    assert list(proposed.store.scan_iter(f"{PREFIX}rejected:*"))
    assert permanent_keys(proposed.store) == []


def test_report_mode_leaves_no_permanent_keys(reporting: PipelineHarness) -> None:
    reporting.alert()
    reporting.alert(source="slack", kind="message", service_id=None, said="shop is down", service_name=None)
    reporting.drive(reporting.outcome_posts)
    work_all(reporting)

    assert reporting.outcome_kind() == "reported"
    assert permanent_keys(reporting.store) == []


def test_a_resolved_incident_is_not_open(reporting: PipelineHarness) -> None:
    reporting.alert()
    reporting.drive(reporting.outcome_posts)
    [key] = reporting.incidents()
    with reporting.world.lock:
        for request in reporting.world.services[0].requests:
            request.status = 200
        for deployment in reporting.world.services[0].deployments:
            deployment.logs.clear()

    for _ in range(12):
        ping(reporting)
        work_all(reporting, stages=12)

    assert reporting.journal.fields(key)["ended"]
    assert reporting.store.hlen(OPEN) == 0
    assert permanent_keys(reporting.store) == []


@pytest.mark.parametrize("kind", ["ping", "alert"])
def test_a_sweep_without_findings_leaves_no_permanent_keys(start: StartHarness, kind: str) -> None:
    with start(failing="no") as calm:
        if kind == "ping":
            ping(calm)
        else:
            calm.alert()
        work_all(calm)

        assert calm.count_ended_sweeps() >= 1
        assert permanent_keys(calm.store) == []


def test_a_muted_service_leaves_no_permanent_keys(reporting: PipelineHarness) -> None:
    people.mute(reporting.journal, "shop", time.time() + 3600)
    reporting.alert()
    reporting.drive(lambda: reporting.values(Outcome))
    work_all(reporting)

    assert reporting.slack.messages == []
    assert permanent_keys(reporting.store) == []


def test_a_pause_leaves_no_permanent_keys(reporting: PipelineHarness) -> None:
    people.pause(reporting.journal)
    reporting.alert()
    work_all(reporting)
    people.resume(reporting.journal)
    reporting.drive(reporting.outcome_posts)

    assert permanent_keys(reporting.store) == []


def test_a_sweep_that_railway_refuses_leaves_no_permanent_keys(reporting: PipelineHarness) -> None:
    reporting.railway.faults.add("refuse", times=1000)
    reporting.alert()
    ping(reporting)
    work_all(reporting)

    assert any("check failed" in message.text for message in reporting.slack.messages)
    assert permanent_keys(reporting.store) == []


def test_a_survey_that_is_too_large_ends_the_sweep_and_is_reported(reporting: PipelineHarness) -> None:
    endless_command = secrets.token_hex(MAX_STORED_BYTES + 1)
    with reporting.world.lock:
        reporting.world.services[0].start_command = endless_command
    reporting.alert()
    work_all(reporting)

    [text] = reporting.slack.texts
    assert "check failed: survey: too large for a record: Survey" in text
    assert reporting.count_ended_sweeps() == 1
    assert permanent_keys(reporting.store) == []


def test_an_alert_of_an_unwatched_environment_leaves_no_permanent_keys(
    reporting: PipelineHarness,
) -> None:
    reporting.alert(environment_id="env-2")
    work_all(reporting)

    assert permanent_keys(reporting.store) == []


def test_shadow_mode_leaves_no_permanent_keys(start: StartHarness) -> None:
    with start(TRACKWALKER_MODE="shadow") as running:
        running.alert()
        running.drive(running.outcome_posts, stages=120)
        work_all(running, stages=20)

        assert permanent_keys(running.store) == []


def test_the_ping_watchdog_is_scheduled(reporting: PipelineHarness) -> None:
    ping_watchdog.start(reporting.journal, 600)
    work_all(reporting, stages=3)

    assert f"{PREFIX}pings" in reporting.due()
    assert permanent_keys(reporting.store) == []


def test_alerts_of_one_scope_share_one_place_on_the_sweep_and_one_answer(
    reporting: PipelineHarness,
) -> None:
    first, *others = [reporting.alert() for _ in range(5)]
    for name in (first, *others):
        run_stage(reporting.services, "intake", f"{PREFIX}alert:{name}")
    sweep = reporting.journal.fields(f"{PREFIX}sweep:env-1:1")

    reporting.drive(reporting.outcome_posts)

    assert [field for field in sweep if field.startswith("a:")] == [f"a:{first}"]
    assert reporting.journal.fields(f"{PREFIX}alert:{first}")["firings"] == b"4"
    assert not any(reporting.store.exists(f"{PREFIX}notification:alert:{name}") for name in others)
    assert reporting.store.hget(f"{PREFIX}alert:{others[0]}", "same") == first.encode()


def test_an_alert_of_another_scope_gets_its_own_answer(reporting: PipelineHarness) -> None:
    wakers = [
        reporting.alert(),
        reporting.alert(kind="deployment.deployed"),
        reporting.alert(service_id="svc-db", service_name="Postgres"),
    ]
    for name in wakers:
        run_stage(reporting.services, "intake", f"{PREFIX}alert:{name}")

    sweep = reporting.journal.fields(f"{PREFIX}sweep:env-1:1")

    assert {field[2:] for field in sweep if field.startswith("a:")} == set(wakers)


def test_no_problem_is_answered_once_within_minutes(start: StartHarness) -> None:
    with start(failing="no") as calm:
        for _ in range(3):
            alert = calm.alert()
            run_stage(calm.services, "intake", f"{PREFIX}alert:{alert}")
            calm.drive(lambda: not any(":sweep:" in key for key in calm.due()))
            calm.drive(lambda: not any(":tell:" in key for key in calm.due()))

        assert len(calm.slack.messages) == 1
        assert "no problem found" in calm.slack.messages[0].text


def test_an_alert_with_a_posted_message_keeps_its_own_answer(reporting: PipelineHarness) -> None:
    first, second = reporting.alert(), reporting.alert()
    reporting.store.hdel(f"{PREFIX}notification:alert:{second}", "ack_due_at")
    run_stage(reporting.services, "notify", f"{PREFIX}notification:alert:{second}")
    for name in (first, second):
        run_stage(reporting.services, "intake", f"{PREFIX}alert:{name}")

    sweep = reporting.journal.fields(f"{PREFIX}sweep:env-1:1")

    assert {f"a:{first}", f"a:{second}"} <= set(sweep)
    assert reporting.store.exists(f"{PREFIX}notification:alert:{second}")


def test_an_alert_waits_for_the_sweep_after_a_full_one(reporting: PipelineHarness) -> None:
    many = [reporting.alert(service_id=f"svc-{n}") for n in range(opening.MAX_ALERTS_PER_SWEEP)]
    late = reporting.alert(service_id="svc-late")
    for name in (*many, late):
        run_stage(reporting.services, "intake", f"{PREFIX}alert:{name}")
    waiting = reporting.journal.fields(f"{PREFIX}alert:{late}")

    run_stage(reporting.services, "survey", f"{PREFIX}sweep:env-1:1")
    reporting.store.hdel(f"{PREFIX}alert:{late}", "not_before")
    run_stage(reporting.services, "intake", f"{PREFIX}alert:{late}")

    assert "ended" not in waiting
    assert waiting["reason"] == b"the next sweep is full"
    assert reporting.store.hexists(f"{PREFIX}sweep:env-1:2", f"a:{late}")


def test_an_incident_merges_a_bounded_number_of_notifications_until_it_has_an_acknowledgement(
    journal: JournalStore, store: redis.Redis
) -> None:
    tell = f"{PREFIX}notification:incident:f:1"
    store.hset(f"{PREFIX}notification:alert:late", "stage", "notify")
    for number in range(1000):
        store.hset(f"{PREFIX}notification:alert:{number}", "stage", "notify")
    _join(journal, tell, *[f"{PREFIX}notification:alert:{number}" for number in range(1000)])
    many = store.hlen(tell)
    store.hset(tell, "r:ack", b"1j{}")
    store.hdel(tell, *[f"merge_from:{PREFIX}notification:alert:{number}" for number in range(100)])

    _join(journal, tell, f"{PREFIX}notification:alert:late")

    assert 200 < many < 320
    assert not store.hexists(tell, f"merge_from:{PREFIX}notification:alert:late")
    assert store.hget(f"{PREFIX}notification:alert:late", "merged_into") == tell.encode()


def _join(journal: JournalStore, tell: str, *others: str) -> None:
    """A sweep finds an open incident again, and these alerts name its service."""
    key = tell.replace("notification:", "")
    open_incident(journal, key, fingerprint="f", ack_after_ms=0, alert_notifications=others)


def test_only_the_first_of_many_simultaneous_alerts_wakes_a_worker(store: redis.Redis) -> None:
    clock = [100.0]
    wake = intake_sender(store, lambda: clock[0])

    for number in range(50):
        wake(f"{PREFIX}alert:{number}")
    clock[0] += SEND_INTERVAL_SECONDS
    wake(f"{PREFIX}alert:later")

    assert store.llen(f"{NAMESPACE}:sweeps") == 2


def test_a_full_queue_accepts_no_wake_up(store: redis.Redis) -> None:
    clock = [0.0]

    def tick() -> float:
        clock[0] += SEND_INTERVAL_SECONDS
        return clock[0]

    wake = intake_sender(store, tick)
    for number in range(MAX_QUEUED + 20):
        wake(f"{PREFIX}alert:{number}")

    assert store.llen(f"{NAMESPACE}:sweeps") == MAX_QUEUED
