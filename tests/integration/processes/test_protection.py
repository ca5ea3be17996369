"""Each process that holds credentials is undumpable: a process with the same uid cannot read its memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# One process tries all entry points. Each fails for lack of settings, which comes after the protection.
SCRIPT = """
import ctypes, json, sys
from receiver import clock, main as web
from workers import __main__ as command_line, main as worker
from workers.runtime import supervise

prctl = ctypes.CDLL(None).prctl
starts = {
    "web": lambda: web.main([]), "clock": clock.main, "worker": worker.main, "Dramatiq's worker": worker.build,
    "supervisor": lambda: supervise.main([]), "up": lambda: command_line.main(["up"]),
}
result = {}
for name, start in starts.items():
    prctl(4, 1, 0, 0, 0)
    try:
        start()
    except (Exception, SystemExit):
        pass
    result[name] = prctl(3, 0, 0, 0, 0)
print(json.dumps(result))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has prctl")
def test_every_process_with_credentials_is_undumpable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environ = {"PYTHONPATH": str(ROOT), "PORT": "no number", "TRACKWALKER_DATA_DIR": str(tmp_path / "file")}

    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )

    values = json.loads(run.stdout.splitlines()[-1])
    assert len(values) == 6
    assert {name for name, dumpable in values.items() if dumpable} == set()
