"""Budgets: reserved whole before the agent is called, settled once at the end of the round."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from workers import budget
from workers.journal import Claim, Journal
from workers.settings import Settings, read

NOW = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)


@pytest.fixture
def settings() -> Settings:
    return read({"TRACKWALKER_DAILY_COST_USD": "5", "TRACKWALKER_DAILY_RUNS": "2"}, dotenv=None)


@pytest.fixture
def claim(journal: Journal, sweep_key: str) -> Claim:
    made = journal.claim(sweep_key, "survey")
    assert made is not None
    return made


def spent(journal: Journal) -> int:
    return int(journal.ask("hget", "trackwalker:budget:20261123", "cost"))


def test_a_round_that_cost_nothing_gives_back_what_it_reserved(
    journal: Journal, settings: Settings, claim: Claim
) -> None:
    assert budget.reserve(journal, settings, claim, NOW) is None
    reserved = spent(journal)

    budget.settle(journal, claim, 0)

    assert (reserved, spent(journal)) == (2_000_000, 0)


def test_a_round_that_is_mended_again_reserves_its_whole_cost_again(
    journal: Journal, settings: Settings, claim: Claim
) -> None:
    budget.reserve(journal, settings, claim, NOW)
    budget.settle(journal, claim, 0.5)

    budget.reserve(journal, settings, claim, NOW)

    assert spent(journal) == 2_000_000
    assert journal.ask("hget", "trackwalker:budget:20261123", "runs") == b"1"


def test_reserving_twice_for_one_run_counts_once(journal: Journal, settings: Settings, claim: Claim) -> None:
    budget.reserve(journal, settings, claim, NOW)

    budget.reserve(journal, settings, claim, NOW)

    assert spent(journal) == 2_000_000


def test_reserving_is_no_progress_so_that_a_model_that_is_away_is_given_up_some_day(
    journal: Journal, settings: Settings, sweep_key: str, let_leases_run_out: Callable[[], None]
) -> None:
    for _ in range(3):
        claim = journal.claim(sweep_key, "survey")
        assert claim is not None
        budget.reserve(journal, settings, claim, NOW)
        claim.hand_on("survey", failed=True)

    assert journal.fields(sweep_key)["tries"] == b"3"
