"""The clock's ping → Alert. The body is `{"at": <ISO 8601 time>}`, or empty."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from receiver import payload
from receiver.payload import InvalidPayload
from workers.models import Alert


def parse(body: bytes | Mapping[str, Any], at: datetime, token: str) -> Alert:
    """A request to check everything that is watched.

    Args:
        at: when the body was received.
        token: makes the alert's id unique.

    Raises:
        InvalidPayload: the field `at` is no ISO 8601 time.
    """
    fields = payload.parse(body) if isinstance(body, Mapping) or body.strip() else {}
    value = fields.get("at")
    reported_at = payload.parse_time(value) if isinstance(value, str) else None
    if value is not None and reported_at is None:
        raise InvalidPayload("at", "must be an ISO 8601 time, for example 2026-11-23T03:04:00Z")
    return Alert(
        id=payload.alert_id(at, token),
        source="ping",
        kind="ping",
        received_at=at,
        reported_at=reported_at,
        message="ping",
    )
