"""Makes the folders in which a coding agent runs, anew for each start.

Only the database of the session outlives a start, so that an interrupted run resumes. The agent could write it, so
everything beside it is removed: opencode's data folder may also hold keys (`auth.json`), programs (`bin`), worktrees
and logs, and its configuration folder plugins, tools and commands that a server runs.
"""

from __future__ import annotations

import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from workers.clients.git.trees import remove

SESSION_FILES = ("opencode/opencode.db", "opencode/opencode.db-wal")
"""Files below the data folder that stay: SQLite's database and its log. SQLite rebuilds the third, `-shm`, itself."""

MAX_SESSION_BYTES = 256 * 2**20
"""Largest session file that is kept. A run of an hour writes some 10 MB."""


class AgentHome(NamedTuple):
    """The folders of one start of an agent. Only `data` and `scratch` are writable for it."""

    fixed: Path
    """HOME and the configuration; bound read-only."""
    data: Path
    """The session's database."""
    scratch: Path
    """Temporary files, caches and state."""

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that name the folders."""
        return {
            "HOME": str(self.fixed),
            "XDG_CONFIG_HOME": str(self.fixed / "config"),
            "XDG_DATA_HOME": str(self.data),
            "XDG_CACHE_HOME": str(self.scratch / "cache"),
            "XDG_STATE_HOME": str(self.scratch / "state"),
            "TMPDIR": str(self.scratch / "tmp"),
        }


def prepare_home(folder: Path) -> AgentHome:
    """The folders below `folder`, with nothing of an earlier start but the session's database."""
    home = AgentHome(folder / "fixed", folder / "data", folder / "scratch")
    _keep_session(home.data, folder / "kept")
    for path in (home.fixed, home.scratch):
        remove(path)
    for path in (home.fixed / "config", *(home.scratch / name for name in ("cache", "state", "tmp"))):
        path.mkdir(parents=True)
    return home


def _keep_session(data: Path, kept: Path) -> None:
    """Make the data folder anew, with the session's files moved into it."""
    remove(kept)
    kept.mkdir(parents=True)
    for name in SESSION_FILES:
        source, target = data / name, kept / name
        if _is_plain_file(data, name):
            target.parent.mkdir(exist_ok=True)
            source.rename(target)
    remove(data)
    kept.rename(data)


def _is_plain_file(root: Path, name: str) -> bool:
    """True for a regular file with one name that is reached through no link."""
    with suppress(OSError):
        folders = [root, *(root / parent for parent in Path(name).parents)]
        status = (root / name).lstat()
        return (
            all(stat.S_ISDIR(folder.lstat().st_mode) for folder in folders)
            and stat.S_ISREG(status.st_mode)
            and status.st_nlink == 1
            and status.st_size <= MAX_SESSION_BYTES
        )
    return False
