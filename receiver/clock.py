"""The clock: pings the receiver at its public address, which also proves that webhooks can reach it.

It runs as a thread of the web process (`receiver.main --clock`), or alone as `python -m receiver.clock`.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from workers.clients import deadline
from workers.errors import SettingsError
from workers.runtime import environment, logs, misspelt_settings, settings
from workers.runtime.process import protect_process
from workers.runtime.settings import Settings
from workers.runtime.signals import Signals

FIRST_PING_SECONDS = 5.0  # after the start, because the receiver starts at the same time
TIMEOUT_SECONDS = 15.0  # per ping as a whole
FIRST_RETRY_SECONDS = 2.0  # delay of the first retry; each further delay is twice as long
MAX_RETRY_SECONDS = 60.0
MAX_INTERVAL_SECONDS = 3600.0  # longest interval that an answer can ask for; Railway's limits are per hour
RESTART_SECONDS = 10.0  # delay before the thread starts over after a bug
INVALID_SETTINGS = 2  # exit code
LOOPBACK = ("127.0.0.1", "localhost", "::1")
NOT_A_RECEIVER = "another server answers at TRACKWALKER_PUBLIC_URL: correct the address"
HINTS = {
    401: "the receiver has another TRACKWALKER_SECRET, or none",
    404: NOT_A_RECEIVER,
    405: NOT_A_RECEIVER,
    502: "the proxy cannot reach the receiver: is the web process running?",
    503: "the receiver cannot reach Redis",
}

log = logging.getLogger("trackwalker.clock")


class PingResult(NamedTuple):
    """`error` is "" if the ping was accepted; `next_seconds` is the interval that the answer asked for, if it did."""

    error: str = ""
    next_seconds: float | None = None


def ping(client: httpx.Client, url: str, secret: str, at: datetime) -> PingResult:
    """Post one ping.

    Args:
        url: the public address of the receiver.
        at: the time that the ping names. Pings of the same time start one sweep, however many arrive.
    """
    address = _safe_address(url)
    try:
        headers = {b"X-Trackwalker-Secret": secret.encode()}
        with deadline.within(TIMEOUT_SECONDS):
            response = client.post(f"{url}/ping", json={"at": at.isoformat()}, headers=headers)
    except httpx.TimeoutException:
        return PingResult(
            f"{address} does not answer within {TIMEOUT_SECONDS:g} s: check TRACKWALKER_PUBLIC_URL"
        )
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return PingResult(f"cannot reach {address} ({type(error).__name__}): check TRACKWALKER_PUBLIC_URL")
    if response.is_success:
        return PingResult(next_seconds=_parse_interval(response.headers.get("x-trackwalker-next-ping", "")))
    if response.is_redirect:
        return PingResult(f"{address} redirects: set TRACKWALKER_PUBLIC_URL to the final address")
    hint = HINTS.get(response.status_code, "see the receiver's log")
    return PingResult(f"{address} answered {response.status_code}: {hint}")


def _parse_interval(header: str) -> float | None:
    """Seconds, at most MAX_INTERVAL_SECONDS; None if the header holds no plain number."""
    match = re.fullmatch(r"\d{1,9}(\.\d{1,9})?", header.strip(), re.ASCII)
    return min(float(match[0]), MAX_INTERVAL_SECONDS) if match else None


def _safe_address(url: str) -> str:
    """The address without user, password, path and query, which may be secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an invalid address"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def ping_until_accepted(
    send: Callable[[datetime], PingResult], within_seconds: float, stop: threading.Event, at: datetime
) -> PingResult | None:
    """Send a ping, with retries, until it is accepted; None if it is not accepted in time.

    Every retry names the same time: if only the answer was lost, the receiver counts both as one ping.

    Args:
        within_seconds: no retry begins later than this.
        stop: ends the retries.
    """
    give_up_at = time.monotonic() + within_seconds
    delay = min(FIRST_RETRY_SECONDS, within_seconds / 5)
    while not stop.is_set():
        result = _send(send, at)
        if not result.error:
            return result
        log.warning("ping failed", extra={"error": result.error})
        if time.monotonic() + delay >= give_up_at or stop.wait(delay):
            return None
        delay = min(delay * 2, MAX_RETRY_SECONDS)
    return None


def _send(send: Callable[[datetime], PingResult], at: datetime) -> PingResult:
    try:
        return send(at)
    except Exception as error:  # a bug must not stop the clock: the other processes would go on without pings
        log.exception("ping error")
        return PingResult(type(error).__name__)


def keep_pinging(
    send: Callable[[datetime], PingResult], interval_seconds: float, stop: threading.Event,
    now: Callable[[], datetime],
) -> None:  # fmt: skip
    """Send one ping per interval until `stop` is set. An answer can ask for a longer interval.

    Intervals are counted from the time when a ping was due, so a late ping does not delay the next one.
    """
    due = time.monotonic() + min(FIRST_PING_SECONDS, interval_seconds)
    is_accepted, interval = True, interval_seconds
    while not stop.wait(max(0.0, due - time.monotonic())):
        previous, due = due, due + interval_seconds
        result = ping_until_accepted(send, due - time.monotonic(), stop, now())
        was_accepted, is_accepted = is_accepted, result is not None
        if is_accepted and not was_accepted:
            log.info("pings are accepted again")
        elif not is_accepted and not stop.is_set():
            log.error("no ping accepted in this interval", extra={"seconds": round(due - previous, 1)})
        old_interval, interval = interval, max(interval_seconds, (result and result.next_seconds) or 0.0)
        # Compared as they are logged: the seconds differ a little from one answer to the next.
        if _minutes(interval) != _minutes(old_interval):
            log.info(
                "ping interval changed", extra={"minutes": _minutes(interval), "why": "Railway's rate limit"}
            )
        due = max(previous + interval, time.monotonic())


def _minutes(seconds: float) -> float:
    return round(seconds / 60, 1 if seconds < 60 else None)


def run(config: Settings, stop: threading.Event) -> None:
    """Ping as the settings say until `stop` is set."""
    url, secret = config.url, next(iter(config.secrets), "")
    log.info("clock started", extra={"address": _safe_address(url), "minutes": config.ping_minutes})
    # A proxy for outgoing connections cannot reach this machine's loopback address.
    use_proxy = urlsplit(url).hostname not in LOOPBACK
    with deadline.client(
        timeout=TIMEOUT_SECONDS, trust_env=use_proxy, limits=httpx.Limits(max_keepalive_connections=0)
    ) as client:
        keep_pinging(
            partial(ping, client, url, secret), config.ping_minutes * 60, stop, partial(datetime.now, UTC)
        )


def start_thread(config: Settings) -> threading.Thread:
    """Start the clock in a daemon thread of this process. It starts over after an unexpected error."""
    thread = threading.Thread(
        target=_run_forever, args=(config, threading.Event()), name="clock", daemon=True
    )
    thread.start()
    return thread


def _run_forever(config: Settings, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            run(config, stop)
        except Exception:
            log.exception("clock error, restarting")
            stop.wait(RESTART_SECONDS)


def main() -> int:
    """Ping until SIGTERM, SIGINT or SIGHUP."""
    protect_process()
    logs.configure("clock")
    try:
        misspelt_settings.refuse_unknown(environment.variables())
        config = settings.read()
    except SettingsError as error:
        log.critical("invalid settings", extra={"why": str(error)})
        return INVALID_SETTINGS
    logs.set_level(config.log_level)
    signals = Signals()
    # A thread, so that a request under way does not delay the exit.
    start_thread(config)
    signals.wait_for_end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
