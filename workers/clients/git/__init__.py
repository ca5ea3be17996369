"""Git over http: the code at a commit, what changed, the agent's changes as a patch, one commit, one push.

One bare mirror per repository is the cache; where it is broken it is made again. Every tree is a fresh
folder, and git writes only where no agent ever wrote.
"""

from __future__ import annotations

import fcntl
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
from workers.clients.git.trees import copy_tree, remove, safe_bytes, safe_read, safe_write
from workers.errors import GitHubBusy, GitHubRefused, Refused
from workers.models import Fix, digest

__all__ = ["FileDiff", "Repositories", "read_diff", "safe_bytes", "safe_read", "safe_write"]

LOCK_SECONDS = 360.0
"""Longer than one fetch may take."""
STALE_TREE_SECONDS = 86_400.0
"""No mend lasts a day: a tree that is older was left behind by a worker that died."""
MAX_COMMITS = 50
MAX_PATCH_BYTES = 2 * 2**20
"""Bytes of a patch, far above what anybody reviews."""
COMMIT_IDENTITY = {"NAME": "Trackwalker", "EMAIL": "trackwalker@users.noreply.github.com"}
DIFF_OPTIONS = (
    "--no-ext-diff", "--no-textconv", "--no-renames", "--no-color", "--full-index", "--binary",
    "--src-prefix=a/", "--dst-prefix=b/",
)  # fmt: skip

T = TypeVar("T")


