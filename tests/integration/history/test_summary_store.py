"""The summary store: the windows that it keeps, the windows of a baseline, and damaged values."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support import builders
from tests.support.pipeline import PipelineHarness, harness
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX, history_key
from workers.errors import NotAvailable
from workers.history import summary_codec, summary_store
from workers.models import (
    Gap,
    GapPart,
    InstanceUsage,
    Service,
    Summary,
    Survey,
    TrafficMinute,
    Window,
)  # fmt: skip
from workers.pipeline.worker import run_stage
from workers.runtime.store import client

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)
SWEEP = f"{PREFIX}sweep:env-1:1"


def service(name: str, end: datetime, cpu: float = 0.123456) -> Service:
    at = int((end - HALF_HOUR).timestamp())
    points = tuple((at + 60 * n, cpu) for n in range(30))
    minutes = tuple(
        TrafficMinute(at=at + 60 * n, requests=10, ok=10, client_errors=0, server_errors=0, p95_ms=80.0)
        for n in range(30)
    )
    usage = (InstanceUsage(instance_id="i", cpu=points, memory=points),)
    return Service(id=f"svc-{name}", name=name, usage=usage, traffic=minutes, cpu_limit=8.0)


def survey(end: datetime = NOON, *names: str, **fields: Any) -> Survey:
    services = tuple(service(name, end) for name in names or ("shop",))
    window = Window(start=end - HALF_HOUR, end=end)
    return builders.survey(**{"services": services, "window": window} | fields)


def ends(journal: JournalStore, name: str = "shop", now: datetime = NOON) -> list[datetime | None]:
    return [summary.at for summary in summary_store.read(journal, "e", now).get(f"svc-{name}", ())]


def windows(*ends: datetime) -> list[Summary]:
    return [Summary(at=end, minutes=30, cpu_mean=1.0) for end in ends]


def test_a_window_is_stored_as_a_few_rounded_numbers(journal: JournalStore) -> None:
    summary_store.add_sweep(journal, survey(), [])

    [summary] = summary_store.read(journal, "e", NOON)["svc-shop"]

    assert (summary.at, summary.minutes, summary.requests, summary.ok) == (NOON, 30, 300, 300)
    assert (summary.cpu_mean, summary.p95_high, summary.alerting_kinds) == (0.1235, 80, ())


def test_the_same_sweep_is_added_once(journal: JournalStore, store: redis.Redis) -> None:
    summary_store.add_sweep(journal, survey(), [])
    before = store.dump(history_key("e"))

    summary_store.add_sweep(journal, survey(), [])

    assert store.dump(history_key("e")) == before


@pytest.mark.parametrize(("minutes", "kept"), [(10, 1), (20, 1), (28, 1), (29.5, 2), (30, 2), (70, 2)])
def test_windows_overlap_by_no_more_than_the_tolerance(
    journal: JournalStore, minutes: float, kept: int
) -> None:
    summary_store.add_sweep(journal, survey(NOON - timedelta(minutes=minutes)), [])

    summary_store.add_sweep(journal, survey(NOON), [])

    assert len(ends(journal)) == kept


def test_alerting_kinds_are_stored_and_notices_are_not(journal: JournalStore) -> None:
    findings = [builders.finding("cpu", name="shop"), builders.notice("latency", name="shop")]

    summary_store.add_sweep(journal, survey(), findings)

    [summary] = summary_store.read(journal, "e", NOON)["svc-shop"]
    assert summary.alerting_kinds == ("cpu",)


def test_data_that_could_not_be_read_is_unknown(journal: JournalStore) -> None:
    gaps = (
        Gap(part=GapPart.TRAFFIC, subject="shop", reason="no"),
        Gap(part=GapPart.EVENTS, reason="no"),
    )

    summary_store.add_sweep(journal, survey(NOON, "shop", "cart", failed_reads=gaps), [])

    history = summary_store.read(journal, "e", NOON)
    assert (history["svc-shop"][0].requests, history["svc-shop"][0].restarted) == (None, None)
    assert history["svc-shop"][0].cpu_mean is not None
    assert history["svc-cart"][0].requests == 300


def test_a_window_without_measurements_is_not_stored(journal: JournalStore) -> None:
    gaps = (Gap(part=GapPart.USAGE, reason="no"), Gap(part=GapPart.TRAFFIC, reason="no"))

    summary_store.add_sweep(journal, survey(failed_reads=gaps), [])

    assert summary_store.read(journal, "e", NOON) == {}


def test_windows_older_than_the_retention_are_dropped(journal: JournalStore) -> None:
    summary_store.add_sweep(journal, survey(NOON - summary_store.RETENTION - timedelta(minutes=1)), [])
    summary_store.add_sweep(journal, survey(NOON - timedelta(days=6)), [])

    assert ends(journal) == [NOON - timedelta(days=6)]


def test_a_service_without_recent_windows_is_dropped(journal: JournalStore, store: redis.Redis) -> None:
    summary_store.add_sweep(journal, survey(NOON - timedelta(days=8), "gone"), [])
    summary_store.add_sweep(journal, survey(NOON - timedelta(days=2), "away"), [])

    summary_store.add_sweep(journal, survey(NOON), [])

    assert set(store.hkeys(history_key("e"))) == {b"svc-shop", b"svc-away"}


def test_a_history_without_new_sweeps_expires_after_two_weeks(
    journal: JournalStore, store: redis.Redis
) -> None:
    summary_store.add_sweep(journal, survey(NOON - HALF_HOUR), [])
    store.expire(history_key("e"), 60)

    summary_store.add_sweep(journal, survey(NOON), [])

    assert 13 * 86_400 < store.ttl(history_key("e")) <= summary_store.TTL_SECONDS


def test_short_windows_take_no_more_summaries_than_long_ones() -> None:
    summaries = [
        Summary(at=NOON - timedelta(minutes=5 * n), minutes=5, cpu_mean=1.0)
        for n in range(7 * 24 * 12, -1, -1)
    ]

    merged = summary_store.merge([], summaries, NOON)

    assert len(merged) <= 384
    assert merged[-summary_store.MAX_RECENT_WINDOWS :] == summaries[-summary_store.MAX_RECENT_WINDOWS :]
    assert merged[0].at and merged[0].at <= NOON - timedelta(days=6, hours=23)


def test_older_windows_can_be_added_later(journal: JournalStore) -> None:
    summary_store.add_sweep(journal, survey(NOON), [])

    summary_store.save(journal, "e", {"svc-shop": windows(NOON - 2 * HALF_HOUR, NOON - HALF_HOUR)}, NOON)

    assert ends(journal) == [NOON - 2 * HALF_HOUR, NOON - HALF_HOUR, NOON]


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
def test_a_damaged_value_reads_as_no_history(journal: JournalStore, store: redis.Redis, blob: bytes) -> None:
    store.hset(history_key("e"), "svc-shop", blob)
    assert not summary_store.read(journal, "e", NOON)["svc-shop"]

    summary_store.add_sweep(journal, survey(), [])

    assert ends(journal) == [NOON]


def test_a_field_of_a_newer_version_is_ignored(journal: JournalStore, store: redis.Redis) -> None:
    at = int(NOON.timestamp())
    store.hset(history_key("e"), "svc-shop", stored(f'{{"at":[{at}],"cpu_mean":[1.5],"new":[7]}}'))

    assert summary_store.read(journal, "e", NOON)["svc-shop"] == [Summary(at=NOON, cpu_mean=1.5)]


def test_a_baseline_is_the_day_before_and_the_same_hour_of_earlier_days() -> None:
    hours = [NOON - timedelta(hours=n) for n in range(7 * 24, -1, -1)]

    ends = [summary.at for summary in summary_store.baseline_windows({"s": windows(*hours)}, NOON)["s"]]

    ages = [round((NOON - at).total_seconds() / 3600) for at in ends if at]
    assert ages == [
        *(168, 167, 166),
        *(day * 24 + n for day in (6, 5, 4, 3, 2) for n in (1, 0, -1, -2)),
        *range(25, -1, -1),
    ]


def test_the_healthy_windows_before_a_day_of_alerts_are_part_of_the_baseline() -> None:
    hours = windows(*(NOON - timedelta(hours=n) for n in range(7 * 24, -1, -1)))
    failing = [
        summary.model_copy(update={"alerting_kinds": ("latency",)})
        if summary.at and summary.at > NOON - timedelta(hours=36)
        else summary
        for summary in hours
    ]

    baseline = summary_store.baseline_windows({"s": failing}, NOON)["s"]

    healthy = [summary for summary in baseline if not summary.alerting_kinds]
    assert NOON - timedelta(hours=36) in [summary.at for summary in healthy] and len(healthy) > 40


def test_a_window_that_overlaps_the_present_one_is_no_baseline() -> None:
    history = {"s": windows(NOON - HALF_HOUR, NOON + timedelta(seconds=30), NOON + timedelta(minutes=10))}

    assert [summary.at for summary in summary_store.baseline_windows(history, NOON)["s"]] == [
        NOON - HALF_HOUR,
        NOON + timedelta(seconds=30),
    ]


def test_a_baseline_has_at_most_130_windows() -> None:
    summaries = windows(*(NOON - timedelta(minutes=5 * n) for n in range(500, 0, -1)))

    assert summary_store.baseline_windows({"s": summaries}, NOON)["s"] == summaries[-130:]


def test_an_unavailable_redis_raises_not_available() -> None:
    away = JournalStore(client("redis://127.0.0.1:1"))

    with pytest.raises(NotAvailable):
        summary_store.read(away, "e", NOON)
    with pytest.raises(NotAvailable):
        summary_store.add_sweep(away, survey(), [])


# ---- in the pipeline -----------------------------------------------------------------------------


@pytest.fixture
def running(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[PipelineHarness]:
    """The pipeline around a failing service, without an agent, at the analyse stage of its first sweep."""
    with harness(store, store_url, tmp_path, TRACKWALKER_MODE="report") as pipeline:
        pipeline.alert()
        pipeline.drive(lambda: store.hget(SWEEP, "stage") == b"analyse")
        yield pipeline


def stored_summaries(running: PipelineHarness) -> list[Summary]:
    return [*summary_store.read(running.journal, "env-1", datetime.now(UTC)).get("svc-shop", ())]


def test_a_sweep_stores_its_window_with_the_alerting_kinds(running: PipelineHarness) -> None:
    running.drive(running.incidents)

    assert "server_errors" in stored_summaries(running)[-1].alerting_kinds


def test_a_stage_that_runs_twice_stores_its_window_once(running: PipelineHarness) -> None:
    running.drive(running.incidents)
    before = stored_summaries(running)
    running.store.hdel(SWEEP, "ended")

    run_stage(running.services, "analyse", SWEEP)

    assert running.journal.fields(SWEEP)["ended"]
    assert stored_summaries(running) == before


def test_a_sweep_runs_without_a_backfill_while_railway_is_unavailable(running: PipelineHarness) -> None:
    running.railway.faults.add("503", times=100)

    running.drive(running.incidents)

    assert len(stored_summaries(running)) == 1
