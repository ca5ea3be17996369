"""Seconds from an alert's POST to the first Slack message about it, in complete installations."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import cast

from tests.support.fakes.serving import Kind
from tests.support.installation import Installation, running_installation
from tests.support.polling import wait_until

ROUNDS = 8  # installations, each with one alert: an open incident would merge a second one
OUTAGE_ACK_SECONDS = 5.0  # TRACKWALKER_ACK_SECONDS while Railway is down: its default takes a minute
OUTAGES: tuple[Kind, ...] = cast("tuple[Kind, ...]", ("hang", "500"))
FAULT_TIMES = 1_000  # more requests than one round sends
TIMEOUT_SECONDS = 60.0


def measure(rounds: int = ROUNDS) -> list[float]:
    """Seconds of each round with a Railway that answers.

    A round whose first periodic check has reported the incident before the alert is left out: nobody waits for it.
    """
    return [seconds for _ in range(rounds) if (seconds := _round()) is not None]


def measure_outages() -> list[float]:
    """Seconds of one round for each way in which Railway can be down, with OUTAGE_ACK_SECONDS."""
    return [seconds for kind in OUTAGES if (seconds := _round(kind)) is not None]


def _round(outage: Kind | None = None) -> float | None:
    settings = {"TRACKWALKER_ACK_SECONDS": str(OUTAGE_ACK_SECONDS)} if outage else {}
    with (
        tempfile.TemporaryDirectory(prefix="trackwalker-ack-") as folder,
        running_installation(Path(folder), **settings) as installation,
    ):
        if outage:
            installation.railway.faults.add(outage, times=FAULT_TIMES)
        seconds = _seconds_to_message(installation)
        installation.railway.faults.clear()
        return seconds


def _seconds_to_message(installation: Installation) -> float | None:
    began = time.monotonic()
    installation.send().raise_for_status()
    if installation.slack.messages:
        return None
    wait_until(lambda: installation.slack.messages, seconds=TIMEOUT_SECONDS, what="a Slack message")
    return time.monotonic() - began
