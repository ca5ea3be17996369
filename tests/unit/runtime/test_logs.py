"""No log line holds a secret or a hidden character, on a terminal as in JSON."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from workers.runtime import logs
from workers.runtime.characters import visible
from workers.runtime.logs import _JsonFormatter, _TextFormatter

HOSTILE = "a\x1b[31m\u202e\n12:00:00 worker forged password=hunter2Q"


def hostile_record() -> logging.LogRecord:
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        facts = {
            "name_of": HOSTILE,
            "nested": {"list": [HOSTILE, {HOSTILE: 1}]},
            "error": ValueError(HOSTILE),
            "count": 3,
        }
        record = logging.LogRecord(
            "trackwalker", logging.ERROR, "", 0, "failed %s", (HOSTILE,), sys.exc_info()
        )
        record.__dict__.update(facts)
        return record


def test_a_json_line_is_clean_at_any_depth() -> None:
    line = _JsonFormatter("worker").format(hostile_record())

    values = json.loads(line)
    assert values["count"] == 3
    assert values["nested"]["list"][0] == "a\n12:00:00 worker forged password=[redacted]"
    assert "hunter2Q" not in line
    assert visible(json.dumps(values, ensure_ascii=False)) == json.dumps(values, ensure_ascii=False)


def test_a_terminal_line_stays_one_line_and_an_exception_is_indented() -> None:
    text = _TextFormatter("worker").format(hostile_record())

    first, *others = text.split("\n")
    assert "hunter2Q" not in text
    assert visible(text) == text
    assert "forged" in first
    assert all(line.startswith(logs.INDENT) for line in others)


@pytest.mark.parametrize("formatter", [_JsonFormatter, _TextFormatter])
def test_ordinary_facts_stay_as_they_are(formatter: type[logging.Formatter]) -> None:
    record = logging.LogRecord("trackwalker", logging.INFO, "", 0, "stage ended", (), None)
    record.__dict__.update({"journal": "incident:3f9c2a:20261123T0304", "seconds": 0.4})

    line = formatter("worker").format(record)

    assert "incident:3f9c2a:20261123T0304" in line and "0.4" in line
