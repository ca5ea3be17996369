"""Responses of the webhook endpoints, and what the log says with them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from starlette.responses import JSONResponse, Response

from receiver.payload import InvalidPayload, Source
from receiver.sources import recognition
from workers.errors import NotAvailable
from workers.models import Alert

RETRY_AFTER_SECONDS = 10

log = logging.getLogger("trackwalker.receiver")


def malformed(endpoint: Source, body: bytes, error: InvalidPayload) -> Response:
    """422, with the endpoint that takes the body if it is another tool's."""
    facts = {"endpoint": endpoint, "field": error.field, "reason": error.reason}
    log.warning("malformed body", extra=facts)
    content = {"error": str(error), "field": error.field}
    if source := recognition.elsewhere(body, endpoint):
        content["endpoint"] = recognition.ENDPOINTS[source]
        content["error"] = f"{error}. {recognition.hint(source)}"
    elif recognition.is_discord(body):
        content["error"] = f"{error}. {recognition.DISCORD_HINT}"
    return JSONResponse(content, 422)


def ignored(endpoint: Source, reason: str) -> Response:
    """202 for a valid request that reports no problem, or concerns nothing that is watched."""
    log.debug("alert ignored", extra={"endpoint": endpoint, "reason": reason})
    content: dict[str, object] = {"ignored": reason}
    if endpoint == "slack":
        # Alertmanager reads a JSON response of Slack's as a failure unless it says so.
        content["ok"] = True
    return JSONResponse(content, 202)


def log_stored(endpoint: Source, alert_ids: Sequence[str], alerts: Sequence[Alert]) -> None:
    """Log the alerts of a body. A ping is routine, and a repeat is news to nobody."""
    for alert_id, alert in zip(alert_ids, alerts, strict=True):
        result = "stored" if alert_id == alert.id else "repeated"
        facts: dict[str, object] = {
            "endpoint": endpoint, "journal": f"alert:{alert_id}", "kind": alert.kind,
            "service": alert.service_name or next(iter(alert.names), None), "result": result,
        }  # fmt: skip
        is_news = result == "stored" and endpoint != "ping"
        log.log(logging.INFO if is_news else logging.DEBUG, "alert stored", extra=facts)


def unavailable(error: NotAvailable) -> Response:
    """503 with the time after which the sender should try again."""
    seconds = max(1, round(error.retry_after or RETRY_AFTER_SECONDS))
    return JSONResponse({"error": str(error)}, 503, headers={"Retry-After": str(seconds)})
