"""`init` on a real terminal and in a pipe, beside stand-ins for Railway, Slack, GitHub and the model's provider."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.doctor_mistakes import SetUp, set_up
from tests.support.newcomer import answer_all, environ_without_values
from tests.support.terminal import CTRL_C, CTRL_D, Terminal, on_terminal
from workers.runtime.dotenv_file import read_dotenv

ROOT = Path(__file__).parents[3]
MINE = "# mine\nEDITOR = vi\n"


@pytest.fixture(scope="module")
def shared() -> Iterator[SetUp]:
    """The stand-ins, which start once for all tests of this file."""
    with set_up() as here:
        yield here


@pytest.fixture
def here(shared: SetUp, tmp_path: Path) -> SetUp:
    """The stand-ins, and a project folder with a `.env` of the person."""
    (tmp_path / ".env").write_text(MINE)
    shared.folder = tmp_path
    shared.railway.rules.rows.clear()
    return shared


@contextmanager
def init(here: SetUp, *options: str, **environ: str) -> Iterator[Terminal]:
    """`init` on a terminal."""
    command = [sys.executable, "-m", "workers", "init", "--no-lookback", *options]
    variables = environ_without_values(here) | {"PYTHONPATH": str(ROOT)} | environ
    with on_terminal(command, here.folder, variables) as terminal:
        yield terminal


def in_pipe(here: SetUp, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`init` without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "workers", "init", "--no-lookback", *options],
        cwd=here.folder, env=environ_without_values(here) | {"PYTHONPATH": str(ROOT)} | environ,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def dotenv(here: SetUp) -> dict[str, str]:
    return read_dotenv(here.folder / ".env").values


def values_of(here: SetUp, *names: str) -> dict[str, str]:
    return {name: here.environ[name] for name in names}


def test_five_values_make_a_complete_set_up(here: SetUp) -> None:
    with init(here) as terminal:
        answer_all(terminal, here.environ)
        terminal.expect("Register the webhook in Railway").type("y")
        code = terminal.wait()

    assert code == 0
    assert len(terminal.typed) - 1 <= 5
    assert dotenv(here) | {"TRACKWALKER_SECRET": ""} == {
        "EDITOR": "vi", "TRACKWALKER_SECRET": "", "SLACK_CHANNEL": "on-call",
        **values_of(here, "RAILWAY_API_TOKEN", "TRACKWALKER_ENVIRONMENTS", "SLACK_BOT_TOKEN", "GITHUB_TOKEN"),
        **values_of(here, "TRACKWALKER_MODEL", "ANTHROPIC_API_KEY"),
    }  # fmt: skip
    assert [row["projectId"] for row in here.railway.rules.rows] == ["prj-1"]
    assert (here.folder / ".env").stat().st_mode & 0o777 == 0o600
    assert (here.folder / ".env").read_text().startswith(MINE)
    secrets = values_of(here, "RAILWAY_API_TOKEN", "SLACK_BOT_TOKEN", "GITHUB_TOKEN", "ANTHROPIC_API_KEY")
    assert [name for name, value in secrets.items() if value in terminal.shown] == []


def test_each_wrong_value_is_explained_and_asked_for_again(here: SetUp) -> None:
    with init(here) as terminal:
        terminal.expect("Railway token (hidden)").type("wrong")
        terminal.expect("RAILWAY_API_TOKEN is wrong").expect("(hidden)").type(here.railway.token)
        terminal.expect("Which to watch?").type("7")
        terminal.expect("enter a number from 1 to 2").expect("Which to watch?").type("1")
        terminal.expect("(hidden)").type("xoxb-wrong")
        terminal.expect("SLACK_BOT_TOKEN is wrong").expect("(hidden)").type(here.slack.token)
        terminal.expect("GitHub token (hidden)").type("ghp_wrong")
        terminal.expect("GITHUB_TOKEN is wrong").expect("(hidden)").type(here.github.token)
        terminal.expect("API key").type("sk-ant-wrong")
        terminal.expect("refuses the key").expect("(hidden)").type(here.provider.key)
        terminal.expect("Model, as provider/model").type("")
        terminal.expect("[y/N]").type("")
        code = terminal.wait()

    assert code == 0
    assert "wrong" not in (here.folder / ".env").read_text()


def test_after_a_misspelt_model_only_the_model_is_typed_again(here: SetUp) -> None:
    with init(here) as terminal:
        terminal.expect("(hidden)").type(here.railway.token)
        terminal.expect("Which to watch?").type("1")
        terminal.expect("Slack bot token").type("")
        terminal.expect("GitHub token").type("")
        terminal.expect("API key").type("sk-ant-wrong")
        terminal.expect("refuses the key").expect("(hidden)").type(here.provider.key)
        terminal.expect("Model, as provider/model").type("anthropic/claude-sonet-4-5")
        terminal.expect("closest: anthropic/claude-sonnet-4-5")
        terminal.expect("or another model as provider/model").type("anthropic/claude-sonnet-4-5")
        terminal.expect("answered in").expect("[y/N]").type("")
        terminal.wait()

    assert dotenv(here)["TRACKWALKER_MODEL"] == "anthropic/claude-sonnet-4-5"


def test_a_pasted_line_is_taken_for_its_value(here: SetUp) -> None:
    with init(here) as terminal:
        terminal.expect("(hidden)").type(f"  export RAILWAY_API_TOKEN='{here.railway.token}' ")
        terminal.expect("Which to watch?").type("Acme/Production")
        terminal.expect("Slack bot token").press(CTRL_D)
        terminal.wait()

    assert dotenv(here)["RAILWAY_API_TOKEN"] == here.railway.token
    assert dotenv(here)["TRACKWALKER_ENVIRONMENTS"] == "prj-1/env-1"


def test_a_project_token_is_recognised_and_names_its_environment(here: SetUp) -> None:
    with init(here) as terminal:
        terminal.expect("(hidden)").type(str(here.railway.project_token))
        terminal.expect("acme / production").expect("Slack bot token").press(CTRL_D)
        terminal.wait()

    assert dotenv(here)["RAILWAY_TOKEN"] == here.railway.project_token
    assert "RAILWAY_API_TOKEN" not in dotenv(here)


def test_ctrl_c_keeps_what_was_accepted_and_the_next_run_goes_on(here: SetUp) -> None:
    with init(here) as terminal:
        terminal.expect("(hidden)").type(here.railway.token)
        terminal.expect("Which to watch?").type("1")
        terminal.expect("Slack bot token").press(CTRL_C)
        code, echoes = terminal.wait(), terminal.echoes
    saved = dotenv(here)
    with init(here) as again:
        again.expect("3 services").expect("Slack bot token").press(CTRL_C)
        again.wait()

    assert (code, echoes) == (130, True)
    assert saved["TRACKWALKER_ENVIRONMENTS"] == "prj-1/env-1"
    assert "Saved in" in terminal.shown
    assert dotenv(here) == saved


def test_every_question_can_be_skipped(here: SetUp) -> None:
    with init(here) as terminal:
        for _ in range(4):
            terminal.expect("(hidden)").type("")
        code = terminal.wait()

    assert code == 1  # nothing is watched
    assert set(dotenv(here)) == {"EDITOR", "TRACKWALKER_SECRET"}
    assert "GitHub: skipped, so no code is read" in terminal.shown


def test_a_refused_value_can_be_kept(here: SetUp) -> None:
    values = values_of(
        here, "RAILWAY_API_TOKEN", "TRACKWALKER_ENVIRONMENTS", "SLACK_BOT_TOKEN", "SLACK_CHANNEL"
    )
    with init(here, **values) as terminal:
        terminal.expect("GitHub token (hidden)").type("ghp_wrong")
        terminal.expect("k to keep").expect("(hidden)").type("k")
        terminal.expect("API key").press(CTRL_C)
        terminal.wait()

    assert dotenv(here)["GITHUB_TOKEN"] == "ghp_wrong"


def test_in_a_pipe_the_values_come_from_the_environment(here: SetUp) -> None:
    values = values_of(here, "RAILWAY_API_TOKEN", "SLACK_BOT_TOKEN", "GITHUB_TOKEN", "ANTHROPIC_API_KEY")

    finished = in_pipe(
        here, "--yes", "--set", "TRACKWALKER_ENVIRONMENTS=acme/production",
        "--set", "TRACKWALKER_MODEL=anthropic/claude-sonnet-4-5", **values,
    )  # fmt: skip

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert dotenv(here)["TRACKWALKER_ENVIRONMENTS"] == "prj-1/env-1"
    assert dotenv(here)["SLACK_CHANNEL"] == "on-call"
    assert len(here.railway.rules.rows) == 1
    assert "\x1b" not in finished.stdout


def test_in_a_pipe_a_wrong_value_is_not_written(here: SetUp) -> None:
    finished = in_pipe(here, RAILWAY_API_TOKEN="wrong", SLACK_BOT_TOKEN=here.slack.token)

    assert finished.returncode == 1
    assert "RAILWAY_API_TOKEN is wrong" in finished.stdout
    assert "RAILWAY_API_TOKEN" not in dotenv(here)
    assert dotenv(here)["SLACK_BOT_TOKEN"] == here.slack.token


def test_in_a_pipe_several_environments_are_listed_to_choose_from(here: SetUp) -> None:
    finished = in_pipe(here, RAILWAY_API_TOKEN=here.railway.token)

    assert finished.returncode == 1
    assert "TRACKWALKER_ENVIRONMENTS=prj-1/env-1" in finished.stdout


def test_a_file_that_cannot_be_read_is_named_and_not_touched(here: SetUp) -> None:
    content = "A=1\n".encode("utf-16")
    (here.folder / ".env").write_bytes(content)

    finished = in_pipe(here, RAILWAY_API_TOKEN=here.railway.token)

    assert finished.returncode == 1
    assert ".env" in finished.stderr
    assert (here.folder / ".env").read_bytes() == content
