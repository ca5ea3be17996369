"""`list`: scheduled journals, open incidents and recent endings."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from tests.support import people
from tests.support.journals import INCIDENT_ID, incident_record
from workers.cli import listing
from workers.clients.railway.quota import RateLimit
from workers.engine.codec import pack
from workers.engine.schema import OPEN, PREFIX, SCHEDULE, EndedAs
from workers.engine.worker_store import WorkerStore
from workers.incidents import request_quota
from workers.models import Outcome, PullRequest

WAITING = Outcome(kind="waiting", headline="code: shop fails")
PULL = PullRequest(number=7, url="https://github.com/acme/shop/pull/7", draft=False, branch="b")


def render(journal: WorkerStore, limit: int | None = listing.DEFAULT_ROWS) -> list[str]:
    return listing.render_overview(journal, datetime.now(UTC), limit)


def collect(journal: WorkerStore, limit: int | None = listing.DEFAULT_ROWS) -> dict[str, Any]:
    return listing.collect(journal, datetime.now(UTC), limit)


def end_journal(journal: WorkerStore, key: str, ended_as: EndedAs, outcome: str) -> None:
    """Open a journal and end it at once."""
    journal.open_journal(key, "survey")
    claim = journal.claim(key, "survey")
    assert claim is not None
    claim.end(ended_as, outcome)


def count_hmget_calls(store: redis.Redis) -> int:
    """The number of HMGET commands that Redis has counted."""
    return int(store.info("commandstats").get("cmdstat_hmget", {"calls": 0})["calls"])


# ---- scheduled journals ----------------------------------------------------------------------


def test_scheduled_journals_are_listed_soonest_first_with_delay_and_reason(
    journal: WorkerStore, store: redis.Redis
) -> None:
    soon, later, running = (f"{PREFIX}sweep:e:{number}" for number in (1, 2, 3))
    for key, delay in ((later, 200), (soon, 12), (running, 0)):
        journal.open_journal(key, "survey", after=delay)
    failing_since = int((time.time() - 7200) * 1000)
    store.hset(later, mapping={"reason": "Railway is away", "attempts": 3, "failing_since": failing_since})
    assert journal.claim(running, "survey") is not None

    head, *lines = render(journal)[:4]

    assert head.split() == ["JOURNAL", "STAGE", "DUE", "WHY"]
    assert [line.split()[0] for line in lines] == ["sweep:e:1", "sweep:e:3", "sweep:e:2"]
    assert "in 12 s" in lines[0] or "in 11 s" in lines[0]
    assert lines[1].endswith("running")
    assert "in 3 min  Railway is away; failed 3 times in 2 h" in lines[2]


def test_an_overdue_journal_is_due_now(journal: WorkerStore, sweep_key: str, store: redis.Redis) -> None:
    store.zadd(SCHEDULE, {sweep_key: 1})

    [row] = collect(journal)["due"]

    assert (row["in_seconds"], row["running"]) == (0.0, False)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"r:pull": pack(PULL, PullRequest)}, f"waiting for review: {PULL.url}"),
        (
            {"r:pull": pack(PULL.model_copy(update={"state": "merged"}), PullRequest)},
            "#7 is merged; waiting for its deployment",
        ),
        ({"clean_sweeps": b"1"}, "resolves after 2 consecutive checks without a problem (1 so far)"),
        ({"recovery": b"removed"}, "resolves after 3 consecutive checks without a problem (0 so far)"),
        (
            {"group": PREFIX.encode() + b"notification:group:e:1"},
            "in incident group notification:group:e:1",
        ),
        ({"suppressed_by": PREFIX.encode() + b"incident:def:1"}, "suppressed by incident:def:1"),
        ({"crashes": b"1"}, "1 crash"),
        ({"crashes": b"2"}, "2 crashes"),
        ({"r:outcome": pack(WAITING, Outcome)}, "waiting for approval: `fix`"),
        (
            {"clean_sweeps": b"2", "relapse_ms": b"1800000"},
            "resolves after 60 min without the problem, because it comes back",
        ),
    ],
)
def test_a_waiting_incident_is_listed_with_the_event_it_waits_for(
    journal: WorkerStore, reported: str, store: redis.Redis, fields: dict[str, bytes], why: str
) -> None:
    for name, value in fields.items():
        store.hset(reported, name, value)

    [row] = collect(journal)["due"]

    assert row["id"] == INCIDENT_ID
    assert why in row["why"].split("; ") or row["why"].startswith(why)


# ---- open incidents and endings --------------------------------------------------------------


def test_a_symptom_is_listed_with_the_service_that_causes_it(journal: WorkerStore, symptom: str) -> None:
    assert f"open: shop: shop answers with 5xx  suppressed by store  ({INCIDENT_ID})" in render(journal)


def test_only_the_listed_rows_are_read_of_thousands_of_journals(
    journal: WorkerStore, store: redis.Redis
) -> None:
    pipeline = store.pipeline()
    for number in range(3000):
        key = f"{PREFIX}incident:{number:04}:20261123T0304"
        pipeline.hset(key, mapping={"stage": "watch", "r:incident": incident_record("shop")})
        pipeline.zadd(SCHEDULE, {key: number})
        pipeline.hset(OPEN, f"{number:04}", key)
    pipeline.execute()
    before = count_hmget_calls(store)

    lines = render(journal, 10)
    calls = count_hmget_calls(store) - before

    assert len([line for line in lines if line.startswith("incident:")]) == 10
    assert len([line for line in lines if line.startswith("open: ")]) == 10
    assert lines.count("and 2,990 more (--all lists them)") == 2
    assert calls <= 25
    assert len(collect(journal, None)["due"]) == 3000


def test_endings_are_listed_newest_first_and_sweeps_without_findings_are_counted(
    journal: WorkerStore,
) -> None:
    endings = [(EndedAs.NO_FINDINGS, "no problem found")] * 3 + [(EndedAs.FINDINGS, "2 findings")]
    endings += [(EndedAs.FAILED, f"given up: {number}") for number in range(25)]
    for number, (ended_as, outcome) in enumerate(endings):
        end_journal(journal, f"{PREFIX}sweep:e:{number:02}", ended_as, outcome)

    overview = collect(journal)

    assert [row["outcome"] for row in overview["ended"]] == [
        f"given up: {number}" for number in range(24, 4, -1)
    ]
    assert overview["quiet_sweeps"]["count"] == 3
    assert render(journal)[-1].startswith("3 sweeps without findings, the last one ended ")
    assert len(collect(journal, None)["ended"]) == 26


def test_the_limit_is_the_number_of_rows_of_each_kind(journal: WorkerStore) -> None:
    for number in range(25):
        end_journal(journal, f"{PREFIX}sweep:e:{number:02}", EndedAs.RESOLVED, "given up")
        journal.open_journal(f"{PREFIX}sweep:d:{number:02}", "survey")

    overviews = {limit: collect(journal, limit) for limit in (0, 3, 24)}

    assert {limit: (len(rows["due"]), len(rows["ended"])) for limit, rows in overviews.items()} == {
        0: (0, 0), 3: (3, 3), 24: (24, 24),
    }  # fmt: skip
    assert render(journal, 0) == ["and 25 more (--all lists them)"]


def test_ended_alerts_and_notifications_are_not_listed(journal: WorkerStore) -> None:
    for name in ("alert:a", "notification:alert:a", f"notification:{INCIDENT_ID}"):
        end_journal(journal, f"{PREFIX}{name}", EndedAs.RESOLVED, "posted")

    assert collect(journal)["ended"] == []


# ---- controls and quota ----------------------------------------------------------------------


def test_a_pause_is_listed_with_the_command_that_ends_it(journal: WorkerStore) -> None:
    people.pause(journal)

    assert "paused until `trackwalker resume`" in render(journal)


@pytest.mark.parametrize(
    ("minutes", "line"),
    [
        (55, "Railway API: 812 of 1000 requests left until 04:00 UTC; last sweep used 9"),
        (-5, "Railway API: limit of 1000 requests, reset at 03:00 UTC; last sweep used 9"),
    ],
)
def test_the_last_line_is_the_request_quota_of_railway(journal: WorkerStore, minutes: int, line: str) -> None:
    now = datetime(2026, 11, 23, 3, 5, tzinfo=UTC)
    resets_at = now + timedelta(minutes=minutes)
    rate_limit = RateLimit(limit=1000, remaining=812, resets_at=resets_at)
    request_quota.store_sweep_cost(journal, "env", rate_limit, 9, now)

    assert listing.render_overview(journal, now)[-1] == line


def test_an_empty_overview_is_one_line_without_a_quota(journal: WorkerStore) -> None:
    assert render(journal) == ["nothing is scheduled"]
