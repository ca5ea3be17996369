"""Requests of checks, and what their failures mean in plain words."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from workers.doctor.check_context import Context
from workers.errors import NotAvailable
from workers.runtime.text import safe_line

MAX_BODY_CHARS = 120  # of an unexpected answer that a result quotes


def send(
    context: Context, method: str, url: str, *, name: str, headers: Mapping[str, str] | None = None,
    json: object = None, params: Mapping[str, str | int] | None = None, auth: tuple[str, str] | None = None,
) -> httpx.Response:  # fmt: skip
    """The response to one request; redirects are not followed.

    Args:
        name: who is asked, for the error: `GitHub`.

    Raises:
        NotAvailable: there is no response; the error says why and names the host, never the path, which may be secret.
    """
    try:
        return context.http.request(method, url, headers=headers, json=json, params=params, auth=auth)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise NotAvailable(f"{name} cannot be reached at {host_of(url)}: {reason(error)}") from error


def host_of(url: str) -> str:
    """Host and port of an address, without user, password and path."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or "an invalid address"
    except ValueError:
        return "an invalid address"


def reason(error: BaseException) -> str:
    """Why a request got no response, for people."""
    text = f"{error} {error.__cause__ or ''}".lower()
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error.__cause__, ssl.SSLCertVerificationError) or "certificate verify failed" in text:
        return "its certificate is not trusted"
    if "name or service not known" in text or "name resolution" in text or "nodename nor servname" in text:
        return "unknown host"
    if "connection refused" in text:
        return "connection refused"
    if "ssl" in text:
        return "it speaks no TLS"
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return "the address is malformed"
    return "the connection broke" if isinstance(error, httpx.TransportError) else type(error).__name__


def body_of(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of a response; {} if the body is none."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def quote(response: httpx.Response) -> str:
    """The beginning of a response's text, cleaned, for an answer that nobody expects."""
    return safe_line(response.text[:1000], MAX_BODY_CHARS)
