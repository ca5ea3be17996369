"""Budgets: reserved whole before the agent is called, settled once at the end of the round; deaths are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.pipeline import PipelineHarness, harness
from workers.engine import records, scripts
from workers.engine.journal import PREFIX, SCHEDULE, Claim, JournalStore
from workers.incidents import budget
from workers.models import Finding, Incident, Plan, Severity, Subject, Usage, Window
from workers.pipeline import stages
from workers.runtime.settings import Settings, read

NOW = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)


@pytest.fixture
def settings() -> Settings:
    return read(
        {"TRACKWALKER_MAX_COST_PER_DAY_USD": "5", "TRACKWALKER_MAX_AGENT_RUNS_PER_DAY": "2"}, dotenv=None
    )


@pytest.fixture
def claim(journal: JournalStore, sweep_key: str) -> Claim:
    made = journal.claim(sweep_key, "survey")
    assert made is not None
    return made


def sick(service: str = "svc", severity: Severity = Severity.CRITICAL) -> Incident:
    finding = Finding(
        service_id=service, service=service, kind="latency", severity=severity, since=NOW, ongoing=True,
        sentence="slow",
    )  # fmt: skip
    return Incident(
        fingerprint="f", occurrence="r", project_id="p", project_name="p", environment_id="e",
        environment_name="e", subject=Subject(kind="service", key=service, name=service), findings=(finding,),
        window=Window(start=NOW, end=NOW), opened_at=NOW,
    )  # fmt: skip


def spent(journal: JournalStore) -> int:
    return int(journal.command("hget", "trackwalker2:budget:20261123", "cost"))


def test_a_round_that_cost_nothing_gives_back_what_it_reserved(
    journal: JournalStore, settings: Settings, claim: Claim
) -> None:
    assert budget.reserve(journal, settings, claim, sick(), NOW) is None
    reserved = spent(journal)

    budget.settle(journal, claim, 0)

    assert (reserved, spent(journal)) == (2_000_000, 0)


def test_a_round_that_is_mended_again_reserves_its_whole_cost_again(
    journal: JournalStore, settings: Settings, claim: Claim
) -> None:
    budget.reserve(journal, settings, claim, sick(), NOW)
    budget.settle(journal, claim, 0.5)

    budget.reserve(journal, settings, claim, sick(), NOW)

    assert spent(journal) == 2_000_000
    assert journal.command("hget", "trackwalker2:budget:20261123", "runs") == b"1"


def test_reserving_twice_for_one_run_counts_once(
    journal: JournalStore, settings: Settings, claim: Claim
) -> None:
    budget.reserve(journal, settings, claim, sick(), NOW)

    budget.reserve(journal, settings, claim, sick(), NOW)

    assert spent(journal) == 2_000_000


def test_reserving_is_no_progress_so_that_a_model_that_is_away_is_given_up_some_day(
    journal: JournalStore, settings: Settings, sweep_key: str, let_leases_run_out: Callable[[], None]
) -> None:
    for _ in range(3):
        claim = journal.claim(sweep_key, "survey")
        assert claim is not None
        budget.reserve(journal, settings, claim, sick(), NOW)
        claim.advance("survey", failed=True)

    assert journal.fields(sweep_key)["attempts"] == b"3"


def claims(journal: JournalStore, number: int) -> list[Claim]:
    made = []
    for n in range(number):
        key = f"{PREFIX}incident:many:{n}"
        journal.script(scripts.OPEN_JOURNAL, [key, SCHEDULE], 0, "stage", "plan")
        claim = journal.claim(key, "plan")
        assert claim is not None
        made.append(claim)
    return made


def test_a_part_of_the_days_runs_is_kept_for_what_is_critical(journal: JournalStore) -> None:
    few = read({"TRACKWALKER_MAX_AGENT_RUNS_PER_DAY": "4"}, dotenv=None)
    four = claims(journal, 4)
    for n, claim in enumerate(four[:3]):
        budget.reserve(journal, few, claim, sick(f"svc-{n}", Severity.WARNING), NOW)

    slow = budget.reserve(journal, few, four[3], sick("svc-3", Severity.WARNING), NOW)
    down = budget.reserve(journal, few, four[3], sick("svc-3", Severity.CRITICAL), NOW)

    assert slow is not None and "TRACKWALKER_MAX_AGENT_RUNS_PER_DAY" in slow
    assert down is None


def test_one_service_does_not_take_all_of_the_days_runs(journal: JournalStore) -> None:
    few = read({"TRACKWALKER_MAX_AGENT_RUNS_PER_DAY": "4"}, dotenv=None)
    three = claims(journal, 3)

    answers = [budget.reserve(journal, few, claim, sick("svc"), NOW) for claim in three]

    assert answers[:2] == [None, None]
    assert "svc" in str(answers[2])


def day(journal: JournalStore) -> dict[str, bytes]:
    [key] = journal.client.scan_iter(f"{PREFIX}budget:*")
    return journal.fields(key.decode())


def test_a_run_that_begins_anew_is_one_more_of_the_days_and_of_its_services(
    journal: JournalStore, settings: Settings, claim: Claim
) -> None:
    claim.record(records.INCIDENT, sick())
    budget.reserve(journal, settings, claim, sick(), NOW)

    budget.count_again(journal, claim)

    [other] = claims(journal, 1)
    assert (day(journal)["runs"], day(journal)["service:svc"], spent(journal)) == (b"2", b"2", 2_000_000)
    assert "2 agent runs" in str(budget.reserve(journal, settings, other, sick("another"), NOW))


def test_a_day_that_is_forgotten_is_not_begun_by_a_run_that_begins_anew(
    journal: JournalStore, settings: Settings, claim: Claim, store: redis.Redis
) -> None:
    claim.record(records.INCIDENT, sick())
    budget.reserve(journal, settings, claim, sick(), NOW)
    store.delete("trackwalker2:budget:20261123")

    budget.count_again(journal, claim)
    budget.settle(journal, claim, 1.0)

    assert list(store.scan_iter(f"{PREFIX}budget:*")) == []


def test_the_next_day_has_a_budget_of_its_own(journal: JournalStore, settings: Settings) -> None:
    first, second, third = claims(journal, 3)
    for one in (first, second):
        budget.reserve(journal, settings, one, sick(one.id), NOW)

    today = budget.reserve(journal, settings, third, sick("c"), NOW)
    tomorrow = budget.reserve(journal, settings, third, sick("c"), NOW + timedelta(days=1))

    assert today is not None
    assert tomorrow is None


def test_what_is_reserved_counts_against_the_days_cost_until_it_is_settled(journal: JournalStore) -> None:
    rich = read(
        {"TRACKWALKER_MAX_COST_PER_DAY_USD": "5", "TRACKWALKER_MAX_AGENT_RUNS_PER_DAY": "50"}, dotenv=None
    )
    first, second, third = claims(journal, 3)
    for one in (first, second):
        assert budget.reserve(journal, rich, one, sick(one.id), NOW) is None

    before = budget.reserve(journal, rich, third, sick("c"), NOW)
    budget.settle(journal, first, 0.25)
    after = budget.reserve(journal, rich, third, sick("c"), NOW)

    assert "TRACKWALKER_MAX_COST_PER_DAY_USD" in str(before)
    assert after is None


# ---- along the line --------------------------------------------------------------------------


class Mortal(JournalStore):
    """Dies where it is about to record this."""

    record = ""

    def script(self, source: str, keys: Any, *arguments: Any) -> Any:
        if source == scripts.RECORD and f"r:{self.record}" in arguments:
            raise ZeroDivisionError("the worker died here")
        return super().script(source, keys, *arguments)


@pytest.fixture
def mending(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[PipelineHarness]:
    """The sick shop, about to be mended; every answer of the model costs a tenth of a dollar at least."""
    with harness(store, store_url, tmp_path, small=True, TRACKWALKER_MODEL_PRICE="1/4") as running:
        running.fake_model.padding = 100_000
        running.alert()
        running.drive(lambda: any(stage(running, key) == "plan" for key in running.incidents()))
        yield running


def stage(running: PipelineHarness, key: str) -> str:
    return running.journal.fields(key)["stage"].decode()


def dies(running: PipelineHarness, record: str) -> None:
    """A worker takes the incident's stage and dies where it is about to record what came of it."""
    [key] = running.incidents()
    mortal = Mortal(running.store)
    mortal.record = record
    stages.work(replace(running.services, store=mortal), stage(running, key), key)


