"""Intake: an alert is durable and scheduled before its sender is answered."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import redis

from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX, SCHEDULE
from workers.errors import NotAvailable
from workers.incidents.intake import DedupWindow, ingest, ingest_batch
from workers.models import Alert
from workers.runtime.store import client

AT = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)


def alert(name: str = "a1", **facts: str) -> Alert:
    return Alert.model_validate(
        {"id": name, "source": "railway", "kind": "deployment.crashed", "received_at": AT} | facts
    )


def test_an_alert_is_stored_and_scheduled(journal: JournalStore, store: redis.Redis) -> None:
    woken: list[str] = []

    stored = ingest(alert(), None, journal, woken.append)

    assert stored == "a1"
    assert store.zscore(SCHEDULE, f"{PREFIX}alert:a1") is not None
    assert journal.read_record(f"{PREFIX}alert:a1", records.ALERT) == alert()
    assert woken == [f"{PREFIX}alert:a1"]


def test_a_repeated_alert_has_the_id_of_the_first(journal: JournalStore, store: redis.Redis) -> None:
    dedup = DedupWindow(keys=("k",), seconds=60)
    ingest(alert("a1"), dedup, journal, lambda _: None)

    again = ingest(alert("a2"), dedup, journal, lambda _: None)

    assert again == "a1"
    assert store.exists(f"{PREFIX}alert:a2") == 0
    assert store.hget(f"{PREFIX}alert:a1", "firings") == b"1"


def test_a_repeat_of_an_expired_alert_is_a_new_alert(journal: JournalStore, store: redis.Redis) -> None:
    dedup = DedupWindow(keys=("k",), seconds=60)
    ingest(alert("a1"), dedup, journal, lambda _: None)
    store.delete(f"{PREFIX}alert:a1")

    again = ingest(alert("a2"), dedup, journal, lambda _: None)

    assert again == "a2"
    assert not store.exists(f"{PREFIX}alert:a1")
    assert store.zscore(SCHEDULE, f"{PREFIX}alert:a2") is not None


def test_an_alert_that_names_a_service_schedules_an_acknowledgement(
    journal: JournalStore, store: redis.Redis
) -> None:
    ingest(alert(service_id="s"), None, journal, lambda _: None, ack_seconds=60)

    due, now = store.zscore(SCHEDULE, f"{PREFIX}notification:alert:a1"), store.time()[0]

    assert due is not None
    assert 55 < due / 1000 - now < 65


def test_a_new_deployment_gets_a_check_but_no_acknowledgement(
    journal: JournalStore, store: redis.Redis
) -> None:
    ingest(alert(service_id="s", kind="deployment.deployed"), None, journal, lambda _: None)

    assert store.exists(f"{PREFIX}notification:alert:a1") == 0
    assert store.exists(f"{PREFIX}alert:a1") == 1


def test_an_outage_is_raised() -> None:
    nowhere = JournalStore(client("redis://127.0.0.1:1/0"))

    with pytest.raises(NotAvailable):
        ingest(alert(), None, nowhere, lambda _: None)


# ---- batches --------------------------------------------------------------------------------------


def test_every_alert_of_a_batch_is_stored_and_scheduled(journal: JournalStore, store: redis.Redis) -> None:
    woken: list[str] = []
    same = DedupWindow(keys=("k",), seconds=60)

    stored = ingest_batch(
        [(alert("a1"), same), (alert("a2"), None), (alert("a3"), same)], journal, woken.append
    )

    assert stored == ["a1", "a2", "a1"]
    assert all(store.zscore(SCHEDULE, f"{PREFIX}alert:{name}") is not None for name in ("a1", "a2"))
    assert store.exists(f"{PREFIX}alert:a3") == 0
    assert store.hget(f"{PREFIX}alert:a1", "firings") == b"1"
    assert journal.read_record(f"{PREFIX}alert:a2", records.ALERT) == alert("a2")
    assert woken == [f"{PREFIX}alert:{name}" for name in stored]


def test_scripts_are_loaded_again_after_redis_flushed_them(journal: JournalStore, store: redis.Redis) -> None:
    ingest_batch([(alert("a1"), None)], journal, lambda _: None)
    store.script_flush()

    stored = ingest_batch([(alert("a2"), None), (alert("a3"), None)], journal, lambda _: None)

    assert stored == ["a2", "a3"]
    assert store.exists(f"{PREFIX}alert:a2", f"{PREFIX}alert:a3") == 2


def test_an_alert_that_redis_refuses_does_not_fail_the_others(
    journal: JournalStore, store: redis.Redis
) -> None:
    store.set(f"{PREFIX}alert:a2", "no hash")
    woken: list[str] = []

    stored = ingest_batch([(alert(name), None) for name in ("a1", "a2", "a3")], journal, woken.append)

    assert [stored[0], stored[2]] == ["a1", "a3"]
    assert isinstance(stored[1], NotAvailable)
    assert woken == [f"{PREFIX}alert:a1", f"{PREFIX}alert:a3"]


def test_an_outage_fails_the_whole_batch() -> None:
    nowhere = JournalStore(client("redis://127.0.0.1:1/0"))

    with pytest.raises(NotAvailable):
        ingest_batch([(alert("a1"), None), (alert("a2"), None)], nowhere, lambda _: None)
