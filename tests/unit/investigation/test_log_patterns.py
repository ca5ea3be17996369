"""Similar log records become patterns with counts and readable headlines."""

from __future__ import annotations

import json

import pytest

from tests.support.logs import NODE_STACK, PYTHON_TRACEBACK, log_lines
from workers.investigation.logs.log_patterns import RecordGroup, group_records, to_pattern
from workers.investigation.logs.log_records import LogRecord, build_log_records
from workers.models import LogLine, LogPattern


def patterns_of(records: list[LogRecord]) -> list[LogPattern]:
    return [to_pattern(group) for group in group_records(records)]


def groups_of(*messages: str, level: str = "error", gap: float = 1) -> list[RecordGroup]:
    return group_records(build_log_records(log_lines(*messages, level=level, gap=gap)))


def traces(exception: str, count: int, start: float = 0) -> list[LogLine]:
    text = PYTHON_TRACEBACK.rstrip().replace("KeyError: 'gift'", exception)
    return [log_lines("", text, gap=start + 5 * number)[1] for number in range(1, count + 1)]


def test_similar_lines_are_one_counted_pattern_and_errors_come_first() -> None:
    noise = [f"INFO GET /orders/{n} 200 in {n} ms from 10.0.0.{n}" for n in range(40)]
    failures = [f"ERROR order {n}f3a9c2e-1111-4222-8333-444455556666 failed: no price" for n in range(1, 4)]

    patterns = patterns_of(build_log_records(log_lines(*noise, *failures, gap=1)))

    assert [(pattern.level, pattern.count) for pattern in patterns] == [("error", 3), ("info", 40)]
    assert patterns[0].template == "order <uuid> failed: no price"
    assert "<n>" in patterns[1].template


def test_errors_with_a_trace_come_before_other_errors() -> None:
    groups = groups_of("ERROR declined", "ERROR declined", NODE_STACK.rstrip(), "WARNING slow")

    assert [group.level for group in groups] == ["error", "error", "warning"]
    assert groups[0].best.exception == "TypeError"


def test_the_error_that_began_first_comes_first_unless_it_is_rare() -> None:
    first, second = traces("KeyError: 'gift'", 3), traces("shop.SoldOut: gift", 9, start=2)
    frequent = traces("shop.SoldOut: gift", 40, start=2)

    assert [group.best.exception for group in group_records(build_log_records([*first, *second]))] == [
        "KeyError",
        "shop.SoldOut",
    ]
    assert group_records(build_log_records([*first, *frequent]))[0].best.exception == "shop.SoldOut"


def test_frequent_messages_that_differ_in_a_plain_word_are_different_patterns() -> None:
    lines = [f"INFO machine {word} by the scheduler" for word in ("started", "stopped") for _ in range(20)]
    names = [f"INFO session opened for user {name}" for name in ("ann", "bob") for _ in range(20)]

    assert [group.template for group in groups_of(*lines, *names)] == [
        "session opened for user <name>",
        "machine started by the scheduler",
        "machine stopped by the scheduler",
    ]


def test_exceptions_that_differ_in_their_value_are_one_pattern() -> None:
    [group] = groups_of("KeyError: 'gift'", "KeyError: 'book'", "KeyError: 'pen'")

    assert (group.template, group.count) == ("KeyError: <*>", 3)


def test_names_with_a_number_stay_in_the_template() -> None:
    [group] = groups_of("ERROR code P2024 in worker 17", gap=1)

    assert group.template == "code P2024 in worker <n>"


def test_the_sample_of_a_pattern_is_the_whole_traceback() -> None:
    [pattern] = patterns_of(build_log_records(log_lines(PYTHON_TRACEBACK, PYTHON_TRACEBACK, gap=5)))

    assert (pattern.count, pattern.template) == (2, "KeyError: 'gift'")
    assert (pattern.headline, pattern.exception) == ("KeyError: 'gift'", "KeyError")
    assert pattern.sample == PYTHON_TRACEBACK.rstrip()


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

    assert pattern.level == "warning"


def test_text_is_redacted_before_it_is_truncated_and_has_no_control_characters() -> None:
    secret = "sk-live0123456789abcdefghijklmnop"
    hostile = [
        f"\x1b[31mERROR\x1b[0m {'x' * length} {secret}\x00\u202e {'y' * 90_000}"
        for length in (280, 480, 490, 1_980, 1_990, 3_990)
    ]

    patterns = patterns_of(build_log_records(log_lines(*hostile)))

    for pattern in patterns:
        text = pattern.sample + pattern.template + pattern.headline
        assert secret[:12] not in text and not set("\x1b\x00\u202e") & set(text)
        assert (len(pattern.sample) <= 4_000, len(pattern.template) <= 300) == (True, True)
