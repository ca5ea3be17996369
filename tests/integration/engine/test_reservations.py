"""One cause in the code has one holder, and only for as long as that one is at work."""

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

OURS, THEIRS = (f"{PREFIX}incident:{name}:20261123T0304" for name in ("ours", "theirs"))
CAUSE, OTHER = f"{PREFIX}reserved:cause", f"{PREFIX}reserved:other"
DAY_MS = 86_400_000


def open_round(journal: WorkerStore, key: str) -> Claim:
    journal.open_journal(key, "plan")
    claim = journal.claim(key, "plan")
    assert claim is not None
    return claim


def reserve(journal: WorkerStore, holder: str, ttl_ms: int = DAY_MS) -> str:
    """Who holds the cause after somebody asked for it."""
    cancelled_ttl_ms = int(CANCELLED_RESERVATION_SECONDS * 1000)
    answer: bytes = journal.run(
        scripts.RESERVE, [CAUSE], holder=holder, ttl_ms=ttl_ms, cancelled_ttl_ms=cancelled_ttl_ms
    )
    return answer.decode()


def test_a_cause_is_its_holders_while_that_one_is_at_work(journal: WorkerStore) -> None:
    open_round(journal, THEIRS)
    reserve(journal, THEIRS)

    assert reserve(journal, OURS) == THEIRS
    assert reserve(journal, THEIRS) == THEIRS


@pytest.mark.parametrize("how", ["ended", "forgotten"])
def test_who_is_no_more_holds_nothing(journal: WorkerStore, store: redis.Redis, how: str) -> None:
    claim = open_round(journal, THEIRS)
    reserve(journal, THEIRS)
    claim.end(EndedAs.RESOLVED, "given up watching")
    if how == "forgotten":
        store.delete(THEIRS)

    assert reserve(journal, OURS) == OURS


def test_a_cause_that_is_kept_for_its_last_hour_is_kept(journal: WorkerStore) -> None:
    claim = open_round(journal, THEIRS)
    reserve(journal, THEIRS, ttl_ms=int(CANCELLED_RESERVATION_SECONDS * 1000))
    claim.end(EndedAs.RESOLVED, "cancelled")

    assert reserve(journal, OURS) == THEIRS


def test_a_plan_that_is_made_again_frees_the_cause_that_it_names_no_more(journal: WorkerStore) -> None:
    claim = open_round(journal, OURS)
    repository = Repository(name="acme/shop", base="main", deployed="a" * 40)

    fault_location.reserve(claim, journal, repository, [CAUSE])
    fault_location.reserve(claim, journal, repository, [OTHER])

    assert journal.client.exists(CAUSE) == 0
    assert journal.client.get(OTHER) == OURS.encode()
    assert claim.text("reserved") == OTHER
