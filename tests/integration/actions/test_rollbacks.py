"""A rollback is performed once, however often it is asked for and wherever a worker crashes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.fakes import shop as fake_shop
from tests.support.fakes.railway_types import WorldDeployment
from tests.support.fakes.serving import Fault
from tests.support.people import DANA, LEA, act, pause, resume
from tests.support.pipeline import PipelineHarness, Snapshot, driven_harness, restore_snapshot
from workers.engine import records
from workers.engine.schema import journal_id
from workers.incidents.rollbacks import MAX_AGE
from workers.models import ActionKind, ActionResult, Evidence, Outcome, Rollback, RollbackState
from workers.pipeline.worker import run_stage

ROLL_BACK, REDEPLOY = ActionKind.ROLL_BACK, ActionKind.REDEPLOY


@pytest.fixture(scope="module")
def reported(
    store_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[PipelineHarness, Snapshot]]:
    """The failing shop, whose incident is reported."""

    def drive(pipeline: PipelineHarness) -> None:
        pipeline.alert()
        pipeline.drive(lambda: pipeline.values(Outcome))

    folder = tmp_path_factory.mktemp("rollbacks")
    with driven_harness(store_url, folder, drive, TRACKWALKER_MODE="report") as driven:
        yield driven


@pytest.fixture
def shop(reported: tuple[PipelineHarness, Snapshot]) -> PipelineHarness:
    running, snapshot = reported
    restore_snapshot(running, snapshot)
    running.world.redeployments.clear()
    running.world.status_of_new = "SUCCESS"
    running.railway.faults.clear()
    return running


def press(shop: PipelineHarness, kind: ActionKind = ROLL_BACK, **values: object) -> ActionResult:
    values = {"at": datetime.now(UTC)} | values
    return act(shop.journal, kind, incident_id(shop), **values)  # type: ignore[arg-type]  # forwarded as they are


def incident_id(shop: PipelineHarness) -> str:
    return journal_id(shop.incidents()[0])


def rollback(shop: PipelineHarness) -> Rollback:
    recorded = shop.journal.read_record(shop.incidents()[0], records.ROLLBACK)
    assert recorded is not None
    return recorded


def run_rollback(shop: PipelineHarness, number: str = "") -> None:
    """Run the stage once, as a worker that gets its message would."""
    key = shop.incidents()[0].replace("incident:", "rollback:", 1) + number
    shop.store.hdel(key, "lease", "not_before")
    run_stage(shop.services, "roll_back", key)


def test_the_deployment_before_the_suspect_one_can_be_rolled_back_to(shop: PipelineHarness) -> None:
    option = shop.values(Evidence)[0].rollback

    assert option is not None
    assert (option.target.deployment_id, option.replaces.deployment_id) == ("dep-old", "dep-new")
    assert (option.target.subject, option.target.author) == ("Prices", "octocat")


def test_a_rollback_is_performed_and_noted_in_the_incident(shop: PipelineHarness) -> None:
    result = press(shop)

    run_rollback(shop)

    assert result.done
    assert shop.world.redeployments == ["rollback:dep-old"]
    assert (rollback(shop).state, rollback(shop).person) == (RollbackState.DONE, DANA)
    assert shop.world.services[0].active == [rollback(shop).new_deployment_id]


def test_a_press_that_is_delivered_twice_is_performed_once_with_the_same_answer(
    shop: PipelineHarness,
) -> None:
    first = press(shop, request_id="one press")
    run_rollback(shop)

    second = press(shop, request_id="one press")

    assert first == second
    assert shop.world.redeployments == ["rollback:dep-old"]


def test_a_second_person_learns_who_asked_first(shop: PipelineHarness) -> None:
    press(shop, person=DANA)

    while_it_runs = press(shop, person=LEA)
    run_rollback(shop)
    afterwards = press(shop, person=LEA)

    assert not while_it_runs.done
    assert "under way: dana asked for it" in while_it_runs.text
    assert "Too late: shop was rolled back to" in afterwards.text
    assert shop.world.redeployments == ["rollback:dep-old"]


def test_an_answer_that_got_lost_causes_no_second_rollback(shop: PipelineHarness) -> None:
    press(shop)
    requests = itertools.count(1)
    # The three reads before the mutation go through, and so does the mutation, but its answer is lost.
    lost = Fault("drop", 1, lambda *_: next(requests) == 4, "1")
    shop.railway.faults.waiting.append(lost)

    run_rollback(shop)
    run_rollback(shop)

    assert shop.world.redeployments == ["rollback:dep-old"]
    assert rollback(shop).state is RollbackState.DONE


def test_a_crash_before_railway_shows_the_deployment_causes_no_second_one(shop: PipelineHarness) -> None:
    press(shop)
    hidden = ask_railway_and_hide_the_result(shop)

    run_rollback(shop)
    with shop.world.lock:
        shop.world.services[0].deployments.insert(0, hidden)
    run_rollback(shop)

    assert shop.world.redeployments == ["rollback:dep-old"]
    assert rollback(shop).new_deployment_id == hidden.id


def ask_railway_and_hide_the_result(shop: PipelineHarness) -> WorldDeployment:
    """Run the stage until Railway performed it and the answer is lost; Railway's list lags behind."""
    requests = itertools.count(1)
    shop.railway.faults.waiting.append(Fault("drop", 1, lambda *_: next(requests) == 4, "1"))
    run_rollback(shop)
    return shop.world.services[0].deployments.pop(0)


