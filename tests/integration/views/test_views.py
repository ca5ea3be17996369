"""The views of a whole incident in a real store: complete, hostile, and with records that nobody can read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import redis

from tests.support import sample_incident
from tests.support.sample_incident import INCIDENT_ID, SWEEP_ID
from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import journal_key, notification_key
from workers.models import ActionKind
from workers.runtime.settings import read as read_settings
from workers.views import history, incident_view, journal_pages, overview, postmortem, record_view
from workers.views.shapes import Health, IncidentState, IncidentView, RowKind

NOW = datetime(2026, 10, 14, tzinfo=UTC)


def view_of(store: redis.Redis) -> IncidentView:
    view = incident_view.read(JournalStore(store), INCIDENT_ID)
    assert view is not None
    return view


def test_an_incident_has_everything_that_its_journals_know(store: redis.Redis) -> None:
    sample_incident.write(store)

    view = view_of(store)

    assert view.state is IncidentState.FIX_VERIFIED
    assert "94 % of POST /orders fail" in view.story
    assert "#41 works" in view.story
    assert len(view.timeline) >= 30
    assert {row.kind for row in view.timeline} >= set(RowKind) - {RowKind.ROLLBACK}
    assert [row.at for row in view.timeline] == sorted(row.at for row in view.timeline if row.at)
    assert len(view.charts) == 6
    assert all(1 < len(chart.points) <= 200 for chart in view.charts)
    assert [row.text for row in view.earlier] == ["#29 fixed this on 2 Sep; the fix lasted 41 days"]
    assert view.verification is not None
    assert view.verification.before is not None
    assert "KeyError" in view.verification.before.output
    assert view.warnings == ()


def test_a_stage_shows_its_time_and_its_failed_attempts(store: redis.Redis) -> None:
    sample_incident.write(store)

    fix = next(row for row in view_of(store).timeline if row.text.startswith("Fix: "))

    assert (fix.seconds, fix.attempts) == (186.0, 2)
    assert fix.record is not None
    assert record_view.read(JournalStore(store), fix.record.journal, fix.record.name) is not None


def test_an_open_incident_offers_what_can_be_done(store: redis.Redis) -> None:
    sample_incident.write(store, ended=False)

    view = view_of(store)

    assert view.state is IncidentState.FIX_READY
    assert view.waits_for == "Waiting for a review of #41."
    assert ActionKind.CANCEL in view.actions
    assert ActionKind.ACKNOWLEDGE not in view.actions


@pytest.mark.parametrize("blob", [b"", b"1zdamaged", b"9j{}", b'1j{"facts": 7}', b"\xff"])
def test_no_unreadable_record_breaks_a_view(store: redis.Redis, blob: bytes) -> None:
    sample_incident.write(store)
    key, notification = journal_key(INCIDENT_ID), notification_key(INCIDENT_ID)
    for name in JournalStore(store).fields(key):
        if name.startswith(("r:", "t:", "s:")) and name != "r:incident":
            store.hset(key, name, blob)
    store.hset(notification, "r:ack", blob)

    view = view_of(store)

    assert view.service == "checkout"
    assert bool(view.warnings) == (blob != b"")
    assert postmortem.markdown(view)


def test_an_incident_whose_own_record_is_lost_is_still_listed(store: redis.Redis) -> None:
    sample_incident.write(store)
    store.hset(journal_key(INCIDENT_ID), records.INCIDENT.field, b"9z")

    page = history.search(JournalStore(store), history.HistoryQuery())

    assert view_of(store).state is IncidentState.UNKNOWN
    assert [row.readable for row in page.rows] == [False]


def test_an_incident_alone_in_the_store_is_complete_but_for_what_expired(store: redis.Redis) -> None:
    sample_incident.write(store)
    for key in store.scan_iter("*"):
        if key != journal_key(INCIDENT_ID).encode():
            store.delete(key)

    view = view_of(store)

    assert view.state is IncidentState.FIX_VERIFIED
    assert {chart.note for chart in view.charts} == {"The measurements of this check have expired."}
    assert view.posts == ()


def test_no_journal_of_another_kind_is_an_incident(store: redis.Redis) -> None:
    sample_incident.write(store)
    journals = JournalStore(store)

    assert incident_view.read(journals, SWEEP_ID) is None
    assert incident_view.read(journals, "incident:*:*") is None
    assert record_view.read(journals, "decisions", "x") is None
    assert record_view.read(journals, INCIDENT_ID, "no such record") is None


def test_the_overview_names_the_unhealthy_services_first(store: redis.Redis) -> None:
    sample_incident.write(store, ended=False)

    page = overview.read(JournalStore(store), read_settings({}, dotenv=None), NOW)

    assert [(row.name, row.health) for row in page.services] == [
        ("checkout", Health.INCIDENT), ("web", Health.HEALTHY),
    ]  # fmt: skip
    assert [row.id for row in page.incidents] == [INCIDENT_ID]
    assert page.services[0].incident_id == INCIDENT_ID
    assert page.sweeps[0].environment == "acme/production"


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ({"text": "GIFT checkout"}, 1),
        ({"text": "nothing like it"}, 0),
        ({"service": "Checkout", "environment": "production", "category": "code"}, 1),
        ({"service": "web"}, 0),
        ({"state": "fix verified", "is_open": False}, 1),
        ({"is_open": True}, 0),
        ({"since": "2026-10-13T15:00:00Z"}, 1),
        ({"since": "2026-10-14"}, 0),
        ({"until": "2026-10-13T14:00:00"}, 0),
        ({"page": 7}, 1),
    ],
)
def test_history_finds_incidents(store: redis.Redis, query: dict[str, object], total: int) -> None:
    sample_incident.write(store)

    page = history.search(JournalStore(store), history.HistoryQuery.model_validate(query))

    assert page.total == total


def test_alerts_and_sweeps_are_listed_newest_first(store: redis.Redis) -> None:
    sample_incident.write(store)
    journals = JournalStore(store)

    alerts, sweeps = journal_pages.read(journals, "alert"), journal_pages.read(journals, "sweep", page=99)

    assert [row.id for row in alerts.rows] == ["alert:alert-3", "alert:alert-2", "alert:alert-1"]
    assert alerts.rows[0].linked == (SWEEP_ID,)
    assert [row.id for row in sweeps.rows] == ["sweep:env-1:49", "sweep:env-1:47", SWEEP_ID]


def test_a_hostile_incident_stays_plain_and_bounded(store: redis.Redis) -> None:
    sample_incident.write(store, hostile=True)

    view = view_of(store)
    document = postmortem.markdown(view)

    assert len(view.model_dump_json()) < 150_000
    assert "\u202e" not in view.model_dump_json()
    outside_code = document.partition("```")[0]
    assert "<script" not in outside_code
    assert "<img" not in outside_code
    assert "[x](" not in outside_code
