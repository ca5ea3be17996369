"""Log lines become records: what belongs to one failure is joined, and nothing else."""

from __future__ import annotations

import json

import pytest

from tests.support.logs import NODE_STACK, PYTHON_TRACEBACK, log_lines
from workers.investigation.code.frame_syntax import Frame
from workers.investigation.code.stack_frames import frames
from workers.investigation.logs.log_records import LogRecord, build_log_records

PYTHON = PYTHON_TRACEBACK.splitlines()
NODE = NODE_STACK.splitlines()


def records_of(*lines: str, level: str = "error", gap: float = 0.001) -> list[LogRecord]:
    return build_log_records(log_lines(*lines, level=level, gap=gap))


def test_a_traceback_printed_line_by_line_is_one_record_per_replica() -> None:
    first = log_lines(*PYTHON, gap=0.001)
    second = log_lines(*PYTHON, gap=0.001, instance="i2")

    records = build_log_records([line for pair in zip(first, second, strict=True) for line in pair])

    assert [record.text for record in records] == [PYTHON_TRACEBACK.rstrip()] * 2
    assert [record.instance for record in records] == ["i1", "i2"]


def test_lines_on_standard_output_do_not_split_a_traceback_on_standard_error() -> None:
    trace = log_lines(*PYTHON, gap=0.002)
    served = log_lines(*["served GET /orders"] * len(PYTHON), level="info", gap=0.002)

    records = build_log_records([line for pair in zip(trace, served, strict=True) for line in pair])

    assert [record.text for record in records if record.is_error] == [PYTHON_TRACEBACK.rstrip()]


def test_an_entry_of_another_thread_does_not_split_a_python_traceback() -> None:
    entry = "2026-11-20 11:48:02,123 - shop.worker - INFO - order placed"

    records = records_of(*PYTHON[:4], entry, *PYTHON[4:])

    assert [record.text for record in records] == [PYTHON_TRACEBACK.rstrip(), entry]


def test_consecutive_tracebacks_are_separate_records() -> None:
    records = records_of(*PYTHON, *PYTHON)

    assert [record.text.count("Traceback") for record in records] == [1, 1]
    assert [record.text.count("KeyError") for record in records] == [1, 1]


def test_errors_of_node_one_after_the_other_are_separate_records() -> None:
    records = records_of(
        "TypeError: a", "    at f (/app/a.js:1:1)", "RangeError: b", "    at g (/app/b.js:2:2)"
    )

    assert [record.exception for record in records] == ["TypeError", "RangeError"]


def test_a_message_and_the_trace_below_it_are_one_record() -> None:
    [python] = records_of("ERROR:    Exception in ASGI application", *PYTHON)
    [node] = records_of("order 17 failed", *NODE)

    assert (python.headline, node.exception) == ("KeyError: 'gift'", "TypeError")


def test_an_info_message_is_not_joined_with_the_trace_below_it() -> None:
    records = records_of("INFO:     Waiting for application startup.", *PYTHON)

    assert [record.level for record in records] == ["info", "error"]


def test_a_pause_ends_a_record() -> None:
    records = records_of("request failed", *PYTHON, gap=5)

    assert len(records) == 1 + len(PYTHON)


def test_a_line_after_a_traceback_is_a_record_of_its_own() -> None:
    records = records_of(*PYTHON, "INFO: 10.0.0.1 - GET /health 200", '10.0.0.1 - - "GET / HTTP/1.1" 200')

    assert [record.level for record in records] == ["error", "info", "stderr"]


@pytest.mark.parametrize(
    "between",
    [
        "During handling of the above exception, another exception occurred:",
        "The above exception was the direct cause of the following exception:",
    ],
)
def test_chained_exceptions_are_one_record_named_by_the_last(between: str) -> None:
    last = [*PYTHON[:-1], "shop.SoldOut: gift"]

    [record] = records_of(*PYTHON, "", between, "", *last)

    assert (record.text.count("Traceback"), record.exception) == (2, "shop.SoldOut")


