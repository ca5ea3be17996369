"""The real Alertmanager sends to the real web process: webhook_configs and slack_configs, firing and resolved."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.support.polling import wait_until
from tests.support.webhooks import is_up, web_process
from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.incidents.intake import RESOLVED
from workers.models import Alert

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="Alertmanager is not installed")

CONFIGURATION = """
route: {{receiver: both, group_by: [alertname], group_wait: 0s, group_interval: 500ms, repeat_interval: 4h}}
receivers:
- name: both
  slack_configs:
  - {{api_url: "{url}/hooks/slack/secret", channel: "#ops", send_resolved: true}}
  webhook_configs:
  - url: "{url}/hooks/alertmanager"
    send_resolved: true
    http_config: {{authorization: {{credentials: secret}}}}
"""


@pytest.fixture
def web(tmp_path: Path, store_url: str) -> Iterator[str]:
    environ = {"REDIS_URL": store_url, "TRACKWALKER_SECRET": "secret"}
    with web_process(tmp_path, **environ) as (url, _):
        wait_until(partial(is_up, url), what="the web process")
        yield url


@pytest.fixture
def alertmanager(tmp_path: Path, web: str) -> Iterator[str]:
    """The address of an Alertmanager that sends to the web process."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    configuration = tmp_path / "alertmanager.yml"
    configuration.write_text(CONFIGURATION.format(url=web))
    command = [
        str(PROGRAM), f"--config.file={configuration}", f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address={address}", "--cluster.listen-address=",
    ]  # fmt: skip
    with (
        (tmp_path / "alertmanager.log").open("wb") as out,
        subprocess.Popen(command, stdout=out, stderr=out) as process,
    ):
        wait_until(partial(_is_ready, f"http://{address}"), what="Alertmanager")
        yield f"http://{address}"
        process.terminate()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", timeout=2).is_success
    except httpx.TransportError:
        return False


def put(url: str, name: str, ends_in_seconds: float, **labels: str) -> None:
    now = datetime.now(UTC)
    alert = {
        "labels": {"alertname": name, "severity": "critical", **labels},
        "annotations": {"summary": "94 % of requests fail"},
        "startsAt": (now - timedelta(seconds=60)).isoformat(),
        "endsAt": (now + timedelta(seconds=ends_in_seconds)).isoformat(),
    }
    httpx.post(f"{url}/api/v2/alerts", json=[alert]).raise_for_status()


def stored(journal: JournalStore, source: str, kind: str) -> list[Alert]:
    keys = [key.decode() for key in journal.scan("*alert:2*") if b"notification" not in key]
    alerts = [journal.read_record(key, records.ALERT) for key in keys]
    return [alert for alert in alerts if alert and (alert.source, alert.kind) == (source, kind)]


def test_what_fires_is_stored_and_what_is_resolved_is_good_news(
    alertmanager: str, journal: JournalStore
) -> None:
    put(alertmanager, "HighErrorRate", 3600, service="ledger")

    (native,) = wait_until(lambda: stored(journal, "alertmanager", "firing"), what="the webhook")
    (forwarded,) = wait_until(lambda: stored(journal, "slack", "message"), what="the message")
    assert native.names == ("ledger",)
    assert native.message.startswith("HighErrorRate: 94 % of requests fail\n")
    assert forwarded.message.startswith("[FIRING:1] HighErrorRate")

    put(alertmanager, "HighErrorRate", -1, service="ledger")

    wait_until(lambda: stored(journal, "alertmanager", RESOLVED), what="the resolved webhook")
    wait_until(lambda: stored(journal, "slack", RESOLVED), what="the resolved message")
    assert len(stored(journal, "alertmanager", "firing")) == 1
    assert len(stored(journal, "slack", "message")) == 1
