"""Actions that change what happens next: not a problem, check again, roll back and redeploy."""

from __future__ import annotations

from datetime import tzinfo

from workers.engine.journal_store import JournalStore
from workers.errors import Refused
from workers.models import Action, ActionResult

NOT_YET = "This action is not available yet."


def declare_no_problem(_store: JournalStore, _action: Action, _zone: tzinfo) -> ActionResult:
    """End the incident and open no other one for its kinds of findings."""
    raise Refused(NOT_YET)


def check(_store: JournalStore, _action: Action, _zone: tzinfo) -> ActionResult:
    """Check the incident's environment now."""
    raise Refused(NOT_YET)
