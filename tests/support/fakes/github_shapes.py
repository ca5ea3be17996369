"""The state of the fake GitHub, and its answers with every field that GitHub's API requires."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.fakes.githttp import git

EARLY = "2026-01-02T03:04:05Z"


@dataclass(frozen=True)
class Repo:
    number: int
    name: str
    private: bool
    default_branch: str
    path: Path

    @property
    def owner(self) -> str:
        return self.name.partition("/")[0]

    def sha(self, ref: str) -> str | None:
        """The commit of a branch, a ref or a commit hash."""
        run = subprocess.run(
            ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"],
            cwd=self.path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return run.stdout.strip() or None


@dataclass(frozen=True)
class Pull:
    number: int
    repo: Repo
    head: str
    base: str
    title: str = "A change"
    body: str | None = None
    draft: bool = False
    author: str = "somebody"
    state: str = "open"
    merged_at: str | None = None
    merged_by: str = ""
    closed_at: str | None = None
    merge_commit: str | None = None
    head_sha: str = ""
    head_repo: str | None = None
    """Repository of the branch if it is a fork; `gone` for a deleted fork."""
    files: tuple[str, ...] = ()
    """The changed files, if there is no real branch."""
    association: str = ""
    """GitHub's `author_association`; empty for COLLABORATOR, and NONE in a fork."""

    @property
    def author_association(self) -> str:
        return self.association or ("NONE" if self.head_repo else "COLLABORATOR")

    @property
    def sha(self) -> str:
        return self.head_sha or self.repo.sha(f"refs/heads/{self.head}") or "0" * 40

    @property
    def label(self) -> str:
        return f"{(self.head_repo or self.repo.name).partition('/')[0]}:{self.head}"


COUNTS = (
    "forks", "forks_count", "open_issues", "open_issues_count", "stargazers_count", "watchers",
    "watchers_count", "network_count", "subscribers_count",
)  # fmt: skip


def user_of(login: str, base: str) -> dict[str, Any]:
    api = f"{base}users/{login}"
    endpoints = (
        "followers", "following", "gists", "starred", "subscriptions", "organizations", "repos", "events",
        "received_events",
    )  # fmt: skip
    return {
        "login": login, "id": 7, "node_id": "u", "avatar_url": api, "gravatar_id": "", "url": api,
        "html_url": f"{base}{login}", "type": "Bot" if login.endswith("[bot]") else "User", "site_admin": False,
        **{f"{endpoint}_url": f"{api}/{endpoint}" for endpoint in endpoints},
    }  # fmt: skip


def repo_of(repo: Repo, base: str, may_push: bool) -> dict[str, Any]:
    api, html = f"{base}repos/{repo.name}", f"{base}{repo.name}"
    endpoints = (
        "archive", "assignees", "blobs", "branches", "collaborators", "comments", "commits", "compare",
        "contents",
        "contributors", "deployments", "downloads", "events", "forks", "git_commits", "git_refs",
        "git_tags", "hooks",
        "issue_comment", "issue_events", "issues", "keys", "labels", "languages", "merges", "milestones",
        "notifications", "pulls", "releases", "stargazers", "statuses", "subscribers", "subscription",
        "tags", "teams",
        "trees",
    )  # fmt: skip
    return {
        "id": repo.number, "node_id": f"R{repo.number}", "name": repo.name.partition("/")[2],
        "full_name": repo.name, "owner": user_of(repo.owner, base), "private": repo.private,
        "visibility": "private" if repo.private else "public", "html_url": html, "description": None,
        "fork": False, "url": api, **{f"{endpoint}_url": f"{api}/{endpoint}" for endpoint in endpoints},
        "clone_url": f"{html}.git", "git_url": f"{html}.git", "ssh_url": f"git@host:{repo.name}.git",
        "svn_url": html, "mirror_url": None, "homepage": None, "language": None, "license": None,
        "default_branch": repo.default_branch, "archived": False, "disabled": False, "size": 1,
        **dict.fromkeys(COUNTS, 0),
        **{f"has_{name}": False for name in ("issues", "projects", "wiki", "pages", "downloads",
        "discussions")},
        "pushed_at": EARLY, "created_at": EARLY, "updated_at": EARLY,
        "permissions": {"admin": False, "maintain": False, "push": may_push, "triage": may_push,
        "pull": True},
    }  # fmt: skip


