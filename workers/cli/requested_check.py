"""`check`: asks the workers for a check and waits for its answer."""

from __future__ import annotations

import time

from workers.actions import perform
from workers.actions.lookup import find_exactly
from workers.actions.requested_checks import check_id
from workers.cli.person import make_action
from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import alert_key, journal_id
from workers.models import ActionKind, ActionResult, CheckResult
from workers.runtime.text import format_duration, plural

POLL_SECONDS = 0.5


def start(store: JournalStore, target: str) -> tuple[ActionResult, str]:
    """Ask for the check; its result and the id of its alert.

    Args:
        target: an incident's exact id, an environment's id or name, or "" for every watched environment.
    """
    key = find_exactly(store, target) if target else None
    action = make_action(ActionKind.CHECK, journal_id(key) if key else target)
    return perform(store, action), check_id(action)


def await_answer(store: JournalStore, alert_id: str, seconds: float) -> list[str]:
    """The answer as lines; says so if none comes in time. Several environments give the first answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = store.read_record(alert_key(alert_id), records.CHECKED)
        if result is not None:
            return render(result)
        time.sleep(POLL_SECONDS)
    return [
        f"No answer within {format_duration(seconds)}. Are workers running? `list` shows what is scheduled."
    ]


def render(result: CheckResult) -> list[str]:
    """The answer for a terminal."""
    answer = result.answer
    place = answer.reason or "the environment"
    checked = f"{place}, the last {answer.minutes:.0f} min" if answer.minutes else place
    if answer.findings:
        return [f"{checked}:", *(f"  {finding.named_sentence}" for finding in answer.findings)]
    requests = ""
    if answer.requests is not None:
        requests = f", {answer.failed_requests} of {plural(answer.requests, 'request')} failed"
    gaps = len(answer.failed_reads)
    unclear = f"; {plural(gaps, 'read')} failed, so this is no all-clear" if gaps else ""
    return [f"{checked}: no problem found{requests}{unclear}"]
