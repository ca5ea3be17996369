"""Rules for things that are absent: the service itself, a finished newest deployment, the usual requests."""

from __future__ import annotations

from dataclasses import replace

from workers.investigation.diagnosis.conclusion import Conclusion
from workers.investigation.diagnosis.context import SOON_AFTER, DiagnosisContext
from workers.investigation.diagnosis.external import configuration_error, upstream_failure
from workers.investigation.diagnosis.patterns import quote_of
from workers.models import Category, Deployment, FactKind, VerdictReason

KINDS_BEFORE_STUCK_DEPLOYMENT = frozenset(
    {"server_errors", "latency", "restart_loop", "crashed", "stopped", "oom_killed", "cpu", "memory"}
)
"""Findings of the deployment that serves: they are diagnosed before a newest deployment that hangs. All of them are of
the serving one, because the other has not run yet."""
WAITING_STATUSES = {
    "NEEDS_APPROVAL": (VerdictReason.APPROVAL_PENDING, Category.CONFIGURATION),
    "WAITING": (VerdictReason.CHECKS_PENDING, Category.CONFIGURATION),
    "QUEUED": (VerdictReason.BUILD_QUEUED, Category.PLATFORM),
    "INITIALIZING": (VerdictReason.DEPLOYMENT_NOT_STARTED, Category.PLATFORM),
}
"""Statuses of Railway's `DeploymentStatus` that wait for a person. A deployment of any other status is in progress."""
DEPLOYMENT_ID_CHARS = 8  # as Railway's dashboard shortens ids


def service_missing(context: DiagnosisContext) -> Conclusion | None:
    """The service, or every deployment of it, was removed: a person did that, not the code."""
    if "missing" not in context.kinds:
        return None
    gone = context.incident.service is None
    return Conclusion(
        context.service_name,
        VerdictReason.SERVICE_REMOVED if gone else VerdictReason.NO_DEPLOYMENT_LEFT,
        Category.CONFIGURATION,
        confidence=0.8,
        supports=context.measured,
    )


def stuck_deployment(context: DiagnosisContext) -> Conclusion | None:
    """The newest deployment neither runs nor fails. It is reported only: the repository does not hold it up."""
    if "stuck_deployment" not in context.kinds or context.kinds & KINDS_BEFORE_STUCK_DEPLOYMENT:
        return None
    deployment = _stuck_deployment(context)
    status = deployment.status if deployment else ""
    reason, category = WAITING_STATUSES.get(status, (VerdictReason.DEPLOYMENT_HANGS, Category.DEPLOYMENT))
    conclusion = Conclusion(
        context.service_name,
        reason,
        category,
        confidence=0.7,
        supports=(*context.measured, *context.cite_patterns(*context.errors[:3])),
        subject=deployment.id[:DEPLOYMENT_ID_CHARS] if deployment else "",
    )
    if reason is not VerdictReason.DEPLOYMENT_HANGS:
        return conclusion
    other_cause = configuration_error(context) or upstream_failure(context)
    quote = quote_of(context.errors[0]) if context.errors else ""
    return other_cause or replace(conclusion, confidence=0.5, quote=quote)


def _stuck_deployment(context: DiagnosisContext) -> Deployment | None:
    service = context.incident.service
    if service is None:
        return None
    deployments = {
        deployment.id: deployment for deployment in (*service.deployments, service.latest) if deployment
    }
    ids = [finding.deployment_id for finding in context.alerting if finding.kind == "stuck_deployment"]
    return next((deployments[id_] for id_ in ids if id_ in deployments), service.latest)


def traffic_lost(context: DiagnosisContext) -> Conclusion | None:
    """No request arrives any more although many used to: the path to the service, not the service."""
    if context.kinds != {"traffic_lost"}:
        return None
    service = context.incident.service
    no_domain = service is not None and not service.public
    domain = context.cite(FactKind.PUBLIC_DOMAIN, FactKind.NO_PUBLIC_DOMAIN, FactKind.NO_LOG_ERRORS)
    return Conclusion(
        context.service_name,
        VerdictReason.DOMAIN_REMOVED if no_domain else VerdictReason.TRAFFIC_GONE,
        Category.CONFIGURATION if no_domain else Category.INCONCLUSIVE,
        confidence=0.7 if no_domain else 0.3,
        supports=(*context.measured, *domain),
        recently_deployed=context.began_within(SOON_AFTER),
    )
