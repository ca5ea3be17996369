"""The webhook endpoints and the endpoints for monitoring. Redis and Slack come as arguments."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import TypeVar

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Counter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from receiver import payload, responses
from receiver.batching import Batcher
from receiver.metrics import StoreState, render
from receiver.offered_secrets import offered_secrets
from receiver.payload import InvalidPayload, Parsed, Source
from receiver.sources import alertmanager, grafana, ping, railway, recognition, sentry, service_labels, slack
from workers.errors import NotAvailable
from workers.incidents.intake import DedupWindow
from workers.models import Alert, Environment, Ignored

MAX_BODY_BYTES = 256 * 1024  # Railway and Slack send a few KiB
LARGE_BODY_BYTES = (
    16 * 1024
)  # a larger one is parsed in a thread: it takes up to half a second, and others wait
MAX_LENGTH_DIGITS = 12  # of a Content-Length header: a longer number is over the limit, and slow to parse
STORE_TIMEOUT_SECONDS = 2.2  # then the sender gets 503: with the rest of the response it stays under 3 s
NEXT_PING_TIMEOUT_SECONDS = 0.5  # for the header of a ping's response, which can do without
QUERY_THREADS = 4  # for calls to Redis that store nothing
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, X-Trackwalker-Secret",
    "Access-Control-Expose-Headers": "X-Trackwalker-Alert",
    "Access-Control-Max-Age": "600",
}
"""Railway's dashboard sends its test webhook from the browser. Every origin may: only the secret authenticates."""
WRONG_SECRET = (
    "wrong secret: send TRACKWALKER_SECRET as header X-Trackwalker-Secret, as bearer token, as password of basic "  # noqa: S105
    "authentication, or as last part of the path"
)
PARSERS: dict[Source, Callable[[bytes, datetime, str], Alert | Parsed]] = {
    "railway": railway.parse,
    "slack": slack.parse,
    "alertmanager": alertmanager.parse,
    "grafana": grafana.parse,
    "sentry": sentry.parse,
    "ping": ping.parse,
}

T = TypeVar("T")
IngestItem = tuple[Alert, DedupWindow | None]
"""An alert to store, and the time within which the same body is the same alert; None if it repeats no other one."""
log = logging.getLogger("trackwalker.receiver")


@dataclass(frozen=True)
class Scope:
    """The environments that this installation watches.

    Args:
        environments: empty if the worker finds out which environments its token can read.
        own_service: id of the service that Trackwalker itself runs in.
    """

    environments: tuple[Environment, ...] = ()
    own_service: str | None = None

    def ignore_reason(self, alert: Alert) -> str:
        """The reason why the alert needs no check; "" if it needs one, or if only the worker can tell."""
        if self.own_service and alert.service_id == self.own_service:
            return "our own service"
        if not self.environments:
            return ""
        if alert.environment_id:
            watched = alert.environment_id in {item.environment_id for item in self.environments}
        else:
            projects = {item.project_id for item in self.environments}
            watched = not alert.project_id or alert.project_id in projects
        return "" if watched else "not watched"


