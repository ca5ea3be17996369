"""A complete installation in processes of its own, beside stand-ins for Railway, GitHub and Slack."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tests.support.fakes import shop
from tests.support.fakes.github import FakeGitHub
from tests.support.fakes.railway import FakeRailway
from tests.support.fakes.serving import free_port, serve
from tests.support.fakes.slack import FakeSlack
from tests.support.polling import wait_until

ROOT = Path(__file__).parents[2]


@dataclass
class Installation:
    """`up` as a user runs it, beside fakes. Mode `report`, so the pipeline ends with a message in Slack."""

    process: subprocess.Popen[bytes]
    railway: FakeRailway
    slack: FakeSlack
    url: str
    state: Path

    def send(self) -> httpx.Response:
        """Report a triggered monitor to the webhook endpoint."""
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

    def outcomes(self) -> list[str]:
        """The texts of the outcomes in Slack."""
        return [text for text in self.slack.texts if "TRACKWALKER_MODE=report" in text]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""  # the process has just ended


def _state_of(pid: int) -> str:
    pairs = _read(pid, "environ").split(b"\0")
    values = dict(pair.split(b"=", 1) for pair in pairs if b"=" in pair)
    return values.get(b"TRACKWALKER_DATA_DIR", b"").decode()


@contextmanager
def running_installation(folder: Path, **settings: str) -> Iterator[Installation]:
    """Run `up` with all its files in the folder until the block ends; begins when the receiver is ready.

    Args:
        settings: further environment variables; they win over those of the installation.
    """
    with ExitStack() as stack:
        healthy, sick = shop.write(folder / "origin")
        railway = FakeRailway(shop.world(time.time(), healthy, sick))
        slack = FakeSlack()
        github = FakeGitHub(folder / "github")
        github.create(shop.NAME, folder / "origin")
        hub = stack.enter_context(serve(github.app)).url
        port = free_port()
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "PORT": str(port),
            "TRACKWALKER_DATA_DIR": str(folder / "state"), "TRACKWALKER_SECRET": "s3cret",
            "TRACKWALKER_ENVIRONMENTS": "prj-1/env-1", "TRACKWALKER_MODE": "report",
            "RAILWAY_API_TOKEN": railway.token, "GITHUB_TOKEN": github.token,
            "RAILWAY_API_URL": stack.enter_context(serve(railway.app, railway.faults)).url + "/graphql/v2",
            "GITHUB_API_URL": hub, "GITHUB_SERVER_URL": hub, "SLACK_BOT_TOKEN": slack.token,
            "SLACK_CHANNEL": slack.channel,
            "SLACK_API_URL": stack.enter_context(serve(slack.app, slack.faults)).url + "/api/",
        } | settings  # fmt: skip
        with (folder / "up.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "workers", "up"], cwd=ROOT, env=environment, stderr=log, stdout=log
            )
        running = Installation(process, railway, slack, f"http://127.0.0.1:{port}", folder / "state")
        try:
            wait_until(lambda: _ready(running.url), seconds=60, what="the receiver")
            yield running
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
