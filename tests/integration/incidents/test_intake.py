"""The door's store: an alert is durable and due before anybody is answered."""

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


def test_an_alert_is_stored_and_due_before_it_is_answered(journal: JournalStore, store: redis.Redis) -> None:
    woken: list[str] = []

    taken = ingest(alert(), None, journal, woken.append)

    assert taken == "a1"
    assert store.zscore(SCHEDULE, f"{PREFIX}alert:a1") is not None
    assert journal.read_record(f"{PREFIX}alert:a1", records.ALERT) == alert()
    assert woken == [f"{PREFIX}alert:a1"]


def test_the_same_alert_again_is_the_one_before(journal: JournalStore, store: redis.Redis) -> None:
    fold = DedupWindow(key="k", seconds=60)
    ingest(alert("a1"), fold, journal, lambda _: None)

    again = ingest(alert("a2"), fold, journal, lambda _: None)

    assert again == "a1"
    assert store.exists(f"{PREFIX}alert:a2") == 0
    assert store.hget(f"{PREFIX}alert:a1", "firings") == b"1"


def test_what_repeats_an_alert_that_is_not_kept_any_more_is_a_new_one(
    journal: JournalStore, store: redis.Redis
) -> None:
    fold = DedupWindow(key="k", seconds=60)
    ingest(alert("a1"), fold, journal, lambda _: None)
    store.delete(f"{PREFIX}alert:a1")

    again = ingest(alert("a2"), fold, journal, lambda _: None)

    assert again == "a2"
    assert not store.exists(f"{PREFIX}alert:a1")
    assert store.zscore(SCHEDULE, f"{PREFIX}alert:a2") is not None


def test_an_alert_that_names_a_service_is_owed_an_answer(journal: JournalStore, store: redis.Redis) -> None:
    ingest(alert(service_id="s"), None, journal, lambda _: None, ack_seconds=60)

    due, now = store.zscore(SCHEDULE, f"{PREFIX}notification:alert:a1"), store.time()[0]

    assert due is not None
    assert 55 < due / 1000 - now < 65


def test_a_new_deployment_is_looked_at_but_owed_no_answer(journal: JournalStore, store: redis.Redis) -> None:
    ingest(alert(service_id="s", kind="deployment.deployed"), None, journal, lambda _: None)

    assert store.exists(f"{PREFIX}notification:alert:a1") == 0
    assert store.exists(f"{PREFIX}alert:a1") == 1


def test_a_store_that_is_away_is_said_so() -> None:
    nowhere = JournalStore(client("redis://127.0.0.1:1/0"))

    with pytest.raises(NotAvailable):
        ingest(alert(), None, nowhere, lambda _: None)


# ---- many at once ---------------------------------------------------------------------------------


def test_of_many_alerts_taken_in_at_once_each_is_stored_due_and_answered_for_itself(
    journal: JournalStore, store: redis.Redis
) -> None:
    woken: list[str] = []
    same = DedupWindow(key="k", seconds=60)

    taken = ingest_batch(
        [(alert("a1"), same), (alert("a2"), None), (alert("a3"), same)], journal, woken.append
    )

    assert taken == ["a1", "a2", "a1"]
    assert all(store.zscore(SCHEDULE, f"{PREFIX}alert:{name}") is not None for name in ("a1", "a2"))
    assert store.exists(f"{PREFIX}alert:a3") == 0
    assert store.hget(f"{PREFIX}alert:a1", "firings") == b"1"
    assert journal.read_record(f"{PREFIX}alert:a2", records.ALERT) == alert("a2")
    assert woken == [f"{PREFIX}alert:{name}" for name in taken]


def test_a_store_that_has_forgotten_our_scripts_is_told_them_again(
    journal: JournalStore, store: redis.Redis
) -> None:
    ingest_batch([(alert("a1"), None)], journal, lambda _: None)
    store.script_flush()

    taken = ingest_batch([(alert("a2"), None), (alert("a3"), None)], journal, lambda _: None)

    assert taken == ["a2", "a3"]
    assert store.exists(f"{PREFIX}alert:a2", f"{PREFIX}alert:a3") == 2


def test_an_alert_that_the_store_refuses_takes_no_other_with_it(
    journal: JournalStore, store: redis.Redis
) -> None:
    store.set(f"{PREFIX}alert:a2", "no hash")
    woken: list[str] = []

    taken = ingest_batch([(alert(name), None) for name in ("a1", "a2", "a3")], journal, woken.append)

    assert [taken[0], taken[2]] == ["a1", "a3"]
    assert isinstance(taken[1], NotAvailable)
    assert woken == [f"{PREFIX}alert:a1", f"{PREFIX}alert:a3"]


def test_many_alerts_for_a_store_that_is_away_are_said_so_at_once() -> None:
    nowhere = JournalStore(client("redis://127.0.0.1:1/0"))

    with pytest.raises(NotAvailable):
        ingest_batch([(alert("a1"), None), (alert("a2"), None)], nowhere, lambda _: None)