class Endpoints:
    """The handlers of all endpoints, with their collaborators.

    Args:
        secrets: each of them authenticates, for rotation; without one every request gets 401.
        ingest: stores a batch of alerts and returns, for each, its id or the exception to raise.
        check_store: raises NotAvailable if Redis does not answer.
        read_state: the state of Redis and of the work in it, for the metrics.
        notify_fallback: reports an alert that could not be stored; returns at once.
        record_probe: notes that our own test webhook arrived; raises NotAvailable if Redis does not answer.
        token: makes the ids of alerts unique.
        next_ping: seconds until the next ping if that is later than configured, else None.
        service_map: the service, by name or id, for each name that other tools use.
    """

    def __init__(
        self, *, secrets: Sequence[str], ingest: Callable[[Sequence[IngestItem]], Sequence[str | Exception]],
        check_store: Callable[[], None], read_state: Callable[[], StoreState], notify_fallback: Callable[[Alert], None],
        scope: Scope, now: Callable[[], datetime], token: Callable[[], str],
        next_ping: Callable[[], float | None] = lambda: None,
        record_probe: Callable[[str], None] = lambda _: None, service_map: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.secrets = [secret.encode() for secret in secrets]
        self.batcher, self.check_store, self.read_state = Batcher(ingest), check_store, read_state
        self.notify_fallback, self.scope, self.record_probe = notify_fallback, scope, record_probe
        self.now, self.token, self.next_ping, self.service_map = now, token, next_ping, service_map or {}
        # While Redis hangs, queries occupy threads: they must not take those that store alerts.
        self.query_threads = ThreadPoolExecutor(QUERY_THREADS)
        self.registry = CollectorRegistry()
        self.responses = Counter(
            "trackwalker_webhook_responses", "Responses of the webhook endpoints", ["endpoint", "result"],
            registry=self.registry,
        )  # fmt: skip

    # -- webhooks ---------------------------------------------------------------------------------

    async def handle(self, request: Request, endpoint: Source) -> Response:
        """Authenticate, parse and store one delivery. A 2xx response means that the alert is durable."""
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=CORS)
        response, result = await self._respond(request, endpoint)
        if "origin" in request.headers:
            response.headers.update(CORS)
        self.responses.labels(endpoint, result).inc()
        return response

    async def _respond(self, request: Request, endpoint: Source) -> tuple[Response, str]:
        """The response, and the value of the metric's label `result`."""
        # Before the body is read: a stranger must not make us buffer anything.
        if not self._is_authenticated(request):
            log.warning("wrong secret", extra={"endpoint": endpoint})
            return JSONResponse({"error": WRONG_SECRET}, 401), "unauthorized"
        try:
            body = await _read_body(request)
        except ClientDisconnect:
            return Response(status_code=400), "gone"
        if body is None:
            log.warning("body too large", extra={"endpoint": endpoint, "limit": MAX_BODY_BYTES})
            return JSONResponse({"error": f"body: is over {MAX_BODY_BYTES} bytes"}, 413), "too_large"
        try:
            if len(body) > LARGE_BODY_BYTES:
                parsed = await asyncio.to_thread(self._parse, endpoint, body)
            else:
                parsed = self._parse(endpoint, body)
        except InvalidPayload as error:
            return responses.malformed(endpoint, body, error), "malformed"
        if isinstance(parsed, Ignored):
            if parsed.probe:
                return await self._note_probe(parsed.probe)
            await self._store_good_news(endpoint, body, parsed.good_news)
            return responses.ignored(endpoint, parsed.reason), "ignored"
        reasons = [self.scope.ignore_reason(alert) for alert, _ in parsed]
        if all(reasons):
            return responses.ignored(endpoint, reasons[0]), "ignored"
        watched = [item for item, reason in zip(parsed, reasons, strict=True) if not reason]
        return await self._store(endpoint, watched)

    async def _note_probe(self, nonce: str) -> tuple[Response, str]:
        try:
            await self._query(STORE_TIMEOUT_SECONDS, lambda: self.record_probe(nonce))
        except NotAvailable as error:
            return responses.unavailable(error), "unavailable"
        log.info("test webhook received")
        return JSONResponse({"test": "received"}, 202), "test"

    def _parse(self, endpoint: Source, body: bytes) -> Parsed:
        """The alerts in a body, with the services that TRACKWALKER_SERVICE_MAP names. Raises InvalidPayload."""
        if endpoint == "ping" and (source := recognition.elsewhere(body, endpoint)):
            # A ping may be anything, so another tool's alert would pass for one.
            raise InvalidPayload("at", f"is missing. {recognition.hint(source)}")
        parsed = PARSERS[endpoint](body, self.now(), self.token())
        if isinstance(parsed, Ignored):
            return parsed
        if isinstance(parsed, Alert):
            parsed = ((parsed, payload.dedup_window(endpoint, body, parsed)),)
        return tuple(
            (service_labels.with_mapped_names(alert, self.service_map), dedup) for alert, dedup in parsed
        )

    async def _store_good_news(self, endpoint: Source, body: bytes, alert: Alert | None) -> None:
        """Store good news for the worker, which checks an open incident sooner. It may be lost: nobody is owed it."""
        if alert is None or self.scope.ignore_reason(alert):
            return
        alert = service_labels.with_mapped_names(alert, self.service_map)
        dedup = payload.dedup_window(endpoint, body, alert)
        try:
            await _within(STORE_TIMEOUT_SECONDS, self.batcher.submit((alert, dedup)))
        except NotAvailable as error:
            log.debug("good news not stored", extra={"endpoint": endpoint, "error": str(error)})
        except Exception:
            log.exception("good news not stored", extra={"endpoint": endpoint})

    async def _store(self, endpoint: Source, items: Sequence[IngestItem]) -> tuple[Response, str]:
        """Store the alerts of a body. Only if all are stored, the sender need not send it again."""
        began = time.monotonic()
        stored = asyncio.gather(*(self.batcher.submit(item) for item in items))
        try:
            alert_ids = await _within(STORE_TIMEOUT_SECONDS, stored)
        except NotAvailable as error:
            self._report_lost(endpoint, items)
            return responses.unavailable(error), "unavailable"
        except Exception:  # a bug must not lose the alert: people see it, and the sender tries again
            log.exception("alert not stored", extra={"endpoint": endpoint, "alert": items[0][0].id})
            self.notify_fallback(items[0][0])
            return responses.unavailable(NotAvailable("the alert cannot be stored")), "unavailable"
        is_new = any(alert_id == alert.id for alert_id, (alert, _) in zip(alert_ids, items, strict=True))
        result = "stored" if is_new else "repeated"
        responses.log_stored(endpoint, alert_ids, [alert for alert, _ in items])
        if endpoint == "slack":
            # Slack's own webhooks answer `ok`, and senders that were built for them check it.
            return PlainTextResponse("ok", headers={"X-Trackwalker-Alert": alert_ids[0]}), result
        deadline = began + STORE_TIMEOUT_SECONDS
        headers = await self._next_ping_header(deadline) if endpoint == "ping" else {}
        content: dict[str, object] = {"alert": alert_ids[0]}
        if len(alert_ids) > 1:
            content["alerts"] = alert_ids
        return JSONResponse(content, 202, headers=headers), result

    def _report_lost(self, endpoint: Source, items: Sequence[IngestItem]) -> None:
        for alert, _ in items:
            log.error("alert not stored", extra={"endpoint": endpoint, "alert": alert.id})
            self.notify_fallback(alert)

    async def _next_ping_header(self, deadline: float) -> dict[str, str]:
        """The header that tells the clock to wait longer than configured. The response never fails for it."""
        try:
            remaining_seconds = min(NEXT_PING_TIMEOUT_SECONDS, deadline - time.monotonic())
            seconds = await self._query(remaining_seconds, self.next_ping)
        except NotAvailable:
            return {}
        except Exception:  # the ping is stored: a bug here must not make the clock send it again
            log.exception("time of the next ping unknown")
            return {}
        return {"X-Trackwalker-Next-Ping": str(math.ceil(seconds))} if seconds else {}

    def _is_authenticated(self, request: Request) -> bool:
        """True if a header or the path holds a secret. All are compared, in constant time."""
        offered = offered_secrets(request.headers, str(request.path_params.get("secret", "")))
        return sum(compare_digest(ours, theirs) for ours in self.secrets for theirs in offered) > 0

    # -- monitoring -------------------------------------------------------------------------------

    async def ready(self, _: Request) -> Response:
        """200 if Redis answers."""
        try:
            await self._query(STORE_TIMEOUT_SECONDS, self.check_store)
        except NotAvailable as error:
            return responses.unavailable(error)
        return PlainTextResponse("ready\n")

    async def metrics(self, request: Request) -> Response:
        """Metrics in Prometheus' text format, for requests with the secret."""
        if not self._is_authenticated(request):
            return JSONResponse({"error": WRONG_SECRET}, 401)
        try:
            state = await self._query(STORE_TIMEOUT_SECONDS, self.read_state)
        except NotAvailable:
            state = None
        return Response(render(self.registry, state), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    async def _query(self, seconds: float, query: Callable[[], T]) -> T:
        """The result of a blocking call, made in a thread. Raises NotAvailable if it takes longer."""
        loop = asyncio.get_running_loop()
        return await _within(seconds, loop.run_in_executor(self.query_threads, query))


async def _read_body(request: Request) -> bytes | None:
    """The whole body, None as soon as it exceeds the limit. Raises ClientDisconnect."""
    content_length = request.headers.get("content-length", "")
    if content_length.isdecimal() and (
        len(content_length) > MAX_LENGTH_DIGITS or int(content_length) > MAX_BODY_BYTES
    ):
        return None
    # A chunked body claims no length, so the bytes are counted as well.
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


async def _within(seconds: float, result: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await result
    except TimeoutError:
        raise NotAvailable("Redis does not answer in time") from None
