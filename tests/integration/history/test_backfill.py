"""Backfill: the history of an environment from the metrics of Railway, newest first, without failing a sweep."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta

import pytest
import redis

from tests.support.fakes.railway import (  # fmt: skip
    Budget,
    FakeRailway,
    Request,
    Sample,
    World,
    WorldDeployment,
    WorldService,
)
from tests.support.fakes.serving import Fault
from workers.clients.railway import Railway
from workers.clients.railway.snapshot import take_survey
from workers.engine.journal_store import JournalStore
from workers.engine.schema import history_key
from workers.history import backfill, summary_store
from workers.history.backfill import chunks, slicing
from workers.models import Deployment, Environment, History, Service, Survey, Window

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HALF = timedelta(minutes=30)
WINDOW = Window(start=NOON - HALF, end=NOON)
HERE = Environment(project_id="prj", environment_id="env")
CHUNKS = 8  # two days of six hours
REQUESTS_PER_CHUNK = 3


def running_service(name: str, hours: float, *, failing: float = 0.0) -> WorldService:
    """A service that has run for that many hours, with a sample and a request per minute."""
    dice = random.Random(name)
    first = NOON.timestamp() - hours * 3600
    live = WorldDeployment(f"dep-{name}", f"svc-{name}", "SUCCESS", first, None, {})
    service = WorldService(f"svc-{name}", name, deployments=[live], active=[live.id])
    moments = [first + 60 * n for n in range(int(hours * 60))]
    service.samples = [Sample(at + 5, "i1", live.id, 2.0, 1.0) for at in moments]
    service.requests = [
        Request(at, "GET", "/", 500 if dice.random() < failing else 200, 20.0, live.id) for at in moments
    ]
    return service


@pytest.fixture
def fake_railway() -> FakeRailway:
    return FakeRailway(World("prj", "acme", "env", "production", [running_service("shop", 50)]))


@pytest.fixture
def first_survey(railway: Railway, fake_railway: FakeRailway) -> Survey:
    """The survey of the first sweep."""
    survey = take_survey(railway, HERE, WINDOW, 60)
    fake_railway.operations.clear()
    return survey


def load_history(railway: Railway, journal: JournalStore, first_survey: Survey) -> History:
    return backfill.load_history(railway, journal, first_survey, min_duration_minutes=4.0)


def ends(history: History) -> list[datetime | None]:
    return [summary.at for summary in history.get("svc-shop", ())]


def test_two_days_become_half_hour_windows_up_to_the_present_window(
    railway: Railway, journal: JournalStore, first_survey: Survey
) -> None:
    history = load_history(railway, journal, first_survey)

    assert ends(history) == [WINDOW.start - HALF * n for n in range(95, -1, -1)]
    assert {(summary.minutes, summary.requests, summary.cpu_mean) for summary in history["svc-shop"]} == {
        (30, 30, 2.0)
    }


def test_the_history_is_read_from_railway_once(
    railway: Railway, journal: JournalStore, first_survey: Survey, fake_railway: FakeRailway
) -> None:
    load_history(railway, journal, first_survey)
    assert len(fake_railway.operations) == CHUNKS * REQUESTS_PER_CHUNK

    history = load_history(railway, journal, first_survey)

    assert len(fake_railway.operations) == CHUNKS * REQUESTS_PER_CHUNK
    assert len(ends(history)) == 96


def test_a_sweep_adds_its_window_after_the_backfill(
    railway: Railway, journal: JournalStore, first_survey: Survey
) -> None:
    load_history(railway, journal, first_survey)

    summary_store.add_sweep(journal, first_survey, [])

    assert ends(summary_store.read(journal, "env", NOON))[-2:] == [WINDOW.start, NOON]


def busy_after(fake_railway: FakeRailway, requests: int) -> None:
    """After that many requests, Railway answers 503."""
    fake_railway.faults.waiting.append(
        Fault("503", 1000, lambda _verb, _path: len(fake_railway.operations) >= requests, "1")
    )


def test_chunks_that_a_busy_railway_refuses_are_read_at_the_next_sweep(
    railway: Railway, journal: JournalStore, first_survey: Survey, fake_railway: FakeRailway
) -> None:
    busy_after(fake_railway, 2 * REQUESTS_PER_CHUNK)
    history = load_history(railway, journal, first_survey)
    assert ends(history) == [WINDOW.start - HALF * n for n in range(23, -1, -1)]

    fake_railway.faults.clear()
    history = load_history(railway, journal, first_survey)

    assert ends(history) == [WINDOW.start - HALF * n for n in range(95, -1, -1)]
    assert len(fake_railway.operations) == CHUNKS * REQUESTS_PER_CHUNK


def test_the_backfill_reserves_a_share_of_the_request_quota_for_sweeps(
    railway: Railway, journal: JournalStore, first_survey: Survey, fake_railway: FakeRailway
) -> None:
    fake_railway.budget = Budget(limit=100, spent=50, resets_at=(NOON + HALF).timestamp())
    take_survey(railway, HERE, WINDOW, 60)
    fake_railway.operations.clear()

    history = load_history(railway, journal, first_survey)

    assert 0 < len(ends(history)) < 96
    assert fake_railway.budget.spent <= 60


def test_a_refusal_ends_the_backfill(
    railway: Railway, journal: JournalStore, first_survey: Survey, fake_railway: FakeRailway
) -> None:
    fake_railway.token = "another"

    assert load_history(railway, journal, first_survey) == {}
    fake_railway.operations.clear()
    fake_railway.token = "railway-token"

    assert load_history(railway, journal, first_survey) == {}
    assert fake_railway.operations == []


def test_the_backfill_is_given_up_after_repeated_failures(
    railway: Railway, journal: JournalStore, first_survey: Survey, fake_railway: FakeRailway
) -> None:
    busy_after(fake_railway, 0)
    for _ in range(backfill.MAX_FAILED_ATTEMPTS):
        assert load_history(railway, journal, first_survey) == {}
    fake_railway.faults.clear()

    assert load_history(railway, journal, first_survey) == {}

    assert fake_railway.operations == []


def test_an_exhausted_request_quota_is_no_failed_attempt(
    railway: Railway, journal: JournalStore, first_survey: Survey, fake_railway: FakeRailway
) -> None:
    fake_railway.budget = Budget(limit=100, spent=70, resets_at=(NOON + HALF).timestamp())
    take_survey(railway, HERE, WINDOW, 60)
    fake_railway.operations.clear()
    for _ in range(backfill.MAX_FAILED_ATTEMPTS):
        assert load_history(railway, journal, first_survey) == {}
    assert fake_railway.operations == []

    fake_railway.budget = Budget()
    take_survey(railway, HERE, WINDOW, 60)

    assert len(ends(load_history(railway, journal, first_survey))) == 96


def test_a_hanging_railway_delays_a_sweep_no_longer_than_the_timeout(
    railway: Railway, journal: JournalStore, first_survey: Survey, fake_railway: FakeRailway
) -> None:
    fake_railway.faults.add("hang", times=100)
    began = time.monotonic()

    history = load_history(railway.with_own_count(0.5), journal, first_survey)

    assert history == {}
    assert time.monotonic() - began < 5


def test_no_request_is_sent_after_the_timeout(
    railway: Railway, journal: JournalStore, first_survey: Survey, fake_railway: FakeRailway
) -> None:
    assert load_history(railway.with_own_count(0), journal, first_survey) == {}

    assert fake_railway.operations == []


def test_an_unexpected_error_costs_a_sweep_only_its_history(
    railway: Railway, journal: JournalStore, first_survey: Survey
) -> None:
    progress = backfill.BackfillProgress(reached=WINDOW.start, target=WINDOW.start - timedelta(hours=6))
    broken = first_survey.model_copy(update={"services": (None,)})

    windows, after = backfill.backfill(railway, broken, progress, min_duration_minutes=4.0)

    assert (windows, after.reached, after.failed_attempts) == ({}, progress.reached, 1)


def test_a_service_has_no_history_from_before_its_first_deployment(
    railway: Railway, journal: JournalStore, fake_railway: FakeRailway
) -> None:
    fake_railway.world.services.append(running_service("young", 3.2))
    first_survey = take_survey(railway, HERE, WINDOW, 60)

    history = load_history(railway, journal, first_survey)

    assert len(history["svc-shop"]) == 96
    assert [summary.at for summary in history["svc-young"]] == [
        WINDOW.start - HALF * n for n in range(5, -1, -1)
    ]


def test_failing_windows_of_the_past_are_marked(
    railway: Railway, journal: JournalStore, fake_railway: FakeRailway
) -> None:
    fake_railway.world.services[0] = running_service("shop", 14, failing=0.5)
    first_survey = take_survey(railway, HERE, WINDOW, 60)

    history = load_history(railway, journal, first_survey)

    assert "server_errors" in history["svc-shop"][0].alerting_kinds


def test_a_damaged_history_is_read_from_railway_again(
    railway: Railway, journal: JournalStore, first_survey: Survey, store: redis.Redis
) -> None:
    store.hset(
        history_key("env"),
        mapping={summary_store.PROGRESS_FIELD: b"garbage", "svc-shop": b"garbage"},
    )

    assert len(ends(load_history(railway, journal, first_survey))) == 96


# ---- slicing ---------------------------------------------------------------------------------


def deployed(name: str, hour: float, status: str, changed: float | None = None) -> Deployment:
    at = None if changed is None else NOON + timedelta(hours=changed)
    return Deployment(
        id=name, service_id="s", status=status, created_at=NOON + timedelta(hours=hour), status_at=at,
        stopped=status == "CRASHED", instance_states=("CRASHED",),
    )  # fmt: skip


def at_noon(*history: Deployment) -> Service:
    """The service with these deployments, newest first, as it was at noon."""
    service = Service(id="s", name="shop", deployments=history, serving=history[0], latest=history[0])
    whole = Survey(
        project_id="p", project_name="p", environment_id="e", environment_name="e", step_seconds=60,
        window=Window(start=NOON - timedelta(hours=9), end=NOON + timedelta(hours=9)), services=(service,),
    )  # fmt: skip
    return slicing.slice_window(whole, WINDOW, {"s"}).services[0]


def test_a_deployment_that_crashed_later_was_running() -> None:
    service = at_noon(deployed("a", -5, "CRASHED", changed=2))

    assert service.serving
    assert (service.serving.status, service.serving.stopped) == ("SUCCESS", False)
    assert service.serving.instance_states == ()


def test_a_deployment_that_crashed_before_is_crashed() -> None:
    service = at_noon(deployed("a", -5, "CRASHED", changed=-0.2))

    assert service.serving and service.serving.status == "CRASHED"


def test_a_deployment_that_was_replaced_later_was_serving() -> None:
    service = at_noon(deployed("b", 3, "SUCCESS", changed=3), deployed("a", -5, "REMOVED", changed=3))

    assert service.serving and (service.serving.id, service.serving.status) == ("a", "SUCCESS")
    assert service.latest and service.latest.id == "a"


def test_a_deployment_that_failed_later_was_in_progress() -> None:
    service = at_noon(deployed("b", -0.1, "FAILED", changed=0.2), deployed("a", -5, "SUCCESS", changed=-5))

    assert service.latest and (service.latest.id, service.latest.status) == ("b", "DEPLOYING")
    assert service.serving and service.serving.id == "a"


def test_a_window_across_two_chunks_contains_samples_of_both(railway: Railway, first_survey: Survey) -> None:
    older, newer = (
        chunks.read_chunk(railway, first_survey, Window(start=start, end=start + timedelta(hours=6)))
        for start in (NOON - timedelta(hours=18), NOON - timedelta(hours=12))
    )
    border = Window(start=newer.window.start - HALF / 2, end=newer.window.start + HALF / 2)

    [service] = slicing.slice_window(slicing.join_chunks(older, newer, border.start), border).services

    assert sum(minute.requests for minute in service.traffic) == 30
    assert [len(usage.cpu) for usage in service.usage] == [30]
