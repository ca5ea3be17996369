"""The first run: the past that Railway stores becomes ours, newest first, and no sweep ever fails for it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis
from pydantic import SecretStr

from tests.support.fakes.railway import (  # fmt: skip
    Budget,
    FakeRailway,
    Request,
    Sample,
    World,
    WorldDeployment,
    WorldService,
)
from tests.support.fakes.serving import Fault, serve
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
STRETCHES = 8
"""Two days of six hours."""
PER_STRETCH = 3


def living(name: str, hours: float, *, failing: float = 0.0) -> WorldService:
    """A service up for so long, with a sample and a request a minute, some of them failing."""
    random_ = random.Random(name)
    first = NOON.timestamp() - hours * 3600
    live = WorldDeployment(f"dep-{name}", f"svc-{name}", "SUCCESS", first, None, {})
    made = WorldService(f"svc-{name}", name, deployments=[live], active=[live.id])
    moments = [first + 60 * n for n in range(int(hours * 60))]
    made.samples = [Sample(at + 5, "i1", live.id, 2.0, 1.0) for at in moments]
    made.requests = [
        Request(at, "GET", "/", 500 if random_.random() < failing else 200, 20.0, live.id) for at in moments
    ]
    return made


@pytest.fixture
def fake_railway() -> FakeRailway:
    return FakeRailway(World("prj", "acme", "env", "production", [living("shop", 50)]))


@pytest.fixture
def railway(fake_railway: FakeRailway) -> Iterator[Railway]:
    with serve(fake_railway.app, fake_railway.faults) as server:
        client = Railway(server.url, token=SecretStr(fake_railway.token))
        yield client
        client.close()


@pytest.fixture
def seen(railway: Railway, fake_railway: FakeRailway) -> Survey:
    """The window of the first sweep."""
    found = take_survey(railway, HERE, WINDOW, 60)
    fake_railway.operations.clear()
    return found


def remember(railway: Railway, journal: JournalStore, seen: Survey) -> History:
    return backfill.load_history(railway, journal, seen, min_duration_minutes=4.0)


def ends(known: History) -> list[datetime | None]:
    return [one.at for one in known.get("svc-shop", ())]


def test_two_days_become_half_hours_that_end_where_the_window_begins(
    railway: Railway, journal: JournalStore, seen: Survey
) -> None:
    known = remember(railway, journal, seen)

    assert ends(known) == [WINDOW.start - HALF * n for n in range(95, -1, -1)]
    assert {(one.minutes, one.requests, one.cpu_mean) for one in known["svc-shop"]} == {(30, 30, 2.0)}


def test_it_is_read_once(
    railway: Railway, journal: JournalStore, seen: Survey, fake_railway: FakeRailway
) -> None:
    remember(railway, journal, seen)
    assert len(fake_railway.operations) == STRETCHES * PER_STRETCH

    known = remember(railway, journal, seen)

    assert len(fake_railway.operations) == STRETCHES * PER_STRETCH
    assert len(ends(known)) == 96


def test_the_sweep_after_it_is_added_behind_it(railway: Railway, journal: JournalStore, seen: Survey) -> None:
    remember(railway, journal, seen)

    summary_store.add_sweep(journal, seen, [])

    assert ends(summary_store.read(journal, "env", NOON))[-2:] == [WINDOW.start, NOON]


def busy_after(fake_railway: FakeRailway, requests: int) -> None:
    """From then on Railway answers 503."""
    fake_railway.faults.waiting.append(
        Fault("503", 1000, lambda _verb, _path: len(fake_railway.operations) >= requests, "1")
    )


def test_what_railway_is_too_busy_for_is_read_at_the_next_sweep(
    railway: Railway, journal: JournalStore, seen: Survey, fake_railway: FakeRailway
) -> None:
    busy_after(fake_railway, 2 * PER_STRETCH)
    known = remember(railway, journal, seen)
    assert ends(known) == [WINDOW.start - HALF * n for n in range(23, -1, -1)]

    fake_railway.faults.clear()
    known = remember(railway, journal, seen)

    assert ends(known) == [WINDOW.start - HALF * n for n in range(95, -1, -1)]
    assert len(fake_railway.operations) == STRETCHES * PER_STRETCH


def test_it_leaves_a_part_of_the_hours_requests_to_the_sweeps(
    railway: Railway, journal: JournalStore, seen: Survey, fake_railway: FakeRailway
) -> None:
    fake_railway.budget = Budget(limit=100, spent=50, resets_at=(NOON + HALF).timestamp())
    take_survey(railway, HERE, WINDOW, 60)
    fake_railway.operations.clear()

    known = remember(railway, journal, seen)

    assert 0 < len(ends(known)) < 96
    assert fake_railway.budget.spent <= 60


def test_a_refusal_leaves_it_at_what_was_read(
    railway: Railway, journal: JournalStore, seen: Survey, fake_railway: FakeRailway
) -> None:
    fake_railway.token = "another"

    assert remember(railway, journal, seen) == {}
    fake_railway.operations.clear()
    fake_railway.token = "railway-token"

    assert remember(railway, journal, seen) == {}
    assert fake_railway.operations == []


def test_a_railway_that_is_away_is_not_asked_for_the_past_for_ever(
    railway: Railway, journal: JournalStore, seen: Survey, fake_railway: FakeRailway
) -> None:
    busy_after(fake_railway, 0)
    for _ in range(backfill.MAX_FAILED_ATTEMPTS):
        assert remember(railway, journal, seen) == {}
    fake_railway.faults.clear()

    assert remember(railway, journal, seen) == {}

    assert fake_railway.operations == []


def test_an_hour_without_requests_to_spare_is_no_try(
    railway: Railway, journal: JournalStore, seen: Survey, fake_railway: FakeRailway
) -> None:
    fake_railway.budget = Budget(limit=100, spent=70, resets_at=(NOON + HALF).timestamp())
    take_survey(railway, HERE, WINDOW, 60)
    fake_railway.operations.clear()
    for _ in range(backfill.MAX_FAILED_ATTEMPTS):
        assert remember(railway, journal, seen) == {}
    assert fake_railway.operations == []

    fake_railway.budget = Budget()
    take_survey(railway, HERE, WINDOW, 60)

    assert len(ends(remember(railway, journal, seen))) == 96


def test_no_sweep_waits_for_a_railway_that_hangs(
    railway: Railway, journal: JournalStore, seen: Survey, fake_railway: FakeRailway
) -> None:
    fake_railway.faults.add("hang", times=100)
    began = time.monotonic()

    known = remember(railway.with_own_count(0.5), journal, seen)

    assert known == {}
    assert time.monotonic() - began < 5


def test_nothing_more_is_asked_when_the_time_is_over(
    railway: Railway, journal: JournalStore, seen: Survey, fake_railway: FakeRailway
) -> None:
    assert remember(railway.with_own_count(0), journal, seen) == {}

    assert fake_railway.operations == []


def test_what_nobody_expected_costs_a_sweep_its_past_only(
    railway: Railway, journal: JournalStore, seen: Survey
) -> None:
    reach = backfill.BackfillProgress(reached=WINDOW.start, target=WINDOW.start - timedelta(hours=6))
    broken = seen.model_copy(update={"services": (None,)})

    found, after = backfill.backfill(railway, broken, reach, min_duration_minutes=4.0)

    assert (found, after.reached, after.failed_attempts) == ({}, reach.reached, 1)


def test_a_service_has_no_past_from_before_it_was_there(
    railway: Railway, journal: JournalStore, fake_railway: FakeRailway
) -> None:
    fake_railway.world.services.append(living("young", 3.2))
    seen = take_survey(railway, HERE, WINDOW, 60)

    known = remember(railway, journal, seen)

    assert len(known["svc-shop"]) == 96
    assert [one.at for one in known["svc-young"]] == [WINDOW.start - HALF * n for n in range(5, -1, -1)]


def test_trouble_of_the_past_is_marked_as_such(
    railway: Railway, journal: JournalStore, fake_railway: FakeRailway
) -> None:
    fake_railway.world.services[0] = living("shop", 14, failing=0.5)
    seen = take_survey(railway, HERE, WINDOW, 60)

    known = remember(railway, journal, seen)

    assert "server_errors" in known["svc-shop"][0].alerting_kinds


def test_a_past_that_cannot_be_read_is_read_anew(
    railway: Railway, journal: JournalStore, seen: Survey, store: redis.Redis
) -> None:
    store.hset(
        history_key("env"),
        mapping={summary_store.PROGRESS_FIELD: b"garbage", "svc-shop": b"garbage"},
    )

    assert len(ends(remember(railway, journal, seen))) == 96


# ---- cutting ---------------------------------------------------------------------------------


def deployed(name: str, hour: float, status: str, changed: float | None = None) -> Deployment:
    at = None if changed is None else NOON + timedelta(hours=changed)
    return Deployment(
        id=name, service_id="s", status=status, created_at=NOON + timedelta(hours=hour), status_at=at,
        stopped=status == "CRASHED", instance_states=("CRASHED",),
    )  # fmt: skip


def at_noon(*history: Deployment) -> Service:
    """The service of these deployments, newest first, as it was at noon."""
    service = Service(id="s", name="shop", deployments=history, serving=history[0], latest=history[0])
    whole = Survey(
        project_id="p", project_name="p", environment_id="e", environment_name="e", step_seconds=60,
        window=Window(start=NOON - timedelta(hours=9), end=NOON + timedelta(hours=9)), services=(service,),
    )  # fmt: skip
    return slicing.slice_window(whole, WINDOW, {"s"}).services[0]


def test_what_crashed_later_ran_then() -> None:
    service = at_noon(deployed("a", -5, "CRASHED", changed=2))

    assert service.serving
    assert (service.serving.status, service.serving.stopped) == ("SUCCESS", False)
    assert service.serving.instance_states == ()


def test_what_had_crashed_by_then_is_seen_as_crashed() -> None:
    service = at_noon(deployed("a", -5, "CRASHED", changed=-0.2))

    assert service.serving and service.serving.status == "CRASHED"


def test_what_was_replaced_later_served_then() -> None:
    service = at_noon(deployed("b", 3, "SUCCESS", changed=3), deployed("a", -5, "REMOVED", changed=3))

    assert service.serving and (service.serving.id, service.serving.status) == ("a", "SUCCESS")
    assert service.latest and service.latest.id == "a"


def test_what_failed_later_was_on_its_way_then() -> None:
    service = at_noon(deployed("b", -0.1, "FAILED", changed=0.2), deployed("a", -5, "SUCCESS", changed=-5))

    assert service.latest and (service.latest.id, service.latest.status) == ("b", "DEPLOYING")
    assert service.serving and service.serving.id == "a"


def test_windows_over_a_seam_hold_both_sides(railway: Railway, seen: Survey) -> None:
    older, newer = (
        chunks.read_chunk(railway, seen, Window(start=start, end=start + timedelta(hours=6)))
        for start in (NOON - timedelta(hours=18), NOON - timedelta(hours=12))
    )
    seam = Window(start=newer.window.start - HALF / 2, end=newer.window.start + HALF / 2)

    [service] = slicing.slice_window(slicing.join_chunks(older, newer, seam.start), seam).services

    assert sum(one.requests for one in service.traffic) == 30
    assert [len(one.cpu) for one in service.usage] == [30]
