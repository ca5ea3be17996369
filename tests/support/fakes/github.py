"""A fake GitHub: the REST calls that we make, with the real validation, and git over smart HTTP.

github = FakeGitHub(tmp_path / "github", token="t")
github.create("acme/shop", some_folder)
with serve(github.app, github.faults) as running: GitHub(running.url, running.url, token=SecretStr("t"))
"""

from __future__ import annotations

import itertools
import json
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import jwt
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.fakes import githttp, github_calls
from tests.support.fakes.githttp import Right, git
from tests.support.fakes.github_shapes import (
    Pull,
    Repo,
    branch_of,
    comment_of,
    compare_of,
    file_of,
    pull_of,
    repo_of,
)
from tests.support.fakes.serving import Faults

DOCS = "https://docs.github.com/rest"
Limit = Literal["primary", "secondary", "secondary without a word"]


class ComplaintError(Exception):
    """An error answer."""

    def __init__(
        self, status: int, message: str, errors: list[dict[str, str]] | None = None, **headers: str
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.errors, self.headers = status, message, errors, headers


@dataclass
class FakeGitHub:
    """Repositories under `folder`; `token` may push to all. `wrong` lists requests that GitHub's API does not have."""

    folder: Path
    token: str = "github-token"
    readers: set[str] = field(default_factory=set)
    """Tokens with read access to every repository."""
    app_id: str = ""
    app_public_key: str = ""
    knows_drafts: bool = True
    faults: Faults = field(default_factory=Faults)
    calls: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    pulls: list[Pull] = field(default_factory=list)
    pushes: list[str] = field(default_factory=list)
    """The repository of each accepted push."""
    limits: list[Limit] = field(default_factory=list)
    """Rate limits that the next calls exceed, one each."""
    tokens: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Repositories of each installation token."""
    repositories: dict[str, Repo] = field(default_factory=dict)
    comments: list[tuple[str, int, str]] = field(default_factory=list)
    denied: dict[str, set[str]] = field(default_factory=dict)
    """By repository, the permissions that a fine-grained token lacks: `contents`, `pull_requests`."""
    token_headers: dict[str, str] = field(default_factory=dict)
    """Headers of every answer to a valid token, such as `X-OAuth-Scopes` of a classic one."""
    sso_organization: str = ""
    """The organization that requires single sign-on for the token."""
    lists_to_lag: int = 0
    """Number of list requests that omit the newest pull request: GitHub's list lags."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        """Serialises all changes."""
        self.app = Starlette(
            routes=[Route("/{path:path}", self._answer, methods=["GET", "POST", "PATCH", "DELETE", "PUT"])]
        )

    # -- what a test does -------------------------------------------------------------------------

    def create(self, name: str, source: Path, *, private: bool = True) -> Path:
        """Create a repository from a git clone, or from plain files as one commit on main. Returns its bare folder."""
        bare = self.folder / f"{name}.git"
        bare.parent.mkdir(parents=True, exist_ok=True)
        if not (source / ".git").exists() and not (source / "HEAD").exists():
            plain = self.folder / "seeds" / name
            shutil.copytree(source, plain)
            git(plain, "init", "--quiet", "--initial-branch=main")
            git(plain, "add", "--all")
            git(plain, "commit", "--quiet", "--message=Begin")
            source = plain
        git(self.folder, "clone", "--quiet", "--bare", str(source.resolve()), str(bare.resolve()))
        git(bare, "config", "receive.denyNonFastForwards", "true")
        branch = git(bare, "symbolic-ref", "--short", "HEAD")
        self.repositories[name.lower()] = Repo(len(self.repositories) + 1, name, private, branch, bare)
        return bare

    def open_pull(self, name: str, *, head: str, base: str = "main", **fields: Any) -> Pull:
        """A pull request that another user opened. `head_repo` is the repository of its branch."""
        with self._lock:
            pull = Pull(next(self._numbers), self.repositories[name.lower()], head=head, base=base, **fields)
            self.pulls.append(pull)
        return pull

    def merge(self, number: int, by: str = "lea") -> str:
        """Merge a pull request with a merge commit, as the button does. Returns the commit."""
        pull = self._numbered(number)
        bare = pull.repo.path
        tree = git(bare, "merge-tree", "--write-tree", pull.base, pull.head)
        words = f"Merge pull request #{number}"
        commit = git(bare, "commit-tree", tree, "-p", pull.base, "-p", pull.head, "-m", words)
        git(bare, "update-ref", f"refs/heads/{pull.base}", commit)
        self._end(replace(pull, merged_at=_now(), merged_by=by, merge_commit=commit))
        return commit

    def close(self, number: int) -> None:
        """A person closes the pull request without a merge."""
        self._end(self._numbered(number))

    def _end(self, pull: Pull) -> None:
        ended = replace(pull, state="closed", head_sha=pull.sha, closed_at=_now())
        self._put(ended)

    def _put(self, pull: Pull) -> None:
        with self._lock:
            self.pulls[:] = [pull if other.number == pull.number else other for other in self.pulls]

    def _numbered(self, number: int, repo: Repo | None = None) -> Pull:
        for pull in self.pulls:
            if pull.number == number and repo in (None, pull.repo):
                return pull
        raise ComplaintError(404, "Not Found")

    # -- what the wire does -----------------------------------------------------------------------

    async def _answer(self, request: Request) -> Response:
        path = "/" + request.path_params["path"]
        self.calls.append((request.method, path))
        name, dot, rest = path[1:].partition(".git/")
        if dot and name.count("/") == 1:
            repository = self.repositories.get(name.lower())
            where = f"/{repository.name}.git/{rest}" if repository else path
            answer = await githttp.answer(
                request,
                self.folder,
                where,
                lambda token: self._git_right(token, repository) if repository else "none",
            )
            if rest == "git-receive-pack" and answer.status_code == 200:
                self.pushes.append(name)
            return answer
        body = await request.body()
        return await run_in_threadpool(self._rest, request, path, body)

    def _rest(self, request: Request, path: str, raw: bytes) -> Response:
        try:
            self._meet_limit()
            matched = github_calls.find(request.method, path)
            if matched is None:
                raise ComplaintError(404, "Not Found")
            call, parameters = matched
            body = json.loads(raw) if raw else None
            complaints = github_calls.complaints(call, dict(request.query_params), body)
            if complaints:
                self.wrong.append(f"{request.method} {path}: {complaints}")
                raise ComplaintError(422, "Validation Failed", complaints)
            answer = self._do(request, call, parameters, body or {})
        except ComplaintError as problem:
            if problem.status == 404 and github_calls.find(request.method, path) is None:
                self.wrong.append(f"{request.method} {path}")
            texts = {"message": problem.message, "documentation_url": DOCS, "status": str(problem.status)}
            errors = {"errors": problem.errors} if problem.errors else {}
            headers = {name.replace("_", "-"): value for name, value in problem.headers.items()}
            answer = JSONResponse(texts | errors, problem.status, headers)
        if answer.status_code != 401:
            answer.headers.update(self.token_headers)
        answer.headers.setdefault("x-ratelimit-limit", "5000")
        answer.headers.setdefault("x-ratelimit-remaining", "4999")
        answer.headers.setdefault("x-ratelimit-reset", str(int(time.time()) + 3600))
        return answer

    def _meet_limit(self) -> None:
        match self.limits.pop(0) if self.limits else None:
            case "primary":
                reset = str(int(time.time()) + 1800)
                words = "API rate limit exceeded for user ID 1."
                raise ComplaintError(403, words, x_ratelimit_remaining="0", x_ratelimit_reset=reset)
            case "secondary":
                raise ComplaintError(403, "You have exceeded a secondary rate limit.", retry_after="7")
            case "secondary without a word":
                raise ComplaintError(403, "You have exceeded a secondary rate limit.")

    def _do(
        self, request: Request, call: github_calls.Call, at: dict[str, str], body: dict[str, Any]
    ) -> Response:
        token = _bearer(request)
        if call.path.startswith("/app") or call.path.endswith("/installation"):
            return self._for_app(token, at, body)
        if token is not None and token not in {self.token, *self.readers, *self.tokens}:
            raise ComplaintError(401, "Bad credentials")
        if "repo" not in at:
            return JSONResponse({"login": "trackwalker-bot", "id": 1})
        repo = self.repositories.get(f"{at['owner']}/{at['repo']}".lower())
        right = self._right(token, repo) if repo else "none"
        if repo is None or right == "none":
            raise ComplaintError(404, "Not Found")
        if self.sso_organization and repo.owner == self.sso_organization:
            words = "Resource protected by organization SAML enforcement."
            url = f"required; url=https://github.com/orgs/{repo.owner}/sso?authorization_request=A"
            raise ComplaintError(403, words, X_GitHub_SSO=url)
        permission = _needed(call.path).partition("=")[0]
        is_denied = permission in self.denied.get(repo.name, ())
        if call.method != "GET" and (right != "write" or is_denied):
            words = "Resource not accessible by personal access token"
            raise ComplaintError(403, words, x_accepted_github_permissions=_needed(call.path))
        doer: Callable[..., Response] = getattr(
            self, _METHODS[call.method, call.path.removeprefix(github_calls.REPO)]
        )
        with nullcontext() if call.method == "GET" else self._lock:
            return doer(request, repo, at, body)

    def _git_right(self, token: str | None, repo: Repo) -> Right:
        right = self._right(token, repo)
        return "read" if right == "write" and "contents" in self.denied.get(repo.name, ()) else right

    def _right(self, token: str | None, repo: Repo) -> Right:
        if token == self.token or repo.name in self.tokens.get(token or "", ()):
            return "write"
        return "read" if token in self.readers or not repo.private else "none"

    # -- GitHub App -------------------------------------------------------------------------------

    def _for_app(self, token: str | None, at: dict[str, str], body: dict[str, Any]) -> Response:
        try:
            claims = jwt.decode(token or "", self.app_public_key, algorithms=["RS256"])
        except jwt.PyJWTError as error:
            raise ComplaintError(401, "A JSON web token could not be decoded") from error
        if claims["iss"] != self.app_id or claims["exp"] - time.time() > 600:
            raise ComplaintError(401, "'Expiration time' claim ('exp') is too far in the future")
        if "repo" in at:
            if f"{at['owner']}/{at['repo']}".lower() not in self.repositories:
                raise ComplaintError(404, "Not Found")
            return JSONResponse({"id": 77, "app_id": 1, "app_slug": "trackwalker"})
        if at.get("installation_id") != "77":
            raise ComplaintError(404, "Not Found")
        selected = body.get("repositories", [])
        names = tuple(
            repository.name
            for repository in self.repositories.values()
            if repository.name.partition("/")[2] in selected
        )
        new_token = f"ghs_{len(self.tokens) + 1}"
        self.tokens[new_token] = names
        expires = datetime.fromtimestamp(time.time() + 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        rights = {"contents": "write", "pull_requests": "write", "metadata": "read"}
        return JSONResponse({"token": new_token, "expires_at": expires, "permissions": rights}, 201)

    # -- one method per call ----------------------------------------------------------------------

    def _repository(self, request: Request, repo: Repo, at: dict[str, str], body: dict[str, Any]) -> Response:
        may_push = self._right(_bearer(request), repo) == "write"
        return JSONResponse(repo_of(repo, str(request.base_url), may_push))

    def _branch(self, request: Request, repo: Repo, at: dict[str, str], body: dict[str, Any]) -> Response:
        sha = repo.sha(f"refs/heads/{at['branch']}")
        if sha is None:
            raise ComplaintError(404, "Branch not found")
        return JSONResponse(branch_of(repo, at["branch"], sha, str(request.base_url)))

    def _ref(self, request: Request, repo: Repo, at: dict[str, str], body: dict[str, Any]) -> Response:
        sha = repo.sha(f"refs/{at['ref']}")
        if sha is None:
            raise ComplaintError(404, "Not Found")
        kind = {"sha": sha, "type": "commit", "url": str(request.url)}
        return JSONResponse(
            {"ref": f"refs/{at['ref']}", "node_id": "r", "url": str(request.url), "object": kind}
        )

    def _delete_ref(self, request: Request, repo: Repo, at: dict[str, str], body: dict[str, Any]) -> Response:
        if repo.sha(f"refs/{at['ref']}") is None:
            raise ComplaintError(422, "Reference does not exist")
        git(repo.path, "update-ref", "-d", f"refs/{at['ref']}")
        return Response(status_code=204)

    def _compare(self, request: Request, repo: Repo, at: dict[str, str], body: dict[str, Any]) -> Response:
        base, _, head = at["basehead"].partition("...")
        if not (repo.sha(base) and repo.sha(head)):
            raise ComplaintError(404, "Not Found")
        return JSONResponse(compare_of(repo, base, head, str(request.base_url)))

    def _list_pulls(self, request: Request, repo: Repo, at: dict[str, str], body: dict[str, Any]) -> Response:
        query = request.query_params
        listed = [
            pull
            for pull in self.pulls
            if pull.repo == repo and query.get("state", "open") in ("all", pull.state)
        ]
        if listed and self.lists_to_lag > 0:
            self.lists_to_lag -= 1
            listed.remove(max(listed, key=lambda pull: pull.number))
        # As GitHub does: a filter without an owner is not looked at.
        if ":" in query.get("head", ""):
            listed = [pull for pull in listed if pull.label.lower() == query["head"].lower()]
        listed = [pull for pull in listed if query.get("base", pull.base) == pull.base]
        listed.sort(key=lambda pull: pull.number, reverse=query.get("direction", "desc") == "desc")
        return _paged(request, [pull_of(pull, str(request.base_url), simple=True) for pull in listed])

    def _get_pull(self, request: Request, repo: Repo, at: dict[str, str], body: dict[str, Any]) -> Response:
        return JSONResponse(pull_of(self._numbered(_whole(at["pull_number"]), repo), str(request.base_url)))

    def _create_pull(
        self, request: Request, repo: Repo, at: dict[str, str], body: dict[str, Any]
    ) -> Response:
        branch = body["head"].removeprefix(f"{repo.owner}:")
        if not body.get("title"):
            raise ComplaintError(422, "Validation Failed", [_missing("title")])
        for name, ref in (("head", branch), ("base", body["base"])):
            if repo.sha(f"refs/heads/{ref}") is None:
                raise ComplaintError(422, "Validation Failed", [_missing(name) | {"code": "invalid"}])
        if any(pull.repo == repo and pull.head == branch and pull.state == "open" for pull in self.pulls):
            raise ComplaintError(
                422, "Validation Failed", [_said(f"A pull request already exists for {repo.owner}:{branch}.")]
            )
        if not git(repo.path, "rev-list", "--max-count=1", f"{body['base']}..{branch}"):
            raise ComplaintError(
                422, "Validation Failed", [_said(f"No commits between {body['base']} and {branch}")]
            )
        if body.get("draft") and not self.knows_drafts:
            raise ComplaintError(422, "Draft pull requests are not supported in this repository.")
        pull = self.open_pull(
            repo.name, head=branch, base=body["base"], title=body["title"], body=body.get("body") or None,
            draft=body.get("draft", False), author="trackwalker-bot",
        )  # fmt: skip
        return JSONResponse(pull_of(pull, str(request.base_url)), 201)

    def _update_pull(
        self, request: Request, repo: Repo, at: dict[str, str], body: dict[str, Any]
    ) -> Response:
        pull = self._numbered(_whole(at["pull_number"]), repo)
        changed = replace(
            pull, **{key: body[key] for key in ("title", "body", "base", "state") if key in body}
        )
        self._put(changed)
        return JSONResponse(pull_of(changed, str(request.base_url)))

    def _files(self, request: Request, repo: Repo, at: dict[str, str], body: dict[str, Any]) -> Response:
        pull = self._numbered(_whole(at["pull_number"]), repo)
        changed = compare_of(repo, pull.base, pull.sha, str(request.base_url))["files"]
        return _paged(
            request, changed or [file_of("M", path, path, str(request.base_url)) for path in pull.files]
        )

    def _comments(self, request: Request, repo: Repo, at: dict[str, str], body: dict[str, Any]) -> Response:
        number = self._numbered(_whole(at["issue_number"]), repo).number
        texts = [text for name, where, text in self.comments if (name, where) == (repo.name, number)]
        return _paged(request, [comment_of(text, number, str(request.base_url)) for text in texts])

    def _comment(self, request: Request, repo: Repo, at: dict[str, str], body: dict[str, Any]) -> Response:
        number = self._numbered(_whole(at["issue_number"]), repo).number
        self.comments.append((repo.name, number, body["body"]))
        return JSONResponse(comment_of(body["body"], number, str(request.base_url)), 201)


_METHODS = {
    ("GET", ""): "_repository",
    ("GET", "/branches/{branch}"): "_branch",
    ("GET", "/git/ref/{ref}"): "_ref",
    ("DELETE", "/git/refs/{ref}"): "_delete_ref",
    ("GET", "/compare/{basehead}"): "_compare",
    ("GET", "/pulls"): "_list_pulls",
    ("POST", "/pulls"): "_create_pull",
    ("GET", "/pulls/{pull_number}"): "_get_pull",
    ("PATCH", "/pulls/{pull_number}"): "_update_pull",
    ("GET", "/pulls/{pull_number}/files"): "_files",
    ("GET", "/issues/{issue_number}/comments"): "_comments",
    ("POST", "/issues/{issue_number}/comments"): "_comment",
}


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _bearer(request: Request) -> str | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value if scheme.lower() in ("bearer", "token") else None


def _needed(path: str) -> str:
    return "contents=write" if "/git/" in path else "pull_requests=write"


def _whole(text: str) -> int:
    if not text.isdigit():
        raise ComplaintError(404, "Not Found")
    return int(text)


def _missing(name: str) -> dict[str, str]:
    return {"resource": "PullRequest", "field": name, "code": "missing_field"}


def _said(message: str) -> dict[str, str]:
    return {"resource": "PullRequest", "code": "custom", "message": message}


def _paged(request: Request, items: list[dict[str, Any]]) -> Response:
    size = min(int(request.query_params.get("per_page", 30)), 100)
    page = int(request.query_params.get("page", 1))
    headers = {}
    if page * size < len(items):
        headers["Link"] = f'<{request.url.include_query_params(page=page + 1)}>; rel="next"'
    return JSONResponse(items[(page - 1) * size : page * size], headers=headers)
