"""The values that the checks of one run share: the settings, one HTTP client, and results that other checks use."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple

import httpx

from workers.clients import deadline
from workers.models import Environment
from workers.runtime.settings import Settings

CONNECT_SECONDS = 5.0  # for connecting and for each read of a check's request


class WatchedService(NamedTuple):
    """A service of a watched environment, as Railway describes it."""

    id: str
    name: str
    repository: str | None
    """`owner/name` on GitHub; None for an image."""


class WatchedEnvironment(NamedTuple):
    """A watched environment and its services."""

    environment: Environment
    label: str
    """`project / environment`, for people."""
    services: tuple[WatchedService, ...]


@dataclass
class ClockSkews:
    """How far the clocks of others are ahead of ours, from the `Date` headers of their responses."""

    now: Callable[[], datetime]
    by_host: dict[str, float] = field(default_factory=dict)
    """Seconds by host: the smallest of all responses, because a slow response makes a clock look late."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, host: str, at: datetime) -> None:
        """Take over the time that a response names."""
        self.note_epoch(host, at.timestamp())

    def note_epoch(self, host: str, seconds: float) -> None:
        """Take over a time in epoch seconds."""
        skew = seconds - self.now().timestamp()
        with self.lock:
            before = self.by_host.get(host)
            self.by_host[host] = skew if before is None else min(before, skew, key=abs)


@dataclass
class Context:
    """The input of every check.

    Args:
        settings: the settings; None if they cannot be read, and then only the checks that need none run.
        environ: the variables of the environment and of `.env`.
    """

    settings: Settings
    environ: Mapping[str, str]
    folder: Path
    """The data folder."""
    is_quick: bool = False
    """Whether this is the half that `up` runs at start: it spends nothing and changes nothing."""
    post_test: bool = False
    """Whether to post a test message to Slack."""
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    watched: Future[tuple[WatchedEnvironment, ...]] = field(default_factory=Future)
    """The watched environments; the check of Railway sets it, in every case."""

    def __post_init__(self) -> None:
        self.skews = ClockSkews(self.now)
        self.http = deadline.client(timeout=CONNECT_SECONDS)
        self.http.event_hooks["response"] = [self._note_date]

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def _note_date(self, response: httpx.Response) -> None:
        try:
            at = parsedate_to_datetime(response.headers.get("date", ""))
        except (ValueError, TypeError):
            return
        self.skews.note(response.request.url.host, at if at.tzinfo else at.replace(tzinfo=UTC))
