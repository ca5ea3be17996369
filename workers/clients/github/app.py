"""Who acts as a GitHub App has no lasting token: a signed claim buys one of an hour, for one repository only.

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
"""GitHub takes at most ten minutes; a minute less for clocks that differ, and `iat` a minute back."""
MIN_REMAINING_SECONDS = 300.0
"""A token with less left than this is not handed out: a push may take minutes."""


class Send(Protocol):
    def __call__(
        self, method: str, path: str, token: SecretStr, *, json: object = None
    ) -> httpx.Response: ...


class InstallationToken(Model):
    """A token for one repository."""

    token: SecretStr
    expires_at: Moment
    permissions: dict[str, str] = Field(default_factory=dict)

    @property
    def may_push(self) -> bool:
        return all(self.permissions.get(right) == "write" for right in ("contents", "pull_requests"))


class _Installation(Model):
    id: int


class AppTokens:
    """Tokens by repository, bought when needed and kept until shortly before they end."""

    def __init__(self, app_id: str, private_key: SecretStr, send: Send) -> None:
        self._app_id, self._send = app_id, send
        self._key = SecretStr(private_key.get_secret_value().replace("\\n", "\n"))
        self._kept: dict[str, InstallationToken] = {}

    def token(self, name: str) -> InstallationToken:
        """The token for `owner/name`. Raises GitHubRefused when the app is not installed there."""
        kept = self._kept.get(name)
        if kept is None or kept.expires_at.timestamp() - time.time() < MIN_REMAINING_SECONDS:
            kept = self._kept[name] = self._buy(name)
        return kept

    def discard(self, name: str) -> None:
        """The kept token was not accepted: buy another."""
        self._kept.pop(name, None)

    def _buy(self, name: str) -> InstallationToken:
        claim = self._claim()
        found = self._send("GET", f"/repos/{name}/installation", claim)
        if not found.is_success:
            raise _refusal(found, f"the GitHub App {self._app_id} is not installed on {name}")
        number = parse(_Installation, found).id
        asked = {"repositories": [name.partition("/")[2]]}
        bought = self._send("POST", f"/app/installations/{number}/access_tokens", claim, json=asked)
        if not bought.is_success:
            raise _refusal(bought, f"the GitHub App {self._app_id} gets no token for {name}")
        granted: InstallationToken = parse(InstallationToken, bought)
        return granted

    def _claim(self) -> SecretStr:
        # Imported late: cryptography takes 8 MB, and an installation with a GITHUB_TOKEN needs none.
        import jwt

        now = int(time.time())
        payload = {"iat": now - 60, "exp": now + JWT_SECONDS, "iss": self._app_id}
        try:
            return SecretStr(jwt.encode(payload, self._key.get_secret_value(), algorithm="RS256"))
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            raise GitHubRefused(
                f"GITHUB_APP_PRIVATE_KEY cannot sign ({type(error).__name__}): PEM is needed"
            ) from None


def _refusal(answer: httpx.Response, what: str) -> GitHubRefused:
    if answer.status_code == 401:
        what = "GitHub does not accept GITHUB_APP_ID with GITHUB_APP_PRIVATE_KEY"
    return GitHubRefused(f"{what}: {error_message(answer)}")
