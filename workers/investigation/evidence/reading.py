"""Keeps account of the reads about one incident: what succeeded, what is missing, how many requests Railway got."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from workers.clients.railway import Railway
from workers.errors import NotAvailable, Refused
from workers.models import Gap, GapPart
from workers.runtime.redaction import redact

T = TypeVar("T")

MAX_REASON_CHARS = 300  # of an error message in a gap
MAX_REQUESTS = 10
"""Requests to Railway for the evidence about one service. Small plans allow 1,000 an hour for everything."""
REQUESTS_PER_READ = 2  # a read whose connection breaks is sent again once


@dataclass
class Reading:
    """The reads about one incident: how many succeeded, and the gaps that the others left."""

    railway: Railway
    """Client that counts the requests of this incident alone."""
    gaps: list[Gap] = field(default_factory=list)
    succeeded: int = 0
    unavailable: NotAvailable | None = None
    """The last read that may succeed if it is tried again later."""

    def read(self, part: GapPart, subject: str, ask: Callable[[], T], default: T) -> T:
        """The result of `ask`. If the read fails, `default`, and the gap is recorded."""
        try:
            result = ask()
        except (NotAvailable, Refused) as error:
            self.miss(part, subject, redact(str(error))[:MAX_REASON_CHARS])
            if isinstance(error, NotAvailable):
                self.unavailable = error
            return default
        self.succeeded += 1
        return result

    def ask_railway(self, part: GapPart, subject: str, ask: Callable[[], T], default: T) -> T:
        """As `read`, for a read of one request to Railway. Beyond the budget the read is a gap."""
        if self.railway.requests_sent > MAX_REQUESTS - REQUESTS_PER_READ:
            self.miss(
                part, subject, f"not asked: this incident has used {self.railway.requests_sent} requests"
            )
            return default
        return self.read(part, subject, ask, default)

    def miss(self, part: GapPart, subject: str, reason: str) -> None:
        """Record a part that could not be read."""
        self.gaps.append(Gap(part=part, subject=subject, reason=reason))
