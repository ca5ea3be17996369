"""Uids of commands: each command of a worker that runs as root has one that no other running command has.

A command can read files that others may read, and write only files that are chowned to its uid.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from workers.errors import AgentBusy

UIDS = range(50_000, 59_000)
"""Uids for commands: among the 65,536 that a container maps, above the ones that distributions assign."""


def lease_uid(scratch: Path) -> tuple[int, int]:
    """An unused uid, and the descriptor of its lock: the uid is leased until every copy of the descriptor is closed.

    Workers that share a disk share the locks. A uid with a living process is left alone, because workers of another
    installation on this machine have other locks.

    Raises:
        AgentBusy: every uid is in use.
    """
    folder = scratch / "uids"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    busy = set(_uids_of_processes())
    start = secrets.randbelow(len(UIDS))
    for uid in (*UIDS[start:], *UIDS[:start]):
        if uid not in busy and (lock := _lock(folder / str(uid))) is not None:
            return uid, lock
    raise AgentBusy("every uid for sandboxed commands is in use")


def chown_tree(uid: int, folders: Sequence[Path]) -> None:
    """Give the folders and everything below to the uid, and make the folders private to it.

    An earlier command may have left links to files outside: a symbolic link is chowned itself, and a file with a
    second hard link is left alone unless an earlier command made it.
    """
    for folder in folders:
        if not folder.is_dir():
            _chown(uid, str(folder), None)
            continue
        for _, folder_names, names, descriptor in os.fwalk(folder):
            for name in (*folder_names, *names):
                _chown(uid, name, descriptor)
        os.chown(folder, uid, uid)
        folder.chmod(0o700)


def allow_traversal(hidden: Sequence[Path], paths: Sequence[Path]) -> None:
    """Let others pass through each hidden folder above `paths`, still without listing it."""
    parents = {parent for path in paths for parent in path.resolve().parents}
    for folder in parents:
        mode = folder.stat().st_mode
        is_hidden = any(folder.is_relative_to(path) for path in hidden)
        if is_hidden and folder.stat().st_uid == os.geteuid() and not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | 0o011)


def restrict(hidden: Sequence[Path]) -> None:
    """Make hidden folders 0711 and hidden files 0600, if they belong to this process.

    Others may pass through such a folder, because clones are below it, but they cannot list it.
    """
    for path in hidden:
        if path.exists() and path.stat().st_uid == os.geteuid():
            path.chmod(0o711 if path.is_dir() else 0o600)


def make_readable(folders: Sequence[Path]) -> None:
    """Let others list these folders themselves if they are ours: a folder that `mkdtemp` made is private."""
    for folder in folders:
        status = folder.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and status.st_mode & 0o005 != 0o005:
            folder.chmod(stat.S_IMODE(status.st_mode) | 0o055)


def _chown(uid: int, name: str, folder: int | None) -> None:
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    is_own = stat.S_ISDIR(status.st_mode) or status.st_nlink == 1 or status.st_uid in UIDS
    if status.st_uid != uid and is_own:
        os.chown(name, uid, uid, dir_fd=folder, follow_symlinks=False)


def _lock(path: Path) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _uids_of_processes() -> Iterator[int]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):  # the process has ended
                yield entry.stat().st_uid
