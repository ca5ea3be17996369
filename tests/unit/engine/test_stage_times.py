"""Times of stages and records, read from fields that may be damaged."""

from __future__ import annotations

import pytest

from workers.engine.stage_times import read_moment, read_runs, read_times


def test_the_runs_of_a_stage_are_read() -> None:
    runs = read_runs({"s:plan": b"1700000000000 1700000009000 4000 3 2"}, "plan")

    assert runs is not None
    assert runs.seconds == 4
    assert (runs.runs, runs.failures) == (3, 2)
    assert (runs.ended - runs.started).total_seconds() == 9


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"1",
        b"1 2 3 4",
        b"1 2 3 4 x",
        b"1 2 3 4 5 6",
        b"\xff\xfe",
        b"9" * 400 + b" 2 3 4 5",
        b"-1 2 3 4 5",
    ],
)
def test_damaged_runs_are_unknown(value: bytes) -> None:
    assert read_runs({"s:plan": value}, "plan") is None


@pytest.mark.parametrize("value", [b"", b"soon", b"1 x", b"9" * 5000])
def test_a_damaged_time_is_unknown(value: bytes) -> None:
    assert read_times({"t:plan": value}, "plan") is None
    assert read_moment({"opened": value}, "opened") is None
