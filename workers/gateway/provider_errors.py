"""Reads the errors of a model's provider: their kind, their message, and the time to wait before a retry."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime

from workers.gateway.upstream import Answer, Broken
from workers.runtime.redaction import redact
from workers.runtime.text import safe_line

MAX_ERROR_BYTES = 65_536  # of a provider's error
MAX_REASON_CHARS = 300  # of a provider's error in our own message
TRANSIENT = frozenset((408, 409, 425, 429))  # statuses below 500 after which a call may be repeated
PERMANENT = frozenset((501, 505))  # statuses from 500 on after which it may not
REJECTED: Mapping[int, str] = {
    401: "the provider rejects the key",
    402: "the provider's account has no credit",
    403: "the provider denies access",
    404: "the provider knows no such model or address",
}
"""Statuses by which a provider refuses every call of this model, and what they mean."""


def is_transient(status: int) -> bool:
    """True if the provider may give an answer to the same call later."""
    return status in TRANSIENT or (status >= 500 and status not in PERMANENT)


def error_text(answer: Answer, secret_values: tuple[str, ...]) -> str:
    """The body of an error, without the key that it may quote."""
    body = bytearray()
    with suppress(Broken):
        for part in answer.parts():
            body += part
            if len(body) > MAX_ERROR_BYTES:
                break
    return redact(bytes(body[:MAX_ERROR_BYTES]).decode(errors="replace"), known=secret_values)


def message_of(body: str) -> str:
    """The message in a provider's error, for our own error messages."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return safe_line(body, MAX_REASON_CHARS)
    value = value[0] if isinstance(value, list) and value else value
    error = value.get("error", value) if isinstance(value, dict) else value
    if isinstance(error, dict):
        kind = next(
            (error[name] for name in ("code", "type", "status") if isinstance(error.get(name), str)), ""
        )
        error = " ".join(filter(None, (str(error.get("message") or ""), f"({kind})" if kind else "")))
    return safe_line(str(error), MAX_REASON_CHARS)


def retry_after(answer: Answer, now: Callable[[], float] = time.time) -> float | None:
    """The seconds that a provider asks to wait: a number, or a date (RFC 9110 §10.2.3); None if it does not say."""
    text = answer.header("retry-after")
    milliseconds = answer.header("retry-after-ms")  # OpenAI's and Azure's own
    if re.fullmatch(r"\d{1,9}", milliseconds):
        return int(milliseconds) / 1000
    if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return max(0.0, moment.timestamp() - now())
