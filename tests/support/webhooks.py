"""A Railway webhook, and the web process that receives it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
CRASHED_WEBHOOK = (ROOT / "tests" / "data" / "webhooks" / "crashed.json").read_bytes()
"""Railway's webhook of a crash of the service `ledger`."""


@contextmanager
def web_process(folder: Path, **environ: str) -> Iterator[tuple[str, Path]]:
    """The real web process with a working directory of its own: its address, and its log file."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "receiver.main"]
    path = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "PORT": str(port)}
    log = folder / "web.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=path | environ, stdout=out, stderr=out)
        try:
            yield f"http://127.0.0.1:{port}", log
        finally:
            process.terminate()
            process.wait(20)


def is_up(url: str) -> bool:
    """True once the web process accepts requests."""
    try:
        return httpx.get(f"{url}/health", timeout=2).is_success
    except httpx.TransportError:
        return False
