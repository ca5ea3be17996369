"""The past: which earlier windows are kept, which of them a window is compared with, and what garbage does to it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.pipeline import PipelineHarness, harness
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX, history_key
from workers.errors import NotAvailable
from workers.history import summary_codec, summary_store
from workers.models import (
    Finding,
    Gap,
    GapPart,
    InstanceUsage,
    Service,
    Severity,
    Summary,
    Survey,
    TrafficMinute,
    Window,
)  # fmt: skip
from workers.pipeline.worker import run_stage
from workers.runtime.store import client

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HALF = timedelta(minutes=30)
SWEEP = f"{PREFIX}sweep:env-1:1"


def service(name: str, end: datetime, cpu: float = 0.123456) -> Service:
    at = int((end - HALF).timestamp())
    points = tuple((at + 60 * n, cpu) for n in range(30))
    minutes = tuple(
        TrafficMinute(at=at + 60 * n, requests=10, ok=10, client_errors=0, server_errors=0, p95_ms=80.0)
        for n in range(30)
    )
    usage = (InstanceUsage(instance_id="i", cpu=points, memory=points),)
    return Service(id=f"svc-{name}", name=name, usage=usage, traffic=minutes, cpu_limit=8.0)


def survey(end: datetime = NOON, *names: str, **facts: Any) -> Survey:
    services = tuple(service(name, end) for name in names or ("shop",))
    said = {
        "project_id": "p", "project_name": "acme", "environment_id": "e", "environment_name": "production",
        "window": Window(start=end - HALF, end=end), "step_seconds": 60, "services": services,
    }  # fmt: skip
    return Survey.model_validate(said | facts)


def ends(journal: JournalStore, name: str = "shop", now: datetime = NOON) -> list[datetime | None]:
    return [one.at for one in summary_store.read(journal, "e", now).get(f"svc-{name}", ())]


def windows(*ends: datetime) -> list[Summary]:
    return [Summary(at=end, minutes=30, cpu_mean=1.0) for end in ends]


def test_a_window_is_kept_in_a_few_short_numbers(journal: JournalStore) -> None:
    summary_store.add_sweep(journal, survey(), [])

    [kept] = summary_store.read(journal, "e", NOON)["svc-shop"]

    assert (kept.at, kept.minutes, kept.requests, kept.ok) == (NOON, 30, 300, 300)
    assert (kept.cpu_mean, kept.p95_high, kept.alerting_kinds) == (0.1235, 80, ())


def test_the_same_sweep_is_added_once(journal: JournalStore, store: redis.Redis) -> None:
    summary_store.add_sweep(journal, survey(), [])
    before = store.dump(history_key("e"))

    summary_store.add_sweep(journal, survey(), [])

    assert store.dump(history_key("e")) == before


@pytest.mark.parametrize(("minutes", "kept"), [(10, 1), (20, 1), (28, 1), (29.5, 2), (30, 2), (70, 2)])
def test_windows_never_overlap_but_for_a_little(journal: JournalStore, minutes: float, kept: int) -> None:
    summary_store.add_sweep(journal, survey(NOON - timedelta(minutes=minutes)), [])

    summary_store.add_sweep(journal, survey(NOON), [])

    assert len(ends(journal)) == kept


def test_what_was_sick_is_marked_and_a_notice_is_not(journal: JournalStore) -> None:
    def finding(kind: str, severity: Severity) -> Finding:
        said = {"service_id": "svc-shop", "service": "shop", "since": NOON, "ongoing": True, "sentence": "s"}
        return Finding.model_validate(said | {"kind": kind, "severity": severity})

    summary_store.add_sweep(
        journal, survey(), [finding("cpu", Severity.WARNING), finding("latency", Severity.NOTICE)]
    )

    [kept] = summary_store.read(journal, "e", NOON)["svc-shop"]
    assert kept.alerting_kinds == ("cpu",)


def test_what_was_not_seen_is_not_known(journal: JournalStore) -> None:
    gaps = (
        Gap(part=GapPart.TRAFFIC, subject="shop", reason="no"),
        Gap(part=GapPart.EVENTS, reason="no"),
    )

    summary_store.add_sweep(journal, survey(NOON, "shop", "cart", failed_reads=gaps), [])

    known = summary_store.read(journal, "e", NOON)
    assert (known["svc-shop"][0].requests, known["svc-shop"][0].restarted) == (None, None)
    assert known["svc-shop"][0].cpu_mean is not None
    assert known["svc-cart"][0].requests == 300


def test_a_window_in_which_nothing_was_measured_is_not_kept(journal: JournalStore) -> None:
    gaps = (Gap(part=GapPart.USAGE, reason="no"), Gap(part=GapPart.TRAFFIC, reason="no"))

    summary_store.add_sweep(journal, survey(failed_reads=gaps), [])

    assert summary_store.read(journal, "e", NOON) == {}


def test_nothing_older_than_a_week_is_kept_or_read(journal: JournalStore) -> None:
    summary_store.add_sweep(journal, survey(NOON - summary_store.RETENTION - timedelta(minutes=1)), [])
    summary_store.add_sweep(journal, survey(NOON - timedelta(days=6)), [])

    assert ends(journal) == [NOON - timedelta(days=6)]


def test_a_service_that_is_long_gone_is_dropped(journal: JournalStore, store: redis.Redis) -> None:
    summary_store.add_sweep(journal, survey(NOON - timedelta(days=8), "gone"), [])
    summary_store.add_sweep(journal, survey(NOON - timedelta(days=2), "away"), [])

    summary_store.add_sweep(journal, survey(NOON), [])

    assert set(store.hkeys(history_key("e"))) == {b"svc-shop", b"svc-away"}


def test_a_past_that_nobody_writes_to_ends_after_two_weeks(journal: JournalStore, store: redis.Redis) -> None:
    summary_store.add_sweep(journal, survey(NOON - HALF), [])
    store.expire(history_key("e"), 60)

    summary_store.add_sweep(journal, survey(NOON), [])

    assert 13 * 86_400 < store.ttl(history_key("e")) <= summary_store.TTL_SECONDS


def test_short_windows_fill_the_past_no_further_than_long_ones() -> None:
    every = [
        Summary(at=NOON - timedelta(minutes=5 * n), minutes=5, cpu_mean=1.0)
        for n in range(7 * 24 * 12, -1, -1)
    ]

    kept = summary_store.merge([], every, NOON)

    assert len(kept) <= 384
    assert kept[-summary_store.MAX_RECENT_WINDOWS :] == every[-summary_store.MAX_RECENT_WINDOWS :]
    assert kept[0].at and kept[0].at <= NOON - timedelta(days=6, hours=23)


def test_older_windows_may_come_later(journal: JournalStore) -> None:
    summary_store.add_sweep(journal, survey(NOON), [])

    summary_store.store(journal, "e", {"svc-shop": windows(NOON - 2 * HALF, NOON - HALF)}, NOON)

    assert ends(journal) == [NOON - 2 * HALF, NOON - HALF, NOON]


def stored(text: str) -> bytes:
    return summary_codec.VERSION + zlib.compress(text.encode())


@pytest.mark.parametrize(
    "blob",
    [
        b"", b"garbage", b"1garbage", b"9" + stored("{}")[1:], stored("no json"), stored("[]"), stored('{"at":1}'),
        stored('{"at":[1],"minutes":[1,2]}'), stored('{"at":["x"]}'), stored('{"at":[99999999999999999999]}'),
        stored('{"at":[1],"cpu_mean":["x"]}'),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_no_past(journal: JournalStore, store: redis.Redis, blob: bytes) -> None:
    store.hset(history_key("e"), "svc-shop", blob)
    assert not summary_store.read(journal, "e", NOON)["svc-shop"]

    summary_store.add_sweep(journal, survey(), [])

    assert ends(journal) == [NOON]


def test_a_number_that_a_later_version_knows_is_passed_over(
    journal: JournalStore, store: redis.Redis
) -> None:
    at = int(NOON.timestamp())
    store.hset(history_key("e"), "svc-shop", stored(f'{{"at":[{at}],"cpu_mean":[1.5],"new":[7]}}'))

    assert summary_store.read(journal, "e", NOON)["svc-shop"] == [Summary(at=NOON, cpu_mean=1.5)]


def test_a_window_is_compared_with_the_day_before_and_that_time_of_earlier_days() -> None:
    hours = [NOON - timedelta(hours=n) for n in range(7 * 24, -1, -1)]

    found = [one.at for one in summary_store.baseline_windows({"s": windows(*hours)}, NOON)["s"]]

    ages = [round((NOON - at).total_seconds() / 3600) for at in found if at]
    assert ages == [
        168,
        167,
        *(day * 24 + n for day in (6, 5, 4, 3, 2) for n in (1, 0, -1)),
        *range(25, -1, -1),
    ]


def test_a_window_that_reaches_into_the_judged_one_is_no_past() -> None:
    known = {"s": windows(NOON - HALF, NOON + timedelta(seconds=30), NOON + timedelta(minutes=10))}

    assert [one.at for one in summary_store.baseline_windows(known, NOON)["s"]] == [
        NOON - HALF,
        NOON + timedelta(seconds=30),
    ]


def test_a_window_is_compared_with_a_hundred_others_at_most() -> None:
    every = windows(*(NOON - timedelta(minutes=5 * n) for n in range(500, 0, -1)))

    assert summary_store.baseline_windows({"s": every}, NOON)["s"] == every[-100:]


def test_a_store_that_is_away_is_said() -> None:
    away = JournalStore(client("redis://127.0.0.1:1"))

    with pytest.raises(NotAvailable):
        summary_store.read(away, "e", NOON)
    with pytest.raises(NotAvailable):
        summary_store.add_sweep(away, survey(), [])


# ---- in the line -----------------------------------------------------------------------------


@pytest.fixture
def running(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[PipelineHarness]:
    """The line around the sick shop, without an agent, with a sweep that waits for its findings."""
    with harness(store, store_url, tmp_path, TRACKWALKER_MODE="report") as made:
        made.alert()
        made.drive(lambda: store.hget(SWEEP, "stage") == b"analyse")
        yield made


def shops(running: PipelineHarness) -> list[Summary]:
    return [*summary_store.read(running.journal, "env-1", datetime.now(UTC)).get("svc-shop", ())]


def test_a_sweep_keeps_its_window_with_what_was_sick(running: PipelineHarness) -> None:
    running.drive(running.incidents)

    assert "server_errors" in shops(running)[-1].alerting_kinds


def test_a_worker_that_dies_between_findings_and_past_keeps_the_window_once(running: PipelineHarness) -> None:
    running.drive(running.incidents)
    before = shops(running)
    running.store.hdel(SWEEP, "ended")

    run_stage(running.services, "analyse", SWEEP)

    assert running.journal.fields(SWEEP)["ended"]
    assert shops(running) == before


def test_a_sweep_is_judged_without_a_past_while_railway_is_away(running: PipelineHarness) -> None:
    running.railway.faults.add("503", times=100)

    running.drive(running.incidents)

    assert len(shops(running)) == 1
