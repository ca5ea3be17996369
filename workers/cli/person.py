"""Actions of the person at the terminal."""

from __future__ import annotations

import getpass
import uuid
from datetime import UTC, datetime

from workers.actions import perform
from workers.engine.journal_store import JournalStore
from workers.models import Action, ActionKind, ActionResult, Person


def act(
    store: JournalStore, kind: ActionKind, target: str = "", *, reason: str = "",
    until: datetime | None = None, stage: str = "",
) -> ActionResult:  # fmt: skip
    """Perform an action as the system user. Each call is a request of its own."""
    action = Action(
        kind=kind, target=target, person=Person(name=_user(), via="command line"), request_id=uuid.uuid4().hex,
        at=datetime.now(UTC), until=until, reason=reason, stage=stage,
    )  # fmt: skip
    return perform(store, action)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container may run under a uid without a name.
        return "unknown"
