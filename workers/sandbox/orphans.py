"""What a dead worker's run left running: found by its home or its tree, and killed. Linux only, as /proc is.

Children die with their worker, but the kernel forgets that wish while a program changes its credentials: a worker that
dies in that moment leaves them to live on.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

ROUNDS = 3
"""A wall that is killed may leave its inner process, which only then has lost its parent."""

log = logging.getLogger("trackwalker.leftovers")


def kill_run_processes(folder: Path) -> None:
    """Kill every process whose home lies in this run's folder, which nobody may work in any more."""
    home = f"HOME={folder.resolve()}/".encode()
    _kill(lambda pid: any(one.startswith(home) for one in _read(pid, "environ").split(b"\0")))


def kill_tree_processes(trees: Path) -> None:
    """Kill every process that was started for one of our trees and whose worker is dead."""
    inside = f"{trees.resolve()}/".encode()
    _kill(lambda pid: _parent(pid) == 1 and inside in _read(pid, "cmdline"))


def _kill(is_one: Callable[[int], bool]) -> None:
    for _ in range(ROUNDS):
        found = [pid for pid in _everybody() if is_one(pid)]
        for pid in found:
            log.warning("a run that its worker left is killed", extra={"pid": pid})
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return


def _everybody() -> Iterator[int]:
    names = [entry.name for entry in Path("/proc").iterdir()] if Path("/proc").is_dir() else []
    yield from (int(name) for name in names if name.isdigit() and int(name) != os.getpid())


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""  # it has ended, or is not ours to look at


def _parent(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0
