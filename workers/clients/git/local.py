"""Commits and patches of a repository on this machine, which may be hostile: nothing of it runs and nothing is written.

A commit is copied into a mirror of ours, and everything else happens there. git reads the other repository's
configuration only to find its objects and refs.
"""

from __future__ import annotations

import os
from pathlib import Path

from workers.clients.git import DIFF_OPTIONS, Repositories, git
from workers.clients.git.mirror import commit_patch
from workers.errors import InvalidArgument, Refused

READ_ONLY = {
    # A partial clone names a program that fetches missing objects (CVE-2024-32004): no fetch, over no protocol.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}
UPLOAD_PACK = "git -c safe.directory=* -c uploadpack.allowAnySHA1InWant=true upload-pack"
"""The serving side of the copy. git drops our configuration for it, and by default it serves branch heads only."""
SHA1_CHARACTERS = 40
"""Length of a hash that trees and mirrors can hold; GitHub has no SHA-256 repositories."""


class LocalRepositories(Repositories):
    """Mirrors that are filled from folders of this machine and never from a server.

    Args:
        folder: where mirrors and trees are stored.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "https://repository.invalid", lambda _name: None)

    def import_commit(self, name: str, directory: Path, revision: str) -> str:
        """Copy a commit into the mirror of `name`, and return its full hash.

        Args:
            directory: a working or a bare repository; uncommitted changes are ignored.
            revision: a branch, a tag, a hash, or anything else that git-rev-parse(1) reads.

        Raises:
            InvalidArgument: no such repository or commit, or the repository lacks objects of the commit.
        """
        objects = _git_folder(directory)
        commit = _resolve(directory, revision)
        with self._locked(name) as mirror:
            git.run(mirror.parent, "init", "--quiet", "--bare", str(mirror))
            git.run(mirror, "config", "uploadpack.allowAnySHA1InWant", "true")
            target = f"+{commit}:refs/trackwalker/seen/{commit}"
            try:
                git.run(
                    mirror, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head",
                    "--upload-pack", UPLOAD_PACK, str(objects), target,
                    variables={"GIT_NO_LAZY_FETCH": "1"}, measured=mirror,
                )  # fmt: skip
            except git.GitCommandError as error:
                raise InvalidArgument(f"{revision!r} cannot be read from {directory}: {error}") from error
        return commit

    def has_folder(self, name: str, commit: str, path: str) -> bool:
        """True if the commit has a folder of that path; the empty path is the whole tree."""
        with self._locked(name) as mirror:
            request = f"{commit}:{path}\n".encode()
            return b" tree " in git.run(mirror, "cat-file", "--batch-check", stdin=request)

    def canonical_patch(self, name: str, commit: str, patch: str) -> tuple[str, list[str]]:
        """The patch as our own git prints the change that it makes, and the changed files.

        A patch of a stranger may be read differently by `git apply` and by our own rules: renames, quoted names, text
        between files. The rules read what was applied.

        Raises:
            InvalidArgument: the patch does not apply to the commit, or changes nothing.
            Refused: the patch contains text that is not UTF-8.
        """
        if not patch.strip():
            raise InvalidArgument("the patch is empty")
        with self._locked(name) as mirror:
            try:
                patched = commit_patch(mirror, commit, patch, "patched", "@0 +0000")
            except Refused as error:
                raise InvalidArgument(str(error)) from error
            names = git.run(mirror, "diff", "--no-renames", "--name-only", "-z", commit, patched)
            content = git.run(mirror, "diff", *DIFF_OPTIONS, commit, patched)
        if not content:
            raise InvalidArgument("the patch changes nothing")
        try:
            return content.decode(), sorted(set(names.decode().split("\0")) - {""})
        except UnicodeDecodeError as error:
            raise Refused("the patch contains text that is not UTF-8") from error


def _git_folder(directory: Path) -> Path:
    """The folder that holds the repository's objects and refs: for a linked working tree, that of its main one."""
    # git would look for a repository in the folders above, too.
    above = {"GIT_CEILING_DIRECTORIES": os.path.dirname(os.path.abspath(directory))}  # noqa: PTH100, PTH120
    try:
        if not directory.is_dir():
            raise InvalidArgument(f"{directory} is not a git repository")
        output = git.run(
            directory, "rev-parse", "--path-format=absolute", "--git-common-dir",
            variables=READ_ONLY | above,
        )  # fmt: skip
    except (git.GitCommandError, OSError) as error:
        raise InvalidArgument(f"{directory} is not a git repository") from error
    return Path(os.fsdecode(output.removesuffix(b"\n")))


def _resolve(directory: Path, revision: str) -> str:
    try:
        output = git.run(
            directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}",
            variables=READ_ONLY,
        )  # fmt: skip
    except (git.GitCommandError, ValueError) as error:
        raise InvalidArgument(f"{directory} has no commit {revision!r}") from error
    commit = output.decode().strip()
    if len(commit) != SHA1_CHARACTERS:
        raise InvalidArgument(f"{directory} uses SHA-256 hashes, which are not supported")
    return commit
