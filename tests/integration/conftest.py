"""Fixtures for all tests that use a store and sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.support.pipeline import PipelineHarness, harness


@pytest.fixture
def reporting(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[PipelineHarness]:
    """The pipeline with the failing shop in report mode: it ends with a message and starts no agent."""
    with harness(store, store_url, tmp_path, TRACKWALKER_MODE="report") as pipeline:
        yield pipeline
