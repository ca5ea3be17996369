"""The public window format: missing data is unknown, errors name the field, and other lines are still evaluated."""

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


def evaluated(**fields: Any) -> dict[str, Any]:
    """The answer to a line about the service `api`."""
    answer: dict[str, Any] = json.loads(evaluate_line(json.dumps({"service": "api", "end": END, **fields})))
    return answer


def test_a_line_needs_only_a_name_and_an_end() -> None:
    answer = evaluated()

    assert answer == {
        "service": "api", "sick": False, "findings": [],
        "summary": {"at": "2026-11-20T12:00:00Z", "minutes": 30.0},
    }  # fmt: skip


def test_the_answer_to_a_failing_window_has_its_findings() -> None:
    answer = evaluated(cpu=[0.2] * 15 + [1.95] * 15, cpu_limit=2)

    [finding] = answer["findings"]
    assert answer["sick"] and answer["summary"]["sick"] == ["cpu"]
    assert (finding["kind"], finding["severity"], finding["since"]) == (
        "cpu",
        "critical",
        "2026-11-20T11:45:00Z",
    )
    assert finding["ongoing"] and finding["numbers"]["minutes"] == 15 and finding["sentence"]


def test_the_summary_of_a_window_is_valid_history_of_the_next() -> None:
    calm = evaluated(
        cpu=[0.2] * 30, cpu_limit=8, http={"requests": [50] * 30, "2xx": [50] * 30, "p95": [40] * 30}
    )
    past = [{key: value for key, value in calm["summary"].items() if key != "at"}] * 12

    slow = evaluated(http={"requests": [50] * 30, "2xx": [50] * 30, "p95": [400] * 30}, past=past)

    assert calm["summary"]["p95_median"] == 40 and calm["summary"]["requests"] == 1500
    assert slow["findings"][0]["numbers"]["baseline_ms"] == 40 and slow["sick"]


def test_the_history_may_contain_whole_windows() -> None:
    http = {"requests": [50] * 30, "2xx": [50] * 30, "p95": [40] * 30}
    past = [{"end": f"2026-11-20T0{hour}:00:00Z", "http": http} for hour in range(4, 10)]

    survey, history = read_line(json.dumps({"service": "api", "end": END, "past": past}))

    assert [summary.requests for summary in history["api"]] == [1500.0] * 6
    assert survey.window.minutes == 30


def test_series_are_the_sum_of_the_replicas_and_limits_are_those_of_one() -> None:
    three = evaluated(cpu=[1.5] * 30, cpu_limit=1, replicas=3)
    single = evaluated(cpu=[1.5] * 30, cpu_limit=1)

    assert not three["sick"] and three["summary"]["cpu_mean"] == 0.5
    assert single["sick"]


def test_missing_counts_are_derived_from_the_others() -> None:
    survey, _ = read_line(
        json.dumps({"service": "api", "end": END, "http": {"requests": [10, 10], "5xx": [1, 4]}})
    )

    assert [(minute.requests, minute.ok, minute.server_errors) for minute in survey.services[0].traffic] == [
        (10, 9, 1), (10, 6, 4)
    ]  # fmt: skip


def test_a_missing_sample_is_unknown_and_not_zero() -> None:
    answer = evaluated(cpu=[None] * 10 + [0.5] * 20, cpu_limit=1)

    assert answer["summary"]["cpu_mean"] == 0.5 and answer["summary"]["minutes"] == 30


def test_the_answer_to_a_project_lists_the_likeliest_cause_first() -> None:
    failing = {"requests": [50] * 30, "5xx": [0] * 10 + [20] * 20}
    services = [{"service": name, "end": END, "http": failing} for name in ("web", "api")]
    calm = {"service": "docs", "end": END}

    answer = json.loads(evaluate_line(json.dumps({"services": [*services, calm], "calls": [["web", "api"]]})))

    assert [service["sick"] for service in answer["services"]] == [True, True, False]
    assert answer["cause"] == ["api", "web"]


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
        ('"events": [{"kind": "exploded", "at": "2026-11-20T12:00:00Z"}]', "events.0.kind"),
        ('"past": [{"cpu_mean": 1}, {"cpu_mean": "a"}]', "past.1.cpu_mean"),
    ],
)
def test_an_error_in_a_service_names_the_field(fields: str, named: str) -> None:
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
def test_an_error_in_a_line_names_the_field(line: str, named: str) -> None:
    with pytest.raises(InvalidWindow) as error:
        evaluate_line(line)

    assert named in str(error.value)


def test_an_invalid_line_gives_its_number_and_the_others_are_evaluated() -> None:
    good = json.dumps({"service": "api", "end": END}).encode()

    output = list(evaluate_lines([good, b"\n", b"\xff\xfe", good]))

    assert [line.is_valid for line in output] == [True, False, True]
    assert json.loads(output[1].text)["line"] == 3


def run_command(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workers", "evaluate", *arguments],
        input=text, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command_reads_a_file_or_standard_input(tmp_path: Path) -> None:
    line = json.dumps({"service": "api", "end": END, "cpu": [2.0] * 30, "cpu_limit": 2})
    file = tmp_path / "windows.jsonl"
    file.write_text(f"{line}\n{line}\n")

    piped, named = run_command("-", text=line), run_command(str(file))

    assert piped.returncode == named.returncode == 0
    assert piped.stdout * 2 == named.stdout and json.loads(piped.stdout)["sick"]


def test_the_command_reports_missing_files_and_invalid_lines() -> None:
    missing, bad = run_command("no-such-file"), run_command("-", text="nonsense")

    assert missing.returncode == 1 and "no-such-file" in missing.stderr and "Traceback" not in missing.stderr
    assert bad.returncode == 1 and json.loads(bad.stdout)["line"] == 1 and "1 line could not" in bad.stderr


def test_detection_needs_no_numeric_library() -> None:
    libraries = {"numpy", "scipy", "pandas", "dramatiq", "redis"}
    code = f"import sys, workers.cli.evaluation; print({libraries} & set(sys.modules))"

    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )  # fmt: skip

    assert run.stdout.strip() == "set()"


def test_each_service_of_a_project_is_evaluated_in_its_own_window() -> None:
    http = {"requests": [50] * 30, "2xx": [50] * 30, "p95": [40] * 30}
    past = [{"requests": 1500, "ok": 1500, "5xx": 0, "p95_median": 40, "p95_high": 50}] * 12
    older = {"service": "old", "end": "2026-11-20T10:00:00Z", "http": http, "past": past}
    newer = {"service": "new", "end": END, "http": http, "past": past}

    answer = json.loads(evaluate_line(json.dumps({"services": [older, newer]})))

    assert [service["findings"] for service in answer["services"]] == [[], []]
