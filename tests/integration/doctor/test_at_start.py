"""The checks beside a start are told in words, kept for the page, and prevent nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from tests.support.doctor_mistakes import set_up
from workers.engine.journal_store import JournalStore
from workers.engine.last_checks import read_report
from workers.runtime.settings import read
from workers.runtime.store import client
from workers.views import overview

ROOT = Path(__file__).parents[3]


def test_a_refused_token_and_a_wrong_channel_are_logged_and_shown_on_the_page() -> None:
    with set_up() as here:
        environ = {**here.environ, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        environ |= {"GITHUB_TOKEN": "wrong", "SLACK_CHANNEL": "#alerts"}
        command = [
            sys.executable,
            "-c",
            "from workers.doctor import at_start as s; s.SCREEN_SECONDS = s.FIRST_CHECK_SECONDS = 0; s.main()",
        ]

        run = subprocess.run(
            command, cwd=here.folder, env=environ, capture_output=True, text=True, check=True
        )

        lines = [json.loads(line) for line in run.stderr.splitlines()]
        failed = {line["area"]: line for line in lines if line["message"] == "check failed"}
        with client(environ["REDIS_URL"]) as connection:
            view = overview.read(JournalStore(connection), read(environ), datetime.now(UTC))
        warnings = "\n".join(view.warnings)
    assert "401 Bad credentials" in failed["GitHub"]["what"]
    assert "/invite @trackwalker" in failed["Slack"]["repair"]
    assert [line["mode"] for line in lines if line["message"] == "running"] == ["full"]
    assert (
        "GitHub: GITHUB_TOKEN is wrong, expired or revoked (401 Bad credentials) → create one at" in warnings
    )
    assert "Slack: the bot does not see a channel #alerts" in warnings


@pytest.mark.parametrize("raw", [b"no json", b'{"results": 1}'])
def test_a_report_of_another_version_counts_as_none(store: redis.Redis, raw: bytes) -> None:
    store.set("trackwalker2:doctor", raw)

    assert read_report(JournalStore(store)) is None
