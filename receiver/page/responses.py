"""Responses of the page: headers that bound what a browser does with them, cookies, and safe redirects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from receiver.page.access import LOOPBACK_HOSTS, host_name

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), clipboard-read=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Vary": "Cookie",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}
HTML = "text/html; charset=utf-8"
OWN_PATH = re.compile(r"/(?![/\\])[\w\-.~/?&=+%:]{0,500}", re.ASCII)
SESSION_COOKIE = "trackwalker_session"
BROWSER_COOKIE = "trackwalker_browser"
FLASH_COOKIE = "trackwalker_flash"
HOST_ONLY = "__Host-"  # browsers keep such a cookie only if it came over https and from this very host
BROWSER_SECONDS = 180 * 86_400  # a known browser keeps its own login attempts for half a year


def own_path(path: str, default: str = "/") -> str:
    """The path if it leads to this site, else the default. A redirect never leaves the site."""
    is_own = OWN_PATH.fullmatch(path) and ".." not in path and not path.startswith(("/log", "/actions"))
    return path if is_own else default


def redirect(path: str) -> Response:
    """See the page at one of our own paths, with GET."""
    return Response(status_code=303, headers={"Location": own_path(path)})


def add_headers(response: Response, request: Request, public_url: str) -> Response:
    """The response with the headers of HEADERS that it does not set itself."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Referrer-Policy", _referrer_policy(request, public_url))
    return response


def _referrer_policy(request: Request, public_url: str) -> str:
    """`no-referrer`; over plain http to another machine `same-origin`.

    There the browser sends no Sec-Fetch-Site, and with `no-referrer` the Origin of a form would be `null` (Fetch
    standard, "append a request Origin header"): nothing would show where a form comes from.
    """
    is_local = host_name(request.headers.get("host", "")) in LOOPBACK_HOSTS
    return "no-referrer" if is_local or public_url.startswith("https:") else "same-origin"


# ---- cookies ----


def read_cookie(request: Request, name: str) -> str:
    """A cookie of ours; the one that came over https comes first."""
    cookies: Mapping[str, str] = request.cookies
    return cookies.get(HOST_ONLY + name) or cookies.get(name, "")


def set_cookie(
    response: Response, request: Request, public_url: str, name: str, value: str, seconds: int
) -> None:
    """Set a cookie that scripts cannot read. Lax, because links from Slack must find the session.

    Args:
        seconds: its lifetime; 0 deletes it.
    """
    is_secure = came_over_https(request, public_url)
    response.set_cookie(
        (HOST_ONLY if is_secure else "") + name, value, max_age=seconds, path="/", secure=is_secure,
        httponly=True, samesite="lax",
    )  # fmt: skip


def delete_cookie(response: Response, request: Request, name: str) -> None:
    """Delete both forms of a cookie that the browser has sent."""
    for present in {name, HOST_ONLY + name} & set(request.cookies):
        response.set_cookie(
            present, "", max_age=0, path="/", secure=present.startswith(HOST_ONLY), httponly=True,
            samesite="lax",
        )  # fmt: skip


def came_over_https(request: Request, public_url: str) -> bool:
    """True if the browser sees https. Its Origin says so; a GET has none, and there the public address decides.

    A proxy's headers are not asked: nothing shows that a proxy wrote them.
    """
    origin = request.headers.get("origin", "null")
    host = request.headers.get("host", "").lower()
    if origin != "null":
        return origin.startswith("https:")
    return urlsplit(public_url).scheme == "https" and host_name(host) not in LOOPBACK_HOSTS
