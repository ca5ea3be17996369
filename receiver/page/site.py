"""The page's collaborators, and the way of every request: access, form, view, headers.

Views are plain functions that run in threads of the page's own: neither Redis nor a template ever holds up a webhook.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from receiver.page import access, forms, responses, sessions
from receiver.page.access import Denial, Visit, Visitor
from receiver.page.backend import Backend
from receiver.page.forms import Form, InvalidForm
from receiver.page.live import Live
from receiver.page.sessions import Keys
from workers.engine.journal_store import JournalStore
from workers.errors import NotAvailable
from workers.runtime.settings import Settings

if TYPE_CHECKING:
    from jinja2 import Environment

PAGE_THREADS = 4  # requests that are rendered side by side; more wait
PAGE_SECONDS = 8.0  # then the browser gets an error page, before the connection's own deadline
MACHINE_SUFFIXES = (".json", ".md")

log = logging.getLogger("trackwalker.page")


class Site:
    """The collaborators of all requests to the page."""

    def __init__(
        self, settings: Settings, store: JournalStore, backend: Backend,
        now: Callable[[], datetime],
    ) -> None:  # fmt: skip
        self.settings, self.store, self.backend, self.now = settings, store, backend, now
        self.policy = access.policy_of(settings)
        self.threads = ThreadPoolExecutor(PAGE_THREADS, "page")
        self.live = Live(backend.versions, self.threads)
        self._lock = threading.Lock()
        self._keys: Keys | None = None
        self._templates: Environment | None = None

    @property
    def keys(self) -> Keys:
        """The signing keys, derived with the first request."""
        with self._lock:
            self._keys = self._keys or sessions.derive_keys(self.settings)
            return self._keys

    @property
    def templates(self) -> Environment:
        """The templates, loaded with the first page."""
        with self._lock:
            if self._templates is None:
                from receiver.page.rendering import build_environment

                self._templates = build_environment(ZoneInfo(self.settings.timezone))
            return self._templates

    @property
    def url(self) -> str:
        return self.settings.url

    def visitor(self, request: Request) -> Visitor | Denial:
        """The visitor of a request, or why it is refused. Raises NotAvailable."""
        cookie = responses.read_cookie(request, responses.SESSION_COOKIE) if self.policy.has_password else ""
        session = sessions.find(self.store, self.keys, cookie) if cookie else ""
        headers = [
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in request.headers.raw
        ]
        peer = request.client.host if request.client else ""
        return access.check(self.policy, Visit(peer, request.scope.get("http_version", ""), headers, session))

    def error(self, request: Request, status: int, title: str, text: str = "") -> Response:
        """A page that says what went wrong and what to do."""
        if _is_for_machines(request):
            return PlainTextResponse(f"{title}. {text}".strip() + "\n", status)
        content = self.templates.get_template("error.html").render(title=title, text=text)
        return Response(content, status, media_type=responses.HTML)


@dataclass(frozen=True)
class Call:
    """A request that passed the access check."""

    site: Site
    request: Request
    visitor: Visitor
    browser: str
    """The id that the tokens of forms are bound to: the session's, or that of the browser's cookie."""
    new_cookie: str = ""
    """The browser's cookie, where it has none yet."""
    form: Form | None = None

    def render(
        self, template: str, *, status: int = 200, topic: str | None = None, **values: Any
    ) -> Response:
        """A page.

        Args:
            topic: what the page shows, for live updates; None for a page that stands still.
        """
        site, cookie = self.site, responses.read_cookie(self.request, responses.FLASH_COOKIE)
        content = site.templates.get_template(template).render(
            path=self.request.url.path, visitor=self.visitor, has_login=bool(self.visitor.session),
            token=forms.form_token(site.keys, self.visitor.name, self.browser),
            flash=sessions.unpack_flash(site.keys, cookie) if cookie else None,
            topic=topic, now=site.now(), zone=site.settings.timezone, **values,
        )  # fmt: skip
        response = Response(content, status, media_type=responses.HTML)
        if cookie:
            responses.delete_cookie(response, self.request, responses.FLASH_COOKIE)
        return response


View = Callable[[Call], Response]
Handler = Callable[[Request], Awaitable[Response]]


