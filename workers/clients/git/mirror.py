"""A bare mirror of one repository: the local cache from which trees are made and in which commits are written.

No agent ever writes to a mirror. All functions expect the caller to hold the mirror's lock.
"""

from __future__ import annotations

import fcntl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from workers.clients.git import git
from workers.errors import GitHubBusy, GitHubRefused, Refused

LOCK_SECONDS = 360.0
"""Time limit for taking the lock; longer than the holder's fetch may take."""
LOCK_POLL_SECONDS = 0.05
"""Interval between two tries to take the lock; flock with a time limit does not exist."""
COMMIT_IDENTITY = {"NAME": "Trackwalker", "EMAIL": "trackwalker@users.noreply.github.com"}


@contextmanager
def locked(mirror: Path, name: str) -> Iterator[None]:
    """Hold the mirror's lock, against other threads and processes.

    Raises:
        GitHubBusy: another holder kept it for LOCK_SECONDS.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    with mirror.with_suffix(".lock").open("w") as lock:
        while not _try_lock(lock):
            if time.monotonic() > deadline:
                raise GitHubBusy(f"the local copy of {name} is in use")
            time.sleep(LOCK_POLL_SECONDS)
        yield


def _try_lock(lock: TextIO) -> bool:
    """Lock the file unless another holder has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def ensure_commits(mirror: Path, access: git.Access, commits: list[str]) -> None:
    """Create the mirror if needed and fetch the commits that it lacks, with their history.

    Raises:
        GitHubRefused: the server has no such commit, or refuses the fetch.
        GitHubBusy: the server cannot be reached.
        git.GitCommandError: the mirror is damaged.
    """
    if not mirror.exists():
        git.run(mirror.parent, "init", "--quiet", "--bare", str(mirror))
        # Trees are fetched from the mirror by commit, which git allows by default for branch heads only.
        git.run(mirror, "config", "uploadpack.allowAnySHA1InWant", "true")
    missing = [commit for commit in commits if not has_commit(mirror, commit)]
    if not missing:
        return
    try:
        _fetch(mirror, access, [f"+{commit}:refs/trackwalker/seen/{commit}" for commit in missing])
    except git.SizeLimitExceeded:
        raise
    except git.GitCommandError:
        # Not every server allows a fetch by commit: fetch all branches instead.
        _fetch(mirror, access, ["+refs/heads/*:refs/trackwalker/heads/*"])
    for commit in missing:
        if not has_commit(mirror, commit):
            raise GitHubRefused(f"commit {commit[:12]} is not in {access.name}")


def has_commit(mirror: Path, commit: str) -> bool:
    """True if the mirror exists and contains the commit."""
    if not mirror.exists():
        return False
    output = git.run(mirror, "cat-file", "--batch-check", stdin=f"{commit}^{{commit}}\n".encode())
    return b" commit " in output


def commit_patch(mirror: Path, base: str, patch: str, message: str, date: str) -> str:
    """Write a commit with the patch on top of `base`, without a working tree; returns its hash.

    The same arguments give the same hash: a worker that repeats the step after a crash pushes the same commit.

    Args:
        date: author and committer date in git's format, such as `@1700000000 +0000`.

    Raises:
        Refused: the patch does not apply.
    """
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": f"{folder}/index"}
        git.run(mirror, "read-tree", base, variables=index)
        try:
            git.run(
                mirror, "apply", "--cached", "--binary", "--whitespace=nowarn", "-",
                stdin=patch.encode(), variables=index,
            )  # fmt: skip
        except git.GitCommandError as error:
            raise Refused(f"the patch does not apply on {base[:12]}: {error}") from error
        tree = git.run(mirror, "write-tree", variables=index).decode().strip()
    roles = ("AUTHOR", "COMMITTER")
    identity = {f"GIT_{role}_{key}": value for role in roles for key, value in COMMIT_IDENTITY.items()}
    dates = {f"GIT_{role}_DATE": date for role in roles}
    arguments = ("commit-tree", tree, "-p", base)
    return git.run(mirror, *arguments, stdin=message.encode(), variables=identity | dates).decode().strip()


def _fetch(mirror: Path, access: git.Access, refs: list[str]) -> None:
    arguments = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", access.url, *refs)
    git.run_remote(access, mirror, *arguments, measured=mirror)
