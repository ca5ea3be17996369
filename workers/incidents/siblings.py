"""The other services of an environment, as the survey saw them when an incident was opened. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from workers.models import (
    NEVER_LIVE,
    Deployment,
    Finding,
    Incident,
    Moment,
    Service,
    Sibling,
    Survey,
    affected_services,
)

MAX_SIBLINGS = 100  # the sick ones first; an environment with more services is rare


def with_siblings(incident: Incident, survey: Survey, findings: Iterable[Finding]) -> Incident:
    """The incident with the other services of its environment, those in trouble first, then by name.

    Args:
        findings: all findings of the survey.
    """
    sick = affected_services(findings)
    others = [service for service in survey.services if service.id != incident.subject.key]
    siblings = [
        Sibling(
            id=service.id, name=service.name, healthy=_is_healthy(service, survey, sick),
            deployed_at=_live_since(service),
        )
        for service in others
    ]  # fmt: skip
    siblings.sort(key=lambda sibling: (sibling.healthy is not False, sibling.name, sibling.id))
    return incident.model_copy(update={"siblings": tuple(siblings[:MAX_SIBLINGS])})


def _is_healthy(service: Service, survey: Survey, sick: set[str]) -> bool | None:
    if service.id in sick:
        return False
    return None if survey.gaps_for(service.name) else True


def _live_since(service: Service) -> Moment | None:
    """When its newest deployment went live. A crashed one changed its status later than that."""
    deployments = [deployment for deployment in (*service.deployments, service.serving) if deployment]
    live = [_began(deployment) for deployment in deployments if deployment.status not in NEVER_LIVE]
    return max(live, default=None)


def _began(deployment: Deployment) -> Moment:
    is_success = deployment.status == "SUCCESS" and not deployment.stopped
    return deployment.status_at if is_success and deployment.status_at else deployment.created_at
