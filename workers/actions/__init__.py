"""The actions of people: Slack's buttons, the page's forms and the commands call `perform`, and nothing else.

An action has its effect and its entry in the audit in one transaction. The entry answers every repeat of its request.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, tzinfo

from workers.actions import (
    cancellation,
    fixing,
    lasting_decisions,
    ownership,
    requested_checks,
    retrying,
    rollback_requests,
)
from workers.engine.journal_store import JournalStore
from workers.errors import Refused
from workers.incidents import audit
from workers.incidents.audit import Repeated
from workers.models import Action, ActionKind, ActionResult

Handler = Callable[[JournalStore, Action, tzinfo], ActionResult]

HANDLERS: dict[ActionKind, Handler] = {
    ActionKind.ACKNOWLEDGE: ownership.acknowledge,
    ActionKind.SNOOZE: ownership.snooze,
    ActionKind.NOT_A_PROBLEM: cancellation.declare_no_problem,
    ActionKind.FIX: fixing.fix,
    ActionKind.CHECK: requested_checks.check,
    ActionKind.ROLL_BACK: rollback_requests.roll_back,
    ActionKind.REDEPLOY: rollback_requests.redeploy,
    ActionKind.CANCEL: cancellation.cancel,
    ActionKind.RETRY: retrying.retry,
    ActionKind.PAUSE: lasting_decisions.pause,
    ActionKind.RESUME: lasting_decisions.resume,
    ActionKind.MUTE: lasting_decisions.mute,
    ActionKind.UNMUTE: lasting_decisions.unmute,
    ActionKind.UNDO: lasting_decisions.undo,
}


def perform(store: JournalStore, action: Action, *, zone: tzinfo = UTC) -> ActionResult:
    """Perform an action once and return its result, which says in plain words what happened, or why nothing did.

    A second delivery of the same request has no effect and gets the first one's result.

    Args:
        zone: the time zone of the times in the result.

    Raises:
        NotAvailable: Redis does not answer. Sending the same request again is safe.
    """
    recorded = audit.recorded_result(store, action.request_id)
    if recorded is not None:
        return recorded
    try:
        return HANDLERS[action.kind](store, action, zone)
    except Repeated as repeated:
        return repeated.result
    except Refused as refused:
        return _refuse(store, action, str(refused))


def _refuse(store: JournalStore, action: Action, text: str) -> ActionResult:
    try:
        return audit.record(store, action, ActionResult(done=False, text=text))
    except Repeated as repeated:
        return repeated.result
