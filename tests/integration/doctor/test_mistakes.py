"""Each mistake of a set-up is named with its repair; a set-up without one passes; no secret is shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.doctor_mistakes import MISTAKES, Mistake, SetUp, is_named, made, set_up
from workers.doctor import report_lines
from workers.models.check_results import CheckStatus

ROOT = Path(__file__).parents[3]
SECRETS = (
    "SLACK_BOT_TOKEN",
    "GITHUB_TOKEN",
    "RAILWAY_API_TOKEN",
    "ANTHROPIC_API_KEY",
    "SLACK_SIGNING_SECRET",
)


@pytest.fixture(scope="module")
def here() -> Iterator[SetUp]:
    with set_up() as running:
        yield running


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_named_with_its_repair(here: SetUp, mistake: Mistake) -> None:
    with made(mistake, here):
        report = here.examine(mistake.area)

    lines = report_lines.render(report)
    assert is_named(mistake, report), "\n".join(lines)
    assert (
        max(len(line) for line in lines if "TRACKWALKER_ENVIRONMENTS=" not in line)
        <= report_lines.MAX_COLUMNS
    )
    assert "redacted" not in "\n".join(lines)


def test_a_set_up_without_a_mistake_passes_and_shows_no_secret(here: SetUp) -> None:
    report = here.examine(post_test=True)

    text = "\n".join(report_lines.render(report))
    # Whether a sandbox can be built, and which opencode is there, depends on the machine that runs the test.
    problems = [result for result in report.problems if result.area not in ("Sandbox", "Programs")]
    assert problems == [], text
    assert {"Railway", "GitHub", "Slack", "Model", "Redis", "Webhook", "Public address"} <= {
        result.area for result in report.results if result.status is CheckStatus.OK
    }
    assert report.seconds < 20
    assert not [name for name in SECRETS if here.environ[name] in text]
    assert here.slack.texts == [
        "Trackwalker is connected to this channel. This is the test message of `trackwalker doctor --post`."
    ]
    assert here.github.pulls == []


def test_the_quick_half_changes_nothing_and_asks_the_model_for_no_token(here: SetUp) -> None:
    posts, calls = len(here.slack.bodies), len(here.github.calls)
    here.provider.calls.clear()

    report = here.examine(is_quick=True)

    assert [result for result in report.problems if result.area != "Programs"] == []
    assert report.seconds <= 3.5
    assert len(here.slack.bodies) == posts
    assert {method for method, _ in here.github.calls[calls:]} == {"GET"}
    assert here.provider.calls == ["/v1/models"]


def test_a_service_that_hangs_delays_no_other_check(here: SetUp) -> None:
    here.railway.faults.add("hang", times=100)
    here.slack.faults.add("hang", times=100)
    try:
        report = here.examine(is_quick=True)
    finally:
        here.railway.faults.clear()
        here.slack.faults.clear()

    by_area = {result.area: result.status for result in report.results}
    assert report.seconds <= 4.5
    assert (by_area["Railway"], by_area["Slack"]) == (CheckStatus.WARNING, CheckStatus.WARNING)
    assert (by_area["Redis"], by_area["Model"]) == (CheckStatus.OK, CheckStatus.OK)


def test_the_command_prints_text_or_json_and_its_exit_code(here: SetUp) -> None:
    environ = {**here.environ, "PYTHONPATH": str(ROOT), "HOME": str(here.folder), "PATH": os.environ["PATH"]}

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "workers", "doctor", *arguments]
        return subprocess.run(
            command, cwd=here.folder, env=environ | settings, capture_output=True, text=True, check=False
        )

    good = run("--only", "railway", "--json")
    bad = run("--only", "slack", SLACK_BOT_TOKEN="xoxb-wrong")

    report = json.loads(good.stdout)
    assert (good.returncode, report["exit_code"], good.stderr) == (0, 0, "")
    assert {result["area"] for result in report["results"]} == {"Railway"}
    assert bad.returncode == 2
    assert "Slack           ✗ SLACK_BOT_TOKEN is wrong (invalid_auth)" in bad.stdout
    assert "\x1b" not in bad.stdout
    assert "xoxb-wrong" not in bad.stdout + bad.stderr