class Repositories:
    """The repositories of one GitHub server. `credentials(name)` gives git's password, or None.

    Every method raises GitHubBusy when the server cannot be reached now, GitHubRefused when it says no.
    """

    def __init__(self, folder: Path, server_url: str, credentials: Callable[[str], SecretStr | None]) -> None:
        self.folder, self.server_url = folder.resolve(), server_url.rstrip("/")
        self._credentials = credentials

    # -- reading ----------------------------------------------------------------------------------

    def checkout(self, name: str, commit: str) -> Path:
        """A fresh folder with the code at that commit, detached, without history; `discard` it when done."""
        return self._with_mirror(name, [commit], lambda mirror: self._fill(mirror, commit))

    def head(self, name: str, branch: str) -> str:
        """The commit at which the branch stands on the server."""
        found = self.remote_branch(name, branch)
        if found is None:
            raise GitHubRefused(f"{name} has no branch {branch}")
        return found

    def remote_branch(self, name: str, branch: str) -> str | None:
        """The commit at which the branch stands on the server; None when there is no such branch."""
        access, ref = self._access(name), _ref(branch)
        try:
            output = git.run_remote(access, self.folder, "ls-remote", access.url, ref)
        except git.GitCommandError as error:
            raise GitHubBusy(f"git ls-remote {name}: {error}") from error
        rows = [line.split("\t") for line in output.decode().splitlines()]
        return next((sha for sha, found in rows if found == ref), None)

    def changed_lines(self, name: str, commit: str) -> dict[str, list[int]]:
        """The changed lines per file, as numbered in that commit, against its first parent.

        A deletion counts as the line it happened at; a deleted or binary file has none.
        """

        def read(mirror: Path) -> list[FileDiff]:
            words = git.run(mirror, "rev-list", "--parents", "-n1", commit).decode().split()
            sides = [words[1], words[0]] if len(words) > 1 else ["--root", words[0]]
            text = git.run(
                mirror,
                "diff-tree",
                "-r",
                "-p",
                "-U0",
                "--no-commit-id",
                *DIFF_OPTIONS[:-3],
                *DIFF_OPTIONS[-2:],
                *sides,
            )
            return read_diff(text.decode(errors="replace"))

        files = self._with_mirror(name, [commit], read)
        return {
            file.path: sorted(
                {number for number, _ in file.added} | set(file.deletion_lines if file.new else ())
            )
            for file in files
        }

    def commits_touching(self, name: str, file: str, since_commit: str, head: str) -> list[tuple[str, str]]:
        """Commits in `head`, but not in `since_commit`, that change the file, newest first: sha, subject."""

        def read(mirror: Path) -> list[tuple[str, str]]:
            reach = f"{since_commit}..{head}"
            words = ("log", f"-{MAX_COMMITS}", "--format=%H%x1f%s", reach, "--", file)
            lines = git.run(mirror, *words).decode(errors="replace").split("\n")
            return [(sha, subject) for sha, _, subject in (line.partition("\x1f") for line in lines) if sha]

        return self._with_mirror(name, [since_commit, head], read) if file else []

    # -- the agent's changes ----------------------------------------------------------------------

    def patch(self, name: str, base_commit: str, edited: Path) -> tuple[str, list[str]]:
        """What the agent changed in its copy of `base_commit`: the patch and the files; nothing: ("", []).

        Its files are copied onto a fresh clone and compared there. What .gitignore names is left out.
        Raises Refused for what cannot be in a pull request (see `copy_tree`), is no UTF-8 or far too large.
        """
        fresh = self.checkout(name, base_commit)
        try:
            tracked = set(git.run(fresh, "ls-files", "-z").decode(errors="replace").split("\0")) - {""}
            copy_tree(edited, fresh, tracked)
            git.run(fresh, "add", "--all", ".")
            names = git.run(fresh, "diff", "--cached", "--no-renames", "--name-only", "-z", base_commit)
            content = git.run(fresh, "diff", "--cached", *DIFF_OPTIONS, base_commit)
        except git.GitCommandError as error:
            raise Refused(f"the agent's files cannot be compared with the repository: {error}") from error
        finally:
            self.discard(fresh)
        if len(content) > MAX_PATCH_BYTES:
            raise Refused(f"the patch is larger than {MAX_PATCH_BYTES // 2**20} MiB")
        try:
            return content.decode(), sorted(set(names.decode().split("\0")) - {""})
        except UnicodeDecodeError as error:
            raise Refused("the patch holds text that is not UTF-8") from error

    def apply(self, name: str, commit: str, patch: str) -> Path:
        """A fresh folder with the patch on that commit. Raises Refused where it does not apply."""

        def made(mirror: Path) -> Path:
            return self._fill(mirror, _commit(mirror, commit, patch, "patched", "@0 +0000"))

        return self._with_mirror(name, [commit], made)

    def commit_fix(self, name: str, fix: Fix, message: str, branch: str) -> str:
        """The fix as a commit in our own mirror, ready to be pushed; its hash is the same each time.

        Raises Refused where the patch does not apply on `fix.base_commit`.
        """

        def made(mirror: Path) -> str:
            sha = _commit(mirror, fix.base_commit, fix.patch, message, _date(fix.committed_at))
            git.run(mirror, "update-ref", f"refs/trackwalker/fixes/{branch}", sha)
            return sha

        _ref(branch)
        return self._with_mirror(name, [fix.base_commit], made)

    def push(self, name: str, sha: str, branch: str) -> None:
        """Put the commit that `commit_fix` made on the branch, without force; there already is fine.

        Raises GitHubRefused where the branch stands elsewhere or GitHub forbids it.
        """
        access, ref = self._access(name), _ref(branch)
        with self._locked(name) as mirror:
            if not _has(mirror, sha):
                raise GitHubBusy(f"commit {sha[:12]} is not here any more: make it again, then push")
            try:
                git.run_remote(
                    access, mirror, "push", "--porcelain", "--no-verify", access.url, f"{sha}:{ref}"
                )
            except git.GitCommandError as error:
                raise GitHubBusy(f"git push {name}: {error}") from error

    def scratch_dir(self) -> Path:
        """An empty folder beside the trees, for what running them needs; `discard` it when done."""
        return Path(tempfile.mkdtemp(prefix="bench-", dir=self._trees()))

    def discard(self, path: Path) -> None:
        """Delete a folder that `checkout`, `apply` or `bench` made; gone already is fine."""
        if path.parent != self._trees():
            raise ValueError(f"{path} is no tree of ours")
        remove(path)

    # -- the mirror -------------------------------------------------------------------------------

    def _access(self, name: str) -> git.Access:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}", name) or ".." in name:
            raise GitHubRefused(f"{name[:200]!r} is no repository name (owner/name)")
        self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        url = f"{self.server_url}/{name}.git"
        return git.Access(name, url, self.server_url, self._credentials(name))

    def _trees(self) -> Path:
        """Where trees lie: another uid may pass through to its own, but not list the others."""
        trees = self.folder / "trees"
        for folder in (self.folder, trees):
            folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        return trees

    @contextmanager
    def _locked(self, name: str) -> Iterator[Path]:
        """The mirror's path, for one process and thread at a time."""
        folder = self.folder / "mirrors"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mirror = folder / f"{name.replace('/', '__')}-{digest(self.server_url, name)}.git"
        deadline = time.monotonic() + LOCK_SECONDS
        with mirror.with_suffix(".lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise GitHubBusy(f"the copy of {name} is in use") from None
                    time.sleep(0.05)
            yield mirror

    def _with_mirror(self, name: str, commits: list[str], use: Callable[[Path], T]) -> T:
        """What `use` finds in a mirror that holds the commits; one that is broken is made again, once."""
        access = self._access(name)
        for commit in commits:
            if not re.fullmatch(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", commit):
                raise GitHubRefused(f"{commit[:80]!r} is no full commit hash")
        with self._locked(name) as mirror:
            try:
                _bring(mirror, access, commits)
                return use(mirror)
            except git.SizeLimitExceeded as error:
                remove(mirror)
                raise GitHubRefused(f"{name} is too large: {error}") from error
            except git.GitCommandError:
                remove(mirror)
            try:
                _bring(mirror, access, commits)
                return use(mirror)
            except git.GitCommandError as error:
                raise GitHubBusy(f"the copy of {name} cannot be made: {error}") from error

    def _fill(self, mirror: Path, commit: str) -> Path:
        trees = self._trees()
        for left in trees.iterdir():
            if left.lstat().st_mtime < time.time() - STALE_TREE_SECONDS:
                remove(left)
        tree = Path(tempfile.mkdtemp(prefix=f"{commit[:12]}-", dir=trees))
        try:
            git.run(tree, "init", "--quiet")
            git.run(
                tree, "fetch", "--quiet", "--depth=1", "--no-tags", f"file://{mirror}", commit, measured=tree
            )
            git.run(tree, "checkout", "--quiet", "--detach", "FETCH_HEAD", measured=tree)
            (tree / ".git" / "FETCH_HEAD").unlink()
        except BaseException:
            remove(tree)
            raise
        return tree


def _bring(mirror: Path, access: git.Access, commits: list[str]) -> None:
    """Make the mirror hold the commits with their history."""
    if not mirror.exists():
        git.run(mirror.parent, "init", "--quiet", "--bare", str(mirror))
        git.run(mirror, "config", "uploadpack.allowAnySHA1InWant", "true")
    lacking = [commit for commit in commits if not _has(mirror, commit)]
    if not lacking:
        return
    try:
        wanted = [f"+{commit}:refs/trackwalker/seen/{commit}" for commit in lacking]
        _fetch(mirror, access, wanted)
    except git.SizeLimitExceeded:
        raise
    except git.GitCommandError:
        # Not every server hands out a commit by its name alone.
        _fetch(mirror, access, ["+refs/heads/*:refs/trackwalker/heads/*"])
    for commit in lacking:
        if not _has(mirror, commit):
            raise GitHubRefused(f"commit {commit[:12]} is not in {access.name}")


def _fetch(mirror: Path, access: git.Access, refs: list[str]) -> None:
    words = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", access.url, *refs)
    git.run_remote(access, mirror, *words, measured=mirror)


def _has(mirror: Path, commit: str) -> bool:
    if not mirror.exists():
        return False
    answer = git.run(mirror, "cat-file", "--batch-check", stdin=f"{commit}^{{commit}}\n".encode())
    return b" commit " in answer


def _commit(mirror: Path, base: str, patch: str, message: str, date: str) -> str:
    """A commit object in the mirror; nobody's files are touched for it."""
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
    who = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in COMMIT_IDENTITY.items()
    }
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    written = git.run(mirror, "commit-tree", tree, "-p", base, stdin=message.encode(), variables=who | dates)
    return written.decode().strip()


def _date(moment: datetime) -> str:
    return f"@{int(moment.timestamp())} +0000"


def _ref(branch: str) -> str:
    """The branch's full name; only names that mean the same to git, GitHub and a shell."""
    odd = any(part in ("", ".", "..") or part.endswith((".lock", ".")) for part in branch.split("/"))
    if (
        odd
        or ".." in branch
        or not re.fullmatch(r"[A-Za-z0-9_.#+=@%,/-]{1,200}", branch)
        or branch.startswith("-")
    ):
        raise GitHubRefused(f"{branch[:200]!r} is no branch name we use")
    return f"refs/heads/{branch}"
