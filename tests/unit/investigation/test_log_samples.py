"""A long record is cut so that the exception, the innermost frames and the first line stay."""

from __future__ import annotations

from tests.support.logs import log_lines
from workers.investigation.logs.log_patterns import sample_text
from workers.investigation.logs.log_records import LogRecord, build_log_records

LIMIT = 1_500


def record_of(*lines: str) -> LogRecord:
    [record] = build_log_records(log_lines(*lines, gap=0.001))
    return record


def test_a_short_record_is_whole() -> None:
    assert sample_text(record_of("ValueError: bad price"), LIMIT) == "ValueError: bad price"


def test_the_innermost_frames_of_python_stand_above_the_exception() -> None:
    outer = [f'  File "/opt/venv/site-packages/x.py", line {number}, in call' for number in range(100)]
    own = ['  File "/app/shop/pricing.py", line 5, in total', "    return 1"]
    record = record_of(
        "ERROR:    failed", "Traceback (most recent call last):", *outer, *own, "KeyError: 'gift'"
    )

    sample = sample_text(record, LIMIT).split("\n")

    assert (sample[0], sample[-3:]) == ("ERROR:    failed", [*own, "KeyError: 'gift'"])
    assert len("\n".join(sample)) <= LIMIT
    assert any("lines cut" in line for line in sample)


def test_the_innermost_frames_of_node_stand_below_the_exception() -> None:
    frames = [f"    at f{number} (/app/src/a.js:{number}:1)" for number in range(200)]

    sample = sample_text(record_of("TypeError: x is undefined", *frames), LIMIT).split("\n")

    assert sample[:3] == ["TypeError: x is undefined", *frames[:2]]


def test_the_root_cause_of_java_keeps_most_frames_and_each_exception_its_name() -> None:
    def frames(name: str) -> list[str]:
        return [f"\tat com.acme.{name}.call({name}.java:{number})" for number in range(80)]

    record = record_of(
        "org.acme.WrapperException: outer", *frames("Wrapper"),
        "Caused by: java.net.UnknownHostException: db", *frames("Shop"),
    )  # fmt: skip

    sample = sample_text(record, LIMIT)

    assert "WrapperException: outer" in sample and "UnknownHostException: db" in sample
    assert sample.count("Shop.java") > sample.count("Wrapper.java")


def test_a_long_line_keeps_its_beginning_and_its_end() -> None:
    sample = sample_text(record_of("ERROR begin " + "x" * 90_000 + " end"), LIMIT)

    assert sample.startswith("ERROR begin") and sample.endswith(" end")
    assert len(sample) <= LIMIT


def test_a_sample_is_redacted_before_it_is_cut() -> None:
    secret = "sk-live0123456789abcdefghijklmnop"

    sample = sample_text(record_of(f"ERROR {'x' * 480} {secret} {'y' * 90_000}"), LIMIT)

    assert secret[:12] not in sample
