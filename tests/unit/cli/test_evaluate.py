"""The public format: a line in, a line out; what is missing is unknown, what is wrong is named, the rest goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workers.cli.evaluation import evaluate_line, evaluate_lines
from workers.cli.window_format import read_line
from workers.errors import InvalidWindow

END = "2026-11-20T12:00:00Z"
ROOT = Path(__file__).parents[3]


def asked(**fields: Any) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(evaluate_line(json.dumps({"service": "api", "end": END, **fields})))
    return said


def test_a_line_with_a_name_and_an_end_alone_is_judged() -> None:
    said = asked()

    assert said == {
        "service": "api", "sick": False, "findings": [],
        "summary": {"at": "2026-11-20T12:00:00Z", "minutes": 30.0},
    }  # fmt: skip


def test_a_sick_window_is_answered_with_its_findings() -> None:
    said = asked(cpu=[0.2] * 15 + [1.95] * 15, cpu_limit=2)

    [found] = said["findings"]
    assert said["sick"] and said["summary"]["sick"] == ["cpu"]
    assert (found["kind"], found["severity"], found["since"]) == ("cpu", "critical", "2026-11-20T11:45:00Z")
    assert found["ongoing"] and found["numbers"]["minutes"] == 15 and found["sentence"]


def test_the_summary_of_one_window_is_the_past_of_the_next() -> None:
    calm = asked(
        cpu=[0.2] * 30, cpu_limit=8, http={"requests": [50] * 30, "2xx": [50] * 30, "p95": [40] * 30}
    )
    past = [{key: value for key, value in calm["summary"].items() if key != "at"}] * 12

    slow = asked(http={"requests": [50] * 30, "2xx": [50] * 30, "p95": [400] * 30}, past=past)

    assert calm["summary"]["p95_median"] == 40 and calm["summary"]["requests"] == 1500
    assert slow["findings"][0]["numbers"]["baseline_ms"] == 40 and slow["sick"]


def test_earlier_windows_may_be_given_whole() -> None:
    http = {"requests": [50] * 30, "2xx": [50] * 30, "p95": [40] * 30}
    past = [{"end": f"2026-11-20T0{hour}:00:00Z", "http": http} for hour in range(4, 10)]

    survey, known = read_line(json.dumps({"service": "api", "end": END, "past": past}))

    assert [one.requests for one in known["api"]] == [1500.0] * 6
    assert survey.window.minutes == 30


def test_series_are_the_sum_of_the_replicas_and_limits_are_those_of_one() -> None:
    three = asked(cpu=[1.5] * 30, cpu_limit=1, replicas=3)
    one = asked(cpu=[1.5] * 30, cpu_limit=1)

    assert not three["sick"] and three["summary"]["cpu_mean"] == 0.5
    assert one["sick"]


def test_counts_that_are_missing_follow_from_the_others() -> None:
    survey, _ = read_line(
        json.dumps({"service": "api", "end": END, "http": {"requests": [10, 10], "5xx": [1, 4]}})
    )

    assert [(one.requests, one.ok, one.server_errors) for one in survey.services[0].traffic] == [
        (10, 9, 1), (10, 6, 4)
    ]  # fmt: skip


def test_a_missing_sample_is_unknown_and_not_zero() -> None:
    said = asked(cpu=[None] * 10 + [0.5] * 20, cpu_limit=1)

    assert said["summary"]["cpu_mean"] == 0.5 and said["summary"]["minutes"] == 30


def test_a_project_is_one_line_with_its_likeliest_cause_first() -> None:
    failing = {"requests": [50] * 30, "5xx": [0] * 10 + [20] * 20}
    services = [{"service": name, "end": END, "http": failing} for name in ("web", "api")]
    calm = {"service": "docs", "end": END}

    said = json.loads(evaluate_line(json.dumps({"services": [*services, calm], "calls": [["web", "api"]]})))

    assert [one["sick"] for one in said["services"]] == [True, True, False]
    assert said["cause"] == ["api", "web"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ('"end": "yesterday"', "end"),
        ('"cpu": [0.1, "much"]', "cpu.1"),
        ('"memory": [NaN]', "memory.0"),
        ('"cpu": [-1]', "cpu.0"),
        ('"step_seconds": 0', "step_seconds"),
        ('"replicas": 0', "replicas"),
        ('"http": {"requests": [1], "5xx": [1, 2]}', "5xx has 2"),
        ('"events": [{"kind": "died", "at": "2026-11-20T12:00:00Z"}]', "events.0.kind"),
        ('"past": [{"cpu_mean": 1}, {"cpu_mean": "a"}]', "past.1.cpu_mean"),
    ],
)
def test_what_is_wrong_in_a_service_is_named(fields: str, named: str) -> None:
    with pytest.raises(InvalidWindow) as error:
        evaluate_line(f'{{"service": "api", "end": "{END}", {fields}}}')

    assert named in str(error.value)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("nonsense", "Invalid JSON"),
        ("[]", "object"),
        ("{}", "service"),
        ('{"service": "api"}', "end"),
        ('{"services": []}', "services"),
        (f'{{"services": [{{"service": "a", "end": "{END}", "past": [{{"disk": []}}]}}]}}', "services.0.past.0.disk"),
        (f'{{"services": [{{"service": "a", "end": "{END}"}}], "calls": [["a", "b"]]}}', "no service 'b'"),
        (f'{{"services": [{{"service": "a", "end": "{END}"}}, {{"service": "a", "end": "{END}"}}]}}', "twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_line_is_named(line: str, named: str) -> None:
    with pytest.raises(InvalidWindow) as error:
        evaluate_line(line)

    assert named in str(error.value)


def test_a_bad_line_says_its_number_and_the_others_are_judged() -> None:
    good = json.dumps({"service": "api", "end": END}).encode()

    said = list(evaluate_lines([good, b"\n", b"\xff\xfe", good]))

    assert [one.is_valid for one in said] == [True, False, True]
    assert json.loads(said[1].text)["line"] == 3


def judge(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workers", "evaluate", *arguments],
        input=given, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command_reads_standard_input_and_prints_a_line_each(tmp_path: Path) -> None:
    line = json.dumps({"service": "api", "end": END, "cpu": [2.0] * 30, "cpu_limit": 2})
    file = tmp_path / "windows.jsonl"
    file.write_text(f"{line}\n{line}\n")

    piped, named = judge("-", given=line), judge(str(file))

    assert piped.returncode == named.returncode == 0
    assert piped.stdout * 2 == named.stdout and json.loads(piped.stdout)["sick"]


def test_the_command_fails_in_words_where_it_cannot_read() -> None:
    missing, bad = judge("no-such-file"), judge("-", given="nonsense")

    assert missing.returncode == 1 and "no-such-file" in missing.stderr and "Traceback" not in missing.stderr
    assert bad.returncode == 1 and json.loads(bad.stdout)["line"] == 1 and "1 line could not" in bad.stderr


def test_no_numeric_library_is_needed_to_judge() -> None:
    libraries = {"numpy", "scipy", "pandas", "dramatiq", "redis"}
    code = f"import sys, workers.cli.evaluation; print({libraries} & set(sys.modules))"

    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )  # fmt: skip

    assert run.stdout.strip() == "set()"


def test_services_of_a_project_are_judged_each_in_its_own_window() -> None:
    http = {"requests": [50] * 30, "2xx": [50] * 30, "p95": [40] * 30}
    past = [{"requests": 1500, "ok": 1500, "5xx": 0, "p95_median": 40, "p95_high": 50}] * 12
    older = {"service": "old", "end": "2026-11-20T10:00:00Z", "http": http, "past": past}
    newer = {"service": "new", "end": END, "http": http, "past": past}

    said = json.loads(evaluate_line(json.dumps({"services": [older, newer]})))

    assert [one["findings"] for one in said["services"]] == [[], []]
