"""Signals in any number and order end everything within seconds, and no process lives on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.stops import stop_once

ROOT = Path(__file__).parents[3]

# A process that waits for its end, and takes a signal in every state: 2,000 pairs, each a few microseconds apart.
SCRIPT = """
import sys
from workers.runtime.signals import Signals

signals = Signals()
print("ready", flush=True)
signals.wait_for_end()
for _ in range(200_000):
    signals.is_ending
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("seed", [1, 2])
def test_several_signals_at_once_end_everything(tmp_path: Path, seed: int) -> None:
    stop = stop_once(random.Random(seed), tmp_path, max_run_seconds=3.0)

    assert stop.is_clean, f"{stop}\n{(tmp_path / 'log').read_text()}"


def test_a_process_that_waits_for_its_end_takes_any_number_of_signals() -> None:
    for number in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT], cwd=ROOT, stdout=subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}
        )
        assert process.stdout is not None
        process.stdout.readline()
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) * 5:
            os.kill(process.pid, name)
            until = time.perf_counter() + number * 5e-6
            while time.perf_counter() < until:
                pass

        try:
            assert process.wait(10) == 0
        finally:
            process.kill()
            process.stdout.close()
