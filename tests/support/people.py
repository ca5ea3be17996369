"""Actions of people in tests."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from workers.actions import perform
from workers.actions.lookup import find_journal
from workers.cli.person import fix_all
from workers.engine.journal_store import JournalStore
from workers.engine.schema import journal_id
from workers.errors import Refused
from workers.models import Action, ActionKind, ActionResult, Person

DANA = Person(name="dana", via="slack", slack_id="U0DANA")
LEA = Person(name="lea", via="page")
AT = datetime(2026, 11, 23, 3, 12, tzinfo=UTC)

_requests = itertools.count()


def act(
    store: JournalStore, kind: ActionKind, target: str = "", *, person: Person = DANA, at: datetime = AT,
    until: datetime | None = None, reason: str = "", stage: str = "", request_id: str = "",
) -> ActionResult:  # fmt: skip
    """Perform an action; without `request_id` each call is a press of its own."""
    action = Action(
        kind=kind, target=target, person=person, request_id=request_id or f"press {next(_requests)}", at=at,
        until=until, reason=reason, stage=stage,
    )  # fmt: skip
    return perform(store, action)


def cancel(store: JournalStore, name: str) -> list[str]:
    """Cancel the journal that the name means; the answer's lines. Raises Refused if nothing was done."""
    return _lines(store, ActionKind.CANCEL, name)


def retry(store: JournalStore, name: str, stage: str | None = None) -> list[str]:
    """Retry the journal that the name means, as `cancel` does."""
    return _lines(store, ActionKind.RETRY, name, stage=stage or "")


def request_fix(store: JournalStore, name: str) -> list[str]:
    """Approve the fix of an incident, or of `all`, as `cancel` does."""
    return fix_all(store) if name == "all" else _lines(store, ActionKind.FIX, name)


def _lines(store: JournalStore, kind: ActionKind, name: str, *, stage: str = "") -> list[str]:
    target = journal_id(find_journal(store, name))
    result = act(store, kind, target, stage=stage, at=datetime.now(UTC))
    if not result.done:
        raise Refused(result.text)
    return result.text.split("\n")


def pause(store: JournalStore) -> None:
    """Pause the product, for ever."""
    assert act(store, ActionKind.PAUSE, at=datetime.now(UTC)).done


def resume(store: JournalStore) -> None:
    """End the pause."""
    assert act(store, ActionKind.RESUME, at=datetime.now(UTC)).done


def mute(store: JournalStore, service: str, until: float) -> None:
    """Mute a service until a time in epoch seconds; a time in the past ends the mute."""
    now = datetime.now(UTC)
    end = datetime.fromtimestamp(until, UTC)
    kind = ActionKind.MUTE if end > now else ActionKind.UNMUTE
    assert act(store, kind, service, at=now, until=end if end > now else None).done
