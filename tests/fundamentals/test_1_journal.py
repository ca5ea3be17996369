"""The journal: a Redis hash that one worker at a time may change.

A stage claims it, computes steps, makes effects, and advances it to the next stage.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from workers.engine.claim import Claim
from workers.engine.codec import Record
from workers.engine.schema import EndedAs
from workers.engine.worker_store import WorkerStore
from workers.errors import NotAvailable, Superseded

ANSWER = Record("answer", int)
BRANCH = Record("branch", str)


def claimed(journal: WorkerStore, key: str, stage: str = "survey") -> Claim:
    claim = journal.claim(key, stage)
    assert claim is not None
    return claim


def test_one_worker_at_a_time_works_on_a_journal(journal: WorkerStore, sweep_key: str) -> None:
    claimed(journal, sweep_key)

    second = journal.claim(sweep_key, "survey")

    assert second is None


def test_a_step_is_computed_once_and_read_from_its_record_ever_after(
    journal: WorkerStore, sweep_key: str, let_leases_run_out: Callable[[], None]
) -> None:
    claimed(journal, sweep_key).step(ANSWER, lambda: 42)
    let_leases_run_out()  # the worker crashed; another one takes the journal

    answer = claimed(journal, sweep_key).step(ANSWER, lambda: 7)

    assert answer == 42


def test_a_worker_that_lost_its_claim_changes_nothing(
    journal: WorkerStore, sweep_key: str, let_leases_run_out: Callable[[], None]
) -> None:
    stale = claimed(journal, sweep_key)
    let_leases_run_out()
    claimed(journal, sweep_key)  # raises the fencing token

    with pytest.raises(Superseded):
        stale.record(ANSWER, 7)

    assert journal.read_record(sweep_key, ANSWER) is None


def test_an_effect_that_exists_already_is_not_made_again(journal: WorkerStore, sweep_key: str) -> None:
    pushed = ["trackwalker/abc"]  # a worker pushed the branch and crashed before it recorded that

    branch = claimed(journal, sweep_key).effect(BRANCH, lambda: pushed[0], lambda: pushed.append("again"))

    assert (branch, pushed) == ("trackwalker/abc", ["trackwalker/abc"])


def test_an_effect_without_an_answer_is_looked_for_later(journal: WorkerStore, sweep_key: str) -> None:
    claim = claimed(journal, sweep_key)

    with pytest.raises(NotAvailable):
        claim.effect(BRANCH, lambda: None, lambda: None)

    assert journal.read_record(sweep_key, BRANCH) is None


def test_a_stage_advances_the_journal_to_the_next_stage(journal: WorkerStore, sweep_key: str) -> None:
    claimed(journal, sweep_key).advance("analyse")

    assert journal.claim(sweep_key, "survey") is None
    assert journal.claim(sweep_key, "analyse") is not None


def test_a_journal_that_ended_expires(journal: WorkerStore, sweep_key: str, store: redis.Redis) -> None:
    assert store.ttl(sweep_key) == -1  # a journal in the schedule never expires

    claimed(journal, sweep_key).end(EndedAs.FINDINGS, "no problem found")

    assert store.ttl(sweep_key) > 0
