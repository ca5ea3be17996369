"""Where a run of the agent lives on this disk: one whose worker died goes on there, and nowhere else.

A folder per run holds the path of its clone, and what the agent's program needs to find its session again. Whoever
works in it holds a lock that ends with the process, so two workers of one disk never share a run.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from workers.agent.run import can_resume
from workers.clients.git import Repositories
from workers.errors import Superseded
from workers.models import digest
from workers.sandbox import orphans

MAX_AGE_SECONDS = 86_400.0
"""No run lasts a day: what is older belonged to a round that went on elsewhere."""


class Workspace(NamedTuple):
    """A run's folder and the clone in which the agent works; `resumed` when both come from a worker that died."""

    folder: Path
    clone: Path
    resumed: bool


@contextmanager
def open_workspace(
    runs: Path, name: str, repositories: Repositories, repository: str, commit: str
) -> Iterator[Workspace]:
    """A place for the run of this name; it is removed at the end, unless the run was only interrupted."""
    runs.mkdir(mode=0o700, parents=True, exist_ok=True)
    _forget_old(runs)
    folder, lock = _take(runs, name)
    kept = True
    try:
        clone = _clone_of(folder, commit)
        resumed = clone is not None and can_resume(folder)
        if clone is None or not resumed:
            clone = repositories.checkout(repository, commit)
            shutil.rmtree(folder / "opencode", ignore_errors=True)
            (folder / "clone").write_text(f"{commit}\n{clone}")
        yield Workspace(folder, clone, resumed)
        kept = False
    except Superseded:
        raise
    except Exception:
        kept = False
        raise
    finally:
        if not kept:
            if left := _clone_of(folder, commit):
                repositories.discard(left)
            shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def kill_orphans(runs: Path, trees: Path) -> None:
    """At a worker's start: kill what dead workers of this disk left running, in runs that nobody has and in trees."""
    for folder in runs.iterdir() if runs.is_dir() else ():
        if (lock := _lock(folder)) is not None:
            orphans.kill_run_processes(folder)
            os.close(lock)
    orphans.kill_tree_processes(trees)


def _take(runs: Path, name: str) -> tuple[Path, int]:
    """The run's folder, locked; another one where somebody who lost the round is still in it."""
    for number in range(100):
        folder = runs / digest(name, str(number))
        folder.mkdir(mode=0o700, exist_ok=True)
        if (lock := _lock(folder)) is not None:
            orphans.kill_run_processes(folder)
            return folder, lock
    raise Superseded(f"{name}: all its folders are in use")


def _lock(folder: Path) -> int | None:
    """A descriptor whose end is the lock's; None while another process has it, or has just removed the folder."""
    try:
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _clone_of(folder: Path, commit: str) -> Path | None:
    """The clone that an earlier worker left for this run, None where there is none of this commit."""
    try:
        known, _, path = (folder / "clone").read_text().partition("\n")
    except OSError:
        return None
    return Path(path) if known == commit and Path(path).is_dir() else None


def _forget_old(runs: Path) -> None:
    for folder in runs.iterdir():
        with suppress(FileNotFoundError):  # another worker was quicker
            if time.time() - folder.stat().st_mtime > MAX_AGE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
