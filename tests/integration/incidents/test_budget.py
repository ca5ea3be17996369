"""Budgets: reserved before an agent runs, settled when the attempt ends; runs of crashed workers count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support import builders
from tests.support.pipeline import PipelineHarness, harness
from workers.engine import records, scripts
from workers.engine.claim import Claim
from workers.engine.schema import PREFIX, SCHEDULE
from workers.engine.scripts import Script
from workers.engine.worker_store import WorkerStore
from workers.incidents import budget
from workers.incidents.budget import BudgetLimit
from workers.models import Incident, Plan, Severity, Usage
from workers.pipeline.worker import run_stage
from workers.runtime.settings import Settings, read

NOW = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)


@pytest.fixture
def settings() -> Settings:
    return read(
        {"TRACKWALKER_MAX_COST_PER_DAY_USD": "5", "TRACKWALKER_MAX_AGENT_RUNS_PER_DAY": "2"}, dotenv=None
    )


@pytest.fixture
def claim(journal: WorkerStore, sweep_key: str) -> Claim:
    claim = journal.claim(sweep_key, "survey")
    assert claim is not None
    return claim


def sick(service: str = "shop", severity: Severity = Severity.CRITICAL) -> Incident:
    return builders.incident(builders.finding("latency", name=service, severity=severity), name=service)


def spent(journal: WorkerStore) -> int:
    return int(journal.command("hget", "trackwalker2:budget:20261123", "cost"))


def test_an_attempt_without_cost_returns_its_reservation(
    journal: WorkerStore, settings: Settings, claim: Claim
) -> None:
    assert budget.reserve(journal, settings, claim, sick(), NOW) is None
    reserved = spent(journal)

    budget.settle(journal, claim, 0)

    assert (reserved, spent(journal)) == (2_000_000, 0)


def test_a_second_attempt_reserves_its_whole_cost_again(
    journal: WorkerStore, settings: Settings, claim: Claim
) -> None:
    budget.reserve(journal, settings, claim, sick(), NOW)
    budget.settle(journal, claim, 0.5)

    budget.reserve(journal, settings, claim, sick(), NOW)

    assert spent(journal) == 2_000_000
    assert journal.command("hget", "trackwalker2:budget:20261123", "runs") == b"1"


def test_reserving_twice_for_one_attempt_counts_once(
    journal: WorkerStore, settings: Settings, claim: Claim
) -> None:
    budget.reserve(journal, settings, claim, sick(), NOW)

    budget.reserve(journal, settings, claim, sick(), NOW)

    assert spent(journal) == 2_000_000


def test_a_reservation_does_not_reset_the_failed_attempts(
    journal: WorkerStore, settings: Settings, sweep_key: str, let_leases_run_out: Callable[[], None]
) -> None:
    for _ in range(3):
        claim = journal.claim(sweep_key, "survey")
        assert claim is not None
        budget.reserve(journal, settings, claim, sick(), NOW)
        claim.advance("survey", failed=True)

    assert journal.fields(sweep_key)["attempts"] == b"3"


def claims(journal: WorkerStore, number: int) -> list[Claim]:
    taken_claims = []
    for n in range(number):
        key = f"{PREFIX}incident:many:{n}"
        journal.open_journal(key, "plan")
        claim = journal.claim(key, "plan")
        assert claim is not None
        taken_claims.append(claim)
    return taken_claims


def test_a_share_of_the_days_runs_is_left_for_critical_incidents(journal: WorkerStore) -> None:
    few = read({"TRACKWALKER_MAX_AGENT_RUNS_PER_DAY": "4"}, dotenv=None)
    four = claims(journal, 4)
    for n, claim in enumerate(four[:3]):
        budget.reserve(journal, few, claim, sick(f"svc-{n}", Severity.WARNING), NOW)

    slow = budget.reserve(journal, few, four[3], sick("svc-3", Severity.WARNING), NOW)
    down = budget.reserve(journal, few, four[3], sick("svc-3", Severity.CRITICAL), NOW)

    assert slow is BudgetLimit.RUNS
    assert down is None


def test_one_service_cannot_use_all_runs_of_a_day(journal: WorkerStore) -> None:
    few = read({"TRACKWALKER_MAX_AGENT_RUNS_PER_DAY": "4"}, dotenv=None)
    three = claims(journal, 3)

    answers = [budget.reserve(journal, few, claim, sick("shop"), NOW) for claim in three]

    assert answers == [None, None, BudgetLimit.SERVICE_RUNS]


def day(journal: WorkerStore) -> dict[str, bytes]:
    [key] = journal.client.scan_iter(f"{PREFIX}budget:*")
    return journal.fields(key.decode())


def test_a_rerun_after_a_crash_counts_for_the_day_and_the_service(
    journal: WorkerStore, settings: Settings, claim: Claim
) -> None:
    claim.record(records.INCIDENT, sick())
    budget.reserve(journal, settings, claim, sick(), NOW)

    budget.count_rerun(journal, claim)

    [other] = claims(journal, 1)
    assert (day(journal)["runs"], day(journal)["service:svc-shop"], spent(journal)) == (b"2", b"2", 2_000_000)
    assert budget.reserve(journal, settings, other, sick("another"), NOW) is BudgetLimit.RUNS


def test_a_rerun_does_not_recreate_the_budget_of_an_expired_day(
    journal: WorkerStore, settings: Settings, claim: Claim, store: redis.Redis
) -> None:
    claim.record(records.INCIDENT, sick())
    budget.reserve(journal, settings, claim, sick(), NOW)
    store.delete("trackwalker2:budget:20261123")

    budget.count_rerun(journal, claim)
    budget.settle(journal, claim, 1.0)

    assert list(store.scan_iter(f"{PREFIX}budget:*")) == []


def test_each_day_has_its_own_budget(journal: WorkerStore, settings: Settings) -> None:
    first, second, third = claims(journal, 3)
    for incident in (first, second):
        budget.reserve(journal, settings, incident, sick(incident.id), NOW)

    today = budget.reserve(journal, settings, third, sick("c"), NOW)
    tomorrow = budget.reserve(journal, settings, third, sick("c"), NOW + timedelta(days=1))

    assert today is BudgetLimit.RUNS
    assert tomorrow is None


def test_a_reservation_counts_against_the_days_cost_until_it_is_settled(journal: WorkerStore) -> None:
    rich = read(
        {"TRACKWALKER_MAX_COST_PER_DAY_USD": "5", "TRACKWALKER_MAX_AGENT_RUNS_PER_DAY": "50"}, dotenv=None
    )
    first, second, third = claims(journal, 3)
    for incident in (first, second):
        assert budget.reserve(journal, rich, incident, sick(incident.id), NOW) is None

    before = budget.reserve(journal, rich, third, sick("c"), NOW)
    budget.settle(journal, first, 0.25)
    after = budget.reserve(journal, rich, third, sick("c"), NOW)

    assert before is BudgetLimit.COST
    assert after is None


# ---- in the pipeline --------------------------------------------------------------------------


class CrashingStore(WorkerStore):
    """Crashes its worker when it is about to store this record."""

    record = ""

    def run(
        self, script: Script, more_keys: Sequence[str] = (), more: Sequence[Any] = (), **named: Any
    ) -> Any:
        if script == scripts.RECORD and f"r:{self.record}" in more:
            raise ZeroDivisionError("the worker crashed here")
        return super().run(script, more_keys, more, **named)


@pytest.fixture
def fixing(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[PipelineHarness]:
    """A failing shop that is about to be fixed; every answer of the model costs at least a tenth of a dollar."""
    with harness(store, store_url, tmp_path, small=True, TRACKWALKER_MODEL_PRICE="1/4") as running:
        running.fake_model.padding = 100_000
        running.alert()
        running.drive(lambda: any(stage(running, key) == "plan" for key in running.incidents()))
        yield running


def stage(running: PipelineHarness, key: str) -> str:
    return running.journal.fields(key)["stage"].decode()


def crash_before(running: PipelineHarness, record: str) -> None:
    """Run the incident's stage in a worker that crashes before it stores its result."""
    [key] = running.incidents()
    crashing = CrashingStore(running.store)
    crashing.record = record
    run_stage(replace(running.services, store=crashing), stage(running, key), key)


