"""Keeps a repository's instructions for coding agents, and its env files, out of the agent's sight during a run.

opencode imports `.opencode/plugin/*.js` of the clone even with OPENCODE_PURE=1 and OPENCODE_DISABLE_PROJECT_CONFIG=1
(seen with 1.18.33), and shows the model each nested AGENTS.md. Only an absent file is safe.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.runtime.protected_paths import AGENT_FILES, matches_any

ENV_FILE = re.compile(r"\.env(?!.*(example|sample|template|dist))(\..*)?")
"""Names of env files. opencode's grep tool prints their content even if the read tool is denied for them."""


@contextmanager
def without_agent_files(clone: Path, stash: Path) -> Iterator[None]:
    """For the block, moves env files and files that steer coding agents from the clone to `stash`.

    Afterwards the clone's own files are back, and files that the agent put in their place are gone. A stash that an
    interrupted run left behind is restored first.

    Args:
        clone: the agent's copy of the repository.
        stash: a folder outside the clone, on the same disk; it does not outlive the block.
    """
    if stash.is_dir():
        _restore(clone, stash)
    for path in _agent_files(clone):
        target = stash / path.relative_to(clone)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
    try:
        yield
    finally:
        _restore(clone, stash)


def _restore(clone: Path, stash: Path) -> None:
    for path in _agent_files(clone):
        _remove(path)
    for path in _agent_files(stash):
        target = clone / path.relative_to(stash)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
    shutil.rmtree(stash, ignore_errors=True)


def _agent_files(root: Path) -> list[Path]:
    """Matching files and folders below `root`; a matching folder is listed without its content."""
    paths = []
    for top, folders, files in os.walk(root):
        matching = {name for name in (*folders, *files) if _is_agent_file(name)}
        paths += [Path(top, name) for name in sorted(matching)]
        # `.git` stays: without it the server has no repository, and opencode reads no instructions from it.
        folders[:] = [name for name in folders if name not in matching and name != ".git"]
    return paths


def _is_agent_file(name: str) -> bool:
    return matches_any(name, AGENT_FILES) or ENV_FILE.fullmatch(name) is not None


def _remove(path: Path) -> None:
    # A link to a folder is unlinked; rmtree would refuse it.
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
