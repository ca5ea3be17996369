"""While Redis is unavailable, alerts go straight to Slack: one line a minute at most."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from receiver.payload import clean_text
from workers.models import Alert

MIN_INTERVAL_SECONDS = 60.0  # between two posts: an outage during an alert storm must not flood the channel
PING_MIN_INTERVAL_SECONDS = 1800.0  # a ping only shows that Redis is away, and it is repeated all the time
MAX_MESSAGE_CHARACTERS = 500

log = logging.getLogger("trackwalker.receiver")


def _start_timer(seconds: float, act: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()


class FallbackNotifier:
    """Posts alerts that could not be stored, in a thread of its own, so that no response waits for Slack.

    Each process limits its own posts.

    Args:
        post: posts one line; it may raise.
        clock: a monotonic time in seconds.
        after: calls a function after a number of seconds.
    """

    def __init__(
        self, post: Callable[[str], None], clock: Callable[[], float],
        after: Callable[[float, Callable[[], None]], None] = _start_timer,
    ) -> None:  # fmt: skip
        self._post, self._clock, self._after = post, clock, after
        self._lock = threading.Lock()
        self._last_post: float | None = None
        self._queued: Alert | None = None
        self._skipped = 0
        """Alerts since the last post, the queued one included."""

    def notify(self, alert: Alert) -> None:
        """Post the alert now, or when the interval is over. Returns at once and never raises."""
        interval = PING_MIN_INTERVAL_SECONDS if alert.source == "ping" else MIN_INTERVAL_SECONDS
        with self._lock:
            now = self._clock()
            if self._last_post is not None and now - self._last_post < interval:
                self._queue(alert, self._last_post + interval - now)
                return
            self._last_post, skipped, self._skipped, self._queued = now, self._skipped, 0, None
        text = format_alert(alert, skipped)
        threading.Thread(target=self._try_post, args=(text,), name="fallback-notifier", daemon=True).start()

    def _queue(self, alert: Alert, seconds: float) -> None:
        """Keep the newest alert for the end of the interval, in case none comes after it. A ping is only counted."""
        self._skipped += 1
        if alert.source == "ping":
            return
        if self._queued is None:
            self._after(seconds, self._post_queued)
        self._queued = alert

    def _post_queued(self) -> None:
        with self._lock:
            alert, skipped = self._queued, self._skipped - 1
            # A later alert was posted in the meantime, and counted this one.
            if alert is None:
                return
            self._last_post, self._skipped, self._queued = self._clock(), 0, None
        self._try_post(format_alert(alert, skipped))

    def _try_post(self, text: str) -> None:
        try:
            self._post(text)
        except Exception as error:  # an outage of Slack must not hide the outage of Redis
            log.error("alert neither stored nor posted to Slack", extra={"error": type(error).__name__})


def format_alert(alert: Alert, skipped: int) -> str:
    """The alert as one line for the channel.

    Args:
        skipped: number of alerts since the line before.
    """
    more = f" ({skipped} more since the last message)" if skipped else ""
    text = clean_text(alert.message, MAX_MESSAGE_CHARACTERS) or alert.kind
    return f"Redis is unavailable, so this alert is not processed{more}: {text}"