def cost_of(running: PipelineHarness) -> Usage:
    [spent] = running.values(Usage)
    return spent


@pytest.mark.parametrize("record", ["plan", "fix"])
def test_the_run_of_a_crashed_worker_counts_and_its_cost_is_settled(
    fixing: PipelineHarness, record: str
) -> None:
    if record == "fix":
        fixing.drive(lambda: any(fixing.values(Plan)))
    before = len(fixing.fake_model.calls)
    crash_before(fixing, record)
    calls, wasted = len(fixing.fake_model.calls) - before, cost_of(fixing)

    fixing.drive(lambda: fixing.outcome_kind() == "pull request", stages=120)

    budget_of_day = day(fixing.journal)
    assert calls >= 2
    assert wasted.cost_usd >= 0.1 * calls
    assert (budget_of_day["runs"], budget_of_day["service:svc-shop"]) == (b"2", b"2")
    assert cost_of(fixing).calls == len(fixing.fake_model.calls)
    assert int(budget_of_day["cost"]) == int(cost_of(fixing).cost_usd * 1_000_000)


def test_a_model_that_never_answers_uses_no_runs(fixing: PipelineHarness) -> None:
    remediation = fixing.services.remediation
    remediation.__dict__["agent"] = replace(remediation.agent, retry_seconds=0.1)
    fixing.fake_model.faults.add("503", times=1_000_000)
    [key] = fixing.incidents()
    for _ in range(2):
        fixing.store.zadd(SCHEDULE, {key: 1})
        fixing.work_next()
    tries = int(fixing.journal.fields(key)["attempts"])
    fixing.fake_model.faults.clear()

    fixing.drive(lambda: fixing.values(Plan), stages=20)

    assert tries == 2
    assert day(fixing.journal)["runs"] == b"1"


