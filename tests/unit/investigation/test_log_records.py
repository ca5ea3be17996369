"""Log lines become records: tracebacks stay whole, and the level follows from the text."""

from __future__ import annotations

import json

import pytest

from tests.support.logs import NODE_STACK, PYTHON_TRACEBACK, log_lines
from workers.investigation.code.frame_syntax import Frame
from workers.investigation.code.stack_frames import frames
from workers.investigation.logs.log_records import build_log_records


def test_a_traceback_printed_line_by_line_is_one_record_per_replica() -> None:
    first = log_lines(*PYTHON_TRACEBACK.splitlines(), gap=0.001)
    second = log_lines(*PYTHON_TRACEBACK.splitlines(), gap=0.001, instance="i2")

    records = build_log_records([line for pair in zip(first, second, strict=True) for line in pair])

    assert [record.text for record in records] == [PYTHON_TRACEBACK.rstrip()] * 2


def test_consecutive_tracebacks_are_separate_records() -> None:
    records = build_log_records(log_lines(*(PYTHON_TRACEBACK * 2).splitlines(), gap=0.001))

    assert [record.text.count("Traceback") for record in records] == [1, 1]
    assert [record.text.count("KeyError") for record in records] == [1, 1]


def test_a_line_after_a_traceback_is_a_record_of_its_own() -> None:
    records = build_log_records(
        [*log_lines(*PYTHON_TRACEBACK.splitlines(), "INFO: 10.0.0.1 - GET /health 200")]
    )

    assert [record.level for record in records] == ["error", "info"]


def test_chained_exceptions_are_one_record() -> None:
    chain = (
        PYTHON_TRACEBACK
        + "\nDuring handling of the above exception, another exception occurred:\n\n"
        + PYTHON_TRACEBACK
    )

    [record] = build_log_records(log_lines(*chain.splitlines(), gap=0.001))

    assert record.text.count("Traceback") == 2


def test_a_node_stack_and_its_error_are_one_record() -> None:
    uncaught = "/app/src/pricing.js:10\n    return items.price;\n                 ^\n\n" + NODE_STACK

    [caught] = build_log_records(log_lines(*NODE_STACK.splitlines(), gap=0.001))
    [thrown] = build_log_records(log_lines(*uncaught.splitlines(), gap=0.001))

    assert caught.text.startswith("TypeError") and "orders.js" in caught.text
    assert "TypeError: Cannot read" in thrown.text


@pytest.mark.parametrize(
    "message",
    [
        json.dumps({"level": "error", "message": "request failed", "exc_info": PYTHON_TRACEBACK}),
        json.dumps(
            {"level": 50, "msg": "request failed", "err": {"type": "KeyError", "stack": PYTHON_TRACEBACK}}
        ),
        json.dumps({"level": "error", "message": "request failed", "exc_info": PYTHON_TRACEBACK})[:-9],
        "request failed " + PYTHON_TRACEBACK.replace("\n", "\\n"),
    ],
    ids=["python logger", "pino", "cut off", "escaped"],
)
def test_a_traceback_inside_one_line_is_unpacked(message: str) -> None:
    [record] = build_log_records(log_lines(message))

    assert record.level == "error"
    assert frames(record.text)[0] == Frame("/app/shop/pricing.py", 5, "total")


@pytest.mark.parametrize(
    ("message", "level", "expected"),
    [
        ("npm notice New minor version of npm available", "error", "info"),
        ("INFO:     Application startup complete.", "error", "info"),
        ("2026-11-20 12:00:00,123 WARNING shop: slow", "error", "warning"),
        ("payment failed", "error", "error"),
        ("finished with 0 errors", "error", "stderr"),
        ("ValueError: nothing to add", "", "error"),
        ("served GET /errors in 3 ms", "info", "info"),
        ("ERROR shop.api could not charge", "info", "error"),
    ],
)
def test_the_level_follows_from_the_text_and_not_from_the_stream(
    message: str, level: str, expected: str
) -> None:
    [record] = build_log_records(log_lines(message, level=level))

    assert record.level == expected
