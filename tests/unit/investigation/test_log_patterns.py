"""Similar log records become patterns with counts and readable headlines."""

from __future__ import annotations

import json
import time

import pytest

from tests.support.logs import PYTHON_TRACEBACK, log_lines
from workers.investigation.logs.log_patterns import group_records, to_pattern
from workers.investigation.logs.log_records import LogRecord, build_log_records
from workers.models import LogPattern


def patterns_of(records: list[LogRecord]) -> list[LogPattern]:
    return [to_pattern(group) for group in group_records(records)]


def test_similar_lines_are_one_counted_pattern_and_errors_come_first() -> None:
    noise = [f"INFO GET /orders/{n} 200 in {n} ms from 10.0.0.{n}" for n in range(40)]
    failures = [f"ERROR order {n}f3a9c2e-1111-4222-8333-444455556666 failed: no price" for n in range(1, 4)]

    patterns = patterns_of(build_log_records(log_lines(*noise, *failures, gap=1)))

    assert [(pattern.level, pattern.count) for pattern in patterns] == [("error", 3), ("info", 40)]
    assert "<n>" in patterns[1].template and "<uuid>" in patterns[0].template


def test_the_sample_of_a_pattern_is_the_whole_traceback() -> None:
    [pattern] = patterns_of(build_log_records(log_lines(PYTHON_TRACEBACK, PYTHON_TRACEBACK, gap=5)))

    assert (pattern.count, pattern.template) == (2, "KeyError: 'gift'")
    assert pattern.sample == PYTHON_TRACEBACK.rstrip()


def test_a_python_exception_of_any_class_is_the_headline() -> None:
    [pattern] = patterns_of(
        build_log_records(log_lines(PYTHON_TRACEBACK.replace("KeyError: 'gift'", "shop.SoldOut: gift")))
    )

    assert pattern.template == "shop.SoldOut: gift"


@pytest.mark.parametrize("message", ["Error: no price", "SoldOut: gift", "TypeError: x is undefined"])
def test_the_headline_of_an_uncaught_node_error_is_its_message(message: str) -> None:
    source = "/app/src/pricing.js:10\n    throw problem;\n    ^\n\n"
    uncaught = f"{source}{message}\n    at total (/app/src/pricing.js:10:21)"

    [pattern] = patterns_of(build_log_records(log_lines(*uncaught.splitlines(), gap=0.001)))

    assert (pattern.template, pattern.level) == (message, "error")


def test_a_node_exception_of_any_class_is_preferred_to_the_log_message() -> None:
    message = json.dumps(
        {"level": 50, "msg": "no", "err": {"stack": "SoldOut: gift\n    at total (/app/a.js:1:2)"}}
    )

    [pattern] = patterns_of(build_log_records(log_lines(message)))

    assert (pattern.template, pattern.level) == ("SoldOut: gift", "error")


def test_a_warning_with_a_stack_is_no_error() -> None:
    message = "(node:7) [DEP0040] DeprecationWarning: the punycode module\n    at node:punycode:3:11"

    [pattern] = patterns_of(build_log_records(log_lines(message)))

    assert pattern.level != "error"


def test_text_is_redacted_before_it_is_truncated_and_has_no_control_characters() -> None:
    secret = "sk-live0123456789abcdefghijklmnop"
    hostile = f"\x1b[31mERROR\x1b[0m {'x' * 3_990} {secret}\x00\u202e {'y' * 90_000}"

    [pattern] = patterns_of(build_log_records(log_lines(hostile)))

    assert secret[:12] not in pattern.sample + pattern.template
    assert not set("\x1b\x00\u202e") & set(pattern.sample + pattern.template)
    assert len(pattern.sample) <= 4_100 and len(pattern.template) <= 310


def test_a_megabyte_of_hostile_lines_is_processed_within_seconds() -> None:
    pathological = [
        "a" * 200_000,
        "Traceback " * 20_000,
        '{"a":' * 40_000,
        "at (" * 50_000,
        "1." * 100_000,
        "\\n    at " * 20_000,
    ]
    varied = [f"{n:x} {'z' * (n % 50)} failed" for n in range(5_000)]

    started = time.process_time()
    patterns = patterns_of(build_log_records([*log_lines(*pathological), *log_lines(*varied)]))

    assert time.process_time() - started < 8
    assert len(patterns) <= 20
