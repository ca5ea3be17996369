"""GitHub's REST API: repositories, pull requests, and the credential that git uses.

One method, one question. `_ask` alone knows HTTP and turns it into GitHubBusy (tried again) or
GitHubRefused (told).
The credential travels in the Authorization header only: never in an address, a log or an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from workers.clients import deadline
from workers.clients.github import rest_types
from workers.clients.github.app import AppTokens, InstallationToken
from workers.errors import GitHubBusy, GitHubRefused
from workers.models import PullRequest, RemoteRepository
from workers.runtime.settings import Settings

T = TypeVar("T")

TIMEOUT = httpx.Timeout(20.0, connect=10.0)
"""Seconds for each part of a call."""
WHOLE_SECONDS = 60.0
"""For a call as a whole, however its answer trickles."""
NO_KEEPALIVE = httpx.Limits(max_keepalive_connections=0)
"""Calls are minutes apart: an idle connection would be found dead, which costs more than a new one."""
PER_PAGE = 100
MAX_PAGES = 30
"""GitHub lists at most 3000 files of a pull request; so many open pull requests are nobody's."""
BRANCH_PREFIX = "trackwalker/"


class GitHub:
    """The repositories that one token, or one GitHub App's installations, can see.

    Every method raises GitHubBusy when GitHub cannot answer now and GitHubRefused when it says no.
    """

    def __init__(
        self,
        api_url: str,
        server_url: str,
        *,
        token: SecretStr | None = None,
        app_id: str | None = None,
        private_key: SecretStr | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self.api_url, self.server_url = api_url.rstrip("/"), server_url.rstrip("/")
        self._http = http or deadline.client(limits=NO_KEEPALIVE)
        self._token = token
        self._app = (
            AppTokens(app_id, private_key, self._send) if app_id and private_key and not token else None
        )
        self._setting = "GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY" if self._app else "GITHUB_TOKEN"

    @classmethod
    def from_settings(cls, settings: Settings) -> GitHub:
        """As the settings say; connects to nothing. Without a credential every question is refused."""
        return cls(
            settings.github_api_url,
            settings.github_server_url,
            token=settings.github_token,
            app_id=settings.github_app_id,
            private_key=settings.github_app_private_key,
        )

    # -- repositories and code --------------------------------------------------------------------

    def repository(self, name: str) -> RemoteRepository:
        """Whether it is private, its default branch, and whether our token may push to it."""
        answer = self._read(rest_types.Repository, "GET", name, "")
        granted = self._granted(name)
        push = granted.may_push if granted else answer.permissions.push
        return RemoteRepository(
            name=answer.full_name,
            private=answer.private,
            default_branch=answer.default_branch,
            may_push=push and not answer.archived,
        )

    def head(self, name: str, branch: str) -> str:
        """The commit that the branch points at."""
        return self._read(rest_types.Branch, "GET", name, f"/branches/{quote(branch, safe='')}").commit.sha

    def compare(self, name: str, base: str, head: str) -> tuple[str, ...]:
        """The files that `head` changed since it left `base`, at most 300; a moved one under both names."""
        basehead = f"{quote(base, safe='')}...{quote(head, safe='')}"
        return rest_types.paths(self._read(rest_types.Comparison, "GET", name, f"/compare/{basehead}").files)

    def clone_url(self, name: str) -> str:
        """The address for git, without a credential in it."""
        return f"{self.server_url}/{rest_types.validate_name(name)}.git"

    def credentials(self, name: str) -> SecretStr:
        """The password for git over https, user `x-access-token`. A GitHub App's lives about an hour."""
        granted = self._granted(name)
        if granted:
            return granted.token
        if self._token is None:
            raise GitHubRefused(
                "no GitHub credential: set GITHUB_TOKEN (or GITHUB_APP_ID, GITHUB_APP_PRIVATE_KEY)"
            )
        return self._token

    def delete_branch(self, name: str, branch: str) -> None:
        """Remove one of our branches; one that is gone already is no error."""
        if not branch.startswith(BRANCH_PREFIX):
            raise GitHubRefused(f"{branch} is none of our branches: not deleted")
        path = f"/git/refs/heads/{quote(branch)}"
        answer = self._ask("DELETE", name, path, gone_is_fine=True)
        if answer.status_code == 422 and "does not exist" not in answer.text:
            raise self._refusal(answer, name)

    # -- pull requests ----------------------------------------------------------------------------

    def open_pulls(self, name: str) -> list[PullRequest]:
        """All open pull requests, newest first."""
        params = {"state": "open", "sort": "created", "direction": "desc"}
        return [pull.to_model(name) for pull in self._pages(rest_types.Pull, name, "/pulls", params)]

    def pull_files(self, name: str, number: int) -> tuple[str, ...]:
        """The files a pull request touches, old names of moved ones included."""
        return rest_types.paths(tuple(self._pages(rest_types.File, name, f"/pulls/{number}/files")))

    def find_pull(self, name: str, *, head: str, state: str = "all") -> PullRequest | None:
        """The pull request from `owner:branch`: the open one, else a merged one, else the last closed one."""
        owner, _, branch = head.partition(":")
        found = [
            pull.to_model(name)
            for pull in self._pages(rest_types.Pull, name, "/pulls", {"state": state, "head": head})
            if pull.head.ref == branch and pull.head.owner.lower() == owner.lower()
        ]
        order = ("closed", "merged", "open")
        return max(found, key=lambda pull: (order.index(pull.state), pull.number), default=None)

    def create_pull(
        self, name: str, *, title: str, body: str, head: str, base: str, draft: bool = False
    ) -> PullRequest:
        """Open a pull request from `head`, a branch of the same repository; or the one that is there.

        Where a repository's plan knows no drafts it becomes an ordinary one with `[draft]` in its title. Raises
        GitHubBusy where one is there that GitHub does not show yet.
        """
        asked = {"title": title, "body": body, "head": head, "base": base, "draft": draft}
        try:
            return self._read(rest_types.Pull, "POST", name, "/pulls", json=asked).to_model(name)
        except GitHubRefused as error:
            said = str(error).lower()
            if "already exists" in said:
                there = self.find_pull(name, head=f"{name.partition('/')[0]}:{head}", state="open")
                if there is not None:
                    return there
                raise GitHubBusy(
                    "a pull request is there that GitHub does not list yet", retry_after=5
                ) from error
            if not (draft and "draft" in said and "not supported" in said):
                raise
        plain = asked | {"draft": False, "title": f"[draft] {title}"}
        return self._read(rest_types.Pull, "POST", name, "/pulls", json=plain).to_model(name)

    def pull(self, name: str, number: int) -> PullRequest:
        """A pull request as it stands: open, merged (with the merge commit) or closed."""
        return self._read(rest_types.Pull, "GET", name, f"/pulls/{number}").to_model(name)

    def update_pull(self, name: str, number: int, body: str) -> PullRequest:
        """Replace the description of a pull request."""
        return self._read(rest_types.Pull, "PATCH", name, f"/pulls/{number}", json={"body": body}).to_model(
            name
        )

    def comment(self, name: str, number: int, body: str) -> None:
        """Say something under a pull request; look with `comments` first, it is said again each time."""
        self._ask("POST", name, f"/issues/{number}/comments", json={"body": body})

    def comments(self, name: str, number: int) -> tuple[str, ...]:
        """What was said under a pull request, oldest first."""
        return tuple(one.body for one in self._pages(rest_types.Comment, name, f"/issues/{number}/comments"))

    # -- HTTP -------------------------------------------------------------------------------------

    def _granted(self, name: str) -> InstallationToken | None:
        return self._app.token(rest_types.validate_name(name)) if self._app else None

    def _pages(
        self, kind: type[T], name: str, path: str, params: Mapping[str, str | int] | None = None
    ) -> Iterator[T]:
        """All pages of a list. Only page numbers are counted on: the address in `Link` is never followed."""
        for page in range(1, MAX_PAGES + 1):
            asked = {**(params or {}), "per_page": PER_PAGE, "page": page}
            answer = self._ask("GET", name, path, params=asked)
            items: list[T] = rest_types.parse(list[kind], answer)  # type: ignore[valid-type]  # a type made of a value
            yield from items
            if "next" not in answer.links and len(items) < PER_PAGE:
                return

    def _read(self, kind: type[T], method: str, name: str, path: str, json: object = None) -> T:
        value: T = rest_types.parse(kind, self._ask(method, name, path, json=json))
        return value

    def _ask(
        self,
        method: str,
        name: str,
        path: str,
        *,
        json: object = None,
        params: Mapping[str, str | int] | None = None,
        gone_is_fine: bool = False,
    ) -> httpx.Response:
        address = f"/repos/{rest_types.validate_name(name)}{path}"
        answer = self._send(method, address, self.credentials(name), json=json, params=params)
        if answer.status_code == 401 and self._app:
            self._app.discard(name)
            answer = self._send(method, address, self.credentials(name), json=json, params=params)
        if answer.is_success or (gone_is_fine and answer.status_code in (404, 422)):
            return answer
        raise self._refusal(answer, name)

    def _send(
        self,
        method: str,
        path: str,
        token: SecretStr,
        *,
        json: object = None,
        params: Mapping[str, str | int] | None = None,
    ) -> httpx.Response:
        """One call; what is worth another try raises GitHubBusy, other refusals are the caller's."""
        headers = {
            "Authorization": f"Bearer {token.get_secret_value()}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": "trackwalker",
        }
        try:
            with deadline.within(WHOLE_SECONDS):
                answer = self._http.request(
                    method, self.api_url + path, json=json, params=params, headers=headers, timeout=TIMEOUT,
                    follow_redirects=method == "GET",
                )  # fmt: skip
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise GitHubBusy(f"GitHub cannot be reached ({type(error).__name__})") from error
        wait = rest_types.rate_limit_wait(answer)
        if answer.status_code >= 500 or wait is not None:
            raise GitHubBusy(f"GitHub answered {answer.status_code} to {method} {path}", retry_after=wait)
        return answer

    def _refusal(self, answer: httpx.Response, name: str) -> GitHubRefused:
        """What GitHub said, and what a person can do about it."""
        status, said = answer.status_code, rest_types.error_message(answer)
        if status == 401:
            return GitHubRefused(f"GitHub does not accept {self._setting}: {said}")
        if status == 403:
            lacks = answer.headers.get("x-accepted-github-permissions") or answer.headers.get(
                "x-accepted-oauth-scopes", ""
            )
            needs = f" (needs {lacks})" if lacks else " (needs contents and pull requests: read and write)"
            return GitHubRefused(f"GitHub does not let {self._setting} do this in {name}{needs}: {said}")
        if status == 404:
            hint = f"it does not exist, or {self._setting} may not see it"
            return GitHubRefused(f"GitHub knows no {answer.request.url.path} ({said}): {hint}")
        if answer.is_redirect:
            return GitHubRefused(f"{name} has moved on GitHub: connect the Railway service to its new name")
        return GitHubRefused(f"GitHub answered {status} for {name}: {said}")
