"""The self-ping → Alert: `{"at": iso}`, or nothing at all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from receiver import payload
from receiver.payload import InvalidPayload
from workers.models import Alert


def parse(body: bytes | Mapping[str, Any], at: datetime, token: str) -> Alert:
    """A look at everything that is watched. Raises Malformed when `at` is there but no ISO 8601 time."""
    fields = payload.parse(body) if isinstance(body, Mapping) or body.strip() else {}
    claimed = fields.get("at")
    said_at = payload.parse_time(claimed) if isinstance(claimed, str) else None
    if claimed is not None and said_at is None:
        raise InvalidPayload("at", "must be an ISO 8601 time")
    return Alert(
        id=payload.alert_id(at, token),
        source="ping",
        kind="ping",
        received_at=at,
        reported_at=said_at,
        message="ping",
    )
