"""The deployment of a merged fix: live, or why not, and whether it was used at all. Pure.

Railway skips a deployment if no watched file changed or a check failed, and does not retry it. "Wait for CI" ends in a
skipped deployment after two hours (https://docs.railway.com/deployments/github-autodeploys).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from workers.incidents.traffic_wellness import requests_show_something
from workers.incidents.wellness import NEEDS_REQUESTS
from workers.incidents.wellness_case import Case
from workers.models import (
    Deployment,
    FollowUp,
    FollowUpResult,
    Incident,
    PullRequest,
    Summary,
    Survey,
)

PUSH_PATIENCE = timedelta(minutes=30)  # Railway creates a deployment within seconds of a push
# A build may queue and take long, and Railway itself waits two hours for CI.
BUILD_PATIENCE = timedelta(hours=3)
FINAL_STATUSES = {"SKIPPED", "FAILED", "CRASHED", "NEEDS_APPROVAL"}
"""Statuses in which a deployment stays without somebody's help."""
NO_REQUESTS = "no request that could show the effect has arrived since the deployment"


def live_deployment(
    deployments: Sequence[Deployment], pull: PullRequest, merged_at: datetime
) -> Deployment | None:
    """The live deployment of the merge commit, or a live deployment of a commit that is newer than the merge."""
    live = [item for item in deployments if item.status == "SUCCESS" and not item.stopped]
    exact = [item for item in live if pull.merge_commit and item.commit == pull.merge_commit]
    newer = [item for item in live if item.commit and item.created_at > merged_at]
    return next(iter([*exact, *newer]), None)


def assess_deployment(deployments: Sequence[Deployment], pull: PullRequest, merged_at: datetime) -> FollowUp:
    """Why the merge is not live: the state of its deployment, or that Railway has none."""
    exact = [item for item in deployments if pull.merge_commit and item.commit == pull.merge_commit]
    newer = [item for item in deployments if item.created_at > merged_at]
    own = max([*exact] or newer, key=lambda item: item.created_at, default=None)
    return FollowUp(
        result=FollowUpResult.NOT_DEPLOYED,
        pull_number=pull.number,
        commit=pull.merge_commit or "",
        deployment_status=own.status if own else "",
        skipped_reason=(own.skipped_reason or "") if own else "",
    )


def patience(status: str) -> timedelta:
    """The time after the merge until its deployment, in this state, is reported as missing."""
    if status in FINAL_STATUSES:
        return timedelta(0)
    return BUILD_PATIENCE if status else PUSH_PATIENCE


def shows_nothing(incident: Incident, survey: Survey, before: Sequence[Summary]) -> bool:
    """True if only requests can show the end of the trouble, and hardly any arrived."""
    kinds = {finding.kind for finding in incident.opening_findings}
    service = next((service for service in survey.services if service.id == incident.subject.key), None)
    if service is None or not kinds & NEEDS_REQUESTS:
        return False
    return not requests_show_something(Case(incident.opening_findings, service, survey, before))
