"""What Railway's headers say of patience and of the requests that are left. Hostile or odd ones say nothing."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from workers.incidents.request_quota import RateLimit

LONGEST_WAIT = 3600.0
"""Seconds: Railway's limits are counted by the hour."""
MILLISECONDS_FROM, EPOCH_FROM = 1e11, 1e9
"""A reset from here on is a time in milliseconds, in seconds; below, seconds from now."""
MOST = 10**9
SAME_RESET_SECONDS = 2.0
PER_SECOND, PER_SECOND_OF_LARGE, LARGE = 9, 45, 10_000
"""Requests begun within one second: below the 10 of a Hobby and the 50 of a Pro plan, which has 10,000 an hour."""
POLICY = re.compile(r"(?:q=)?(\d{1,9})\s*(?=;)[^,]*?;\s*w=(\d{1,7})")


def retry_after(headers: httpx.Headers, now: datetime) -> float | None:
    """Seconds, from either form of the header."""
    said = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,12}(\.\d+)?", said):
        return min(float(said), LONGEST_WAIT)
    try:
        wait = (parsedate_to_datetime(said) - now).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(wait, 0.0), LONGEST_WAIT)


def allowance(headers: httpx.Headers, now: datetime) -> RateLimit | None:
    """The requests that are left, None where the headers do not say it. A reset lies within the next hour."""
    remaining = _count(headers, "remaining")
    policy = max(
        ((int(w), int(q)) for q, w in POLICY.findall(headers.get("ratelimit-policy", ""))), default=None
    )
    limit = _count(headers, "limit") or (policy[1] if policy else None)
    if remaining is None or not limit:
        return None
    window = min(float(policy[0]), LONGEST_WAIT) if policy else LONGEST_WAIT
    last = now + timedelta(seconds=LONGEST_WAIT)
    resets = _moment(_said(headers, "reset"), now) or now + timedelta(seconds=window)
    return RateLimit(limit=limit, remaining=min(remaining, limit), resets_at=min(resets, last))


def newest(known: RateLimit | None, said: RateLimit) -> RateLimit:
    """`said`, or the smaller rest of the two where they speak of the same reset: answers overtake each other."""
    if known is None or known.limit != said.limit or known.remaining >= said.remaining:
        return said
    apart = abs((known.resets_at - said.resets_at).total_seconds())
    return known if apart < SAME_RESET_SECONDS else said


def _said(headers: httpx.Headers, name: str) -> str:
    return str(headers.get(f"x-ratelimit-{name}") or headers.get(f"ratelimit-{name}") or "").strip()


def _count(headers: httpx.Headers, name: str) -> int | None:
    said = _said(headers, name).partition(",")[0].partition(";")[0].strip()
    return min(int(float(said)), MOST) if re.fullmatch(r"\d{1,12}(\.\d{1,6})?", said) else None


def _moment(said: str, now: datetime) -> datetime | None:
    """A time, from epoch seconds or milliseconds, seconds from now, ISO 8601 or the form of a header's date."""
    if re.fullmatch(r"\d{1,15}(\.\d{1,9})?", said):
        number = float(said)
        if number < EPOCH_FROM:
            return now + timedelta(seconds=min(number, LONGEST_WAIT))
        seconds = number / (1000 if number >= MILLISECONDS_FROM else 1)
        # Beyond that lie years that Python does not know.
        return datetime.fromtimestamp(min(seconds, MILLISECONDS_FROM), UTC)
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(said)
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, TypeError, OverflowError):
            continue
    return None


class Pace:
    """Lets no more requests begin within a second than Railway takes; one for all threads of a client."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._begun: deque[float] = deque()
        self._lock = threading.Lock()

    def wait(self, known: RateLimit | None) -> None:
        """Return when the next request may begin."""
        most = PER_SECOND_OF_LARGE if known and known.limit >= LARGE else PER_SECOND
        while (pause := self._turn(most)) > 0:
            self._sleep(pause)

    def _turn(self, most: int) -> float:
        """0 when it is our turn, else the seconds until it may be."""
        with self._lock:
            now = self._clock()
            while self._begun and self._begun[0] <= now - 1:
                self._begun.popleft()
            if len(self._begun) < most:
                self._begun.append(now)
                return 0.0
            return self._begun[-most] + 1 - now
