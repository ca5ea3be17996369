"""Logins with the password, and the bound on wrong ones.

The bound is per peer and in total. Behind a proxy all browsers have one address, so strangers could use up everybody's
attempts: a browser that has logged in before has attempts of its own (OWASP's device cookies).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from workers.engine.journal_store import JournalStore
from workers.engine.schema import PAGE_ATTEMPTS_PREFIX
from workers.models import digest

WINDOW_SECONDS = 300  # in which wrong passwords are counted
MAX_PER_CLIENT = 10  # wrong passwords of one address, or one known browser, per window
MAX_IN_TOTAL = 50  # wrong passwords of all unknown browsers per window: 14,400 a day at most
TOTAL = "total"


@dataclass(frozen=True)
class Attempt:
    """The result of a login: let in, wrong, or too many wrong ones."""

    accepted: bool
    wait_seconds: int = 0
    """Until the next attempt is looked at; 0 if it may follow at once."""


def attempt(store: JournalStore, password: str, offered: str, peer: str, browser: str) -> Attempt:
    """Check a password.

    Args:
        browser: id of a browser that has logged in before, "" for an unknown one.

    Raises:
        NotAvailable: Redis does not answer.
    """
    limits = (
        {f"browser:{digest(browser)}": MAX_PER_CLIENT}
        if browser
        else {f"peer:{digest(peer)}": MAX_PER_CLIENT, TOTAL: MAX_IN_TOTAL}
    )
    # The attempt is counted before the password is compared: attempts side by side must not pass the bound.
    waits = [_count(store, PAGE_ATTEMPTS_PREFIX + name, limit) for name, limit in limits.items()]
    if any(waits):
        return Attempt(False, max(waits))
    accepted = hmac.compare_digest(_digest(password), _digest(offered))
    if accepted:
        for name in limits:
            _forgive(store, PAGE_ATTEMPTS_PREFIX + name)
    return Attempt(accepted)


def _count(store: JournalStore, key: str, limit: int) -> int:
    """Count an attempt; the seconds to wait if it is over the limit, else 0."""
    store.command("set", key, 0, WINDOW_SECONDS, None, True)
    count, seconds = int(store.command("incr", key)), int(store.command("ttl", key))
    if seconds < 0:  # the window ended between the two commands
        store.command("expire", key, WINDOW_SECONDS)
    return 0 if count <= limit else max(1, seconds)


def _forgive(store: JournalStore, key: str) -> None:
    """Take back one count, that of the right password. The wrong ones before it stay counted."""
    if int(store.command("decr", key)) < 0:
        store.command("delete", key)


def _digest(text: str) -> bytes:
    # Of equal length, so the comparison shows nothing about the password's.
    return hashlib.sha256(text.encode()).digest()
