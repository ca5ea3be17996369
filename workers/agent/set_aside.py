"""Keeps files that steer coding agents, env files and links that leave the clone out of the agent's sight.

opencode imports `.opencode/plugin/*.js` of the clone even with OPENCODE_PURE=1 and OPENCODE_DISABLE_PROJECT_CONFIG=1
(seen with 1.18.33), shows the model each nested AGENTS.md, and follows links out of the clone although its permissions
deny the paths behind them. Only an absent file is safe.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.clients.git.tree_entries import Entry, check_tree, entries, stays_inside
from workers.clients.git.trees import remove
from workers.runtime.protected_paths import AGENT_FILES, matches_any

ENV_FILE = re.compile(r"\.env(?!.*(example|sample|template|dist))(\..*)?")
"""Names of env files. opencode's grep tool prints their content even if the read tool is denied for them."""

LIST_FILE = "paths.json"
"""File in the stash that lists the paths of its entries; entry number n of the list is stored under the name n."""


@contextmanager
def unsafe_entries_set_aside(clone: Path, stash: Path) -> Iterator[None]:
    """For the block, moves entries of the clone that the agent must not see to `stash`.

    These are files that steer coding agents, env files, links that leave the clone or lead nowhere, and names that hold
    control characters or are no text. Afterwards they are back, unchanged, and files that the agent put in their place
    are gone. A stash that an interrupted run left behind is restored first.

    Args:
        clone: the agent's copy of the repository.
        stash: a folder outside the clone, on the same disk; it does not outlive the block.

    Raises:
        Refused: the clone holds entries that git cannot store, so that its files could not be copied after the run.
    """
    _restore(clone, stash)
    check_tree(clone)
    paths = _unsafe_paths(clone)
    stash.mkdir(parents=True)
    # The list is complete before the first move, so that a worker that crashes meanwhile loses no file.
    (stash / LIST_FILE).write_text(json.dumps(paths))
    for number, path in enumerate(paths):
        (clone / path).rename(stash / str(number))
    try:
        yield
    finally:
        _restore(clone, stash)


def _unsafe_paths(clone: Path) -> list[str]:
    """Paths to set aside; such a folder is listed without its content."""
    paths: list[str] = []

    def skip(entry: Entry) -> bool:
        is_unsafe = _steers_agents(entry.name) or not entry.name.isprintable()
        paths.extend([entry.path] if is_unsafe else [])
        return is_unsafe

    links = [entry.path for entry in entries(clone, skip=skip) if entry.is_link]
    absent = frozenset(paths)
    return paths + [path for path in links if not stays_inside(clone, path, absent)]


def _steers_agents(name: str) -> bool:
    return matches_any(name, AGENT_FILES) or ENV_FILE.fullmatch(name) is not None


def _restore(clone: Path, stash: Path) -> None:
    paths = _stashed_paths(stash)
    if paths is not None:
        numbers = {path: stash / str(number) for number, path in enumerate(paths)}
        waiting = {path: file for path, file in numbers.items() if os.path.lexists(file)}
        for path in _agent_files(clone):
            # A file of the list that is not in the stash is the repository's own: the worker crashed before it was
            # moved, or after it was moved back.
            if path not in numbers or path in waiting:
                remove(clone / path)
        for path, file in waiting.items():
            _make_folders(clone, path.split("/")[:-1])
            remove(clone / path)
            file.rename(clone / path)
    shutil.rmtree(stash, ignore_errors=True)


def _stashed_paths(stash: Path) -> list[str] | None:
    """The list of the stash; None if there is no complete one, so that nothing was moved and no agent ran."""
    try:
        paths: list[str] = json.loads((stash / LIST_FILE).read_text())
    except (OSError, ValueError):
        return None
    return paths


def _agent_files(clone: Path) -> list[str]:
    paths: list[str] = []

    def skip(entry: Entry) -> bool:
        paths.extend([entry.path] if _steers_agents(entry.name) else [])
        return _steers_agents(entry.name)

    for _ in entries(clone, skip=skip):
        pass
    return paths


def _make_folders(root: Path, parts: list[str]) -> None:
    """Create the folders of a path below `root`. A link or file that the agent put in place of one is removed."""
    folder = root
    for part in parts:
        folder /= part
        if folder.is_symlink() or not folder.is_dir():
            remove(folder)
            folder.mkdir()
