"""One occurrence of an error is one record with its exception, in the formats of all common libraries."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.log_formats.json_errors import JSON_ERRORS
from tests.support.log_formats.jvm_records import FORMATS as JVM
from tests.support.log_formats.native_records import FORMATS as NATIVE
from tests.support.log_formats.record_format import RecordFormat
from tests.support.log_formats.script_records import FORMATS as SCRIPTS
from tests.support.logs import log_lines
from workers.investigation.logs.log_records import LogRecord, build_log_records

FORMATS = (*JVM, *SCRIPTS, *NATIVE)
LATER = timedelta(seconds=20)


def records_of(form: RecordFormat) -> list[LogRecord]:
    lines = form.text.removesuffix("\n").split("\n")
    return build_log_records(log_lines(*lines, level=form.stream, gap=0.001))


@pytest.mark.parametrize("form", FORMATS, ids=[form.name for form in FORMATS])
def test_the_lines_become_these_records(form: RecordFormat) -> None:
    records = records_of(form)

    assert [(record.level, record.exception) for record in records] == [
        (wanted.level, wanted.exception) for wanted in form.records
    ]
    for record, wanted in zip(records, form.records, strict=True):
        assert wanted.headline in record.headline
        assert wanted.lines in (0, len(record.lines))


@pytest.mark.parametrize("form", FORMATS, ids=[form.name for form in FORMATS])
def test_an_error_that_comes_again_is_a_record_of_its_own(form: RecordFormat) -> None:
    lines = form.text.removesuffix("\n").split("\n")
    once, again = (
        log_lines(*lines, level=form.stream, gap=0.001),
        log_lines(*lines, level=form.stream, gap=0.001),
    )
    later = [line.model_copy(update={"timestamp": line.timestamp + LATER}) for line in again]

    assert len(build_log_records([*once, *later])) == 2 * len(form.records)


@pytest.mark.parametrize(("exception", "line"), JSON_ERRORS)
def test_an_error_of_a_json_logger_is_one_record(exception: str, line: str) -> None:
    [record] = build_log_records(log_lines(line, level="info"))

    assert (record.level, record.exception) == ("error", exception)
