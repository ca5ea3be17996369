"""Groups of records are read with their signs, whatever varies in their text."""

from __future__ import annotations

import time

from tests.support.logs import log_lines
from workers.investigation.evidence.cause_facts import dropped_line_facts
from workers.investigation.evidence.pattern_reading import read_groups
from workers.investigation.evidence.upstreams import count_blamed_hosts
from workers.investigation.logs.log_records import build_log_records
from workers.models import SignKind

DROPPED = (
    "Railway rate limit of 500 logs/sec reached for replica, update your application to reduce the logging rate. "
    "Messages dropped: {}"
)


def test_every_record_counts_for_the_host_that_it_names() -> None:
    lines = [
        f"ERROR order {number} failed: connect ETIMEDOUT api{number % 2}.pay.io:443" for number in range(60)
    ]
    groups = read_groups(build_log_records(log_lines(*lines, gap=5)), None)

    counts = count_blamed_hosts((wording for group in groups for wording in group.wordings), {})

    assert counts == {"api0.pay.io": 30, "api1.pay.io": 30}


def test_the_lines_that_the_platform_dropped_are_added_up_and_stated_beyond_the_first_patterns() -> None:
    errors = [
        f"ERROR {'abcdefghijklmnopqrstuvwxyz'[number]} broke in a way of its own" for number in range(26)
    ]
    notices = [DROPPED.format(number) for number in (10, 200, 3000)]
    records = build_log_records([*log_lines(*errors, gap=5), *log_lines(*notices, gap=5, level="info")])

    groups = read_groups(records, None)

    [fact] = dropped_line_facts([group.pattern() for group in groups])
    assert fact.numbers == {"lines": 3210}
    assert groups[-1].signs[0].kind is SignKind.LINES_DROPPED


def test_a_hostile_line_costs_little_time() -> None:
    lines = [("a-" * 100_000)[:200_000], "a." * 100_000, 'File "' * 30_000, "x://" * 50_000]
    began = time.process_time()

    read_groups(build_log_records(log_lines(*lines)), None)

    assert time.process_time() - began < 20  # seconds of CPU time; quadratic work takes minutes
