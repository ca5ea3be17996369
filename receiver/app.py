"""Routes and answers of the web process. No store and no Slack here: they come as arguments."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import TypeVar

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Counter, Gauge, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from receiver import payload
from receiver.batching import Batcher
from receiver.payload import InvalidPayload, Source
from receiver.sources import ping, railway, slack
from workers.errors import NotAvailable
from workers.incidents.intake import DedupWindow
from workers.models import Alert, Environment, Ignored

MAX_BODY_BYTES = 256 * 1024
STORE_SECONDS = 2.2
"""How long the store may take before the sender hears 503: with the rest of an answer it stays under 3 s."""
NEXT_PING_SECONDS = 0.5
"""How long the store may take to say when the next ping is due, inside of STORE_SECONDS: else nothing is said of it."""
ASKING_THREADS = 4
"""For whatever is asked of the store beside storing."""
RETRY_AFTER_SECONDS = 10
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, X-Trackwalker-Secret",
    "Access-Control-Expose-Headers": "X-Trackwalker-Alert",
    "Access-Control-Max-Age": "600",
}
"""Railway's dashboard sends its test from the browser, which names its origin. Any may: what counts is the secret."""
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
LOOPBACK = ("127.0.0.1", "::1")
LOCAL_HOST = re.compile(r"(127\.0\.0\.1|\[::1\]|localhost)(:\d{1,5})?\Z")
PARSERS: dict[Source, Callable[[bytes, datetime, str], Alert | Ignored]] = {
    "railway": railway.parse,
    "slack": slack.parse,
    "ping": ping.parse,
}

T = TypeVar("T")
Ingest = tuple[Alert, DedupWindow | None]
"""An alert, and for how long the same body is the same alert."""
log = logging.getLogger("trackwalker.door")


@dataclass(frozen=True)
class Scope:
    """What this installation looks at, as far as settings say it, and the service that it is itself."""

    environments: tuple[Environment, ...] = ()
    own_service: str | None = None

    def ignore_reason(self, alert: Alert) -> str:
        """Why the alert is none of our business; "" when it is, or when only the worker can know."""
        if self.own_service and alert.service_id == self.own_service:
            return "our own service"
        if not self.environments:
            return ""
        if alert.environment_id:
            known = alert.environment_id in {one.environment_id for one in self.environments}
        else:
            known = not alert.project_id or alert.project_id in {one.project_id for one in self.environments}
        return "" if known else "not watched"


