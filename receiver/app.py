"""The routes of the web process."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from receiver.connection import close_after_errors
from receiver.endpoints import Endpoints
from receiver.payload import Source
from receiver.sources.recognition import ENDPOINTS

WEBHOOK_PATHS: dict[str, Source] = {path: source for source, path in ENDPOINTS.items()}


def build_app(
    endpoints: Endpoints, page: Sequence[BaseRoute] = (), slack: Sequence[BaseRoute] = ()
) -> Starlette:
    """The web app.

    Args:
        slack: the route of the buttons in Slack.
        page: routes of the status page; without them `/` names the command that lists incidents.
    """
    routes: list[BaseRoute] = []
    for path, source in WEBHOOK_PATHS.items():
        routes.append(_webhook_route(endpoints, path, source))
        # The secret may contain slashes.
        routes.append(_webhook_route(endpoints, path + "/{secret:path}", source))
    routes += [
        *slack,
        Route("/health", _health),
        Route("/ready", endpoints.ready),
        Route("/metrics", endpoints.metrics),
        Route("/metrics/{secret:path}", endpoints.metrics),
        *(page or [Route("/", _front)]),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(close_after_errors)],
        exception_handlers={HTTPException: _http_error},
    )
    # A redirect would repeat the path, with its secret, in the logs of proxies.
    app.router.redirect_slashes = False
    return app


def _webhook_route(endpoints: Endpoints, path: str, source: Source) -> Route:
    async def handle(request: Request) -> Response:
        return await endpoints.handle(request, source)

    return Route(path, handle, methods=["POST", "OPTIONS"])


async def _health(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _front(_: Request) -> Response:
    return PlainTextResponse(
        "Trackwalker is running. To see its incidents, run `trackwalker list` on its machine.\n"
    )


async def _http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
