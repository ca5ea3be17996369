"""`python -m receiver.clock`: pings the receiver at its public address, which also proves the way in."""

from __future__ import annotations

import logging
import re
import signal
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
from workers.runtime import logs, settings

FIRST_AFTER_SECONDS = 5.0
"""The receiver starts at the same time."""
TIMEOUT_SECONDS = 15.0
FIRST_RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 60.0
LONGEST_STRETCH_SECONDS = 3600.0
"""Whatever the answer says: Railway's limits are counted by the hour."""
MEANINGS = {
    401: "TRACKWALKER_SECRET is not the receiver's, or it has none",
    404: "there is something at TRACKWALKER_PUBLIC_URL, but it is no Trackwalker",
    405: "there is something at TRACKWALKER_PUBLIC_URL, but it is no Trackwalker",
    502: "the proxy before the receiver does not reach it: is the web process up?",
    503: "the receiver's store is away",
}

log = logging.getLogger("trackwalker.clock")


class PingResult(NamedTuple):
    """What came of a ping: no `trouble` when it was taken; `next_seconds` where the next one is to come later."""

    trouble: str = ""
    next_seconds: float | None = None


def ping(client: httpx.Client, url: str, secret: str, at: datetime) -> PingResult:
    """Post one ping that names the time `at`; what went wrong comes with where to look."""
    try:
        headers = {b"X-Trackwalker-Secret": secret.encode()}
        with deadline.within(TIMEOUT_SECONDS):
            answer = client.post(f"{url}/ping", json={"at": at.isoformat()}, headers=headers)
    except httpx.TimeoutException:
        return PingResult(
            f"no answer within {TIMEOUT_SECONDS:g} s from {_place(url)}: check TRACKWALKER_PUBLIC_URL"
        )
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return PingResult(
            f"cannot reach {_place(url)} ({type(error).__name__}): check TRACKWALKER_PUBLIC_URL"
        )
    if answer.is_success:
        return PingResult(next_seconds=_stretched(answer.headers.get("x-trackwalker-next-ping", "")))
    if answer.is_redirect:
        return PingResult(
            f"{_place(url)} redirects: TRACKWALKER_PUBLIC_URL must be the address where that ends"
        )
    meaning = MEANINGS.get(answer.status_code, "see the receiver's log")
    return PingResult(f"{_place(url)} answered {answer.status_code}: {meaning}")


def _stretched(said: str) -> float | None:
    """Seconds, at most an hour; None for whatever is no such number."""
    found = re.fullmatch(r"\d{1,9}(\.\d{1,9})?", said.strip(), re.ASCII)
    return min(float(found[0]), LONGEST_STRETCH_SECONDS) if found else None


def _place(url: str) -> str:
    """The address without what may be secret in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that is none"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def ping_until_taken(
    send: Callable[[datetime], PingResult], within_seconds: float, stop: threading.Event, at: datetime
) -> PingResult | None:
    """Send the ping of `at`, and again with growing waits inside its interval; None when it was not taken.

    Every try names the same time, so that a ping whose answer was lost is still one look.
    """
    deadline = time.monotonic() + within_seconds
    wait = min(FIRST_RETRY_SECONDS, within_seconds / 5)
    while not stop.is_set():
        heard = _try(send, at)
        if not heard.trouble:
            return heard
        log.warning("ping not taken", extra={"trouble": heard.trouble})
        if time.monotonic() + wait >= deadline or stop.wait(wait):
            return None
        wait = min(wait * 2, LONGEST_RETRY_SECONDS)
    return None


def _try(send: Callable[[datetime], PingResult], at: datetime) -> PingResult:
    try:
        return send(at)
    except Exception as error:  # a clock that stops is noticed by nobody
        log.exception("ping failed")
        return PingResult(type(error).__name__)


def keep_pinging(
    send: Callable[[datetime], PingResult], interval_seconds: float, stop: threading.Event,
    now: Callable[[], datetime],
) -> None:  # fmt: skip
    """One ping an interval until `stop`, later where the answer says so; a late one does not move the next."""
    due = time.monotonic() + min(FIRST_AFTER_SECONDS, interval_seconds)
    taken, apart = True, interval_seconds
    while not stop.wait(max(0.0, due - time.monotonic())):
        before, due = due, due + interval_seconds
        heard = ping_until_taken(send, due - time.monotonic(), stop, now())
        was_taken, taken = taken, heard is not None
        if taken and not was_taken:
            log.info("pings are taken again")
        elif not taken and not stop.is_set():
            log.error("no ping was taken in this interval", extra={"seconds": round(due - before, 1)})
        was_apart, apart = apart, max(interval_seconds, (heard and heard.next_seconds) or 0.0)
        if _minutes(apart) != _minutes(was_apart):
            log.info("pings are this far apart", extra={"minutes": _minutes(apart), "why": "Railway's limit"})
        due = max(before + apart, time.monotonic())


def _minutes(seconds: float) -> float:
    """As it is told: the seconds differ from one answer to the next."""
    return round(seconds / 60, 1 if seconds < 60 else None)


def main() -> int:
    """Ping until SIGTERM or SIGINT, which end it at once."""
    logs.configure("clock")
    try:
        chosen = settings.read()
    except SettingsError as error:
        log.critical(str(error))
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    url, secret = chosen.url, next(iter(chosen.secrets), "")
    # What stands on this machine is not asked for through a proxy.
    outside = urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1")
    with deadline.client(
        timeout=TIMEOUT_SECONDS, trust_env=outside, limits=httpx.Limits(max_keepalive_connections=0)
    ) as client:
        send = partial(ping, client, url, secret)
        interval = chosen.ping_minutes * 60
        log.info("clock started", extra={"address": _place(url), "minutes": chosen.ping_minutes})
        # A daemon: a request in flight does not hold up the end.
        threading.Thread(
            target=keep_pinging, args=(send, interval, stop, partial(datetime.now, UTC)), daemon=True
        ).start()
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
