"""Stores alerts. An alert and its schedule entry are written in one transaction; only then is the sender answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from workers.engine import records, scripts
from workers.engine.journal_store import JournalStore
from workers.engine.schema import (
    PINGS,
    alert_key,
    alert_notification_key,
    dedup_key,
    probe_key,
    received_key,
)
from workers.errors import NotAvailable
from workers.models import Alert, Model

MISSED_PINGS_LIMIT = 3  # missing pings that are reported: a single one may fall into a restart of the clock
RECHECK_SUFFIX = "-again"  # ends the id of the alert that repeats a check
NO_ACK = -1  # argument of STORE_ALERT for an alert that gets no acknowledgement
PROBE_SECONDS = 600  # a test webhook is waited for at most as long
RESOLVED = "resolved"  # kind of an alert that is good news
CHECK = "check"  # kind of an alert by which a person asks for a check
UNACKNOWLEDGED_SOURCES = frozenset({"slack", "ping", "command", "person", "follow-up"})
"""Sources of alerts that get no acknowledgement: people have read a forwarded message, and nobody waits for a ping."""
FOLLOW_UP_KIND = "followup"  # kind of the alert by which an open incident has its environment checked again
EVENTS_WITHOUT_TROUBLE = frozenset(
    {
        "ping",
        FOLLOW_UP_KIND,
        "deployment.restarted",
        "deployment.deployed",
        "deployment.redeployed",
        "deployment.resumed",
        RESOLVED,
        CHECK,
    }
)
"""Kinds of alerts that are a reason to check, but report no problem."""


class DedupWindow(Model):
    """An alert whose keys were all used within this time is a repeat."""

    keys: tuple[str, ...]
    """One key for each firing in the alert: a group with one new firing is a new alert."""
    seconds: int


def ingest(
    alert: Alert, dedup: DedupWindow | None, store: JournalStore, send_message: Callable[[str], None], *,
    ack_seconds: float = 60.0, ping_seconds: float = 600.0,
) -> str:  # fmt: skip
    """Store the alert durably and return its id, or the id of the alert that it repeats.

    Args:
        dedup: None for an alert that repeats no other one.
        send_message: sends the Dramatiq message of stage `intake` for a journal's key; a lost message only costs time.
        ack_seconds: delay of the acknowledgement. A forwarded message needs none: people have read it.
        ping_seconds: interval of the pings, after which the watchdog expects the next one.

    Raises:
        NotAvailable: Redis did not confirm the write.
    """
    call = _script_call(alert, dedup, ack_seconds, ping_seconds)
    stored_key = store.run(scripts.STORE_ALERT, _dedup_keys(dedup), **call)
    return _send_message(stored_key, send_message)


def ingest_batch(
    alerts: Sequence[tuple[Alert, DedupWindow | None]], store: JournalStore, send_message: Callable[[str], None], *,
    ack_seconds: float = 60.0, ping_seconds: float = 600.0,
) -> list[str | NotAvailable]:  # fmt: skip
    """`ingest` for many alerts in one round trip. The result of an alert that could not be stored is NotAvailable."""
    calls = [_script_call(alert, dedup, ack_seconds, ping_seconds) for alert, dedup in alerts]
    more_keys = [_dedup_keys(dedup) for _, dedup in alerts]
    results = store.run_batch(scripts.STORE_ALERT, calls, more_keys)
    return [
        result if isinstance(result, NotAvailable) else _send_message(result, send_message)
        for result in results
    ]


def _script_call(
    alert: Alert, dedup: DedupWindow | None, ack_seconds: float, ping_seconds: float
) -> dict[str, Any]:
    """Keys and arguments of the script STORE_ALERT."""
    key = alert_key(alert.id)
    needs_ack = alert.source not in UNACKNOWLEDGED_SOURCES and is_problem_alert(alert)
    is_event = alert.source == "railway" and alert.environment_id
    return {
        "alert": key,
        "notification": alert_notification_key(alert.id),
        "ping_watchdog": PINGS,
        "received": received_key(alert.environment_id or ""),
        "dedup_seconds": dedup.seconds if dedup else 0,
        "record": records.ALERT.pack(alert),
        "ack_after_ms": int(ack_seconds * 1000) if needs_ack else NO_ACK,
        "ping_late_ms": int(MISSED_PINGS_LIMIT * ping_seconds * 1000) if alert.source == "ping" else 0,
        "event": event_name(alert) if is_event else "",
        # A sender whose clock is ahead must not mark later events as received.
        "event_at_ms": int(min(alert.reported_at or alert.received_at, alert.received_at).timestamp() * 1000),
    }


def _dedup_keys(dedup: DedupWindow | None) -> list[str]:
    return [dedup_key(key) for key in dedup.keys] if dedup else []


def _send_message(stored_key: bytes, send_message: Callable[[str], None]) -> str:
    """Send the alert's message and return the alert's id."""
    key = stored_key.decode()
    send_message(key)
    return key.removeprefix(alert_key(""))


def extend_ping_deadline(store: JournalStore, seconds: float) -> None:
    """Make the watchdog expect the next ping only after this time, because the clock was told to wait."""
    store.command("hset", PINGS, "interval", str(seconds))


def record_probe(store: JournalStore, nonce: str) -> None:
    """Note that our own test webhook arrived."""
    store.command("set", probe_key(nonce), 1, PROBE_SECONDS)


def has_probe_arrived(store: JournalStore, nonce: str) -> bool:
    """True if the receiver has noted the test webhook with this number in the last minutes."""
    return bool(store.command("exists", probe_key(nonce)))


def event_name(alert: Alert) -> str:
    """`kind:service:deployment`: the same event has the same name in a webhook and in Railway's event feed."""
    return f"{alert.kind}:{alert.service_id or ''}:{alert.deployment_id or ''}"


def is_problem_alert(alert: Alert) -> bool:
    """True if the sender reports a problem; a ping or a new deployment is only a reason to check."""
    return alert.kind not in EVENTS_WITHOUT_TROUBLE