def test_a_rollback_comes_too_late_once_somebody_deployed(shop: PipelineHarness) -> None:
    press(shop)
    shop.redeploy("f" * 40)

    run_rollback(shop)

    assert shop.world.redeployments == []
    assert rollback(shop).state is RollbackState.REFUSED
    assert rollback(shop).reason.endswith("is not live any more")


def test_a_deployment_on_its_way_stops_a_rollback(shop: PipelineHarness) -> None:
    press(shop)
    with shop.world.lock:
        building = WorldDeployment("dep-3", "svc-shop", "BUILDING", time.time(), None, shop_meta("e" * 40))
        shop.world.services[0].deployments.insert(0, building)

    run_rollback(shop)

    assert rollback(shop).reason == "eeeeeee by octocat was deployed in the meantime"


def shop_meta(commit: str) -> dict[str, object]:
    return fake_shop.meta(commit, "Something else")


def test_an_image_that_railway_no_longer_keeps_stops_a_rollback(shop: PipelineHarness) -> None:
    press(shop)
    shop.world.services[0].deployments[1].image_kept = False

    run_rollback(shop)

    assert "does not keep the image" in rollback(shop).reason
    assert shop.world.redeployments == []


def test_railways_refusal_is_the_answer(shop: PipelineHarness) -> None:
    press(shop)
    shop.railway.broken["deploymentRollback"] = "Not Authorized"

    run_rollback(shop)
    shop.railway.broken.clear()

    assert rollback(shop).state is RollbackState.REFUSED
    assert "Not Authorized" in rollback(shop).reason


def test_a_pause_refuses_a_rollback_and_holds_one_that_was_asked_for(shop: PipelineHarness) -> None:
    press(shop)
    pause(shop.journal)

    run_rollback(shop)
    held = shop.world.redeployments[:]
    refused = press(shop, person=LEA)
    resume(shop.journal)
    run_rollback(shop)

    assert held == []
    assert not refused.done
    assert shop.world.redeployments == ["rollback:dep-old"]


def test_a_request_that_waited_too_long_is_not_performed(shop: PipelineHarness) -> None:
    press(shop, at=datetime.now(UTC) - MAX_AGE - timedelta(minutes=1))

    run_rollback(shop)

    assert shop.world.redeployments == []
    assert rollback(shop).state is RollbackState.REFUSED


def test_a_redeployment_undoes_a_rollback_and_the_rollback_can_be_repeated(shop: PipelineHarness) -> None:
    press(shop)
    run_rollback(shop)

    undone = press(shop, REDEPLOY)
    run_rollback(shop, ":2")
    again = press(shop)
    run_rollback(shop, ":3")

    assert undone.done, undone.text
    assert again.done, again.text
    assert shop.world.redeployments == ["rollback:dep-old", "redeploy:dep-new", "rollback:dep-old"]


def test_without_a_rollback_there_is_nothing_to_undo(shop: PipelineHarness) -> None:
    assert "not rolled back" in press(shop, REDEPLOY).text


def test_the_environment_is_checked_after_a_rollback(shop: PipelineHarness) -> None:
    press(shop)

    run_rollback(shop)

    alerts = [key for key in shop.due() if ":alert:check-" in key]
    assert len(alerts) == 1
    assert (
        shop.store.hget(shop.incidents()[0].replace("incident:", "rollback:", 1), "ended_as") == b"performed"
    )