def test_an_exception_group_is_one_record_named_by_its_first_exception() -> None:
    inner = [f"    | {line}" for line in PYTHON]
    group = [
        "  + Exception Group Traceback (most recent call last):",
        '  |   File "/app/main.py", line 3, in main',
        "  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)",
        "  +-+---------------- 1 ----------------",
        *inner,
        "    +------------------------------------",
    ]

    [record] = records_of("ERROR:    Exception in ASGI application", *group)

    assert (record.exception, record.headline) == ("KeyError", "KeyError: 'gift'")


def test_a_python_message_of_several_lines_belongs_to_its_exception() -> None:
    [record] = records_of(
        *PYTHON[:-1],
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings",
        "DATABASE_URL",
        "  Field required [type=missing, input_value={}, input_type=dict]",
        "    For further information visit https://errors.pydantic.dev/2.10/v/missing",
    )

    assert record.exception.endswith("ValidationError")
    assert "DATABASE_URL Field required" in record.headline


def test_a_message_of_several_lines_before_the_frames_belongs_to_its_exception() -> None:
    [record] = records_of(
        "PrismaClientInitializationError: ",
        "Invalid `prisma.user.findMany()` invocation:",
        "",
        "",
        "Can't reach database server at `db:5432`",
        "    at async main (/app/src/users.js:14:17) {",
        "  errorCode: 'P1001'",
        "}",
    )

    assert record.exception == "PrismaClientInitializationError"
    assert "Can't reach database server at `db:5432`" in record.headline


def test_a_text_without_frames_below_is_not_joined_with_an_error() -> None:
    records = records_of("ValueError: bad price", "cache warmed", "cache cold")

    assert [record.headline for record in records] == ["ValueError: bad price", "cache warmed", "cache cold"]


def test_the_properties_of_a_node_error_belong_to_it_however_many_they_are() -> None:
    properties = [f"    option{number}: undefined," for number in range(200)]

    [record] = records_of(
        "AxiosError: refused", "    at f (/app/a.js:1:1) {", "  config: {", *properties, "  }", "}"
    )

    assert len(record.lines) == 205


def test_a_cause_is_the_headline_of_a_node_error() -> None:
    [record] = records_of(
        "TypeError: fetch failed",
        "    at f (/app/a.js:1:1) {",
        "  [cause]: Error: getaddrinfo ENOTFOUND api.example.com",
        "      at g (node:dns:1:1)",
        "}",
    )

    assert record.headline == "Error: getaddrinfo ENOTFOUND api.example.com"


def test_lines_that_accompany_a_failure_keep_records_of_their_own() -> None:
    records = records_of(*NODE, "npm error code 1", "npm error command failed", "Aborted (core dumped)")

    assert [len(record.lines) for record in records] == [len(NODE), 1, 1, 1]


def test_a_trace_keeps_its_innermost_frames_however_long_it_is() -> None:
    outer = [f'  File "/opt/venv/site-packages/x.py", line {n}, in f\n    g()\n    ^^^' for n in range(2_000)]
    trace = ["Traceback (most recent call last):", *"\n".join(outer).split("\n"), *PYTHON[-3:]]

    [record] = records_of(*trace)

    assert (record.exception, record.lines[0]) == ("KeyError", trace[0])
    assert record.lines[-3:] == tuple(PYTHON[-3:])


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
    [record] = records_of(message)

    assert record.level == "error"
    assert frames(record.text)[0] == Frame("/app/shop/pricing.py", 5, "total")


def test_records_hold_the_text_as_it_was_logged() -> None:
    [record] = records_of('ERROR SECRET_KEY = os.environ["SECRET_KEY"] token=abcdef0123456789')

    assert 'os.environ["SECRET_KEY"] token=abcdef0123456789' in record.text


def test_a_private_key_that_is_printed_line_by_line_is_not_kept() -> None:
    body = [
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7",
        "c2VjcmV0IGtleSBib2R5IGxpbmUgdHdv",
        "aGVsbG8=",
    ]
    key = ["-----BEGIN PRIVATE KEY-----", *body, "-----END PRIVATE KEY-----"]
    noise = [f"INFO hello {number}" for number in range(5)]

    records = [
        *records_of("loading", *key, "done"),
        *records_of(*[line for pair in zip(key, noise, strict=True) for line in pair]),
    ]

    assert not [record.text for record in records if any(line in record.text for line in body)]
