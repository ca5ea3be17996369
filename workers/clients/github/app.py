"""Installation tokens of a GitHub App: a signed JWT buys a token of one hour for one repository.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import time
from typing import Protocol

import httpx
from pydantic import Field, SecretStr

from workers.clients.github.rest_types import error_message, parse
from workers.errors import GitHubRefused
from workers.models import Model, Moment

JWT_SECONDS = 540
"""Lifetime of a JWT. GitHub accepts ten minutes at most; one less allows for clocks that differ."""
JWT_BACKDATE_SECONDS = 60
"""GitHub rejects a JWT issued in the future, and recommends to backdate it for clocks that differ."""
MIN_REMAINING_SECONDS = 300.0
"""A token that expires sooner is replaced: the push for which it is handed out may take minutes."""


class Send(Protocol):
    """Sends one request to GitHub with the given credential."""

    def __call__(
        self, method: str, path: str, token: SecretStr, *, json: object = None
    ) -> httpx.Response: ...


class InstallationToken(Model):
    """A token for one repository, and the permissions that the installation granted."""

    token: SecretStr
    expires_at: Moment
    permissions: dict[str, str] = Field(default_factory=dict)

    @property
    def may_push(self) -> bool:
        """True if the token may push branches and open pull requests."""
        return all(self.permissions.get(right) == "write" for right in ("contents", "pull_requests"))


class _Installation(Model):
    id: int


class AppTokens:
    """Installation tokens by repository, created on demand and kept until shortly before they expire.

    Args:
        private_key: PEM; line breaks may be written as `\\n`, as in environment variables.
        send: sends the requests.
    """

    def __init__(self, app_id: str, private_key: SecretStr, send: Send) -> None:
        self._app_id, self._send = app_id, send
        self._key = SecretStr(private_key.get_secret_value().replace("\\n", "\n"))
        self._tokens: dict[str, InstallationToken] = {}

    def token(self, name: str) -> InstallationToken:
        """A valid token for `owner/name`. Raises GitHubRefused if the app is not installed there."""
        token = self._tokens.get(name)
        if token is None or token.expires_at.timestamp() - time.time() < MIN_REMAINING_SECONDS:
            token = self._tokens[name] = self._create(name)
        return token

    def discard(self, name: str) -> None:
        """Forget the token of a repository, because GitHub no longer accepts it."""
        self._tokens.pop(name, None)

    def _create(self, name: str) -> InstallationToken:
        app_jwt = self.app_jwt()
        response = self._send("GET", f"/repos/{name}/installation", app_jwt)
        if not response.is_success:
            raise _refusal(response, f"the GitHub App {self._app_id} is not installed on {name}")
        installation = parse(_Installation, response).id
        path = f"/app/installations/{installation}/access_tokens"
        body = {"repositories": [name.partition("/")[2]]}
        response = self._send("POST", path, app_jwt, json=body)
        if not response.is_success:
            raise _refusal(response, f"the GitHub App {self._app_id} gets no token for {name}")
        token: InstallationToken = parse(InstallationToken, response)
        return token

    def app_jwt(self) -> SecretStr:
        """A token of the app itself, valid for some minutes. Raises GitHubRefused for a key that cannot sign."""
        # Imported late: cryptography takes 8 MB, and an installation with a GITHUB_TOKEN needs none.
        import jwt

        now = int(time.time())
        payload = {"iat": now - JWT_BACKDATE_SECONDS, "exp": now + JWT_SECONDS, "iss": self._app_id}
        try:
            return SecretStr(jwt.encode(payload, self._key.get_secret_value(), algorithm="RS256"))
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            # `from None`: the error's text may quote the key.
            raise GitHubRefused(
                f"GITHUB_APP_PRIVATE_KEY cannot sign ({type(error).__name__}): set it to the app's key in PEM format"
            ) from None


def _refusal(response: httpx.Response, reason: str) -> GitHubRefused:
    if response.status_code == 401:
        reason = "GitHub does not accept GITHUB_APP_ID with GITHUB_APP_PRIVATE_KEY"
    return GitHubRefused(f"{reason}: {error_message(response)}")
