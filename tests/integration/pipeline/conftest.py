"""The pipeline with the failing shop, and its state after the pull request was posted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.support.pipeline import (
    PipelineHarness,
    Snapshot,
    StartHarness,
    driven_harness,
    harness_starter,
    restore_snapshot,
)


@pytest.fixture
def start(store: redis.Redis, store_url: str, tmp_path: Path) -> StartHarness:
    """Start a pipeline whose agent is the small stand-in; opencode itself is the subject of one test."""
    return harness_starter(store, store_url, tmp_path, small=True)


@pytest.fixture(scope="module")
def story(
    store_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[PipelineHarness, Snapshot]]:
    """A pipeline driven from the alert to the link in Slack, shared by all tests that continue from there."""

    def drive(pipeline: PipelineHarness) -> None:
        pipeline.alert()
        pipeline.drive(is_outcome_posted(pipeline))

    with driven_harness(store_url, tmp_path_factory.mktemp("story"), drive) as driven:
        yield driven


@pytest.fixture
def proposed(story: tuple[PipelineHarness, Snapshot]) -> PipelineHarness:
    """The pipeline right after the pull request was posted."""
    pipeline, snapshot = story
    restore_snapshot(pipeline, snapshot)
    return pipeline


def is_outcome_posted(pipeline: PipelineHarness) -> Callable[[], bool]:
    """A condition: the first incident's outcome is in Slack."""
    return lambda: bool(pipeline.outcome_kind()) and any(pipeline.outcome_posts())
