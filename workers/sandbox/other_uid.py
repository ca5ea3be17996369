"""File permissions for commands that run under a uid of their own, where bubblewrap cannot run.

The worker is root then. A command reads what others may read, and writes only what is chowned to its uid.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Sequence
from pathlib import Path

UIDS = range(50_000, 59_000)
"""Uids for commands: among the 65,536 that a container maps, above the ones that distributions assign."""


def choose_uid(scratch: Path, uids: Sequence[int]) -> int:
    """The uid of a scratch folder: always the same, so that a restarted worker can still use its files."""
    # Different folders get different uids, so that two fixes cannot touch each other's files or processes.
    return uids[zlib.crc32(str(scratch.resolve()).encode()) % len(uids)]


def restrict(hidden: Sequence[Path]) -> None:
    """Make hidden folders 0711 and hidden files 0600, if they belong to this process.

    Others may pass through such a folder, because clones are below it, but they cannot list it.
    """
    for path in hidden:
        if path.exists() and path.stat().st_uid == os.geteuid():
            path.chmod(0o711 if path.is_dir() else 0o600)


def allow_traversal(hidden: Sequence[Path], paths: Sequence[Path]) -> None:
    """Let others pass through each hidden folder above `paths`, still without listing it."""
    parents = {parent for path in paths for parent in path.resolve().parents}
    for folder in parents:
        mode = folder.stat().st_mode
        is_hidden = any(folder.is_relative_to(path) for path in hidden)
        if is_hidden and folder.stat().st_uid == os.geteuid() and not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | 0o011)


def chown_tree(uid: int, folders: Sequence[Path]) -> None:
    """Give the folders and everything below to the uid, and make the folders private to it.

    An earlier command may have left links to files outside: a symbolic link is chowned itself, and a file with a
    second hard link is left alone.
    """
    for folder in folders:
        below = [
            Path(top, name) for top, folder_names, names in os.walk(folder) for name in folder_names + names
        ]
        for path in (folder, *below):
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode) or status.st_nlink == 1:
                os.chown(path, uid, uid, follow_symlinks=False)
        if folder.is_dir():
            folder.chmod(0o700)
