"""The audit: every action of a person with its result, in the order in which they were performed.

An action is recorded in the transaction that has its effect. The recorded entry also answers a repeated delivery of the
same request, so that a press has one effect.
"""

from __future__ import annotations

from typing import Any

from workers.engine import scripts
from workers.engine.codec import pack, unpack
from workers.engine.journal_store import JournalStore
from workers.engine.schema import AUDIT, action_key
from workers.engine.scripts import Script
from workers.models import Action, ActionResult, AuditEntry, digest

NEWEST = "+"  # Redis's name for the end of a stream


class Repeated(Exception):
    """The request has been performed already; `result` is the answer that it got."""

    def __init__(self, result: ActionResult) -> None:
        super().__init__(result.text)
        self.result = result


def recorded_result(store: JournalStore, request_id: str) -> ActionResult | None:
    """The result of a request that was performed within the last 30 days; None for a new one."""
    blob = store.command("get", _request_key(request_id))
    if blob is None:
        return None
    entry = unpack(blob, AuditEntry)
    return entry.result if entry else ActionResult(done=False, text="This was done already.")


def run_once(
    store: JournalStore, script: Script, action: Action, result: ActionResult, *,
    more: tuple[Any, ...] = (), **named: Any,
) -> str:  # fmt: skip
    """Run a script of an action, which records the result in the same transaction; its reply.

    Args:
        result: the answer that holds if the script has its effect.
        more, named: the script's further arguments.

    Raises:
        Repeated: another delivery of the same request was performed first.
    """
    entry = pack(AuditEntry(action=action, result=result), AuditEntry)
    request = _request_key(action.request_id)
    reply = store.run(script, more=more, request=request, entry=entry, **named)
    if reply == b"repeated":
        recorded = recorded_result(store, action.request_id)
        raise Repeated(recorded or ActionResult(done=False, text="This was done already."))
    return reply.decode() if isinstance(reply, bytes) else str(reply)


def record(store: JournalStore, action: Action, result: ActionResult) -> ActionResult:
    """Record an action that changed nothing, and return its result. Raises Repeated."""
    run_once(store, scripts.APPEND_AUDIT, action, result)
    return result


def entries(store: JournalStore, limit: int = 100, before: str = "") -> list[AuditEntry]:
    """The audit, newest first.

    Args:
        before: the id of an entry: only older ones are returned.
    """
    rows = store.command("xrevrange", AUDIT, f"({before}" if before else NEWEST, "-", limit)
    found = [(name.decode(), unpack(fields.get(b"entry"), AuditEntry)) for name, fields in rows]
    return [entry.model_copy(update={"id": name}) for name, entry in found if entry]


def _request_key(request_id: str) -> str:
    # A digest, because the id comes from outside and may be long.
    return action_key(digest(request_id))
