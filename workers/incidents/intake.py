"""The door: an alert is stored with its place in `due` in one transaction; only then is the sender answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from workers.engine import records, scripts
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PINGS, alert_key, alert_notification_key, dedup_key, received_key
from workers.errors import NotAvailable
from workers.models import Alert, Model


class DedupWindow(Model):
    """Alerts with the same key within that many seconds are one."""

    key: str
    seconds: int


MISSED_PINGS_LIMIT = 3
"""So many pings may be missing before that is told."""


def ingest(
    alert: Alert, dedup: DedupWindow | None, journal: JournalStore, wake: Callable[[str], None], *,
    ack_seconds: float = 60.0, ping_seconds: float = 600.0,
) -> str:  # fmt: skip
    """Store the alert durably and answer the id under which it stands: its own, or that of the alert it repeats.

    Raises NotAvailable when the store is away. An alert of trouble is owed an answer: its first word is due after
    `first_word_seconds`. A forwarded alert is its own first word; a ping that finds nothing needs none, but when
    the next ones stay away (`ping_seconds` apart) somebody looks why.
    """
    named = _script_call(alert, dedup, ack_seconds, ping_seconds)
    return _ingested(journal.run(scripts.STORE_ALERT, **named), wake)


def ingest_batch(
    alerts: Sequence[tuple[Alert, DedupWindow | None]], journal: JournalStore, wake: Callable[[str], None], *,
    ack_seconds: float = 60.0, ping_seconds: float = 600.0,
) -> list[str | NotAvailable]:  # fmt: skip
    """`take_in` for many in one round trip; NotAvailable stands in the place of an alert that could not be stored."""
    asked = [_script_call(alert, fold, ack_seconds, ping_seconds) for alert, fold in alerts]
    answers = journal.run_batch(scripts.STORE_ALERT, asked)
    return [one if isinstance(one, NotAvailable) else _ingested(one, wake) for one in answers]


def _script_call(
    alert: Alert, fold: DedupWindow | None, first_word_seconds: float, ping_seconds: float
) -> dict[str, Any]:
    """Keys and arguments of STORE_ALERT."""
    key = alert_key(alert.id)
    is_owed_answer = alert.source == "railway" and is_problem_alert(alert)
    is_event = alert.source == "railway" and alert.environment_id
    return {
        "alert": key,
        "notification": alert_notification_key(alert.id),
        "dedup": dedup_key(fold.key) if fold else key,
        "ping_watchdog": PINGS,
        "received": received_key(alert.environment_id or ""),
        "dedup_seconds": fold.seconds if fold else 0,
        "record": records.ALERT.pack(alert),
        "ack_after_ms": int(first_word_seconds * 1000) if is_owed_answer else -1,
        "ping_late_ms": int(MISSED_PINGS_LIMIT * ping_seconds * 1000) if alert.source == "ping" else 0,
        "event": event_name(alert) if is_event else "",
        # A sender whose clock is ahead must not hide events that are still to come.
        "event_at_ms": int(min(alert.reported_at or alert.received_at, alert.received_at).timestamp() * 1000),
    }


def _ingested(stored: bytes, wake: Callable[[str], None]) -> str:
    taken = stored.decode()
    wake(taken)
    return taken.removeprefix(alert_key(""))


def extend_ping_deadline(journal: JournalStore, seconds: float) -> None:
    """The next ping will come so late, because we asked for it: until then nobody waits for one."""
    journal.command("hset", PINGS, "interval", str(seconds))


def event_name(alert: Alert) -> str:
    """What an alert tells, so that the same told by Railway's feed is known: kind, service, deployment."""
    return f"{alert.kind}:{alert.service_id or ''}:{alert.deployment_id or ''}"


def is_problem_alert(alert: Alert) -> bool:
    """Whether the sender told of trouble: a new deployment or a ping is a reason to look, nothing more."""
    quiet = (
        "ping",
        "deployment.restarted",
        "deployment.deployed",
        "deployment.redeployed",
        "deployment.resumed",
    )
    return alert.kind not in quiet