def cost_of(running: PipelineHarness) -> Usage:
    [spent] = running.values(Usage)
    return spent


@pytest.mark.parametrize("record", ["plan", "fix"])
def test_a_run_that_died_with_its_worker_is_counted_and_what_it_cost_is_settled(
    mending: PipelineHarness, record: str
) -> None:
    if record == "fix":
        mending.drive(lambda: any(mending.values(Plan)))
    before = len(mending.fake_model.calls)
    dies(mending, record)
    died, wasted = len(mending.fake_model.calls) - before, cost_of(mending)

    mending.drive(lambda: mending.outcome_kind() == "pull request", stages=120)

    told = day(mending.journal)
    assert died >= 2
    assert wasted.cost_usd >= 0.1 * died
    assert (told["runs"], told["service:svc-shop"]) == (b"2", b"2")
    assert cost_of(mending).calls == len(mending.fake_model.calls)
    assert int(told["cost"]) == int(cost_of(mending).cost_usd * 1_000_000)


def test_a_model_that_never_answers_uses_up_no_runs(mending: PipelineHarness) -> None:
    mender = mending.services.remediation
    mender.__dict__["agent"] = replace(mender.agent, retry_seconds=0.1)
    mending.fake_model.faults.add("503", times=1_000_000)
    [key] = mending.incidents()
    for _ in range(2):
        mending.store.zadd(SCHEDULE, {key: 1})
        mending.work_next()
    tries = int(mending.journal.fields(key)["attempts"])
    mending.fake_model.faults.clear()

    mending.drive(lambda: mending.values(Plan), stages=20)

    assert tries == 2
    assert day(mending.journal)["runs"] == b"1"