class Endpoints:
    """The three ways in and what is asked about them."""

    def __init__(
        self, *, secrets: Sequence[str], ingest: Callable[[Sequence[Ingest]], Sequence[str | Exception]],
        check_store: Callable[[], None], count_open: Callable[[], int], notify_fallback: Callable[[Alert], None],
        scope: Scope, now: Callable[[], datetime], token: Callable[[], str],
        next_ping: Callable[[], float | None] = lambda: None,
    ) -> None:  # fmt: skip
        self.secrets = [secret.encode() for secret in secrets]
        self.taking, self.reach, self.count_due, self.call = (
            Batcher(ingest),
            check_store,
            count_open,
            notify_fallback,
        )
        self.watched, self.now, self.token, self.next_ping = scope, now, token, next_ping
        # A store that hangs holds threads: those that ask after it must not take the doors' ones.
        self.asking = ThreadPoolExecutor(ASKING_THREADS)
        self.registry = CollectorRegistry()
        self.answers = Counter(
            "trackwalker_door_answers", "Answers given, by door", ["door", "answer"], registry=self.registry
        )
        self.due = Gauge(
            "trackwalker_due", "Journals not ended; NaN while the store is away", registry=self.registry
        )

    # -- the doors --------------------------------------------------------------------------------

    async def handle(self, request: Request, door: Source) -> Response:
        """Answer one delivery."""
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=CORS)
        response, answer = await self._answer(request, door)
        if "origin" in request.headers:
            response.headers.update(CORS)
        self.answers.labels(door, answer).inc()
        return response

    async def _answer(self, request: Request, door: Source) -> tuple[Response, str]:
        if not self._knows(request):
            log.warning("wrong secret", extra={"door": door})
            return JSONResponse({"error": "wrong secret"}, 401), "unauthorized"
        try:
            raw = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400), "gone"
        if raw is None:
            log.warning("body too large", extra={"door": door, "limit": MAX_BODY_BYTES})
            return JSONResponse({"error": f"over {MAX_BODY_BYTES} bytes"}, 413), "too_large"
        try:
            alert = PARSERS[door](raw, self.now(), self.token())
        except InvalidPayload as error:
            log.warning("malformed body", extra={"door": door, "field": error.field, "why": error.reason})
            return JSONResponse({"error": str(error), "field": error.field}, 422), "malformed"
        reason = alert.reason if isinstance(alert, Ignored) else self.watched.ignore_reason(alert)
        if isinstance(alert, Ignored) or reason:
            log.info("alert ignored", extra={"door": door, "reason": reason})
            return JSONResponse({"ignored": reason}, 202), "ignored"
        return await self._store(door, alert, payload.dedup_window(door, raw, alert))

    async def _store(self, door: Source, alert: Alert, fold: DedupWindow | None) -> tuple[Response, str]:
        began = time.monotonic()
        try:
            taken = await _within(STORE_SECONDS, self.taking.ask((alert, fold)))
        except NotAvailable as error:
            log.error("alert not stored", extra={"door": door, "alert": alert.id, "error": str(error)})
            self.call(alert)
            return _later(error), "unavailable"
        except Exception:  # a bug of ours: the alert must not be lost to it, and the sender tries again
            log.exception("alert not stored", extra={"door": door, "alert": alert.id})
            self.call(alert)
            return _later(NotAvailable("the alert cannot be stored")), "unavailable"
        answer = "stored" if taken == alert.id else "repeated"
        facts = {
            "door": door,
            "alert": taken,
            "kind": alert.kind,
            "service": alert.service_name,
            "answer": answer,
        }
        log.info("alert stored", extra=facts)
        if door == "slack":
            return PlainTextResponse("ok", headers={"X-Trackwalker-Alert": taken}), answer
        headers = await self._spacing(began + STORE_SECONDS) if door == "ping" else {}
        return JSONResponse({"alert": taken}, 202, headers=headers), answer

    async def _spacing(self, deadline: float) -> dict[str, str]:
        """When the next ping is due where that is later than usual; the answer never waits long or fails for it."""
        try:
            left = min(NEXT_PING_SECONDS, deadline - time.monotonic())
            seconds = await self._asked(left, self.next_ping)
        except NotAvailable:
            return {}
        except Exception:  # the ping is stored: a bug of ours here must not make it come again
            log.exception("when the next ping is due is not known")
            return {}
        return {"X-Trackwalker-Next-Ping": str(math.ceil(seconds))} if seconds else {}

    def _knows(self, request: Request) -> bool:
        """Whether header or path holds one of our secrets; every one is compared, in constant time."""
        offered = [
            request.headers.get("x-trackwalker-secret", "").encode("latin-1", "replace"),
            str(request.path_params.get("secret", "")).encode("utf-8", "replace"),
        ]
        return sum(compare_digest(ours, theirs) for ours in self.secrets for theirs in offered) > 0

    # -- what is asked about them -----------------------------------------------------------------

    async def _asked(self, seconds: float, ask: Callable[[], T]) -> T:
        """What `ask` answers, waited for outside of the event loop. Raises NotAvailable when it takes longer."""
        return await _within(seconds, asyncio.get_running_loop().run_in_executor(self.asking, ask))

    async def ready(self, _: Request) -> Response:
        """200 when the store answers."""
        try:
            await self._asked(STORE_SECONDS, self.reach)
        except NotAvailable as error:
            return _later(error)
        return PlainTextResponse("ready\n")

    async def metrics(self, request: Request) -> Response:
        """Counters in Prometheus' text format; only with the secret, or from this machine without a proxy."""
        if not (self._knows(request) or _is_local(request)):
            return JSONResponse({"error": "wrong secret"}, 401)
        try:
            self.due.set(await self._asked(STORE_SECONDS, self.count_due))
        except NotAvailable:
            self.due.set(math.nan)
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def build(doors: Endpoints, page: Sequence[BaseRoute] = ()) -> Starlette:
    """The web app; `page` are the routes of the person's page, until then `/` says where to look."""
    routes: list[BaseRoute] = []
    names: dict[str, Source] = {"/hooks/railway": "railway", "/hooks/slack": "slack", "/ping": "ping"}
    for path, door in names.items():
        routes += [_route(doors, path, door), _route(doors, path + "/{secret:path}", door)]
    routes += [
        Route("/health", _health),
        Route("/ready", doors.ready),
        Route("/metrics", doors.metrics),
        *(page or [Route("/", _front)]),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refuse})
    # A redirect would carry the secret of a path into somebody's log.
    app.router.redirect_slashes = False
    return app


def _route(doors: Endpoints, path: str, door: Source) -> Route:
    async def enter(request: Request) -> Response:
        return await doors.handle(request, door)

    return Route(path, enter, methods=["POST", "OPTIONS"])


async def _health(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _front(_: Request) -> Response:
    return PlainTextResponse(
        "Trackwalker is listening. What it found: `python -m workers list` on its machine.\n"
    )


async def _refuse(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _body(request: Request) -> bytes | None:
    """The whole body, None as soon as it is known to be over the limit. Raises ClientDisconnect."""
    claimed = request.headers.get("content-length", "")
    if claimed.isdecimal() and (len(claimed) > 12 or int(claimed) > MAX_BODY_BYTES):
        return None
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            return None
    return bytes(raw)


async def _within(seconds: float, answer: Awaitable[T]) -> T:
    """The answer. Raises NotAvailable when it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        raise NotAvailable("the store does not answer in time") from None


def _later(error: NotAvailable) -> Response:
    seconds = max(1, round(error.retry_after or RETRY_AFTER_SECONDS))
    return JSONResponse({"error": str(error)}, 503, headers={"Retry-After": str(seconds)})


def _is_local(request: Request) -> bool:
    """A caller on this machine that no proxy stands in for."""
    host = request.client.host if request.client else ""
    named = LOCAL_HOST.match(request.headers.get("host", ""))
    return host in LOOPBACK and named is not None and not any(name in request.headers for name in FORWARDED)
