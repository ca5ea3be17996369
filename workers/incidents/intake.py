"""The door: an alert is stored with its place in `due` in one transaction; only then is the sender answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from workers.engine import scripts
from workers.engine.journal import DUE, PREFIX, Journal
from workers.engine.records import pack
from workers.errors import NotAvailable
from workers.models import Alert, Noun


class Fold(Noun):
    """Alerts with the same key within that many seconds are one."""

    key: str
    seconds: int


LATE_PINGS = 3
"""So many pings may be missing before that is told."""
PINGS = PREFIX + "pings"
"""The journal of the pings that should come: due when they are late."""


def take_in(
    alert: Alert, fold: Fold | None, journal: Journal, wake: Callable[[str], None], *,
    first_word_seconds: float = 60.0, ping_seconds: float = 600.0,
) -> str:  # fmt: skip
    """Store the alert durably and answer the id under which it stands: its own, or that of the alert it repeats.

    Raises NotAvailable when the store is away. An alert of trouble is owed an answer: its first word is due after
    `first_word_seconds`. A forwarded alert is its own first word; a ping that finds nothing needs none, but when
    the next ones stay away (`ping_seconds` apart) somebody looks why.
    """
    keys, arguments = _asked(alert, fold, first_word_seconds, ping_seconds)
    return _taken(journal.script(scripts.TAKE_IN, keys, *arguments), wake)


def take_in_each(
    alerts: Sequence[tuple[Alert, Fold | None]], journal: Journal, wake: Callable[[str], None], *,
    first_word_seconds: float = 60.0, ping_seconds: float = 600.0,
) -> list[str | NotAvailable]:  # fmt: skip
    """`take_in` for many in one round trip; NotAvailable stands in the place of an alert that could not be stored."""
    asked = [_asked(alert, fold, first_word_seconds, ping_seconds) for alert, fold in alerts]
    answers = journal.script_each(scripts.TAKE_IN, asked)
    return [one if isinstance(one, NotAvailable) else _taken(one, wake) for one in answers]


def _asked(
    alert: Alert, fold: Fold | None, first_word_seconds: float, ping_seconds: float
) -> tuple[list[str], list[Any]]:
    """Keys and arguments of TAKE_IN."""
    key = f"{PREFIX}alert:{alert.id}"
    owed = alert.source == "railway" and tells_trouble(alert)
    keys = [key, DUE, f"{PREFIX}tell:alert:{alert.id}", f"{PREFIX}fold:{fold.key}" if fold else key]
    return [*keys, PINGS, heard_key(alert.environment_id or "")], [
        fold.seconds if fold else 0,
        pack(alert, Alert),
        int(first_word_seconds * 1000) if owed else -1,
        int(LATE_PINGS * ping_seconds * 1000) if alert.source == "ping" else 0,
        heard_name(alert) if alert.source == "railway" and alert.environment_id else "",
        # A sender whose clock is ahead must not silence what is still to come.
        int(min(alert.said_at or alert.at, alert.at).timestamp() * 1000),
    ]


def _taken(stored: bytes, wake: Callable[[str], None]) -> str:
    taken = stored.decode()
    wake(taken)
    return taken.removeprefix(f"{PREFIX}alert:")


def promise(journal: Journal, seconds: float) -> None:
    """The next ping will come so late, because we asked for it: until then nobody waits for one."""
    journal.ask("hset", PINGS, "apart", str(seconds))


def heard_key(environment_id: str) -> str:
    """What Railway's webhooks told of an environment lately: name → when, in milliseconds."""
    return f"{PREFIX}heard:{environment_id}"


def heard_name(alert: Alert) -> str:
    """What an alert tells, so that the same told by Railway's feed is known: kind, service, deployment."""
    return f"{alert.kind}:{alert.service_id or ''}:{alert.deployment_id or ''}"


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
