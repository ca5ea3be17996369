"""The base of all values: the frozen model, which cleans its text, points in time, short digests."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, ConfigDict

from workers.models.clean_text import CleanModel


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_utc)]
"""A point in time, always UTC."""

Point = tuple[int, float]
"""One sample: epoch seconds, value."""

NEVER_LIVE = frozenset(
    {"FAILED", "SKIPPED", "WAITING", "QUEUED", "BUILDING", "INITIALIZING", "NEEDS_APPROVAL", "DEPLOYING"}
)
"""Railway's deployment statuses that mean that no container of the deployment has served yet, or ever will."""


def digest(*parts: str) -> str:
    """A short stable name for some text: 16 hex digits of SHA-256 over the parts."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


class Model(CleanModel):
    """A frozen value; unknown fields, of a newer version, are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")
