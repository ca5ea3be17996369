"""A worker process says at its start what it will need later."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.polling import wait_until

ROOT = Path(__file__).parents[3]


def test_a_worker_that_can_fix_names_the_level_of_its_sandbox_at_start(
    store_url: str, tmp_path: Path
) -> None:
    output = tmp_path / "log"
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "REDIS_URL": store_url,
        "RAILWAY_API_TOKEN": "railway-token", "TRACKWALKER_ENVIRONMENTS": "p/e", "GITHUB_TOKEN": "github-token",
        "TRACKWALKER_MODEL": "own/m1", "TRACKWALKER_SECRET": "webhook-secret",
        "TRACKWALKER_DATA_DIR": str(tmp_path / "data"),
    }  # fmt: skip
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "workers.main"], cwd=tmp_path, env=environ, stdout=file, stderr=file
        )
    try:
        wait_until(
            lambda: "sandbox built" in (text := output.read_text()) or "no fix can be attempted" in text,
            seconds=60,
            what="the level of the sandbox in the log",
        )
    finally:
        process.terminate()
        assert process.wait(30) == 0
