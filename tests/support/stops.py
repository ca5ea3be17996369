"""Stops `up` again and again with several signals at once, at random moments of its start and its run.

`python -m tests.support.stops --runs 200` prints how long the stops took, which hung, and which left a process behind.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.fakes.serving import free_port

ROOT = Path(__file__).parents[2]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MAX_SIGNALS = 5
MAX_GAP_SECONDS = 100e-6  # between two signals
MAX_STOP_SECONDS = 10.0
MAX_RUN_SECONDS = 8.0  # until the first signal: the start takes two to three seconds
LEFTOVER_SECONDS = 2.0  # in which processes of a stopped `up` may still end


@dataclass(frozen=True)
class Stop:
    """One stop: after how long a run, with which signals, by `make` or not, and what came of it."""

    ran_seconds: float
    signals: tuple[str, ...]
    through_make: bool
    seconds: float
    hung: bool
    left: tuple[str, ...]
    """Command lines of the processes that were left behind."""

    @property
    def is_clean(self) -> bool:
        return not self.hung and not self.left


def stop_once(chance: random.Random, folder: Path, *, max_run_seconds: float = MAX_RUN_SECONDS) -> Stop:
    """Start `up`, let it run for a random time, send it signals, and look for what is left."""
    through_make = chance.random() < 0.5
    state = folder / "state"
    process = _start(folder, state, through_make=through_make)
    ran = chance.uniform(0.05, max_run_seconds)
    time.sleep(ran)
    names = [chance.choice(SIGNALS) for _ in range(chance.randint(1, MAX_SIGNALS))]
    began = time.monotonic()
    for name in names:
        _send(process, name, to_group=through_make)
        until = time.perf_counter() + chance.uniform(0, MAX_GAP_SECONDS)
        while time.perf_counter() < until:
            pass  # a sleep would be longer
    hung = False
    try:
        process.wait(MAX_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        hung = True
    left = _leftovers(state, began)
    for pid in left:
        _kill(pid)
    seconds = time.monotonic() - began
    return Stop(
        round(ran, 2), tuple(name.name for name in names), through_make, seconds, hung, tuple(left.values())
    )


def _start(folder: Path, state: Path, *, through_make: bool) -> subprocess.Popen[bytes]:
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), "PORT": str(free_port()),
        "TRACKWALKER_DATA_DIR": str(state), "TRACKWALKER_SECRET": "s", "RAILWAY_API_TOKEN": "t",
        "TRACKWALKER_ENVIRONMENTS": "p/e", "RAILWAY_API_URL": "http://127.0.0.1:1",
    }  # fmt: skip
    (folder / "Makefile").write_text(f"up:\n\t@{sys.executable} -m workers up\n")
    command = ["make", "up"] if through_make else [sys.executable, "-m", "workers", "up"]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, preexec_fn=_take_hangups,  # noqa: PLW1509 (this process has a single thread)
        )  # fmt: skip


def _take_hangups() -> None:
    # Under `nohup` SIGHUP is ignored, and `up` would keep it so.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _send(process: subprocess.Popen[bytes], name: signal.Signals, *, to_group: bool) -> None:
    try:
        if to_group:
            os.killpg(process.pid, name)
        else:
            os.kill(process.pid, name)
    except ProcessLookupError:
        return  # it has ended already


def _leftovers(state: Path, began: float) -> dict[int, str]:
    """The processes of this `up` that live on, once they had time to end."""
    patience = max(began + MAX_STOP_SECONDS, time.monotonic() + LEFTOVER_SECONDS)
    while (alive := _alive(state)) and time.monotonic() < patience:
        time.sleep(0.1)
    return alive


def _alive(state: Path) -> dict[int, str]:
    mark = str(state).encode()
    alive = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            command = (process / "cmdline").read_bytes()
            environ = (process / "environ").read_bytes()
        except OSError:
            continue  # it has just ended
        # The embedded store has no environment of ours; its configuration lies in the data folder.
        if mark in environ or mark in command:
            alive[int(process.name)] = command.replace(b"\0", b" ").decode(errors="replace")[:120]
    return alive


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance, stops = random.Random(options.seed), []
    for number in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            stop = stop_once(chance, Path(folder))
            stops.append(stop)
            if not stop.is_clean:
                log = (Path(folder) / "log").read_text()[-2000:]
                print(f"run {number}: {stop}\n{log}", flush=True)
    times = sorted(stop.seconds for stop in stops)
    bad = sum(not stop.is_clean for stop in stops)
    print(
        f"{len(stops)} stops: {bad} hung or left a process; "
        f"median {times[len(times) // 2]:.1f} s, longest {times[-1]:.1f} s, "
        f"{sum(stop.ran_seconds > 3 for stop in stops)} after more than 3 s"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
