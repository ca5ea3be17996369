"""Calls an external dead man's switch after each completed ping; the switch raises an alarm when the calls stop."""

from __future__ import annotations

import logging

from pydantic import SecretStr

from workers.clients import deadline

TOTAL_SECONDS = 5.0
"""Upper bound of the whole call: a worker waits for it at the end of a sweep."""

SETTING = "TRACKWALKER_HEARTBEAT_URL"

log = logging.getLogger("trackwalker.heartbeat")


def ping(url: SecretStr) -> None:
    """Call the switch once. A failure is logged and never raised.

    The address is a secret that identifies this installation to the switch, so no log contains it.
    """
    try:
        with (
            deadline.within(TOTAL_SECONDS),
            deadline.client(timeout=TOTAL_SECONDS) as client,
            # A stream leaves the body unread, which may be endless.
            client.stream("GET", url.get_secret_value()) as response,
        ):
            status = response.status_code
    except Exception as error:  # the error's text and its traceback may contain the address
        log.warning("heartbeat not delivered", extra={"setting": SETTING, "error": type(error).__name__})
        return
    if not 200 <= status < 300:
        log.warning("heartbeat refused", extra={"setting": SETTING, "status": status})