def test_a_run_over_its_limit_is_settled_and_its_findings_are_reported(
    store: redis.Redis, store_url: str, tmp_path: Path
) -> None:
    with harness(
        store,
        store_url,
        tmp_path,
        small=True,
        TRACKWALKER_MAX_COST_PER_INCIDENT_USD="0.05",
        TRACKWALKER_MODEL_PRICE="1/4",
    ) as poor:
        poor.fake_model.padding = 100_000
        poor.alert()

        poor.drive(lambda: poor.outcome_kind() and poor.outcome_posts(), stages=120)

        assert poor.outcome_kind() == "failed"
        # A run that ends between two looks at its usage is not stopped, but the next one does not start.
        limits = ("limit of 0.05 USD", "TRACKWALKER_MAX_COST_PER_INCIDENT_USD")
        assert any(limit in poor.slack.channel_texts[-1] for limit in limits)
        assert "% of requests fail" in poor.slack.channel_texts[-1]
        assert int(day(poor.journal)["cost"]) == int(cost_of(poor).cost_usd * 1_000_000) >= 100_000


def test_an_attempt_whose_budget_was_settled_reserves_again_before_the_writer_runs(
    fixing: PipelineHarness,
) -> None:
    fixing.drive(lambda: fixing.values(Plan))
    [key] = fixing.incidents()
    claim = fixing.journal.claim(key, "fix")
    assert claim is not None
    budget.settle(fixing.journal, claim, 0.01)
    claim.advance("fix")
    fixing.store.hset(f"trackwalker2:budget:{datetime.now(UTC):%Y%m%d}", "cost", 10**9)

    fixing.drive(lambda: fixing.outcome_kind() and fixing.outcome_posts(), stages=120)

    assert "MAX_COST_PER_DAY_USD" in fixing.slack.channel_texts[-1]
    assert {call.role for call in fixing.fake_model.calls} == {"reader"}
    assert list(fixing.store.scan_iter("trackwalker2:reserved:*")) == []


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        ({"TRACKWALKER_MAX_AGENT_RUNS_PER_DAY": "0"}, "MAX_AGENT_RUNS_PER_DAY"),
        ({"TRACKWALKER_MAX_COST_PER_DAY_USD": "2"}, "MAX_COST_PER_DAY_USD"),
    ],
)
def test_the_findings_are_reported_when_the_days_budget_is_used_up(
    store: redis.Redis, store_url: str, tmp_path: Path, limits: dict[str, str], name: str
) -> None:
    with harness(store, store_url, tmp_path, small=True, failing=True, **limits) as poor:
        [other] = claims(poor.journal, 1)
        budget.reserve(poor.journal, poor.settings, other, sick("another"), datetime.now(UTC))
        poor.alert()

        poor.drive(lambda: poor.outcome_kind() and poor.outcome_posts(), stages=120)

        assert name in poor.slack.channel_texts[-1]
        assert "% of requests fail" in poor.slack.channel_texts[-1]
        assert poor.fake_model.calls == []
