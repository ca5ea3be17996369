"""An outside dead man's switch: it is called after each ping that was looked into to its end, and rings when not."""

from __future__ import annotations

import logging

from pydantic import SecretStr

from workers.clients import deadline

WHOLE_SECONDS = 5.0
"""For the whole call, however slowly its bytes come."""

log = logging.getLogger("trackwalker.heartbeat")


def ping(url: SecretStr) -> None:
    """Fetch the address; what goes wrong is logged. No log names it: it is the secret by which the switch knows us."""
    try:
        with (
            deadline.within(WHOLE_SECONDS),
            deadline.client(timeout=WHOLE_SECONDS) as client,
            # The body is nobody's business, however long it is.
            client.stream("GET", url.get_secret_value()) as answer,
        ):
            status = answer.status_code
    except Exception as error:  # its text may hold the address, and so may a traceback
        log.warning("TRACKWALKER_HEARTBEAT_URL does not answer", extra={"error": type(error).__name__})
        return
    if not 200 <= status < 300:
        log.warning("TRACKWALKER_HEARTBEAT_URL does not take it", extra={"status": status})
