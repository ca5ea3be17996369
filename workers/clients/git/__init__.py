"""Git over HTTP: the code at a commit, its history, the agent's changes as a patch, one commit and one push.

A bare mirror per repository is the cache; a damaged mirror is deleted and fetched again. Every tree is a new folder,
and git runs only in folders to which no agent ever wrote.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr

from workers.clients.git import git
from workers.clients.git.diffs import FileDiff, read_diff
from workers.clients.git.mirror import commit_patch, ensure_commits, has_commit, locked
from workers.clients.git.trees import copy_tree, remove, safe_bytes, safe_read, safe_write
from workers.errors import GitHubBusy, GitHubRefused, Refused
from workers.models import Fix, digest

__all__ = ["FileDiff", "Repositories", "read_diff", "safe_bytes", "safe_read", "safe_write"]

STALE_TREE_SECONDS = 86_400.0
"""Age from which a tree is deleted. No fix takes a day, so its worker crashed."""
MAX_COMMITS = 50
"""Commits of a file that are listed, newest first; a report shows a few."""
MAX_PATCH_BYTES = 2 * 2**20
"""Size of a patch; far above any patch that a person reviews."""
DIFF_OPTIONS = (
    "--no-ext-diff", "--no-textconv", "--no-renames", "--no-color", "--full-index", "--binary",
    "--src-prefix=a/", "--dst-prefix=b/",
)  # fmt: skip
"""Options that keep a repository's own configuration from changing the format of a diff."""
REPOSITORY_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
COMMIT_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
"""A full hash, SHA-1 or SHA-256: git would take anything shorter for a name of another object."""
BRANCH_NAME = re.compile(r"[A-Za-z0-9_.#+=@%,/-]{1,200}")
"""Characters that git, GitHub and a shell read alike; stricter than git-check-ref-format(1)."""

T = TypeVar("T")