def test_a_run_over_its_limit_is_settled_at_what_it_cost_and_the_raw_facts_are_told(
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
        assert "limit of 0.05 USD" in poor.slack.messages[-1].text
        assert "5xx" in poor.slack.messages[-1].text
        assert int(day(poor.journal)["cost"]) == int(cost_of(poor).cost_usd * 1_000_000) >= 100_000


def test_a_round_that_gave_its_budget_back_asks_for_it_again_before_it_writes(
    mending: PipelineHarness,
) -> None:
    mending.drive(lambda: mending.values(Plan))
    [key] = mending.incidents()
    claim = mending.journal.claim(key, "fix")
    assert claim is not None
    budget.settle(mending.journal, claim, 0.01)
    claim.advance("fix")
    mending.store.hset(f"trackwalker2:budget:{datetime.now(UTC):%Y%m%d}", "cost", 10**9)

    mending.drive(lambda: mending.outcome_kind() and mending.outcome_posts(), stages=120)

    assert "MAX_COST_PER_DAY_USD" in mending.slack.messages[-1].text
    assert {call.role for call in mending.fake_model.calls} == {"reader"}
    assert list(mending.store.scan_iter("trackwalker2:reserved:*")) == []


@pytest.mark.parametrize(
    ("settings_", "name"),
    [
        ({"TRACKWALKER_MAX_AGENT_RUNS_PER_DAY": "0"}, "MAX_AGENT_RUNS_PER_DAY"),
        ({"TRACKWALKER_MAX_COST_PER_DAY_USD": "2"}, "MAX_COST_PER_DAY_USD"),
    ],
)
def test_the_raw_facts_are_told_when_the_days_budget_is_gone(
    store: redis.Redis, store_url: str, tmp_path: Path, settings_: dict[str, str], name: str
) -> None:
    with harness(store, store_url, tmp_path, small=True, failing=True, **settings_) as poor:
        [other] = claims(poor.journal, 1)
        budget.reserve(poor.journal, poor.settings, other, sick("another"), datetime.now(UTC))
        poor.alert()

        poor.drive(lambda: poor.outcome_kind() and poor.outcome_posts(), stages=120)

        assert name in poor.slack.messages[-1].text
        assert "5xx" in poor.slack.messages[-1].text
        assert poor.fake_model.calls == []
