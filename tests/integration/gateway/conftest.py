"""A stand-in provider for the gateway's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fakes.model_provider import FakeProvider


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider().serving() as running:
        yield running
