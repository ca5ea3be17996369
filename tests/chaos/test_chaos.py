"""A short chaos run: complete incidents while processes are killed and stand-ins fail. `make chaos` is the long one."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.cases import Plan, chaos_run
from tests.chaos.count import count, upper_bound
from tests.chaos.installation import Disruption

DECK: tuple[Disruption, ...] = ("web", "worker", "store", "stop")


def test_no_alert_is_lost_and_each_cause_has_one_pull_request_under_kills(tmp_path: Path) -> None:
    plan = Plan(cases=3, seed=7, in_flight=3, pause_seconds=1.0, deck=DECK, max_disruptions=len(DECK))

    with chaos_run(plan, tmp_path) as run:
        run.run_all()
        result = count(run)

    assert result.broken == [], result.unended
    assert {"kill worker", "kill store"} <= set(run.installation.disruptions)
    assert len(run.installation.store_runs) == 2
    assert run.installation.disruptions.total() >= len(DECK)


def test_the_bound_of_a_failure_rate_is_the_exact_rule_of_three() -> None:
    assert f"{upper_bound(200):.2%}" == "1.49%"
