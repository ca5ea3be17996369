"""Client for GitHub's REST API: repositories, pull requests, and the credential that git uses.

The credential travels in the Authorization header only, never in an address, a log or an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from workers.clients import deadline
from workers.clients.github import refusals, rest_types
from workers.clients.github.app import AppTokens, InstallationToken
from workers.errors import GitHubBusy, GitHubRefused
from workers.models import PullRequest, RemoteRepository
from workers.runtime.settings import Settings

T = TypeVar("T")

TIMEOUT = httpx.Timeout(20.0, connect=10.0)
"""Seconds for connecting and for each read and write."""
TOTAL_SECONDS = 60.0
"""Upper bound of a whole request."""
NO_KEEPALIVE = httpx.Limits(max_keepalive_connections=0)
"""Requests are minutes apart. The server closes an idle connection sooner, and a retry costs more than a new one."""
PER_PAGE = 100
"""Items per page; the most that GitHub accepts."""
MAX_PAGES = 30
"""GitHub lists at most 3,000 files of a pull request, and no repository has 3,000 open pull requests."""
BRANCH_PREFIX = "trackwalker/"
"""Prefix of every branch that Trackwalker pushes."""
API_VERSION = "2022-11-28"
NOT_LISTED_RETRY_SECONDS = 5.0
"""GitHub's list of pull requests lags a few seconds behind its creation of one."""


