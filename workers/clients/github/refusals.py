"""The meaning of GitHub's refusals, and what to do about each. Pure.

A fine-grained token without access to a repository gets 404, so "not found" may mean either
(https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#404-not-found-for-an-existing-resource).
An organisation with single sign-on answers 403 and names the address for the authorisation in `X-GitHub-SSO`
(https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api#using-saml-sso).
"""

from __future__ import annotations

import re

import httpx

from workers.clients.github import rest_types

ACCESS_STATUSES = frozenset({401, 403, 404})
"""Statuses that another token, or another permission, may change."""
MISSING_PERMISSIONS = "contents and pull requests: read and write"
"""Permissions that the product needs; named if GitHub does not say which one is missing."""
NO_CREDENTIAL = "no GitHub credential: set GITHUB_TOKEN, or GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY"
SSO_ADDRESS = re.compile(r"url=(https://github\.com/[^\s;,]+)")


def describe_refusal(response: httpx.Response, setting: str, name: str) -> str:
    """The refusal for people: what GitHub answered, about which setting and repository, and the repair.

    Args:
        setting: the setting that holds the credential.
        name: `owner/name` of the repository.
    """
    status, message = response.status_code, rest_types.error_message(response)
    if status == 401:
        return f"{setting} is wrong or expired (GitHub answered 401 {message}). Create a new one and set it."
    if status == 403:
        return _describe_forbidden(response, setting, name, message)
    if status == 404:
        return (
            f"{name} not found, or {setting} has no access to it (GitHub answered 404 {message} to "
            f"{response.request.url.path}). Give it access to this repository."
        )
    if response.is_redirect:
        return f"{name} was renamed on GitHub: connect the Railway service to its new name"
    return f"GitHub answered {status} for {name}: {message}"


def _describe_forbidden(response: httpx.Response, setting: str, name: str, message: str) -> str:
    headers = response.headers
    if sso := headers.get("x-github-sso"):
        address = SSO_ADDRESS.search(sso)
        where = f" at {address[1]}" if address else " in GitHub's token settings"
        organisation = name.partition("/")[0]
        return f"{setting} is not authorised for the single sign-on of {organisation}: authorise it{where}"
    needed = headers.get("x-accepted-github-permissions") or headers.get("x-accepted-oauth-scopes")
    return (
        f"{setting} may not do this in {name} (GitHub answered 403 {message}). "
        f"It needs {needed or MISSING_PERMISSIONS}."
    )
