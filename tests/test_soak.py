"""Real kills at moments drawn by seed: whatever dies, the alert is told, and told once."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from tests.test_kill import Installation, installation, told
from tests.waiting import until

__all__ = ["installation"]  # the fixture

WORDS = {"web": "receiver.main", "worker": "workers.main", "clock": "receiver.clock"}
KILLS = 6


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_killed_the_alert_is_told_once(installation: Installation, seed: int) -> None:
    chance = random.Random(seed)
    until(lambda: installation.children("workers.main"), what="the worker")
    assert installation.send().status_code == 202

    for _ in range(KILLS):
        _wait(chance.uniform(0.0, 1.5))
        _kill(installation, chance.choice(["web", "worker", "worker", "clock", "store"]))

    until(lambda: told(installation), seconds=120, what="the outcome in Slack")
    _wait(5)
    assert len(told(installation)) == 1


def _kill(installation: Installation, who: str) -> None:
    if who == "store":
        pids = [int((installation.state / "store.pid").read_text())]
    else:
        pids = installation.children(WORDS[who])
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it died in between, or is being brought back


def _wait(seconds: float) -> None:
    """A moment drawn by seed is the subject here, not a guess at when something is done."""
    time.sleep(seconds)
