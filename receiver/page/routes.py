"""The routes of the page."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from receiver.connection import STREAM_MARK
from receiver.page import logins, pages, presses
from receiver.page.assets import asset_route
from receiver.page.live import NOW
from receiver.page.site import Call, Site, View, guard, public
from workers.models.links import incident_of_path


def page_routes(site: Site) -> list[BaseRoute]:
    """All routes of the page."""

    def page(path: str, view: View) -> Route:
        return Route(path, guard(site, view), methods=["GET"])

    return [
        asset_route(),
        page("/", pages.now),
        page("/incidents/{name}.json", pages.incident_json),
        page("/incidents/{name}.md", pages.incident_markdown),
        page("/incidents/{name}", pages.incident),
        page("/incidents/{name}/rollback", pages.rollback),
        page("/records/{journal}/{record}", pages.record),
        page("/history", pages.history),
        page("/alerts", pages.alerts),
        page("/checks", pages.checks),
        page("/decisions", pages.decisions),
        page("/audit", pages.audit),
        Route("/actions", guard(site, presses.press), methods=["POST"]),
        Route("/login", public(site, logins.show), methods=["GET"]),
        Route("/login", public(site, logins.enter), methods=["POST"]),
        Route("/logout", guard(site, logins.leave), methods=["POST"]),
        page("/events", _events),
    ]


def _events(call: Call) -> Response:
    """Live updates of the overview, or of the incident in the query."""
    live = call.site.live
    name = call.request.query_params.get("incident", "")
    if name and not pages.INCIDENT_NAME.fullmatch(name):
        raise HTTPException(404)
    if call.request.method == "HEAD":
        return Response(media_type="text/event-stream")
    if live.is_full:
        return PlainTextResponse("too many live pages are open\n", 503, headers={"Retry-After": "30"})
    topic = incident_of_path(name) if name else NOW
    setattr(call.request.state, STREAM_MARK, True)
    stream: AsyncIterator[bytes] = live.events(topic)
    headers = {"X-Accel-Buffering": "no"}  # nginx would keep the events back otherwise
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)
