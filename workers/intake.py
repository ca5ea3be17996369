"""The door: an alert is stored with its place in `due` in one transaction; only then is the sender answered."""

from __future__ import annotations

from collections.abc import Callable

from workers import scripts
from workers.journal import DUE, PREFIX, Journal, pack
from workers.models import Alert, Noun


class Fold(Noun):
    """Alerts with the same key within that many seconds are one."""

    key: str
    seconds: int


def take_in(
    alert: Alert, fold: Fold | None, journal: Journal, wake: Callable[[str], None], *,
    first_word_seconds: float = 60.0,
) -> str:  # fmt: skip
    """Store the alert durably and answer the id under which it stands: its own, or that of the alert it repeats.

    Raises NotAvailable when the store is away. An alert of trouble is owed an answer: its first word is due after
    `first_word_seconds`. A forwarded alert is its own first word; a ping that finds nothing needs none.
    """
    key = f"{PREFIX}alert:{alert.id}"
    owed = alert.source == "railway" and tells_trouble(alert)
    keys = [key, DUE, f"{PREFIX}tell:alert:{alert.id}", f"{PREFIX}fold:{fold.key}" if fold else key]
    first_word = int(first_word_seconds * 1000) if owed else -1
    stored = journal.script(
        scripts.TAKE_IN, keys, fold.seconds if fold else 0, pack(alert, Alert), first_word
    )
    taken: str = stored.decode()
    wake(taken)
    return taken.removeprefix(f"{PREFIX}alert:")


def tells_trouble(alert: Alert) -> bool:
    """Whether the sender told of trouble: a new deployment or a ping is a reason to look, nothing more."""
    quiet = (
        "ping",
        "deployment.restarted",
        "deployment.deployed",
        "deployment.redeployed",
        "deployment.resumed",
    )
    return alert.kind not in quiet