def pull_of(pull: Pull, base: str, *, simple: bool = False) -> dict[str, Any]:
    """A pull request as an item of a list (`simple`) or by itself."""
    repo, api = pull.repo, f"{base}repos/{pull.repo.name}"
    here, issue, html = (
        f"{api}/pulls/{pull.number}",
        f"{api}/issues/{pull.number}",
        f"{base}{repo.name}/pull/{pull.number}",
    )
    hrefs = {
        "url": here, "html_url": html, "issue_url": issue, "comments_url": f"{issue}/comments",
        "review_comments_url": f"{here}/comments", "review_comment_url": f"{api}/pulls/comments/{{number}}",
        "commits_url": f"{here}/commits", "statuses_url": f"{api}/statuses/{pull.sha}",
    }  # fmt: skip
    links = {
        "self" if name == "url" else name.removesuffix("_url"): {"href": href} for name, href in hrefs.items()
    }
    links["html"] = {"href": html}
    answer: dict[str, Any] = {
        **hrefs, "id": 1000 + pull.number, "node_id": "p", "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "number": pull.number, "state": pull.state, "locked": False, "title": pull.title, "body": pull.body,
        "user": user_of(pull.author, base), "labels": [], "milestone": None, "created_at": EARLY,
        "updated_at": EARLY, "closed_at": pull.closed_at, "merged_at": pull.merged_at,
        # Before the merge GitHub names its trial merge here: it must not be mistaken for the real one.
        "merge_commit_sha": pull.merge_commit or "f" * 40, "assignee": None, "assignees": [],
        "requested_reviewers": [], "requested_teams": [], "head": _end(pull, base), "_links": links,
        "base": _base(pull, base), "author_association": pull.author_association, "auto_merge": None,
        "draft": pull.draft,
    }  # fmt: skip
    if simple:
        return answer
    counts = dict.fromkeys(
        ("comments", "review_comments", "commits", "additions", "deletions", "changed_files"), 1
    )
    return answer | counts | {
        "merged": pull.merged_at is not None, "mergeable": None, "mergeable_state": "unknown",
        "merged_by": user_of(pull.merged_by, base) if pull.merged_by else None,
        "maintainer_can_modify": False,
    }  # fmt: skip


def _end(pull: Pull, base: str) -> dict[str, Any]:
    where = pull.head_repo or pull.repo.name
    other = Repo(99, where, False, "main", pull.repo.path) if pull.head_repo else pull.repo
    owner = where.partition("/")[0]
    repo = None if pull.head_repo == "gone" else repo_of(other, base, False)
    return {
        "label": pull.label,
        "ref": pull.head,
        "sha": pull.sha,
        "user": user_of(owner, base),
        "repo": repo,
    }


def _base(pull: Pull, base: str) -> dict[str, Any]:
    return {
        "label": f"{pull.repo.owner}:{pull.base}", "ref": pull.base,
        "sha": pull.repo.sha(pull.base) or "0" * 40,
        "user": user_of(pull.repo.owner, base), "repo": repo_of(pull.repo, base, False),
    }  # fmt: skip


def comment_of(text: str, number: int, base: str) -> dict[str, Any]:
    where = f"{base}issues/{number}"
    return {
        "id": 1, "node_id": "c", "url": where, "html_url": where, "issue_url": where, "body": text,
        "user": user_of("trackwalker-bot", base), "created_at": EARLY, "updated_at": EARLY,
        "author_association": "NONE",
    }  # fmt: skip


def commit_of(repo: Repo, sha: str, base: str) -> dict[str, Any]:
    where = f"{base}repos/{repo.name}/commits/{sha}"
    person = {"name": "A Person", "email": "person@example.com", "date": EARLY}
    message, tree = git(repo.path, "log", "-1", "--format=%s%x00%T", sha).split("\0")
    return {
        "url": where, "sha": sha, "node_id": "c", "html_url": where, "comments_url": where, "author": None,
        "committer": None, "parents": [],
        "commit": {
            "url": where, "author": person, "committer": person, "message": message, "comment_count": 0,
            "tree": {"sha": tree, "url": where},
        },
    }  # fmt: skip


def branch_of(repo: Repo, name: str, sha: str, base: str) -> dict[str, Any]:
    where = f"{base}repos/{repo.name}/branches/{name}"
    return {
        "name": name, "commit": commit_of(repo, sha, base), "protected": False,
        "protection": {"enabled": False},
        "protection_url": where, "_links": {"html": where, "self": where},
    }  # fmt: skip


STATUS = {"A": "added", "M": "modified", "D": "removed", "R": "renamed"}


def file_of(letter: str, path: str, old: str, base: str) -> dict[str, Any]:
    moved = {"previous_filename": old} if letter == "R" else {}
    return {
        "sha": "a" * 40, "filename": path, "status": STATUS[letter], "additions": 1, "deletions": 1,
        "changes": 2,
        "blob_url": base, "raw_url": base, "contents_url": base, **moved,
    }  # fmt: skip


def compare_of(repo: Repo, old: str, new: str, base: str) -> dict[str, Any]:
    """The files that `new` changed since it branched off `old`."""
    where = f"{base}repos/{repo.name}/compare/{old}...{new}"
    if not (repo.sha(old) and repo.sha(new)):
        return {"files": []}
    fork = git(repo.path, "merge-base", old, new)
    fields = git(repo.path, "diff", "--name-status", "--find-renames", "-z", fork, new).split("\0")[:-1]
    files, rest = [], iter(fields)
    for letter in rest:
        first = next(rest)
        path = next(rest) if letter[0] == "R" else first
        files.append(file_of(letter[0], path, first, base))
    ours = git(repo.path, "rev-list", f"{old}..{new}").split()
    theirs = git(repo.path, "rev-list", f"{new}..{old}").split()
    return {
        "url": where, "html_url": where, "permalink_url": where, "diff_url": where, "patch_url": where,
        "base_commit": commit_of(repo, git(repo.path, "rev-parse", old), base),
        "merge_base_commit": commit_of(repo, fork, base),
        "status": "diverged" if ours and theirs else "ahead" if ours else "behind" if theirs else "identical",
        "ahead_by": len(ours), "behind_by": len(theirs), "total_commits": len(ours),
        "commits": [commit_of(repo, sha, base) for sha in reversed(ours)], "files": files,
    }  # fmt: skip
