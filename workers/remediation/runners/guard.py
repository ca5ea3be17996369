"""Starts a test runner in the sandbox and writes its results to the host, out of reach of the code under test.

The runner is a child that sends one line per event through a pipe: `<nonce> <number> <JSON>`. The child gets the nonce
before it loads any code of the repository. A line without the nonce, out of order or after the end makes the whole run
incomplete, as does a child that ends before its last event: an exit code or printed text says nothing here.

Only the standard library may be imported: a Python of the sandbox runs this file with `-I -S`.
"""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

REPORT_VARIABLE = "TRACKWALKER_REPORT_FD"
NONCE_VARIABLE = "TRACKWALKER_RUNNER"
"""Holds `<nonce>:<descriptor>` for a runner that is no Python; it removes the variable before it loads a test."""
PR_SET_DUMPABLE = 4  # prctl(2), from <linux/prctl.h>
READ_BYTES = 65_536  # capacity of a pipe in Linux
MAX_EVENT_BYTES = 64_000_000  # events of one run; a suite of 20,000 tests sends about 10 MB
LAST_EVENTS_SECONDS = 0.2  # a killed runner's last lines are in the pipe already


def main() -> int:
    """Run the job in the file that the first argument names. The result is the runner's exit code."""
    _hide_memory()
    path = Path(sys.argv[1])
    job = json.loads(path.read_text())
    path.unlink()
    report = int(os.environ.pop(REPORT_VARIABLE))
    os.set_inheritable(report, False)
    nonce = secrets.token_hex(16)
    reading, writing = os.pipe()
    started = time.monotonic()
    child = _start(job, nonce, writing)
    os.close(writing)
    data = _read_events(reading, child)
    code = child.wait()
    events, problem = _check(data, nonce)
    seconds = time.monotonic() - started
    summary = {"code": code, "problem": problem, "events": events, "seconds": seconds}
    with os.fdopen(report, "wb") as file:
        file.write(json.dumps(summary).encode())
    return code if code >= 0 else 128 - code


def _hide_memory() -> None:
    """Make this process undumpable: the child has the same uid and must not reach its descriptors."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def _start(job: dict[str, Any], nonce: str, writing: int) -> subprocess.Popen[bytes]:
    environment = dict(os.environ) | job["env"]
    if not job["stdin"]:
        environment[NONCE_VARIABLE] = f"{nonce}:{writing}"
    child = subprocess.Popen(
        job["argv"], stdin=subprocess.PIPE, env=environment, pass_fds=[writing], cwd=job["cwd"]
    )
    if child.stdin:
        if job["stdin"]:
            child.stdin.write(json.dumps({**job["task"], "nonce": nonce, "descriptor": writing}).encode())
        child.stdin.close()
    return child


def _read_events(reading: int, child: subprocess.Popen[bytes]) -> bytes:
    """Everything that the runner sent until it ended. A process that it left behind may hold the pipe longer."""
    data = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(reading, selectors.EVENT_READ)
        while len(data) < MAX_EVENT_BYTES:
            ended = child.poll() is not None
            if not selector.select(0.0 if ended else LAST_EVENTS_SECONDS):
                if ended:
                    break
                continue
            chunk = os.read(reading, READ_BYTES)
            if not chunk:
                break
            data += chunk
    return bytes(data)


def _check(data: bytes, nonce: str) -> tuple[list[dict[str, Any]], str]:
    """The events, and the reason why the run is incomplete; empty for a complete one."""
    events: list[dict[str, Any]] = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines[:-1]):
        key, _, rest = line.decode(errors="replace").partition(" ")
        index, _, text = rest.partition(" ")
        if key != nonce or index != str(number):
            return events, "the report holds a line that the runner did not write"
        events.append(json.loads(text))
    if lines[-1]:
        return events, "the report ends within a line"
    ends = [event for event in events if event["event"] == "end"]
    if len(ends) != 1 or events[-1]["event"] != "end":
        return events, "the test process ended before its runner did"
    return events, ""


if __name__ == "__main__":
    sys.exit(main())
