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

    Raises NotAvailable when the store is away. An alert that names a service is owed an answer: its first word is
    due after `first_word_seconds`; a forwarded alert is its own first word.
    """
    key = f"{PREFIX}alert:{alert.id}"
    owed = alert.source == "railway" and bool(alert.service_id) and owes_answer(alert)
    keys = [key, DUE, f"{PREFIX}tell:alert:{alert.id}", f"{PREFIX}fold:{fold.key}" if fold else key]
    first_word = int(first_word_seconds * 1000) if owed else -1
    stored = journal.script(
        scripts.TAKE_IN, keys, fold.seconds if fold else 0, pack(alert, Alert), first_word
    )
    taken: str = stored.decode()
    wake(taken)
    return taken.removeprefix(f"{PREFIX}alert:")


def owes_answer(alert: Alert) -> bool:
    """Whether the sender expects to hear from us: a new deployment is a reason to look, not a trouble told."""
    quiet = ("deployment.deployed", "deployment.redeployed", "deployment.resumed")
    return bool(alert.service_id or alert.service_name) and alert.kind not in quiet
