"""Budgets: reserved whole before the agent is called, settled once at the end of the round."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from workers import budget, scripts
from workers.journal import DUE, PREFIX, Claim, Journal
from workers.models import Cause, Finding, Incident, Severity, Window
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


def sick(service: str = "svc", severity: Severity = Severity.CRITICAL) -> Incident:
    finding = Finding(
        service_id=service, service=service, kind="latency", severity=severity, since=NOW, ongoing=True,
        sentence="slow",
    )  # fmt: skip
    return Incident(
        fingerprint="f", round="r", project_id="p", project_name="p", environment_id="e",
        environment_name="e", cause=Cause(kind="service", key=service, name=service), findings=(finding,),
        window=Window(start=NOW, end=NOW), opened_at=NOW,
    )  # fmt: skip


def spent(journal: Journal) -> int:
    return int(journal.ask("hget", "trackwalker:budget:20261123", "cost"))


def test_a_round_that_cost_nothing_gives_back_what_it_reserved(
    journal: Journal, settings: Settings, claim: Claim
) -> None:
    assert budget.reserve(journal, settings, claim, sick(), NOW) is None
    reserved = spent(journal)

    budget.settle(journal, claim, 0)

    assert (reserved, spent(journal)) == (2_000_000, 0)


def test_a_round_that_is_mended_again_reserves_its_whole_cost_again(
    journal: Journal, settings: Settings, claim: Claim
) -> None:
    budget.reserve(journal, settings, claim, sick(), NOW)
    budget.settle(journal, claim, 0.5)

    budget.reserve(journal, settings, claim, sick(), NOW)

    assert spent(journal) == 2_000_000
    assert journal.ask("hget", "trackwalker:budget:20261123", "runs") == b"1"


def test_reserving_twice_for_one_run_counts_once(journal: Journal, settings: Settings, claim: Claim) -> None:
    budget.reserve(journal, settings, claim, sick(), NOW)

    budget.reserve(journal, settings, claim, sick(), NOW)

    assert spent(journal) == 2_000_000


def test_reserving_is_no_progress_so_that_a_model_that_is_away_is_given_up_some_day(
    journal: Journal, settings: Settings, sweep_key: str, let_leases_run_out: Callable[[], None]
) -> None:
    for _ in range(3):
        claim = journal.claim(sweep_key, "survey")
        assert claim is not None
        budget.reserve(journal, settings, claim, sick(), NOW)
        claim.hand_on("survey", failed=True)

    assert journal.fields(sweep_key)["tries"] == b"3"


def claims(journal: Journal, number: int) -> list[Claim]:
    made = []
    for n in range(number):
        key = f"{PREFIX}incident:many:{n}"
        journal.script(scripts.OPEN, [key, DUE], 0, "stage", "plan")
        claim = journal.claim(key, "plan")
        assert claim is not None
        made.append(claim)
    return made


def test_a_part_of_the_days_runs_is_kept_for_what_is_critical(journal: Journal) -> None:
    few = read({"TRACKWALKER_DAILY_RUNS": "4"}, dotenv=None)
    four = claims(journal, 4)
    for n, claim in enumerate(four[:3]):
        budget.reserve(journal, few, claim, sick(f"svc-{n}", Severity.WARNING), NOW)

    slow = budget.reserve(journal, few, four[3], sick("svc-3", Severity.WARNING), NOW)
    down = budget.reserve(journal, few, four[3], sick("svc-3", Severity.CRITICAL), NOW)

    assert slow is not None and "TRACKWALKER_DAILY_RUNS" in slow
    assert down is None


def test_one_service_does_not_take_all_of_the_days_runs(journal: Journal) -> None:
    few = read({"TRACKWALKER_DAILY_RUNS": "4"}, dotenv=None)
    three = claims(journal, 3)

    answers = [budget.reserve(journal, few, claim, sick("svc"), NOW) for claim in three]

    assert answers[:2] == [None, None]
    assert "svc" in str(answers[2])
