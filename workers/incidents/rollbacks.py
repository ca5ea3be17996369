"""The stage `roll_back`: performs a rollback, or the end of one, that a person asked for, once.

Railway takes no idempotency key. So the stage records which deployments there are before it asks, and a worker that
continues after a crash looks for a new deployment of the target's image before it asks again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from workers.clients.railway import DeploymentState, Railway
from workers.engine import records, scripts
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import EndedAs, alert_key, journal_key, notification_key
from workers.errors import Refused
from workers.incidents import controls
from workers.models import (
    Alert,
    Deployment,
    Environment,
    Rollback,
    RollbackKind,
    RollbackState,
    digest,
)

MAX_AGE = timedelta(
    minutes=15
)  # an older request is not performed: what was true when the person asked may not be
VISIBLE_SECONDS = 15.0  # Railway lists a deployment by then; earlier, its absence proves nothing
CHECK_AFTER_SECONDS = (
    120.0  # a deployment of a kept image takes about a minute to start, and metrics lag behind
)
MAX_DEPLOYMENTS = 20  # newest deployments of the service that are compared
NOT_SERVING = frozenset({"FAILED", "SKIPPED", "REMOVED", "REMOVING"})
"""Statuses of a deployment that neither serves nor is going to."""

ASKED, WAITED = "1", "2"
"""Values of the field `asked`: Railway may have got the request; and it had the time to show the deployment."""
TOO_OLD = f"it could not be done within {MAX_AGE.total_seconds() / 60:.0f} minutes; ask again"
NOT_CONFIRMED = "Railway shows no new deployment; look at the service in Railway before you ask again"

log = logging.getLogger("trackwalker.rollbacks")


def perform(claim: Claim, railway: Railway, store: JournalStore, now: datetime) -> None:
    """Perform the rollback, tell its incident, and end the journal.

    The mode does not stop it, because a person asked for exactly this; a pause does.

    Raises:
        OnHold: the product is paused.
        NotAvailable: Railway does not answer, or does not show the new deployment yet.
    """
    request = claim.need(records.ROLLBACK)
    if request.state is not RollbackState.REQUESTED:
        _finish(claim, store, request)
        return
    is_expired = now - request.at > MAX_AGE
    if is_expired and not claim.text("asked"):
        refuse(claim, store, TOO_OLD, now)
        return
    claim.check_allowed = lambda: controls.check(store, (), now.timestamp())
    claim.check_allowed()
    try:
        new_id = _change(claim, railway, request, is_expired=is_expired)
    except Refused as refused:
        refuse(claim, store, str(refused), now)
        return
    if new_id is not None:
        done = {"state": RollbackState.DONE, "done_at": now, "new_deployment_id": new_id}
        _finish(claim, store, claim.record(records.ROLLBACK, request.model_copy(update=done)))


def refuse(claim: Claim, store: JournalStore, reason: str, now: datetime) -> None:
    """End the request without a change at Railway, and say why."""
    request = claim.need(records.ROLLBACK)
    refused = {"state": RollbackState.REFUSED, "reason": reason, "done_at": now}
    _finish(claim, store, claim.record(records.ROLLBACK, request.model_copy(update=refused)))


def why_not(request: Rollback, states: Sequence[DeploymentState]) -> str:
    """Why the request comes too late; "" if it can be performed. Pure.

    Args:
        states: the newest deployments of the service, newest first.
    """
    by_id = {state.deployment.id: state for state in states}
    target, replaced = by_id.get(request.target.deployment_id), by_id.get(request.replaces.deployment_id)
    if replaced is None or replaced.deployment.status in NOT_SERVING:
        return f"{request.replaces.name} is not live any more"
    for state in states[: states.index(replaced)]:
        if state.deployment.status not in NOT_SERVING:
            return f"{_name(state.deployment)} was deployed in the meantime"
    if target is None or not _is_possible(request, target):
        return f"Railway does not keep the image of {request.target.name} any more"
    return ""


def _name(deployment: Deployment) -> str:
    author = f" by {deployment.commit_author}" if deployment.commit_author else ""
    return (deployment.commit or "")[:7] + author if deployment.commit else f"deployment {deployment.id[:8]}"


def _is_possible(request: Rollback, target: DeploymentState) -> bool:
    return target.can_roll_back if request.kind is RollbackKind.ROLLBACK else target.can_redeploy


def _change(claim: Claim, railway: Railway, request: Rollback, *, is_expired: bool) -> str | None:
    """The id of the new deployment; None if the claim was released until Railway can show it.

    Raises:
        Refused: it comes too late, or Railway refuses it.
    """
    actions = railway.deployment_actions
    environment = Environment(project_id=request.project_id, environment_id=request.environment_id)

    def read() -> Sequence[DeploymentState]:
        return actions.states(environment, request.service_id, MAX_DEPLOYMENTS)

    known = claim.step(
        records.KNOWN_DEPLOYMENTS,
        lambda: {state.deployment.id: state.deployment.status for state in read()},
    )
    if claim.get(records.NEW_DEPLOYMENT) is None:
        states = read()
        if find_new(request, known, states) is None:
            if claim.text("asked") == ASKED:
                claim.set_fields(asked=WAITED)
                claim.advance(claim.stage, after=VISIBLE_SECONDS, blocked=True, reason="waiting for Railway")
                return None
            if reason := NOT_CONFIRMED if is_expired else why_not(request, states):
                raise Refused(reason)
            # Recorded before Railway is asked: after a crash nobody knows whether it took the request.
            claim.set_fields(asked=ASKED)

    def act() -> str | None:
        if request.kind is RollbackKind.REDEPLOY:
            return actions.redeploy(request.target.deployment_id)
        actions.roll_back(request.target.deployment_id)
        return None

    return claim.effect(records.NEW_DEPLOYMENT, lambda: find_new(request, known, read()), act)


def find_new(request: Rollback, known: Mapping[str, str], states: Sequence[DeploymentState]) -> str | None:
    """The id of the deployment that the request made; None if there is none. Pure.

    It is a deployment of the target's image that was not there before, or the target itself if it is live again.

    Args:
        known: status of each deployment before the request, by its id.
    """
    target = next((s.deployment for s in states if s.deployment.id == request.target.deployment_id), None)
    for state in states:
        deployment = state.deployment
        if deployment.id not in known and _has_same_image(deployment, request, target):
            return deployment.id
    was_serving = known.get(request.target.deployment_id, "REMOVED") not in NOT_SERVING
    if target is not None and target.status not in NOT_SERVING and not was_serving:
        return target.id
    return None


def _has_same_image(deployment: Deployment, request: Rollback, target: Deployment | None) -> bool:
    if request.target.commit:
        return deployment.commit == request.target.commit
    return target is not None and deployment.commit is None and deployment.image == target.image


def _finish(claim: Claim, store: JournalStore, result: Rollback) -> None:
    """Note the result in the incident, have the environment checked, and end. Each part can run twice."""
    store.run(
        scripts.NOTE_IN_INCIDENT, journal=journal_key(result.incident_id),
        notification=notification_key(result.incident_id), field=records.ROLLBACK.field,
        record=records.ROLLBACK.pack(result),
    )  # fmt: skip
    is_done = result.state is RollbackState.DONE
    if is_done:
        _schedule_check(store, result)
    facts = {"journal": claim.id, "kind": result.kind.value, "state": result.state.value}
    log.info("rollback ended", extra=facts | {"reason": result.reason})
    outcome = f"{result.kind.value} done" if is_done else f"nothing changed: {result.reason}"
    claim.end(EndedAs.PERFORMED if is_done else EndedAs.REFUSED, outcome)


def _schedule_check(store: JournalStore, result: Rollback) -> None:
    alert = Alert(
        id=f"check-{digest(result.journal_id)}", source="person", kind="check", project_id=result.project_id,
        environment_id=result.environment_id, received_at=result.done_at or result.at,
        incident_id=result.incident_id, asked_by=result.person.name,
        message=f"Check after the {result.kind.value} of {result.service_name}",
    )  # fmt: skip
    fields = {records.ALERT.field: records.ALERT.pack(alert)}
    store.open_with(alert_key(alert.id), "intake", fields, after=CHECK_AFTER_SECONDS)
