"""The last resort: the store is away, so the alert goes straight to Slack, as one line a minute at most."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from receiver.payload import clean_text
from workers.models import Alert

MIN_INTERVAL_SECONDS = 60.0
PING_MIN_INTERVAL_SECONDS = 1800.0
"""A ping that cannot be stored says only that the store is away, and it comes again and again."""

log = logging.getLogger("trackwalker.door")


def _start_timer(seconds: float, act: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()


class FallbackNotifier:
    """Posts a line in a thread of its own, so that no answer waits for it; one process keeps one gap."""

    def __init__(
        self, post: Callable[[str], None], clock: Callable[[], float],
        after: Callable[[float, Callable[[], None]], None] = _start_timer,
    ) -> None:  # fmt: skip
        self._post, self._clock, self._after = post, clock, after
        self._lock = threading.Lock()
        self._last: float | None = None
        self._held = 0
        self._waiting: Alert | None = None

    def notify(self, alert: Alert) -> None:
        """Post the alert's line, now or when the gap is over. Returns at once, never raises."""
        gap = PING_MIN_INTERVAL_SECONDS if alert.source == "ping" else MIN_INTERVAL_SECONDS
        with self._lock:
            now = self._clock()
            if self._last is not None and now - self._last < gap:
                self._queue(alert, self._last + gap - now)
                return
            self._last, held, self._held, self._waiting = now, self._held, 0, None
        threading.Thread(
            target=self._say, args=(format_alert(alert, held),), name="last-resort", daemon=True
        ).start()

    def _queue(self, alert: Alert, seconds: float) -> None:
        """An alert is said when the gap is over, should none come by then; a ping never waits."""
        self._held += 1
        if alert.source == "ping":
            return
        if self._waiting is None:
            self._after(seconds, self._say_waiting)
        self._waiting = alert

    def _say_waiting(self) -> None:
        with self._lock:
            alert, held = self._waiting, self._held - 1
            if alert is None:
                return
            self._last, self._held, self._waiting = self._clock(), 0, None
        self._say(format_alert(alert, held))

    def _say(self, text: str) -> None:
        try:
            self._post(text)
        except Exception as error:  # Slack being away too must not hide that the store is
            log.error(
                "the store is away and Slack does not take the alert", extra={"error": type(error).__name__}
            )


def format_alert(alert: Alert, held: int) -> str:
    """The alert as one line for the channel; `held` is how many more came since the line before."""
    more = f" ({held} more since the last line)" if held else ""
    return (
        f"The store is away, this alert is not stored{more}: {clean_text(alert.message, 500) or alert.kind}"
    )
