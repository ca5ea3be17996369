"""A short soak: full lines while web, worker and store are killed and much is answered wrongly; `make soak` is long."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.count import bounded, count
from tests.chaos.fleet import Blow
from tests.chaos.lines import Plan, running

DECK: tuple[Blow, ...] = ("web", "worker", "store", "stop")


def test_whatever_dies_no_alert_is_lost_and_each_cause_has_one_pull_request(tmp_path: Path) -> None:
    plan = Plan(lines=3, seed=7, in_flight=3, apart=1.0, deck=DECK, blows=len(DECK))

    with running(plan, tmp_path) as run:
        run.live()
        made = count(run)

    assert made.broken == [], made.stories
    assert {"kill worker", "kill store"} <= set(run.fleet.done)
    assert len(run.fleet.runs) == 2
    assert run.fleet.done.total() >= len(DECK)


def test_what_no_failure_in_so_many_tries_bounds_is_said() -> None:
    assert f"{bounded(200):.2%}" == "1.49%"
