"""The login page and the logout."""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import Response

from receiver.page import forms, login, responses, sessions
from receiver.page.access import Denial
from receiver.page.forms import Form
from receiver.page.site import Call, Site
from workers.runtime.text import format_duration

log = logging.getLogger("trackwalker.page")


def show(site: Site, request: Request, _: Form | None) -> Response:
    """The login form."""
    if site.visitor(request) is not Denial.LOGIN:
        return responses.redirect("/")
    return _form(site, request, responses.own_path(request.query_params.get("next", "/")))


def enter(site: Site, request: Request, form: Form | None) -> Response:
    """Log in, and continue at the page that was asked for."""
    fields, password = form or {}, site.settings.page_password
    if password is None or not site.policy.has_password:
        return responses.redirect("/")
    forms.check_origin(request.headers, site.url)
    next_path = responses.own_path(fields.get("next", "/"))
    browser = sessions.find_browser(site.keys, responses.read_cookie(request, responses.BROWSER_COOKIE))
    peer = request.client.host if request.client else ""
    attempt = login.attempt(
        site.store, password.get_secret_value(), fields.get("password", ""), peer, browser
    )
    if not attempt.accepted:
        log.warning("login refused", extra={"peer": peer, "wait_seconds": attempt.wait_seconds})
        return _form(site, request, next_path, attempt)
    log.info("login", extra={"peer": peer})
    response = responses.redirect(next_path)
    for name, value, seconds in (
        (responses.SESSION_COOKIE, sessions.start(site.store, site.keys), sessions.SESSION_SECONDS),
        (responses.BROWSER_COOKIE, sessions.new_browser(site.keys), responses.BROWSER_SECONDS),
    ):
        responses.set_cookie(response, request, site.url, name, value, seconds)
    return response


def leave(call: Call) -> Response:
    """End the session everywhere."""
    if call.visitor.session:
        sessions.end(call.site.store, call.visitor.session)
    response = responses.redirect("/")
    responses.delete_cookie(response, call.request, responses.SESSION_COOKIE)
    return response


def _form(site: Site, request: Request, next_path: str, attempt: login.Attempt | None = None) -> Response:
    problem, status = "", 200
    if attempt and attempt.wait_seconds:
        problem = f"Too many wrong passwords. Wait {format_duration(attempt.wait_seconds)}, then try again."
        status = 429
    elif attempt:
        problem, status = "Wrong password.", 401
    content = site.templates.get_template("login.html").render(
        next_path=next_path, problem=problem, path=request.url.path
    )
    response = Response(content, status, media_type=responses.HTML)
    if attempt and attempt.wait_seconds:
        response.headers["Retry-After"] = str(attempt.wait_seconds)
    return response
