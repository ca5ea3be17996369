"""Finds and kills processes that a dead worker's run left behind. Linux only, because it reads /proc.

A command ends with its worker by PR_SET_PDEATHSIG, but the kernel clears that signal while a program changes its
credentials (prctl(2)): a command whose worker ends in that moment survives.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

MAX_PASSES = 3
"""Passes over all processes: a killed bubblewrap can leave its inner process, which only the next pass finds."""
INIT_PID = 1
"""The parent of a process whose own parent has ended, unless a subreaper adopts it."""

log = logging.getLogger("trackwalker.orphans")


def kill_run_processes(folder: Path) -> None:
    """Kill every process whose HOME is in the folder of a run. The caller must hold the run's lock."""
    home = f"HOME={folder.resolve()}/".encode()
    _kill(lambda pid: any(variable.startswith(home) for variable in _read(pid, "environ").split(b"\0")))


def kill_tree_processes(trees: Path) -> None:
    """Kill every process that was started for a tree in this folder and whose parent has ended."""
    path = f"{trees.resolve()}/".encode()
    _kill(lambda pid: _parent(pid) == INIT_PID and path in _read(pid, "cmdline"))


def _kill(matches: Callable[[int], bool]) -> None:
    for _ in range(MAX_PASSES):
        pids = [pid for pid in _other_processes() if matches(pid)]
        for pid in pids:
            log.warning("orphaned process killed", extra={"pid": pid})
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not pids:
            return


def _other_processes() -> Iterator[int]:
    names = [entry.name for entry in Path("/proc").iterdir()] if Path("/proc").is_dir() else []
    yield from (int(name) for name in names if name.isdigit() and int(name) != os.getpid())


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""  # the process has ended, or belongs to another user


def _parent(pid: int) -> int:
    # The name, in parentheses, may hold spaces and parentheses; the parent is the second field after it.
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0