class GitHub:
    """The repositories that one token, or the installations of one GitHub App, can see.

    Every method raises GitHubBusy if GitHub cannot answer now, and GitHubRefused if GitHub refuses the request.

    Args:
        api_url: address of the REST API.
        server_url: address of the git server.
        token: personal access token. Takes precedence over the GitHub App.
        app_id: id of a GitHub App; needs `private_key`.
        private_key: the App's key in PEM format.
        http: HTTP client to use; tests pass one with a mock transport.
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
        """A client with the configured addresses and credential. It sends nothing yet."""
        return cls(
            settings.github_api_url,
            settings.github_server_url,
            token=settings.github_token,
            app_id=settings.github_app_id,
            private_key=settings.github_app_private_key,
        )

    # -- repositories and code --------------------------------------------------------------------

    def repository(self, name: str) -> RemoteRepository:
        """Visibility and default branch of `owner/name`, and whether the credential may push to it."""
        repository = self._read(rest_types.Repository, "GET", name, "")
        # GitHub answers with a user's permissions; those of an App are in its installation token.
        token = self._installation_token(name)
        may_push = token.may_push if token else repository.permissions.push
        return RemoteRepository(
            name=repository.full_name,
            private=repository.private,
            default_branch=repository.default_branch,
            may_push=may_push and not repository.archived,
        )

    def head(self, name: str, branch: str) -> str:
        """The newest commit of the branch."""
        path = f"/branches/{quote(branch, safe='')}"
        return self._read(rest_types.Branch, "GET", name, path).commit.sha

    def compare(self, name: str, base: str, head: str) -> tuple[str, ...]:
        """Files that `head` changed since it branched off `base`; a renamed file under both names.

        GitHub lists at most 300 files.
        """
        basehead = f"{quote(base, safe='')}...{quote(head, safe='')}"
        return rest_types.paths(self._read(rest_types.Comparison, "GET", name, f"/compare/{basehead}").files)

    def credentials(self, name: str) -> SecretStr:
        """The password for git over HTTPS, for the user `x-access-token`. An App's token expires after one hour."""
        token = self._installation_token(name)
        if token:
            return token.token
        if self._token is None:
            raise GitHubRefused(refusals.NO_CREDENTIAL, is_access=True)
        return self._token

    # -- pull requests ----------------------------------------------------------------------------

    def open_pulls(self, name: str) -> list[PullRequest]:
        """All open pull requests, newest first."""
        params = {"state": "open", "sort": "created", "direction": "desc"}
        return [pull.to_model() for pull in self._pages(rest_types.Pull, name, "/pulls", params)]

    def pull_files(self, name: str, number: int) -> tuple[str, ...]:
        """Files that a pull request changes; a renamed file under both names."""
        return rest_types.paths(tuple(self._pages(rest_types.File, name, f"/pulls/{number}/files")))

    def find_pull(self, name: str, *, head: str, state: str = "all") -> PullRequest | None:
        """The pull request from a branch: the open one, else a merged one, else the newest closed one.

        Args:
            head: `owner:branch`.
            state: `open`, `closed` or `all`.
        """
        owner, _, branch = head.partition(":")
        pulls = [
            pull.to_model()
            for pull in self._pages(rest_types.Pull, name, "/pulls", {"state": state, "head": head})
            # Checked again here: a pull request of another branch or fork must never count as ours.
            if pull.head.ref == branch and pull.head.owner.lower() == owner.lower() and not pull.is_from_fork
        ]
        order = ("closed", "merged", "open")
        return max(pulls, key=lambda pull: (order.index(pull.state), pull.number), default=None)

    def create_pull(
        self, name: str, *, title: str, body: str, head: str, base: str, draft: bool = False
    ) -> PullRequest:
        """Open a pull request, or return the open one from the same branch.

        Args:
            head: a branch of the same repository.
            draft: if the repository's plan has no drafts, an ordinary pull request with `[draft]` in its title.

        Raises:
            GitHubBusy: GitHub reports an open pull request from the branch and does not list it yet.
        """
        fields = {"title": title, "body": body, "head": head, "base": base, "draft": draft}
        try:
            return self._read(rest_types.Pull, "POST", name, "/pulls", json=fields).to_model()
        except GitHubRefused as error:
            # Both cases are a 422 without a code: only GitHub's message tells them apart.
            message = str(error).lower()
            if "already exists" in message:
                existing = self.find_pull(name, head=f"{name.partition('/')[0]}:{head}", state="open")
                if existing is not None:
                    return existing
                raise GitHubBusy(
                    f"GitHub does not list the open pull request from {head} yet",
                    retry_after=NOT_LISTED_RETRY_SECONDS,
                ) from error
            if not (draft and "draft" in message and "not supported" in message):
                raise
        fields |= {"draft": False, "title": f"[draft] {title}"}
        return self._read(rest_types.Pull, "POST", name, "/pulls", json=fields).to_model()

    def pull(self, name: str, number: int) -> PullRequest:
        """The current state of a pull request; with the merge commit once it is merged."""
        return self._read(rest_types.Pull, "GET", name, f"/pulls/{number}").to_model()

    def update_pull(self, name: str, number: int, body: str) -> PullRequest:
        """Replace the description of a pull request."""
        path = f"/pulls/{number}"
        return self._read(rest_types.Pull, "PATCH", name, path, json={"body": body}).to_model()

    def comment(self, name: str, number: int, body: str) -> None:
        """Comment on a pull request. Every call adds a comment: check `comments` before a repeated call."""
        self._ask("POST", name, f"/issues/{number}/comments", json={"body": body})

    def comments(self, name: str, number: int) -> tuple[str, ...]:
        """Texts of the comments on a pull request, oldest first."""
        pages = self._pages(rest_types.Comment, name, f"/issues/{number}/comments")
        return tuple(comment.body for comment in pages)

    # -- HTTP -------------------------------------------------------------------------------------

    def _installation_token(self, name: str) -> InstallationToken | None:
        return self._app.token(rest_types.validate_name(name)) if self._app else None

    def _pages(
        self, kind: type[T], name: str, path: str, params: Mapping[str, str | int] | None = None
    ) -> Iterator[T]:
        """All items of a list.

        Pages are requested by number. An address in a `Link` header is never followed, because the credential would
        go to it.
        """
        for page in range(1, MAX_PAGES + 1):
            response = self._ask(
                "GET", name, path, params={**(params or {}), "per_page": PER_PAGE, "page": page}
            )
            items: list[T] = rest_types.parse(list[kind], response)  # type: ignore[valid-type]  # built at run time
            yield from items
            if "next" not in response.links and len(items) < PER_PAGE:
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
    ) -> httpx.Response:
        """A successful response. Raises GitHubRefused for any other that `_send` returns."""
        address = f"/repos/{rest_types.validate_name(name)}{path}"
        response = self._send(method, address, self.credentials(name), json=json, params=params)
        if response.status_code == 401 and self._app:
            # The token may have been revoked before it expired: try once with a new one.
            self._app.discard(name)
            response = self._send(method, address, self.credentials(name), json=json, params=params)
        if response.is_success:
            return response
        raise self._refusal(response, name)

    def _send(
        self,
        method: str,
        path: str,
        token: SecretStr,
        *,
        json: object = None,
        params: Mapping[str, str | int] | None = None,
    ) -> httpx.Response:
        """The response, successful or refused. Raises GitHubBusy if a later attempt may succeed."""
        headers = {
            "Authorization": f"Bearer {token.get_secret_value()}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": API_VERSION,
            "User-Agent": "trackwalker",
        }
        try:
            with deadline.within(TOTAL_SECONDS):
                # A renamed repository redirects. For a GET that is safe to follow; a POST would become a GET.
                response = self._http.request(
                    method, self.api_url + path, json=json, params=params, headers=headers, timeout=TIMEOUT,
                    follow_redirects=method == "GET",
                )  # fmt: skip
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise GitHubBusy(f"GitHub cannot be reached ({type(error).__name__})") from error
        wait = rest_types.rate_limit_wait(response)
        if response.status_code >= 500 or wait is not None:
            raise GitHubBusy(f"GitHub answered {response.status_code} to {method} {path}", retry_after=wait)
        return response

    def _refusal(self, response: httpx.Response, name: str) -> GitHubRefused:
        """The error, with GitHub's message and what to do about it."""
        text = refusals.describe_refusal(response, self._setting, name)
        return GitHubRefused(text, is_access=response.status_code in refusals.ACCESS_STATUSES)
