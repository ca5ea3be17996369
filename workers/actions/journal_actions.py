"""Actions on one journal: cancel it, retry it, approve its fix."""

from __future__ import annotations

from datetime import tzinfo

from workers.actions import journal_commands
from workers.engine.journal_store import JournalStore
from workers.incidents import audit
from workers.models import Action, ActionResult


def cancel(store: JournalStore, action: Action, _zone: tzinfo) -> ActionResult:
    """End the journal now."""
    return _record(store, action, journal_commands.cancel(store, action.target))


def retry(store: JournalStore, action: Action, _zone: tzinfo) -> ActionResult:
    """Schedule the journal now, at its present stage or at an earlier one."""
    return _record(store, action, journal_commands.retry(store, action.target, action.stage or None))


def fix(store: JournalStore, action: Action, _zone: tzinfo) -> ActionResult:
    """Approve an automatic fix."""
    return _record(store, action, journal_commands.request_fix(store, action.target))


def _record(store: JournalStore, action: Action, lines: list[str]) -> ActionResult:
    return audit.record(store, action, ActionResult(done=True, text="; ".join(lines)))
