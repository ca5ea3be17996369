"""JSON log lines are opened: level, message and stack trace, whatever the logger calls them."""

from __future__ import annotations

import json

import pytest

from tests.support.logs import log_lines
from workers.investigation.logs.json_lines import open_line
from workers.investigation.logs.log_records import build_log_records


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({"level": 50}, "error"),
        ({"level": 40}, "warning"),
        ({"level": 30}, "info"),
        ({"level": 60}, "error"),
        ({"level": 3, "version": "1.1"}, "error"),
        ({"level": 6}, "info"),
        ({"Severity": 3}, "error"),
        ({"Severity": 4}, "warning"),
        ({"level": 400, "level_name": "ERROR"}, "error"),
        ({"LogLevel": "Critical"}, "error"),
        ({"LogLevel": 2}, "info"),
        ({"@l": "Warning"}, "warning"),
        ({"log.level": "ERROR"}, "error"),
        ({"log": {"level": "error"}}, "error"),
        ({"levelname": "CRITICAL"}, "error"),
        ({"severityNumber": 17}, "error"),
        ({"severityNumber": 13}, "warning"),
        ({"t": 1, "s": "E", "c": "NETWORK"}, "error"),
        ({"level": "-"}, ""),
        ({"lvl": "dbug"}, "debug"),
        ({}, ""),
    ],
)
def test_the_level_is_read_from_the_fields_and_numbers_of_each_logger(
    fields: dict[str, object], level: str
) -> None:
    assert open_line(json.dumps({**fields, "message": "charge declined"})).level == level


@pytest.mark.parametrize("key", ["message", "msg", "event", "Message", "short_message", "@m", "@mt", "body"])
def test_the_message_is_read_from_the_field_of_each_logger(key: str) -> None:
    assert open_line(json.dumps({key: "charge declined", "level": "info"})).text == "charge declined"


def test_further_fields_of_an_error_stand_behind_the_message() -> None:
    line = {
        "level": "error",
        "msg": "declined",
        "status": 422,
        "request": {"url": "https://api.example.com/v1"},
    }

    assert open_line(json.dumps(line)).text == "declined\nstatus=422 request.url=https://api.example.com/v1"


def test_the_fields_of_a_quiet_line_stay_if_they_tell_of_trouble() -> None:
    refused = {"level": "info", "msg": "request", "errors": [{"field": "email", "type": "missing"}]}
    served = {"level": "info", "msg": "request", "path": "/orders"}

    assert open_line(json.dumps(refused)).text == "request\nerrors.0.field=email errors.0.type=missing"
    assert open_line(json.dumps(served)).text == "request"


def test_an_error_without_a_stack_is_named_with_its_message() -> None:
    line = json.dumps(
        {"level": "error", "msg": "failed", "err": {"type": "TypeError", "message": "x is undefined"}}
    )

    [record] = build_log_records(log_lines(line, level="info"))

    assert "TypeError: x is undefined" in record.text


def test_json_without_a_message_stays_as_it_is() -> None:
    assert open_line('{"a": 1}').text == '{"a": 1}'
    assert open_line('{"a": ').text == '{"a": '
    assert open_line("[1, 2]").text == "[1, 2]"
