"""Fixtures for all tests that use a store and sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from tests.support.fakes.railway import FakeRailway
from tests.support.fakes.serving import serve
from tests.support.pipeline import PipelineHarness, harness
from workers.clients.railway import Railway


@pytest.fixture
def railway(fake_railway: FakeRailway) -> Iterator[Railway]:
    """A client of the test file's fixture `fake_railway`, with the right account token."""
    with serve(fake_railway.app, fake_railway.faults) as server:
        client = Railway(server.url, token=SecretStr(fake_railway.token))
        yield client
        client.close()


@pytest.fixture
def reporting(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[PipelineHarness]:
    """The pipeline with the failing shop in report mode: it ends with a message and starts no agent."""
    with harness(store, store_url, tmp_path, TRACKWALKER_MODE="report") as pipeline:
        yield pipeline
