"""A fault location is reserved by one incident, as long as that incident is open."""

from __future__ import annotations

import pytest
import redis

from workers.engine import scripts
from workers.engine.claim import Claim
from workers.engine.reservations import CANCELLED_RESERVATION_SECONDS
from workers.engine.schema import PREFIX, EndedAs
from workers.engine.worker_store import WorkerStore
from workers.models import Repository
from workers.remediation import fault_location

OURS = f"{PREFIX}incident:ours:20261123T0304"
THEIRS = f"{PREFIX}incident:theirs:20261123T0304"
CAUSE = f"{PREFIX}reserved:cause"
OTHER = f"{PREFIX}reserved:other"
DAY_MS = 86_400_000


def open_round(journal: WorkerStore, key: str) -> Claim:
    journal.open_journal(key, "plan")
    claim = journal.claim(key, "plan")
    assert claim is not None
    return claim


def reserve(journal: WorkerStore, holder: str, ttl_ms: int = DAY_MS) -> str:
    """The incident that holds the cause after this attempt to reserve it."""
    cancelled_ttl_ms = int(CANCELLED_RESERVATION_SECONDS * 1000)
    answer: bytes = journal.run(
        scripts.RESERVE, [CAUSE], holder=holder, ttl_ms=ttl_ms, cancelled_ttl_ms=cancelled_ttl_ms
    )
    return answer.decode()


def test_a_cause_stays_reserved_while_its_incident_is_open(journal: WorkerStore) -> None:
    open_round(journal, THEIRS)
    reserve(journal, THEIRS)

    assert reserve(journal, OURS) == THEIRS
    assert reserve(journal, THEIRS) == THEIRS


@pytest.mark.parametrize("how", ["ended", "forgotten"])
def test_an_ended_or_expired_incident_holds_no_reservation(
    journal: WorkerStore, store: redis.Redis, how: str
) -> None:
    claim = open_round(journal, THEIRS)
    reserve(journal, THEIRS)
    claim.end(EndedAs.RESOLVED, "given up watching")
    if how == "forgotten":
        store.delete(THEIRS)

    assert reserve(journal, OURS) == OURS


def test_a_cancelled_incident_keeps_its_reservation_for_an_hour(journal: WorkerStore) -> None:
    claim = open_round(journal, THEIRS)
    reserve(journal, THEIRS, ttl_ms=int(CANCELLED_RESERVATION_SECONDS * 1000))
    claim.end(EndedAs.RESOLVED, "cancelled")

    assert reserve(journal, OURS) == THEIRS


def test_a_new_plan_releases_the_cause_of_the_old_plan(journal: WorkerStore) -> None:
    claim = open_round(journal, OURS)
    repository = Repository(name="acme/shop", base="main", deployed="a" * 40)

    fault_location.reserve(claim, journal, repository, [CAUSE])
    fault_location.reserve(claim, journal, repository, [OTHER])

    assert journal.client.exists(CAUSE) == 0
    assert journal.client.get(OTHER) == OURS.encode()
    assert claim.text("reserved") == OTHER
