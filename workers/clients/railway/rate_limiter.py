"""A client-side rate limiter that stays below Railway's limit of requests per second."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from workers.clients.railway.quota import RateLimit

# Railway allows 10 requests per second on Hobby and 50 on Pro; both figures leave a margin of one tenth.
# https://docs.railway.com/integrations/api
REQUESTS_PER_SECOND = 9
REQUESTS_PER_SECOND_PRO = 45
PRO_HOURLY_LIMIT = 10_000
"""Hourly limit from which on Railway's limits are those of a Pro plan."""


class RateLimiter:
    """Delays requests so that no more begin within one second than Railway accepts; shared by all threads.

    Args:
        clock: returns seconds on a monotonic clock.
        sleep: blocks the calling thread for a number of seconds.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._started: deque[float] = deque()
        self._lock = threading.Lock()

    def wait(self, rate_limit: RateLimit | None) -> None:
        """Block until the next request may begin.

        Args:
            rate_limit: the newest one that Railway reported; its hourly limit tells the plan. None counts as Hobby.
        """
        pro = rate_limit is not None and rate_limit.limit >= PRO_HOURLY_LIMIT
        while (delay := self._reserve(REQUESTS_PER_SECOND_PRO if pro else REQUESTS_PER_SECOND)) > 0:
            self._sleep(delay)

    def _reserve(self, max_requests: int) -> float:
        """0 and the request is counted, or the seconds to sleep before the next try."""
        with self._lock:
            now = self._clock()
            while self._started and self._started[0] <= now - 1:
                self._started.popleft()
            if len(self._started) < max_requests:
                self._started.append(now)
                return 0.0
            return self._started[-max_requests] + 1 - now
