"""Checks GitHub: the credential, and what it may do in each repository of the watched services.

GitHub does not tell the permissions of a fine-grained token. Each is found by a request that needs it and changes
nothing: git's own question before a push, and a pull request without a title, which GitHub cannot create.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import httpx
from pydantic import SecretStr

from workers.clients import deadline
from workers.clients.github.app import AppTokens
from workers.clients.github.rest_types import error_message, rate_limit_wait
from workers.doctor.check_context import Context
from workers.doctor.http_requests import body_of, host_of, send
from workers.doctor.results import error, passed, warning
from workers.errors import GitHubBusy, GitHubRefused, NotAvailable
from workers.models.check_results import CheckResult
from workers.runtime.text import join_names, plural

AREA = "GitHub"
WAIT_SECONDS = 10.0  # for the check of Railway, which names the repositories
REPOSITORY_SECONDS = 10.0  # for all requests about the repositories
THREADS = 6  # repositories that are asked about at the same time
MAX_REPOSITORIES = 50  # that are asked about; GitHub limits requests per minute
EXPIRY_DAYS = 14  # a token that expires sooner is named
API_VERSION = "2022-11-28"
NO_SUCH_BRANCH = "trackwalker/doctor-asks-for-permission"
TOKENS_PAGE = "https://github.com/settings/personal-access-tokens"
NEW_TOKEN = f"create one at {TOKENS_PAGE} and set GITHUB_TOKEN"
CLASSIC_TOKENS_PAGE = "https://github.com/settings/tokens"
CONTENTS, PULLS = "Contents: read and write", "Pull requests: read and write"
SCOPES_HEADER = "x-oauth-scopes"  # only classic tokens have scopes, and their responses name them
EXPIRY_HEADER = "github-authentication-token-expiration"


class Access(NamedTuple):
    """The rights of the credential in one repository."""

    repository: str
    problem: str = ""
    """Why it cannot be used at all; "" if it can."""
    repair: str = ""
    lacking: tuple[str, ...] = ()
    """Permissions that are missing, as GitHub's settings name them."""
    is_temporary: bool = False
    """Whether the problem may pass by itself."""


def check_github(context: Context) -> Iterator[CheckResult]:
    """Whether the credential is accepted, and may read, push and open pull requests in each watched repository."""
    config = context.settings
    is_github = True
    has_app = bool(config.github_app_id and config.github_app_private_key)
    if not (config.github_token or has_app):
        yield warning(AREA, "not set: no code is read, no pull request is opened", NEW_TOKEN)
        return
    if config.github_token:
        response = _ask(context, "GET", "/user", config.github_token)
        if problem := _refusal(response):
            yield problem
            return
        is_github = "login" in body_of(response) or response.status_code == httpx.codes.FORBIDDEN
        yield from _expiry(context, response)
    elif problem := _refused_app(context):
        yield problem
        return
    try:
        watched = context.watched.result(WAIT_SECONDS)
    except NotInTime:
        yield warning(AREA, "the watched repositories are not known: Railway did not answer in time")
        return
    names = sorted(
        {service.repository for item in watched for service in item.services if service.repository}
    )
    if not names:
        accepted = "the token is accepted" if config.github_token else "a GitHub App is set"
        yield passed(AREA, f"{accepted}; no watched service has a GitHub repository")
        return
    accesses = _access_of_all(context, names[:MAX_REPOSITORIES])
    if not is_github and all(access.problem for access in accesses):
        yield error(
            AREA, f"what answers at {host_of(config.github_api_url)} is not GitHub's API",
            "correct GITHUB_API_URL: https://api.github.com, or https://HOST/api/v3 for GitHub Enterprise",
        )  # fmt: skip
        return
    yield from _report(accesses, _credential(context))


def _access_of_all(context: Context, names: Sequence[str]) -> list[Access]:
    def ask(name: str) -> Access:
        with deadline.within(REPOSITORY_SECONDS):
            try:
                return (
                    _app_access(context, name)
                    if context.settings.github_token is None
                    else _token_access(context, name)
                )
            except (NotAvailable, GitHubRefused) as failure:
                return Access(name, str(failure), is_temporary=isinstance(failure, NotAvailable))

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(ask, names))


