"""The page's own style sheet, script and icon. They hold nothing secret and are served to everybody."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

STATIC = Path(__file__).with_name("static")
MEDIA_TYPES = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",  # the address changes with the content
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@cache
def _content(name: str) -> bytes:
    return (STATIC / name).read_bytes()


@cache
def asset_path(name: str) -> str:
    """The address of an asset, with a digest of its content."""
    return f"/static/{hashlib.sha256(_content(name)).hexdigest()[:12]}/{name}"


async def _serve(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in MEDIA_TYPES or request.url.path != asset_path(name):
        return Response("not found\n", 404, media_type="text/plain")
    return Response(_content(name), headers={**HEADERS, "Content-Type": MEDIA_TYPES[name]})


def asset_route() -> Route:
    """The route of all assets."""
    return Route("/static/{digest}/{name}", _serve)
