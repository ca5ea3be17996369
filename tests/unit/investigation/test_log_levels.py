"""The level of a record comes from its own line, wherever the level stands, and not from the stream."""

from __future__ import annotations

import pytest

from tests.support.log_formats.level_lines import STATED_LEVELS
from tests.support.logs import log_lines
from workers.investigation.logs.error_words import sounds_like_error
from workers.investigation.logs.log_prefixes import read_prefix
from workers.investigation.logs.log_records import build_log_records


@pytest.mark.parametrize(("level", "line"), STATED_LEVELS)
def test_the_level_of_each_default_format_is_read(level: str, line: str) -> None:
    assert (read_prefix(line).level or "none") == level


@pytest.mark.parametrize("stream", ["error", "info"])
def test_a_stated_level_holds_on_both_outputs(stream: str) -> None:
    lines = [line for level, line in STATED_LEVELS if level == "info"]

    records = build_log_records(log_lines(*lines, level=stream, gap=10))

    assert {record.level for record in records} == {"info"}


def test_colours_do_not_hide_the_level() -> None:
    [record] = build_log_records(
        log_lines("\x1b[2m11:48:02\x1b[0m \x1b[31mERROR\x1b[0m declined", level="info")
    )

    assert (record.level, record.headline) == ("error", "declined")


@pytest.mark.parametrize(
    "line",
    [
        "Tracing enabled, exporting to collector",
        "environment: production, config exists, everything executed",
        "18:44:50,501 scheduler started with 501 jobs",
        "finished with 0 errors",
        "GET /orders/500 200 in 3 ms",
        "loaded error handlers and error pages",
    ],
)
def test_healthy_lines_on_standard_error_are_no_errors(line: str) -> None:
    [record] = build_log_records(log_lines(line, level="error"))

    assert record.level == "stderr"


@pytest.mark.parametrize(
    "line",
    [
        "payment failed",
        "connect ECONNREFUSED 10.0.0.4:5432",
        "3 errors in the last run",
        '10.0.0.4 - - "GET /orders HTTP/1.1" 500 12',
        "listen EADDRINUSE: address already in use",
    ],
)
def test_words_for_a_failure_make_a_line_on_standard_error_an_error(line: str) -> None:
    [record] = build_log_records(log_lines(line, level="error"))

    assert record.level == "error"


@pytest.mark.parametrize(
    "line",
    [
        "TypeError: x is undefined",
        "panic: assignment to entry in nil map",
        "[cache] Unhandled error event: Error: getaddrinfo ENOTFOUND cache.railway.internal",
        "PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted",
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        "src/orders.ts(42,17): error TS2339: Property 'price' does not exist on type 'Item'.",
    ],
)
def test_what_a_runtime_or_a_compiler_reports_is_an_error_on_standard_output(line: str) -> None:
    [record] = build_log_records(log_lines(line, level="info"))

    assert record.level == "error"


def test_names_of_errno_count_in_upper_case_only() -> None:
    assert sounds_like_error("read ECONNRESET")
    assert not sounds_like_error("econnreset exited enabled EXPORTED EVENT")


@pytest.mark.parametrize(
    "line",
    [
        "/app/shop/orders.py:5: DeprecationWarning: old",
        "(node:1) ExperimentalWarning: stripTypes is an experimental feature",
        "(node:7) [DEP0040] DeprecationWarning: the punycode module",
        "PHP Warning:  Undefined variable $price in /app/x.php on line 6",
    ],
)
def test_warnings_of_a_runtime_are_warnings(line: str) -> None:
    [record] = build_log_records(log_lines(line, level="error"))

    assert record.level == "warning"
