"""A newcomer who sets the product up, all values at hand; `python -m tests.support.newcomer` prints the time."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.doctor_mistakes import SetUp, set_up
from tests.support.terminal import Terminal, on_terminal
from workers.runtime.dotenv_file import read_dotenv

ROOT = Path(__file__).parents[2]
SETUP_SECONDS = 600.0  # upper bound for `make setup`, which downloads the packages
VALUES = (
    "RAILWAY_API_TOKEN", "TRACKWALKER_ENVIRONMENTS", "SLACK_BOT_TOKEN", "SLACK_CHANNEL", "SLACK_SIGNING_SECRET",
    "GITHUB_TOKEN", "TRACKWALKER_MODEL", "ANTHROPIC_API_KEY", "TRACKWALKER_SECRET",
)  # fmt: skip
"""The settings that a newcomer does not have yet. All others name the stand-ins."""


def environ_without_values(here: SetUp) -> dict[str, str]:
    """The environment of a newcomer beside the stand-ins."""
    return {name: value for name, value in here.environ.items() if name not in VALUES}


def answer_all(terminal: Terminal, values: Mapping[str, str]) -> None:
    """Give each value, and nothing that is not asked."""
    terminal.expect("Railway token").type(values["RAILWAY_API_TOKEN"])
    terminal.expect("Which to watch?").type("acme/production")
    terminal.expect("Slack bot token").type(values["SLACK_BOT_TOKEN"])
    terminal.expect("GitHub token").type(values["GITHUB_TOKEN"])
    terminal.expect("API key").type(values["ANTHROPIC_API_KEY"])


def timed_init() -> tuple[int, float]:
    """The number of values that were asked for, and the seconds from `git clone` to a set-up that `doctor` accepts."""
    with tempfile.TemporaryDirectory() as folder, set_up() as here:
        checkout = Path(folder) / "trackwalker"
        began = time.monotonic()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(checkout)], check=True)
        subprocess.run(
            ["make", "--silent", "setup"], cwd=checkout, check=True, timeout=SETUP_SECONDS, stdout=sys.stderr
        )
        command = [checkout / ".venv" / "bin" / "trackwalker"]
        environ = environ_without_values(here)
        with on_terminal([*command, "init"], checkout, environ) as terminal:
            answer_all(terminal, here.environ)
            terminal.expect("Register the webhook in Railway").type("y")
            terminal.expect("trackwalker doctor")
            assert terminal.wait() == 0, terminal.shown
            asked = len(terminal.typed) - 1  # the consent to the webhook is no value
        # The stand-in of the running installation has the secret that was made for it.
        here.receiver.secret = read_dotenv(checkout / ".env").values["TRACKWALKER_SECRET"]
        finished = subprocess.run([*command, "doctor"], cwd=checkout, env=environ, check=False, timeout=60)
        assert finished.returncode < 2, "doctor found an error"
        return asked, time.monotonic() - began


if __name__ == "__main__":
    count, seconds = timed_init()
    print(f"{count} values asked, {seconds:.1f} s from git clone to a verified set-up")
