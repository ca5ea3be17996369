"""Approves an automatic fix of a reported incident."""

from __future__ import annotations

import time
from datetime import tzinfo

from workers.actions.targets import TRY_AGAIN, Fields, read_fields, too_late
from workers.engine import records, scripts
from workers.engine.journal_store import JournalStore, field_text
from workers.engine.schema import journal_key
from workers.engine.stage_table import FIX, INCIDENT, PLAN, kind_of
from workers.errors import Refused
from workers.incidents.audit import run_once
from workers.models import Action, ActionResult

WAIT_SECONDS = 0.25  # a worker that follows the incident up releases it within about a second
ATTEMPTS = 6


def fix(store: JournalStore, action: Action, zone: tzinfo) -> ActionResult:
    """Approve an automatic fix: schedule a reported incident at `plan`. A verified patch is kept and proposed."""
    for attempt in range(ATTEMPTS):
        time.sleep(WAIT_SECONDS if attempt else 0)
        fields = _read(store, action)
        verification = records.VERIFICATION.read(fields)
        is_verified = verification is not None and verification.decision in ("ready", "draft")
        # Without a verified patch, planning and fixing start over.
        stale = [] if is_verified else [record.field for record in (*PLAN.makes, *FIX.makes)]
        result = ActionResult(done=True, text=f"{action.target}: fix approved")
        answer = run_once(
            store, scripts.REQUEST_FIX, action, result, more=tuple(stale), journal=journal_key(action.target)
        )
        if answer == "due":
            return result
        if answer == "changed":
            raise Refused(_why_not(_read(store, action), action, zone))
    raise Refused(TRY_AGAIN)


def _read(store: JournalStore, action: Action) -> Fields:
    if kind_of(action.target) != INCIDENT:
        raise Refused(f"{action.target or 'No target'} is not an incident")
    return read_fields(store, journal_key(action.target))


def _why_not(fields: Fields, action: Action, zone: tzinfo) -> str:
    """Why there is nothing to approve."""
    pull = records.PULL.read(fields)
    if pull is not None and pull.state != "open":
        return f"Too late: #{pull.number} is {pull.state}."
    if "ended" in fields:
        return f"{too_late(fields, zone, action.at)} `retry` opens it again."
    if pull is not None:
        return f"The fix is proposed already: #{pull.number}, {pull.url}"
    return f"{action.target} is already in progress, in stage `{field_text(fields, 'stage')}`"
