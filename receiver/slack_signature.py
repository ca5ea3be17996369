"""Slack's signature of a request: HMAC-SHA256 over its time and its raw body. Pure.

https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

VERSION = "v0"
MAX_AGE_SECONDS = (
    300  # in both directions: an old request may be a replay, and one from the future never expires
)
MAX_TIMESTAMP_DIGITS = 12
SIGNATURE_HEADER = "x-slack-signature"
TIMESTAMP_HEADER = "x-slack-request-timestamp"


def timestamp_of(headers: Mapping[str, str]) -> int | None:
    """The time of the request in epoch seconds; None if the header is missing or no plain number."""
    text = headers.get(TIMESTAMP_HEADER, "")
    is_number = text.isascii() and text.isdigit() and len(text) <= MAX_TIMESTAMP_DIGITS
    return int(text) if is_number else None


def is_recent(timestamp: int, now: float) -> bool:
    """True if the request is at most five minutes away from now."""
    return abs(now - timestamp) <= MAX_AGE_SECONDS


def sign(secret: str, timestamp: int | str, body: bytes) -> str:
    """The signature of a request, as Slack sends it."""
    content = f"{VERSION}:{timestamp}:".encode() + body
    return f"{VERSION}={hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()}"


def is_signed(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> bool:
    """True if one of the secrets signed the body. All are compared, in constant time.

    Args:
        secrets: more than one during a rotation.
        body: the raw bytes: a body that was parsed and written again has another signature.
    """
    offered = headers.get(SIGNATURE_HEADER, "").encode("latin-1", "replace")
    timestamp = headers.get(TIMESTAMP_HEADER, "")
    expected = [sign(secret, timestamp, body).encode() for secret in secrets]
    return sum(hmac.compare_digest(ours, offered) for ours in expected) > 0
