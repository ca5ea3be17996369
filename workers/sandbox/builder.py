"""Builds the strictest sandbox that this machine allows, by trying the isolation levels in turn."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from workers.errors import AgentRefused
from workers.sandbox.bubblewrap import ISOLATION_LEVELS, find_bwrap
from workers.sandbox.commands import run
from workers.sandbox.other_uid import UIDS, choose_uid, chown_tree, restrict
from workers.sandbox.sandbox import Sandbox

PROBE_SECONDS = 15.0
"""Timeout of a probe command. It takes under 0.2 s; a loaded machine with a cold cache needs seconds."""


def build_sandbox(
    *,
    hide: Sequence[Path],
    scratch: Path,
    allow_unsandboxed: bool,
    isolation_levels: Sequence[tuple[str, ...]] = ISOLATION_LEVELS,
    uids: Sequence[int] = UIDS,
) -> Sandbox:
    """The strictest sandbox in which a probe command runs here: bubblewrap, else a uid of its own.

    For a uid sandbox, hidden folders of ours become 0711 and hidden files of ours 0600.

    Args:
        hide: paths that no command may read.
        scratch: a folder of ours, the HOME of commands in a uid sandbox.
        allow_unsandboxed: whether commands may run without a sandbox if none can be built.
        isolation_levels: arguments for bubblewrap, the strictest first; empty to skip bubblewrap.
        uids: uids for a uid sandbox; empty to skip it.

    Raises:
        AgentRefused: no sandbox can be built, and `allow_unsandboxed` is False.
    """
    hidden = tuple(path.resolve() for path in hide)
    bwrap, problem = find_bwrap() if isolation_levels else ("", "not requested")
    for namespaces in isolation_levels if bwrap else ():
        sandbox = Sandbox("bubblewrap", hidden, scratch, bwrap, namespaces)
        problem = _probe(sandbox)
        if not problem:
            return sandbox
    problems = [f"bubblewrap: {problem}"]
    try:
        return _build_uid_sandbox(hidden, scratch, uids)
    except AgentRefused as error:
        problems.append(f"another uid: {error}")
    if allow_unsandboxed:
        return Sandbox("none", hidden, scratch)
    raise AgentRefused(
        f"no sandbox can be built for the agent ({'; '.join(problems)}). "
        "TRACKWALKER_ALLOW_UNSANDBOXED=yes runs it without one."
    )


def _build_uid_sandbox(hidden: tuple[Path, ...], scratch: Path, uids: Sequence[int]) -> Sandbox:
    if os.geteuid() != 0 or not uids:
        raise AgentRefused("needs root")
    uid = choose_uid(scratch, uids)
    sandbox = Sandbox("uid", hidden, scratch, uid=uid)
    scratch.mkdir(parents=True, exist_ok=True)
    restrict(hidden)
    chown_tree(uid, [scratch])
    if problem := _probe(replace(sandbox, hide=())):
        raise AgentRefused(problem)
    # Permissions are all that hides a path here, and a file of another owner keeps its own.
    for path in hidden:
        if path.exists() and _can_read(sandbox, path):
            raise AgentRefused(
                f"uid {uid} can read {path}. Take the read permission from others: chmod o-r {path}"
            )
    return sandbox


def _probe(sandbox: Sandbox) -> str:
    """Empty if a command runs in the sandbox, else the reason why it does not."""
    result = run(
        sandbox,
        ["/bin/sh", "-c", "exit 0"],
        cwd=Path("/"),
        writable=(),
        env={},
        timeout_seconds=PROBE_SECONDS,
    )
    if result.code == 0:
        return ""
    return result.output.strip()[-200:] or f"the probe command failed with exit code {result.code}"


def _can_read(sandbox: Sandbox, path: Path) -> bool:
    tool = ["ls", "-A"] if path.is_dir() else ["head", "-c1"]
    argv = [*tool, str(path)]
    return run(sandbox, argv, cwd=Path("/"), writable=(), env={}, timeout_seconds=PROBE_SECONDS).code == 0
