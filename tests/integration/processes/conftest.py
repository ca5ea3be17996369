"""Fixtures for tests of real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installation import Installation, running_installation


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """`trackwalker up` with a worker, a receiver and a clock, in report mode."""
    with running_installation(tmp_path) as running:
        yield running
