"""The pipeline: an alert becomes a sweep, a sweep opens incidents, an incident becomes a pull request and a post."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.support import people
from tests.support.pipeline import PipelineHarness, harness
from workers.engine.schema import PREFIX
from workers.models import Incident, Verdict, Verification


@pytest.fixture
def pipeline(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[PipelineHarness]:
    """A pipeline around a shop whose newest deployment fails on orders with a voucher."""
    with harness(store, store_url, tmp_path, small=True) as running:
        yield running


@pytest.fixture
def healthy(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[PipelineHarness]:
    with harness(store, store_url, tmp_path, failing=False, small=True) as running:
        yield running


def test_an_alert_becomes_a_sweep_of_the_whole_environment(pipeline: PipelineHarness) -> None:
    alert = pipeline.alert()

    pipeline.drive(lambda: pipeline.count_ended_sweeps() == 1)

    assert pipeline.store.hexists(f"{PREFIX}sweep:env-1:1", f"a:{alert}")


def test_alerts_that_wait_share_one_sweep(pipeline: PipelineHarness) -> None:
    pipeline.alert()
    pipeline.alert(kind="deployment.crashed")

    pipeline.drive(lambda: pipeline.count_ended_sweeps() == 1)

    assert list(pipeline.store.scan_iter(f"{PREFIX}sweep:*")) == [f"{PREFIX}sweep:env-1:1".encode()]


def test_a_sweep_opens_one_incident_per_cause_with_evidence_and_a_verdict(pipeline: PipelineHarness) -> None:
    pipeline.alert()

    pipeline.drive(lambda: pipeline.values(Verdict))

    [incident], [verdict] = pipeline.values(Incident), pipeline.values(Verdict)
    assert incident.subject.name == "shop"
    assert verdict.category.value == "code"


def test_a_healthy_environment_answers_the_alert_and_opens_nothing(healthy: PipelineHarness) -> None:
    healthy.alert()

    healthy.drive(lambda: any("no problem found" in text for text in healthy.slack.texts))

    assert healthy.incidents() == []


def test_a_verified_fix_becomes_one_pull_request_whose_link_is_posted(pipeline: PipelineHarness) -> None:
    pipeline.alert()

    pipeline.drive(pipeline.outcome_posts)

    [pull], [verification] = pipeline.github.pulls, pipeline.values(Verification)
    assert verification.decision == "ready"
    assert any(f"/pull/{pull.number}" in text for text in pipeline.slack.texts)


def test_a_paused_installation_changes_nothing_outside(pipeline: PipelineHarness) -> None:
    people.pause(pipeline.journal)
    pipeline.alert()

    for _ in range(20):
        pipeline.work_next()

    assert pipeline.github.pulls == []
    assert pipeline.fake_model.calls == []
