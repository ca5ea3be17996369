"""Decides whether a rollback would end the trouble, and states what else it would undo.

It is an offer for a person, so it is made only where everything speaks for it: the trouble began with a deployment that
is still live, the deployment before it ran well, and Railway keeps that one's image.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta

from workers.clients.git import Repositories
from workers.clients.railway import DeploymentState, Railway, VariableChange
from workers.errors import NotAvailable, Refused
from workers.investigation.evidence.reading import MAX_REQUESTS, REQUESTS_PER_READ
from workers.investigation.evidence.suspects import deployment_never_live
from workers.investigation.onset import onset_of
from workers.models import (
    NEVER_LIVE,
    CommitNote,
    Deployment,
    Environment,
    Incident,
    RollbackOption,
    Service,
    Suspect,
)
from workers.runtime.text import truncate

CAUSED_WITHIN = timedelta(hours=1)  # trouble that begins later after a deployment may have another cause
MIN_RUN = timedelta(
    minutes=10
)  # shortest run of the deployment before: less does not show that it is healthy
GROWTH_KINDS = frozenset({"memory_growth", "oom_killed"})
"""Kinds that begin with their deployment and are found hours later."""
FAILED_STATUSES = frozenset({"CRASHED", "FAILED"})
MAX_COMMITS = 10  # commits beside the suspect one that a page lists
MAX_VARIABLES = 10  # names of changed variables that a page lists
MAX_SUBJECT = 100  # characters of a commit's first line
FEED_SLACK = timedelta(minutes=1)  # a deployment follows the change of a variable within seconds

log = logging.getLogger("trackwalker.evidence")


def read_rollback(
    railway: Railway, repositories: Repositories, incident: Incident, service: Service, suspect: Suspect | None
) -> RollbackOption | None:  # fmt: skip
    """The rollback that a person can choose; None if there is none, or if Railway cannot say now.

    A failed read is no gap of the evidence: without the offer people see everything else.
    """
    if suspect is None or not may_be_caused(incident, service, suspect):
        return None
    if railway.requests_sent > MAX_REQUESTS - 2 * REQUESTS_PER_READ:
        return None
    environment = Environment(project_id=incident.project_id, environment_id=incident.environment_id)
    actions = railway.deployment_actions
    try:
        states = actions.states(environment, service.id)
        target = find_target(states, suspect, service)
        if target is None:
            return None
        changes = actions.variable_changes(environment)
    except (NotAvailable, Refused) as error:
        log.info("rollback not offered", extra={"journal": incident.id, "reason": str(error)})
        return None
    replaced = next(state.deployment for state in states if state.deployment.id == suspect.deployment_id)
    commits = _read_commits(repositories, target, replaced)
    return make_option(target, replaced, commits, changes)


def may_be_caused(incident: Incident, service: Service, suspect: Suspect) -> bool:
    """True if the trouble began with the suspect deployment, or soon after it went live. Pure."""
    if incident.is_chronic or deployment_never_live(incident, service) is not None:
        return False
    kinds = {finding.kind for finding in incident.opening_findings}
    return bool(kinds & GROWTH_KINDS) or onset_of(incident) - suspect.at <= CAUSED_WITHIN


def find_target(states: Sequence[DeploymentState], suspect: Suspect, service: Service) -> Deployment | None:
    """The deployment that ran before the suspect, if it can be rolled back to, and the suspect is live. Pure.

    Args:
        states: the newest deployments of the service, newest first.
    """
    ids = [state.deployment.id for state in states]
    if suspect.deployment_id not in ids:
        return None
    position = ids.index(suspect.deployment_id)
    current, newer, older = states[position], states[:position], states[position + 1 :]
    # A newer deployment that is live, or on its way, takes the suspect out of service anyway.
    if current.deployment.status in ("REMOVED", "REMOVING") or any(_may_serve(state) for state in newer):
        return None
    before = next((state for state in older if state.deployment.status not in NEVER_LIVE), None)
    if before is None or not before.can_roll_back or not _ran_well(before.deployment, suspect, service):
        return None
    return before.deployment


def _may_serve(state: DeploymentState) -> bool:
    return state.deployment.status not in ("FAILED", "SKIPPED", "REMOVED", "REMOVING")


def _ran_well(before: Deployment, suspect: Suspect, service: Service) -> bool:
    """True if the deployment differs from the suspect, ran for a while, and is not known to have crashed."""
    crashed = any(
        event.deployment_id == before.id and event.kind in ("crashed", "oom") for event in service.events
    )
    # Railway may redeploy the same commit by itself, for example to move a host.
    is_same = before.commit is not None and before.commit == suspect.commit
    ran = suspect.at - before.created_at
    return not (crashed or is_same or before.status in FAILED_STATUSES) and ran >= MIN_RUN


def make_option(
    target: Deployment, replaced: Deployment, commits: Iterable[tuple[str, str, str]],
    changes: Iterable[VariableChange],
) -> RollbackOption:  # fmt: skip
    """The option, with everything else that it undoes. Pure.

    Args:
        commits: hash, subject and author of the commits from the target's to the suspect's, newest first.
    """
    others = [
        CommitNote(commit=sha, subject=_subject(subject), author=author)
        for sha, subject, author in commits
        if sha != replaced.commit
    ]
    names = dict.fromkeys(
        change.name
        for change in changes
        if change.at > target.created_at + FEED_SLACK and change.service_id in (None, target.service_id)
    )
    return RollbackOption(
        target=describe_deployment(target), ran_until=replaced.created_at, replaces=describe_deployment(replaced),
        also_undone=tuple(others[:MAX_COMMITS]),
        changed_variables=tuple(name for name in names if name)[:MAX_VARIABLES],
    )  # fmt: skip


def describe_deployment(deployment: Deployment) -> CommitNote:
    """The deployment in one line."""
    return CommitNote(
        deployment_id=deployment.id, commit=deployment.commit or "",
        subject=_subject(deployment.commit_message or deployment.image or ""),
        author=deployment.commit_author or "", at=deployment.created_at,
    )  # fmt: skip


def _subject(message: str) -> str:
    return truncate(message.partition("\n")[0].strip(), MAX_SUBJECT)


def _read_commits(
    repositories: Repositories, target: Deployment, replaced: Deployment
) -> list[tuple[str, str, str]]:
    if not (target.commit and replaced.commit and replaced.repo) or target.repo != replaced.repo:
        return []
    try:
        return repositories.commits_between(replaced.repo, target.commit, replaced.commit)
    except (NotAvailable, Refused):
        # The clone may be out of reach; the deployments alone say what runs.
        return []
