"""Hostile logs cost linear time and bounded memory."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from tests.support.logs import log_lines
from workers.investigation.logs.log_patterns import group_records, to_pattern
from workers.investigation.logs.log_records import build_log_records

LONG = 200_000  # characters of the longest line that is processed
SECONDS_A_LINE = 10.0  # CPU seconds for one such line; a pattern that backtracks takes minutes
UNITS = (
    "a", " ", "1.", '{"a":', "Traceback ", "at (", "\\n    at ", 'File "', "/a", "-@", "a:", "Error: ", "A.b$", "[a] ",
    "(", "'", "goroutine 1 [", ":1:in `", "| ", "│ ", "^", "ECONN", "0a", "http://a", "1.1.1.", "11:48:", "2026-11-20 ",
    "word ", '{"level":"error","msg":"a\\n', "::", "---> ", "** (", "thread '", "npm error ", "+-", "a=",
)  # fmt: skip
FLOODS: dict[str, Sequence[str]] = {
    "short lines": [str(number) for number in range(20_000)],
    "Python frames": ["Traceback (most recent call last):", *['  File "/a.py", line 1, in f'] * 20_000],
    "Node frames": ["TypeError: x", *["    at f (/app/a.js:1:1)"] * 20_000],
    "exceptions": [f"Error: {number}" for number in range(10_000)],
    "beginnings of traces": ["Traceback (most recent call last):"] * 20_000,
    "causes": ["Caused by: java.lang.X: a"] * 20_000,
    "errors without frames": [f"failed {number:x} {'z' * (number % 50)}" for number in range(10_000)],
    "blank lines": ["Error: x", *[""] * 20_000, "    at f (/a.js:1:1)"],
    "deep JSON": ['{"a":' * 900 + "1" + "}" * 900] * 100,
    "wide JSON": ["{" + ",".join(f'"err{n}":"a\\n    at b"' for n in range(5_000)) + "}"] * 5,
}
SECONDS_A_FLOOD = 30  # CPU seconds; quadratic work takes minutes


@pytest.mark.parametrize("unit", UNITS)
def test_a_long_line_of_one_repeated_part_costs_little(unit: str) -> None:
    started = time.process_time()
    for group in group_records(build_log_records(log_lines((unit * LONG)[:LONG]))):
        to_pattern(group)

    assert time.process_time() - started < SECONDS_A_LINE


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_lines_costs_linear_time(name: str) -> None:
    lines = log_lines(*FLOODS[name])

    started = time.process_time()
    groups = group_records(build_log_records(lines))

    assert time.process_time() - started < SECONDS_A_FLOOD
    assert len(groups) <= 20


def test_a_record_of_many_lines_is_bounded() -> None:
    [group, *_] = group_records(build_log_records(log_lines(*FLOODS["Node frames"])))

    assert len(group.best.text) <= 40_000
    assert group.best.headline == "TypeError: x"
