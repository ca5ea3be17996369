"""One cause in the code has one holder, and only for as long as that one is at work."""

from __future__ import annotations

import pytest
import redis

from workers.engine import scripts
from workers.engine.journal import CANCELLED_RESERVATION_SECONDS, PREFIX, SCHEDULE, Claim, JournalStore
from workers.models import Repository
from workers.remediation import fault_location

OURS, THEIRS = (f"{PREFIX}incident:{name}:20261123T0304" for name in ("ours", "theirs"))
CAUSE, OTHER = f"{PREFIX}reserved:cause", f"{PREFIX}reserved:other"
DAY_MS = 86_400_000


def open_round(journal: JournalStore, key: str) -> Claim:
    journal.script(scripts.OPEN_JOURNAL, [key, SCHEDULE], 0, "stage", "plan")
    claim = journal.claim(key, "plan")
    assert claim is not None
    return claim


def reserve(journal: JournalStore, holder: str, ttl_ms: int = DAY_MS) -> str:
    """Who holds the cause after somebody asked for it."""
    asked = (holder, ttl_ms, int(CANCELLED_RESERVATION_SECONDS * 1000))
    answer: bytes = journal.script(scripts.RESERVE, [CAUSE], *asked)
    return answer.decode()


def test_a_cause_is_its_holders_while_that_one_is_at_work(journal: JournalStore) -> None:
    open_round(journal, THEIRS)
    reserve(journal, THEIRS)

    assert reserve(journal, OURS) == THEIRS
    assert reserve(journal, THEIRS) == THEIRS


@pytest.mark.parametrize("how", ["ended", "forgotten"])
def test_who_is_no_more_holds_nothing(journal: JournalStore, store: redis.Redis, how: str) -> None:
    claim = open_round(journal, THEIRS)
    reserve(journal, THEIRS)
    claim.end("given up watching")
    if how == "forgotten":
        store.delete(THEIRS)

    assert reserve(journal, OURS) == OURS


def test_a_cause_that_is_kept_for_its_last_hour_is_kept(journal: JournalStore) -> None:
    claim = open_round(journal, THEIRS)
    reserve(journal, THEIRS, ttl_ms=int(CANCELLED_RESERVATION_SECONDS * 1000))
    claim.end("cancelled")

    assert reserve(journal, OURS) == THEIRS


def test_a_plan_that_is_made_again_frees_the_cause_that_it_names_no_more(journal: JournalStore) -> None:
    claim = open_round(journal, OURS)
    repository = Repository(name="acme/shop", base="main", deployed="a" * 40)

    fault_location.reserve(claim, journal, repository, [CAUSE])
    fault_location.reserve(claim, journal, repository, [OTHER])

    assert journal.client.exists(CAUSE) == 0
    assert journal.client.get(OTHER) == OURS.encode()
    assert claim.text("reserved") == OTHER