def _report(accesses: Sequence[Access], credential: str) -> Iterator[CheckResult]:
    good = [access for access in accesses if not access.problem and not access.lacking]
    if good:
        names = join_names([access.repository for access in good], 3)
        yield passed(AREA, f"{names}: read, push, pull requests ({credential})")
    count = (
        f" ({len(good)} of {plural(len(accesses), 'repository', 'repositories')} fine)"
        if len(accesses) > 1
        else ""
    )
    for access in accesses:
        if access.problem:
            result = warning if access.is_temporary else error
            yield result(AREA, f"{access.problem}{count}", access.repair)
        elif access.lacking:
            cannot = " and ".join(_inability(permission) for permission in access.lacking)
            grant = " and ".join(f'"{permission}"' for permission in access.lacking)
            yield error(
                AREA,
                f"{access.repository}: {credential} cannot {cannot}{count}",
                f"give {credential} {grant} for it",
            )


def _inability(permission: str) -> str:
    return "push branches" if permission == CONTENTS else "open pull requests"


# ---- a token ---------------------------------------------------------------------------------


def _token_access(context: Context, name: str) -> Access:
    token = context.settings.github_token
    assert token is not None  # noqa: S101 (the caller has looked)
    response = _ask(context, "GET", f"/repos/{name}", token)
    if not response.is_success:
        return _unusable(name, response)
    repository = body_of(response)
    if repository.get("archived"):
        return Access(
            name,
            f"{name} is archived, so nothing can be proposed",
            "unarchive it, or connect the service to another one",
        )
    lacking = [*([] if _can_push(context, name, token) else [CONTENTS])]
    if not _can_propose(context, name, token, str(repository.get("default_branch") or "main")):
        lacking.append(PULLS)
    scopes = response.headers.get(SCOPES_HEADER, "")
    if lacking and scopes and "repo" not in {scope.strip() for scope in scopes.split(",")}:
        return Access(
            name,
            f"{name}: GITHUB_TOKEN lacks the scope `repo` (it has: {scopes})",
            f"add it at {CLASSIC_TOKENS_PAGE}",
        )
    return Access(name, lacking=tuple(lacking))


def _can_push(context: Context, name: str, token: SecretStr) -> bool:
    """Whether git may push: the request with which each `git push` begins."""
    url = f"{context.settings.github_server_url}/{name}.git/info/refs"
    response = send(
        context, "GET", url, name="GitHub", params={"service": "git-receive-pack"},
        auth=("x-access-token", token.get_secret_value()),
    )  # fmt: skip
    if response.status_code >= 500:
        raise GitHubBusy(f"GitHub answered {response.status_code} about a push to {name}")
    return response.is_success


def _can_propose(context: Context, name: str, token: SecretStr, base: str) -> bool:
    """Whether pull requests may be opened. At start only whether they may be read, which sends no POST."""
    if context.is_quick:
        return (
            _ask(context, "GET", f"/repos/{name}/pulls", token, {"per_page": 1}).status_code
            != httpx.codes.FORBIDDEN
        )
    # Without a title, and from a branch that does not exist: GitHub answers 422 to a token that may.
    body = {"head": NO_SUCH_BRANCH, "base": base}
    response = _ask(context, "POST", f"/repos/{name}/pulls", token, json=body)
    return response.status_code not in (httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND)


def _unusable(name: str, response: httpx.Response) -> Access:
    status, message = response.status_code, error_message(response)
    if response.is_redirect:
        return Access(name, f"{name} was renamed on GitHub", "connect the Railway service to its new name")
    if status == httpx.codes.NOT_FOUND:
        return Access(
            name, f"{name}: GITHUB_TOKEN does not see it, or it does not exist",
            f"add it under Repository access at {TOKENS_PAGE}; its organization may have to approve the token",
        )  # fmt: skip
    problem = _refusal(response)
    if problem is None:
        return Access(name, f"{name}: GitHub answered {status}: {message}", is_temporary=status >= 500)
    return Access(name, f"{name}: {problem.what}", problem.repair, is_temporary=status >= 500)


