"""An outside dead man's switch: it is called after each ping that was looked into to its end, and rings when not."""

from __future__ import annotations

import logging
import threading

import httpx
from pydantic import SecretStr

ANSWER_SECONDS = 5.0
"""For connecting, and again for the answer's first bytes; nobody waits for it."""
NAME = "heartbeat"

log = logging.getLogger("trackwalker.heartbeat")


def beat(url: SecretStr) -> None:
    """Fetch the address beside the work, which waits for nothing; while an earlier call still hangs, none is made.

    No log names the address: it is the secret by which the switch knows us.
    """
    if any(thread.name == NAME for thread in threading.enumerate()):
        log.warning("the call of TRACKWALKER_HEARTBEAT_URL before this one is not over")
        return
    threading.Thread(target=_fetch, args=(url,), name=NAME, daemon=True).start()


def _fetch(url: SecretStr) -> None:
    try:
        # The body is nobody's business, however long it is.
        with httpx.stream("GET", url.get_secret_value(), timeout=ANSWER_SECONDS) as answer:
            status = answer.status_code
    except Exception as error:  # its text may hold the address, and a traceback would
        log.warning("TRACKWALKER_HEARTBEAT_URL does not answer", extra={"error": type(error).__name__})
        return
    if not 200 <= status < 300:
        log.warning("TRACKWALKER_HEARTBEAT_URL does not take it", extra={"status": status})
