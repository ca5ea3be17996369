"""Real processes and a real SIGKILL: work resumes within 20 s, repeats one step at most, and notifies once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import redis

from tests.support.fakes import shop
from tests.support.fakes.github import FakeGitHub
from tests.support.fakes.railway import FakeRailway
from tests.support.fakes.serving import serve
from tests.support.fakes.slack import FakeSlack
from tests.support.polling import wait_until
from workers.runtime import embedded

ROOT = Path(__file__).parents[3]
MAX_RESUME_SECONDS = 20.0


@dataclass
class Installation:
    """`up` as a user runs it, beside fakes. Mode `report`, so the pipeline ends with a message in Slack."""

    process: subprocess.Popen[bytes]
    railway: FakeRailway
    slack: FakeSlack
    url: str
    state: Path

    def send(self) -> httpx.Response:
        body = {
            "type": "Monitor.triggered",
            "details": {},
            "resource": {
                "project": {"id": "prj-1"},
                "environment": {"id": "env-1", "name": "production"},
                "service": {"id": "svc-shop", "name": "shop"},
            },
            "timestamp": datetime.now(UTC).isoformat(),
        }
        headers = {"X-Trackwalker-Secret": "s3cret"}
        return httpx.post(f"{self.url}/hooks/railway", json=body, headers=headers, timeout=10)

    def children(self, text: str) -> list[int]:
        """The processes of this installation whose command line contains the text."""
        pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
        own = [pid for pid in pids if _state_of(pid) == str(self.state)]
        return [pid for pid in own if text.encode() in _read(pid, "cmdline")]

    def store(self) -> redis.Redis:
        return redis.Redis.from_url(str(embedded.address(self.state)))

    def outcomes(self) -> list[str]:
        return [message.text for message in self.slack.messages if "Trackwalker" not in message.text]


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""  # the process has just ended


def _state_of(pid: int) -> str:
    pairs = _read(pid, "environ").split(b"\0")
    values = dict(pair.split(b"=", 1) for pair in pairs if b"=" in pair)
    return values.get(b"TRACKWALKER_DATA_DIR", b"").decode()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with ExitStack() as stack:
        healthy, sick = shop.write(tmp_path / "origin")
        railway = FakeRailway(shop.world(time.time(), healthy, sick))
        slack = FakeSlack()
        github = FakeGitHub(tmp_path / "github")
        github.create(shop.NAME, tmp_path / "origin")
        hub = stack.enter_context(serve(github.app)).url
        port = _free_port()
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(tmp_path), "PORT": str(port),
            "TRACKWALKER_DATA_DIR": str(tmp_path / "state"), "TRACKWALKER_SECRET": "s3cret",
            "TRACKWALKER_ENVIRONMENTS": "prj-1/env-1", "TRACKWALKER_MODE": "report",
            "RAILWAY_API_TOKEN": railway.token, "GITHUB_TOKEN": github.token,
            "RAILWAY_API_URL": stack.enter_context(serve(railway.app, railway.faults)).url + "/graphql/v2",
            "GITHUB_API_URL": hub, "GITHUB_SERVER_URL": hub, "SLACK_BOT_TOKEN": slack.token,
            "SLACK_CHANNEL": slack.channel,
            "SLACK_API_URL": stack.enter_context(serve(slack.app, slack.faults)).url + "/api/",
        }  # fmt: skip
        with (tmp_path / "up.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "workers", "up"], cwd=ROOT, env=environment, stderr=log, stdout=log
            )
        installation = Installation(process, railway, slack, f"http://127.0.0.1:{port}", tmp_path / "state")
        try:
            wait_until(lambda: _ready(installation.url), seconds=60, what="the receiver")
            yield installation
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_webhook_is_answered_although_the_worker_is_killed_during_the_sweep(
    installation: Installation,
) -> None:
    wait_until(lambda: installation.children("workers.main"), what="the worker")
    installation.railway.faults.add("hang")
    answer = installation.send()
    wait_until(lambda: installation.railway.faults.played, what="the sweep under way")
    requests = len(installation.railway.operations)

    killed = time.monotonic()
    for pid in installation.children("workers.main"):
        os.kill(pid, signal.SIGKILL)

    wait_until(
        lambda: len(installation.railway.operations) > requests + 3, seconds=30, what="the resumed work"
    )
    assert time.monotonic() - killed < MAX_RESUME_SECONDS
    wait_until(lambda: outcomes(installation), seconds=60, what="the outcome in Slack")
    assert answer.status_code == 202
    assert len(outcomes(installation)) == 1


def outcomes(installation: Installation) -> list[str]:
    return [
        message.text for message in installation.slack.messages if "TRACKWALKER_MODE=report" in message.text
    ]


def test_a_shutdown_leaves_no_process_behind(installation: Installation) -> None:
    wait_until(lambda: installation.children("workers.main"), what="the worker")

    installation.process.send_signal(signal.SIGTERM)

    assert installation.process.wait(30) == 0
    assert installation.children("") == []