def _refusal(response: httpx.Response) -> CheckResult | None:
    """The problem of a response that refuses the token as such; None for any other."""
    status, message = response.status_code, error_message(response)
    wait = rate_limit_wait(response)
    if wait is not None:
        until = datetime.now(UTC) + timedelta(seconds=wait)
        return warning(
            AREA,
            f"the rate limit of GITHUB_TOKEN is used up until {until:%H:%M} UTC",
            "use a token that nothing else uses",
        )
    if status == httpx.codes.UNAUTHORIZED:
        return error(AREA, f"GITHUB_TOKEN is wrong, expired or revoked (401 {message})", NEW_TOKEN)
    if status >= 500:
        return warning(AREA, f"GitHub answered {status}", "try again; see https://www.githubstatus.com")
    if status != httpx.codes.FORBIDDEN:
        return None
    if response.headers.get("x-github-sso"):
        return error(
            AREA,
            "the organization requires single sign-on for GITHUB_TOKEN",
            f"authorize it at {CLASSIC_TOKENS_PAGE} → Configure SSO",
        )
    if "integration" in message.lower():
        return None  # an installation token has no user, and works
    return error(
        AREA,
        f"GitHub refuses GITHUB_TOKEN (403 {message})",
        f"check the token and the organization's policy at {TOKENS_PAGE}",
    )


def _expiry(context: Context, response: httpx.Response) -> Iterator[CheckResult]:
    text = response.headers.get(EXPIRY_HEADER, "")  # for example `2026-12-24 10:00:00 UTC`
    try:
        expires = datetime.fromisoformat(text.replace(" UTC", "+00:00").replace(" -", "-").replace(" +", "+"))
    except ValueError:
        return
    expires = expires if expires.tzinfo else expires.replace(tzinfo=UTC)
    days = (expires - context.now()).days
    if days < EXPIRY_DAYS:
        yield warning(
            AREA, f"GITHUB_TOKEN expires in {plural(max(0, days), 'day')}", f"renew it at {TOKENS_PAGE}"
        )


def _ask(
    context: Context, method: str, path: str, token: SecretStr,
    params: dict[str, str | int] | None = None, json: object = None,
) -> httpx.Response:  # fmt: skip
    headers = {
        "Authorization": f"Bearer {token.get_secret_value()}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": API_VERSION,
        "User-Agent": "trackwalker",
    }
    url = context.settings.github_api_url + path
    return send(context, method, url, name="GitHub", headers=headers, params=params, json=json)


# ---- a GitHub App ----------------------------------------------------------------------------


def _tokens(context: Context) -> AppTokens:
    config = context.settings
    assert config.github_app_id and config.github_app_private_key  # noqa: S101, PT018 (the caller has looked)

    def post(method: str, path: str, token: SecretStr, *, json: object = None) -> httpx.Response:
        return _ask(context, method, path, token, json=json)

    return AppTokens(config.github_app_id, config.github_app_private_key, post)


def _refused_app(context: Context) -> CheckResult | None:
    """The problem if GitHub does not accept the app's id and key."""
    try:
        response = _ask(context, "GET", "/app", _tokens(context).app_jwt())
    except GitHubRefused:
        return error(
            AREA, "GITHUB_APP_PRIVATE_KEY is no private key in PEM format",
            "download a new one from the app's settings, and write its line breaks as \\n in .env",
        )  # fmt: skip
    if response.status_code != httpx.codes.UNAUTHORIZED:
        return None
    return error(
        AREA, f"GitHub does not accept GITHUB_APP_ID with GITHUB_APP_PRIVATE_KEY ({error_message(response)})",
        "copy the App ID from the app's settings, and download a new private key there",
    )  # fmt: skip


def _app_access(context: Context, name: str) -> Access:
    try:
        token = _tokens(context).token(name)
    except GitHubRefused as refused:
        return Access(
            name, str(refused), "open the app's settings on GitHub → Install App, and choose the repository"
        )
    rights = {"contents": CONTENTS, "pull_requests": PULLS}
    lacking = tuple(label for right, label in rights.items() if token.permissions.get(right) != "write")
    return Access(name, lacking=lacking)


def _credential(context: Context) -> str:
    return (
        "GITHUB_TOKEN"
        if context.settings.github_token
        else f"the GitHub App {context.settings.github_app_id}"
    )