def guard(site: Site, view: View) -> Handler:
    """The handler of a view that only visitors reach."""
    return _handler(site, partial(_answer, site, view))


def public(site: Site, view: Callable[[Site, Request, Form | None], Response]) -> Handler:
    """The handler of a view for everybody: the login."""
    return _handler(site, lambda request, form: view(site, request, form))


def _handler(site: Site, answer: Callable[[Request, Form | None], Response]) -> Handler:
    async def handle(request: Request) -> Response:
        form = None
        try:
            if request.method == "POST":
                form = await forms.read(request)
            response = await in_thread(site, lambda: answer(request, form))
        except InvalidForm as error:
            response = site.error(request, error.status, "Nothing was done", error.reason)
        except HTTPException as error:
            response = site.error(request, error.status_code, "Not found", NOT_FOUND)
        except NotAvailable as error:
            log.warning("page not available", extra={"error": str(error)})
            response = site.error(
                request, 503, "Redis does not answer", "Nothing can be shown at the moment. Reload in a few seconds."
            )  # fmt: skip
            response.headers["Retry-After"] = "5"
        return responses.add_headers(response, request, site.url)

    return handle


async def in_thread(site: Site, call: Callable[[], Response]) -> Response:
    """The result of a call in one of the page's threads. Raises NotAvailable if it takes too long."""
    try:
        async with asyncio.timeout(PAGE_SECONDS):
            return await asyncio.get_running_loop().run_in_executor(site.threads, call)
    except TimeoutError:
        raise NotAvailable("the page took too long") from None


def _answer(site: Site, view: View, request: Request, form: Form | None) -> Response:
    if access.is_cross_site_use(request.headers):
        return site.error(request, 403, "Refused", "Another site may link to this page, but not embed it.")
    visitor = site.visitor(request)
    if isinstance(visitor, Denial):
        return deny(site, request, visitor)
    call = _call(site, request, visitor, form)
    if form is not None:
        forms.check_origin(request.headers, site.url)
        forms.check_token(site.keys, form, visitor.name, call.browser)
    response = view(call)
    if call.new_cookie:
        responses.set_cookie(
            response, request, site.url, responses.BROWSER_COOKIE, call.new_cookie, responses.BROWSER_SECONDS
        )  # fmt: skip
    return response


def _call(site: Site, request: Request, visitor: Visitor, form: Form | None) -> Call:
    if visitor.session:
        return Call(site, request, visitor, visitor.session, form=form)
    cookie = responses.read_cookie(request, responses.BROWSER_COOKIE)
    if browser := sessions.find_browser(site.keys, cookie):
        return Call(site, request, visitor, browser, form=form)
    cookie = sessions.new_browser(site.keys)
    return Call(site, request, visitor, sessions.find_browser(site.keys, cookie), cookie, form)


def deny(site: Site, request: Request, denial: Denial) -> Response:
    """The response to somebody who may not see the page: the login, or what to set."""
    if denial is Denial.LOGIN:
        if request.method == "POST" or _is_for_machines(request):
            return site.error(request, 401, "Not logged in", "The session has ended. Log in and try again.")
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        next_path = quote(responses.own_path(path), safe="")
        return Response(status_code=303, headers={"Location": f"/login?next={next_path}"})
    if denial is Denial.NO_USER:
        return site.error(
            request, 403, "The proxy does not say who you are",
            "TRACKWALKER_TRUSTED_USER_HEADER is set, and this request came without that header, with it twice, or not "
            "from an address in TRACKWALKER_TRUSTED_PROXIES. Open the page through the proxy that authenticates.",
        )  # fmt: skip
    return site.error(request, 403, "This page is closed to you", NOT_LOCAL)


NOT_FOUND = "Nothing is at this address. Ended incidents are removed after 30 days."
NOT_LOCAL = (
    "Without further settings only a browser on the machine itself sees it, at http://127.0.0.1 and without a proxy. "
    "Set TRACKWALKER_PAGE_PASSWORD to open it with a password, or TRACKWALKER_TRUSTED_USER_HEADER together with "
    "TRACKWALKER_TRUSTED_PROXIES if a proxy in front of Trackwalker authenticates people; then restart it."
)


def _is_for_machines(request: Request) -> bool:
    path = request.url.path
    return path.endswith(MACHINE_SUFFIXES) or path.startswith("/events")
