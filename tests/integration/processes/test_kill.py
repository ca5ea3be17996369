"""Real processes and a real SIGKILL: work resumes within 20 s, repeats one step at most, and notifies once."""

from __future__ import annotations

import os
import signal
import time

from tests.support.installation import Installation
from tests.support.polling import wait_until

MAX_RESUME_SECONDS = 20.0


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
    wait_until(installation.outcomes, seconds=60, what="the outcome in Slack")
    assert answer.status_code == 202
    assert len(installation.outcomes()) == 1


def test_a_shutdown_leaves_no_process_behind(installation: Installation) -> None:
    wait_until(lambda: installation.children("workers.main"), what="the worker")

    installation.process.send_signal(signal.SIGTERM)

    assert installation.process.wait(30) == 0
    assert installation.children("") == []