class Repositories:
    """The repositories of one GitHub server; safe to use from several threads and processes.

    Every method raises GitHubBusy if the server cannot be reached now, and GitHubRefused if the server refuses.

    Args:
        folder: where mirrors and trees are stored.
        server_url: address of the server, without a credential.
        credentials: returns git's password for a repository, or None.
    """

    def __init__(self, folder: Path, server_url: str, credentials: Callable[[str], SecretStr | None]) -> None:
        self.folder, self.server_url = folder.resolve(), server_url.rstrip("/")
        self._credentials = credentials

    # -- reading ----------------------------------------------------------------------------------

    def checkout(self, name: str, commit: str) -> Path:
        """A new folder with the code at the commit, detached and without history. `discard` it after use."""
        return self._with_mirror(name, [commit], lambda mirror: self._create_tree(mirror, commit))

    def head(self, name: str, branch: str) -> str:
        """The newest commit of the branch on the server. Raises GitHubRefused if there is no such branch."""
        commit = self.remote_branch(name, branch)
        if commit is None:
            raise GitHubRefused(f"{name} has no branch {branch}")
        return commit

    def remote_branch(self, name: str, branch: str) -> str | None:
        """The newest commit of the branch on the server; None if there is no such branch."""
        access, ref = self._access(name), _full_ref(branch)
        try:
            output = git.run_remote(access, self.folder, "ls-remote", access.url, ref)
        except git.GitCommandError as error:
            raise GitHubBusy(f"git ls-remote {name}: {error}") from error
        rows = [line.split("\t") for line in output.decode().splitlines()]
        # ls-remote also lists refs that merely end with the name.
        return next((sha for sha, listed in rows if listed == ref), None)

    def changed_lines(self, name: str, commit: str) -> dict[str, list[int]]:
        """Line numbers that the commit changed against its first parent, by file.

        Numbers are those after the commit. A deletion counts as the line at which it happened; a deleted or binary
        file has an empty list.
        """

        def read(mirror: Path) -> list[FileDiff]:
            hashes = git.run(mirror, "rev-list", "--parents", "-n1", commit).decode().split()
            sides = [hashes[1], hashes[0]] if len(hashes) > 1 else ["--root", hashes[0]]
            options = [option for option in DIFF_OPTIONS if option != "--binary"]
            text = git.run(mirror, "diff-tree", "-r", "-p", "-U0", "--no-commit-id", *options, *sides)
            return read_diff(text.decode(errors="replace"))

        files = self._with_mirror(name, [commit], read)
        return {
            file.path: sorted(
                {number for number, _ in file.added} | set(file.deletion_lines if file.new else ())
            )
            for file in files
        }

    def commits_touching(self, name: str, file: str, since_commit: str, head: str) -> list[tuple[str, str]]:
        """(hash, subject) of the commits that change the file, newest first, at most MAX_COMMITS.

        Args:
            since_commit: commits in its history are left out.
            head: the newest commit to consider.
        """

        def read(mirror: Path) -> list[tuple[str, str]]:
            commits = f"{since_commit}..{head}"
            arguments = ("log", f"-{MAX_COMMITS}", "--format=%H%x1f%s", commits, "--", file)
            lines = git.run(mirror, *arguments).decode(errors="replace").split("\n")
            return [(sha, subject) for sha, _, subject in (line.partition("\x1f") for line in lines) if sha]

        return self._with_mirror(name, [since_commit, head], read) if file else []

    def commits_between(self, name: str, since_commit: str, head: str) -> list[tuple[str, str, str]]:
        """(hash, subject, author) of the commits that `head` adds to another, newest first, at most MAX_COMMITS."""

        def read(mirror: Path) -> list[tuple[str, str, str]]:
            arguments = ("log", f"-{MAX_COMMITS}", "--format=%H%x1f%s%x1f%an", f"{since_commit}..{head}")
            lines = git.run(mirror, *arguments).decode(errors="replace").split("\n")
            rows = (line.split("\x1f") for line in lines)
            return [(row[0], row[1], row[2]) for row in rows if len(row) == 3]

        return self._with_mirror(name, [since_commit, head], read)

    # -- the agent's changes ----------------------------------------------------------------------

    def patch(self, name: str, base_commit: str, edited: Path) -> tuple[str, list[str]]:
        """The agent's changes as a patch and the changed files; ("", []) without changes.

        The files are copied into a new tree and compared there, because the agent may have changed the configuration
        of the git folder beside them. Files that .gitignore names are left out.

        Args:
            base_commit: the commit from which the agent started.
            edited: the agent's folder.

        Raises:
            Refused: a pull request cannot contain the files (see `copy_tree`), or the patch is too large or not UTF-8.
        """
        tree = self.checkout(name, base_commit)
        try:
            tracked = set(os.fsdecode(git.run(tree, "ls-files", "-z")).split("\0")) - {""}
            copy_tree(edited, tree, tracked)
            git.run(tree, "add", "--all", ".")
            names = git.run(tree, "diff", "--cached", "--no-renames", "--name-only", "-z", base_commit)
            content = git.run(tree, "diff", "--cached", *DIFF_OPTIONS, base_commit)
        except git.GitCommandError as error:
            raise Refused(f"the agent's files cannot be compared with the repository: {error}") from error
        finally:
            self.discard(tree)
        if len(content) > MAX_PATCH_BYTES:
            raise Refused(f"the patch is larger than {MAX_PATCH_BYTES // 2**20} MiB")
        try:
            return content.decode(), sorted(set(names.decode().split("\0")) - {""})
        except UnicodeDecodeError as error:
            raise Refused("the patch contains text that is not UTF-8") from error

    def apply(self, name: str, commit: str, patch: str) -> Path:
        """A new folder with the patch applied to the commit. Raises Refused if it does not apply."""

        def create(mirror: Path) -> Path:
            return self._create_tree(mirror, commit_patch(mirror, commit, patch, "patched", "@0 +0000"))

        return self._with_mirror(name, [commit], create)

    def commit_fix(self, name: str, fix: Fix, message: str, branch: str) -> str:
        """Write the fix as a commit into the mirror, ready for `push`; returns its hash.

        The same fix and message give the same hash.

        Raises:
            Refused: the patch does not apply to `fix.base_commit`.
        """

        def commit(mirror: Path) -> str:
            sha = commit_patch(mirror, fix.base_commit, fix.patch, message, _git_date(fix.committed_at))
            # A ref keeps git from deleting the commit as unreachable before it is pushed.
            git.run(mirror, "update-ref", f"refs/trackwalker/fixes/{branch}", sha)
            return sha

        _full_ref(branch)
        return self._with_mirror(name, [fix.base_commit], commit)

    def push(self, name: str, sha: str, branch: str) -> None:
        """Push a commit of `commit_fix` to the branch, without force. A branch at this commit already is a success.

        Raises:
            GitHubBusy: the mirror was deleted in the meantime; call `commit_fix` again.
            GitHubRefused: the branch has another commit, or GitHub forbids the push.
        """
        access, ref = self._access(name), _full_ref(branch)
        with self._locked(name) as mirror:
            if not has_commit(mirror, sha):
                raise GitHubBusy(f"commit {sha[:12]} is no longer in the local copy: commit again, then push")
            try:
                git.run_remote(
                    access, mirror, "push", "--porcelain", "--no-verify", access.url, f"{sha}:{ref}"
                )
            except git.GitCommandError as error:
                raise GitHubBusy(f"git push {name}: {error}") from error

    # -- folders ----------------------------------------------------------------------------------

    def scratch_dir(self) -> Path:
        """An empty folder beside the trees, for files that checks need. `discard` it after use."""
        return Path(tempfile.mkdtemp(prefix="scratch-", dir=self._trees()))

    def discard(self, path: Path) -> None:
        """Delete a folder of `checkout`, `apply` or `scratch_dir`; a missing folder is no error."""
        if path.parent != self._trees():
            raise ValueError(f"{path} is not a folder of this class")
        remove(path)

    def _trees(self) -> Path:
        """The folder of all trees. Mode 711 lets the sandbox's user reach its own tree and not list the others."""
        trees = self.folder / "trees"
        for folder in (self.folder, trees):
            folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        return trees

    def _create_tree(self, mirror: Path, commit: str) -> Path:
        trees = self._trees()
        for existing in trees.iterdir():
            if existing.lstat().st_mtime < time.time() - STALE_TREE_SECONDS:
                remove(existing)
        tree = Path(tempfile.mkdtemp(prefix=f"{commit[:12]}-", dir=trees))
        source = f"file://{mirror}"
        try:
            git.run(tree, "init", "--quiet")
            git.run(tree, "fetch", "--quiet", "--depth=1", "--no-tags", source, commit, measured=tree)
            git.run(tree, "checkout", "--quiet", "--detach", "FETCH_HEAD", measured=tree)
            (tree / ".git" / "FETCH_HEAD").unlink()  # it names the mirror's path
        except BaseException:
            remove(tree)
            raise
        return tree

    # -- the mirror -------------------------------------------------------------------------------

    def _access(self, name: str) -> git.Access:
        if not REPOSITORY_NAME.fullmatch(name) or ".." in name:
            raise GitHubRefused(f"{name[:200]!r} is not a repository name: use owner/name")
        self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        url = f"{self.server_url}/{name}.git"
        return git.Access(name, url, self.server_url, self._credentials(name))

    @contextmanager
    def _locked(self, name: str) -> Iterator[Path]:
        """The path of the mirror, under its lock."""
        folder = self.folder / "mirrors"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mirror = folder / f"{name.replace('/', '__')}-{digest(self.server_url, name)}.git"
        with locked(mirror, name):
            yield mirror

    def _with_mirror(self, name: str, commits: list[str], use: Callable[[Path], T]) -> T:
        """The result of `use` on a mirror that has the commits. If git fails, the mirror is made again, once."""
        access = self._access(name)
        for commit in commits:
            if not COMMIT_HASH.fullmatch(commit):
                raise GitHubRefused(f"{commit[:80]!r} is not a full commit hash")
        with self._locked(name) as mirror:
            try:
                ensure_commits(mirror, access, commits)
                return use(mirror)
            except git.SizeLimitExceeded as error:
                remove(mirror)
                raise GitHubRefused(f"{name} is too large: {error}") from error
            except git.GitCommandError:
                # A worker that was killed during a fetch leaves a damaged mirror behind.
                remove(mirror)
            try:
                ensure_commits(mirror, access, commits)
                return use(mirror)
            except git.GitCommandError as error:
                raise GitHubBusy(f"the local copy of {name} cannot be made: {error}") from error


def _git_date(moment: datetime) -> str:
    return f"@{int(moment.timestamp())} +0000"


def _full_ref(branch: str) -> str:
    """The full name of the branch's ref. Raises GitHubRefused for a name that git or a shell reads differently."""
    invalid_part = any(part in ("", ".", "..") or part.endswith((".lock", ".")) for part in branch.split("/"))
    if invalid_part or ".." in branch or branch.startswith("-") or not BRANCH_NAME.fullmatch(branch):
        raise GitHubRefused(f"{branch[:200]!r} is not an accepted branch name")
    return f"refs/heads/{branch}"
