"""Actions of the person at the terminal."""

from __future__ import annotations

import getpass
import uuid
from datetime import UTC, datetime, tzinfo

from workers.actions import perform
from workers.engine.journal_store import JournalStore, field_text
from workers.engine.schema import OPEN, journal_id
from workers.models import Action, ActionKind, ActionResult, Person


def act(
    store: JournalStore, kind: ActionKind, target: str = "", *, reason: str = "",
    until: datetime | None = None, stage: str = "", zone: tzinfo = UTC,
) -> ActionResult:  # fmt: skip
    """Perform an action as the system user. Each call is a request of its own."""
    action = make_action(kind, target, reason=reason, until=until, stage=stage)
    return perform(store, action, zone=zone)


def make_action(
    kind: ActionKind, target: str = "", *, reason: str = "", until: datetime | None = None, stage: str = ""
) -> Action:
    """An action of the system user, now."""
    return Action(
        kind=kind, target=target, person=Person(name=_user(), via="command line"), request_id=uuid.uuid4().hex,
        at=datetime.now(UTC), until=until, reason=reason, stage=stage,
    )  # fmt: skip


def fix_all(store: JournalStore) -> list[str]:
    """Approve the fix of every open incident that waits for one and is no symptom; a sentence for each."""
    keys = [raw.decode() for raw in store.command("hvals", OPEN)]
    fields = store.columns(keys, ["suppressed_by"])
    causes = [key for key, row in zip(keys, fields, strict=True) if not field_text(row, "suppressed_by")]
    results = [act(store, ActionKind.FIX, journal_id(key)) for key in causes]
    return [result.text for result in results if result.done]


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container may run under a uid without a name.
        return "unknown"
