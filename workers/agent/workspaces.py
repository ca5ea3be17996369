"""Keeps the folder and the clone of each agent run on this disk, so that a run resumes after its worker crashed.

A run's folder holds the path of its clone and the agent's session. The worker that uses a folder holds a file lock on
it; the kernel releases the lock with the process, so two workers of one disk never share a run.
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

from workers.agent.coding_agent import AGENT_FOLDER
from workers.agent.saved_session import can_resume
from workers.clients.git import Repositories
from workers.errors import Superseded
from workers.models import digest
from workers.sandbox import orphans

MAX_AGE_SECONDS = 86_400.0
"""Seconds after which an unused folder is removed. No run lasts a day, so its attempt went on on another disk."""

MAX_FOLDERS = 100
"""Folders of one run. More than one exists only while a worker that lost the claim still holds the first."""

CLONE_FILE = "clone"
"""File in the run's folder: the commit on its first line, the path of the clone after it."""


class Workspace(NamedTuple):
    """The folder of a run and the clone that the agent works in."""

    folder: Path
    clone: Path
    resumed: bool
    """True if both come from a worker that crashed during this run."""


@contextmanager
def open_workspace(
    runs: Path, name: str, repositories: Repositories, repository: str, commit: str
) -> Iterator[Workspace]:
    """The workspace of a run. It is removed at the end of the block, unless the run was only interrupted.

    Args:
        runs: the folder of all workspaces.
        name: the run's name; the same name finds the workspace of an interrupted run again.
        repositories: makes the clone.
        repository: owner and name of the repository.
        commit: the commit to work on; an interrupted run on another commit is not resumed.

    Raises:
        Superseded: other workers hold all folders of this run.
        GitHubBusy: the repository cannot be fetched now.
        GitHubRefused: the repository cannot be fetched.
    """
    runs.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_old(runs)
    folder, lock = _lock_folder(runs, name)
    interrupted = True
    try:
        clone = _saved_clone(folder, commit)
        resumed = clone is not None and can_resume(folder)
        if clone is None or not resumed:
            clone = repositories.checkout(repository, commit)
            shutil.rmtree(folder / AGENT_FOLDER, ignore_errors=True)
            (folder / CLONE_FILE).write_text(f"{commit}\n{clone}")
        yield Workspace(folder, clone, resumed)
        interrupted = False
    except Superseded:
        raise
    except Exception:
        interrupted = False
        raise
    finally:
        # After Superseded, or a BaseException that ends the process, another worker resumes the run from here.
        if not interrupted:
            if saved := _saved_clone(folder, commit):
                repositories.discard(saved)
            shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def kill_orphans(runs: Path, trees: Path) -> None:
    """Kill the processes that dead workers of this disk left behind; called when a worker starts.

    Args:
        runs: the folder of all workspaces; those that another worker holds are left alone.
        trees: the folder of all clones and trees.
    """
    for folder in runs.iterdir() if runs.is_dir() else ():
        if (lock := _lock(folder)) is not None:
            orphans.kill_run_processes(folder)
            os.close(lock)
    orphans.kill_tree_processes(trees)


def _lock_folder(runs: Path, name: str) -> tuple[Path, int]:
    """The first folder of the run that no other worker holds, locked."""
    for number in range(MAX_FOLDERS):
        folder = runs / digest(name, str(number))
        folder.mkdir(mode=0o700, exist_ok=True)
        if (lock := _lock(folder)) is not None:
            orphans.kill_run_processes(folder)
            return folder, lock
    raise Superseded(f"{name}: other workers hold all its folders")


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the lock until it is closed, None if another process holds it."""
    try:
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None  # another worker has just removed the folder
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _saved_clone(folder: Path, commit: str) -> Path | None:
    """The clone of this commit that an earlier worker made for the run, None if there is none."""
    try:
        saved_commit, _, path = (folder / CLONE_FILE).read_text().partition("\n")
    except OSError:
        return None
    return Path(path) if saved_commit == commit and Path(path).is_dir() else None


def _remove_old(runs: Path) -> None:
    for folder in runs.iterdir():
        with suppress(FileNotFoundError):  # another worker removed it first
            if time.time() - folder.stat().st_mtime > MAX_AGE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
