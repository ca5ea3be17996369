"""Judges causes on the way to the service: Railway itself, a removed service, a port, a domain, a schedule. Pure."""

from __future__ import annotations

from datetime import timedelta

from workers.investigation.diagnosis.concluding import quote_of
from workers.investigation.diagnosis.conclusion import Conclusion
from workers.investigation.diagnosis.context import RIGHT_AFTER, SOON_AFTER, DiagnosisContext
from workers.models import WAY_IN_KEY, Category, Fact, FactKind, SignKind, VerdictReason

NOT_RUNNING_KINDS = frozenset(
    {"crashed", "restart_loop", "stopped", "memory", "failed_deployment", "oom_killed"}
)
"""Findings of a service that does not run, or not without interruption: then the edge proxy has to respond itself."""
ENDED_KINDS = frozenset({"stopped", "crashed", "restart_loop", "traffic_lost"})
"""Findings of a process that has ended, as a stop from outside leaves it."""
AROUND_ONSET = timedelta(
    minutes=3
)  # a stop that causes a finding is this near to its onset, as steps are a minute
LESS_TRAFFIC_KINDS = frozenset({"traffic_lost", "traffic_drop"})
AROUND_DEPLOYMENT = timedelta(minutes=10)  # Railway ends the previous container this soon after a deployment
PUBLIC_PROXY = ".proxy.rlwy.net"
DATABASE_VARIABLES = ("DATABASE", "POSTGRES", "PG", "MYSQL", "MONGO", "REDIS", "DB")


def platform_incident(context: DiagnosisContext) -> Conclusion | None:
    """Several services fail while Railway reports an incident, or lose their traffic in the same minute."""
    if context.incident.subject.kind != "platform":
        return None
    if context.incident.subject.key == WAY_IN_KEY:
        return Conclusion(
            context.service_name,
            VerdictReason.WAY_IN_LOST,
            Category.PLATFORM,
            confidence=0.5,
            supports=context.measured,
            numbers={"services": len({finding.service_id for finding in context.alerting})},
        )
    return Conclusion(
        context.service_name,
        VerdictReason.PLATFORM_INCIDENT,
        Category.PLATFORM,
        confidence=0.8,
        supports=context.measured,
        numbers={"services": len({finding.service_id for finding in context.alerting})},
    )


def stopped_by_platform(context: DiagnosisContext) -> Conclusion | None:
    """The process got SIGTERM, and neither a deployment nor a kill for memory explains it.

    Errors after the signal follow from it. Those of a service that fails without having ended are no sign of it.
    """
    terminated = context.patterns_with(SignKind.TERMINATED)
    if not terminated or context.killed_for_memory or not context.kinds & ENDED_KINDS:
        return None
    service, ended = context.incident.service, terminated[0].first
    if abs(ended - context.onset) > AROUND_ONSET or (
        service is not None and (service.sleeps or service.cron)
    ):
        return None
    if any(error.first < ended for error in context.errors if error not in terminated):
        return None
    deployed = [deployment.created_at for deployment in service.deployments] if service else []
    if context.evidence.suspect is not None:
        deployed.append(context.evidence.suspect.at)
    if any(at - AROUND_DEPLOYMENT <= ended <= at + AROUND_DEPLOYMENT for at in deployed):
        return None
    return Conclusion(
        context.service_name,
        VerdictReason.STOPPED_BY_PLATFORM,
        Category.PLATFORM,
        confidence=0.6,
        supports=(*context.measured, *context.cite_patterns(*terminated[:2])),
        quote=quote_of(terminated[0]),
    )


def edge_answers(context: DiagnosisContext) -> Conclusion | None:
    """Only the edge proxy fails while the service runs and logs no error: its port is wrong, or the edge fails."""
    failing = [request for request in context.evidence.requests if request.status >= 500]
    failing = failing or [request for request in context.evidence.requests if request.platform_answer]
    if not failing or not all(request.platform_answer for request in failing):
        return None
    if context.errors or context.logs_missing or context.kinds & NOT_RUNNING_KINDS:
        return None
    service = context.incident.service
    answered = sum(sample.ok + sample.client_errors for sample in service.traffic) if service else 0
    # A service that answers most of its requests does listen: the edge fails for another reason.
    answered += sum(request.count for request in context.evidence.requests if not request.platform_answer)
    listens = answered > sum(request.count for request in failing)
    if listens and context.is_over and context.began_within(RIGHT_AFTER):
        return None  # requests met the moment between two deployments
    return Conclusion(
        context.service_name,
        VerdictReason.EDGE_FAILED if listens else VerdictReason.NOT_LISTENING,
        Category.PLATFORM if listens else Category.CONFIGURATION,
        confidence=0.5 if listens else 0.7,
        supports=(*context.measured, *context.cite_where(_shows_edge_only)),
    )


def _shows_edge_only(fact: Fact) -> bool:
    by_edge = fact.request is not None and fact.request.platform_answer
    return by_edge or fact.kind is FactKind.NO_LOG_ERRORS


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


def traffic_lost(context: DiagnosisContext) -> Conclusion | None:
    """No request arrives any more, or far fewer than usual: the path to the service or its callers, not the service."""
    if not context.kinds or not context.kinds <= LESS_TRAFFIC_KINDS:
        return None
    service = context.incident.service
    no_domain = service is not None and not service.public
    domain = context.cite(FactKind.PUBLIC_DOMAIN, FactKind.NO_PUBLIC_DOMAIN, FactKind.NO_LOG_ERRORS)
    gone = VerdictReason.TRAFFIC_GONE if "traffic_lost" in context.kinds else VerdictReason.TRAFFIC_FELL
    return Conclusion(
        context.service_name,
        VerdictReason.DOMAIN_REMOVED if no_domain else gone,
        Category.CONFIGURATION if no_domain else Category.INCONCLUSIVE,
        confidence=0.7 if no_domain else 0.3,
        supports=(*context.measured, *domain),
        finding=context.alerting[0],
        recently_deployed=context.began_within(SOON_AFTER),
    )


def idle_worker(context: DiagnosisContext) -> Conclusion | None:
    """A worker does far less than usual and logs no reason."""
    if context.kinds != {"worker_idle"}:
        return None
    return Conclusion(
        context.service_name,
        VerdictReason.WORKER_IDLE,
        Category.INCONCLUSIVE,
        confidence=0.3,
        supports=(*context.measured, *context.cite_patterns(*context.errors[:2])),
        finding=context.alerting[0],
        recently_deployed=context.began_within(SOON_AFTER),
    )


def schedule(context: DiagnosisContext) -> Conclusion | None:
    """Runs of a cron service that did not start, overlap, or take longer than they used to."""
    reasons = {
        "cron_missed": (VerdictReason.CRON_MISSED, Category.PLATFORM, 0.6),
        "cron_overlap": (VerdictReason.CRON_OVERLAP, Category.CONFIGURATION, 0.65),
        "cron_slower": (VerdictReason.CRON_SLOWER, Category.INCONCLUSIVE, 0.4),
    }
    for finding in context.alerting:
        if finding.kind in reasons:
            reason, category, confidence = reasons[finding.kind]
            return Conclusion(
                context.service_name, reason, category, confidence,
                supports=(*context.cite_findings(finding), *context.cite_patterns(*context.errors[:2])),
                finding=finding, numbers=finding.numbers, subject=finding.labels.get("schedule", ""),
            )  # fmt: skip
    return None


def egress(context: DiagnosisContext) -> Conclusion | None:
    """Much more data leaves the service than usual. The network's measurements name the peer."""
    finding = next((finding for finding in context.alerting if finding.kind == "egress"), None)
    if finding is None:
        return None
    outside = [flow for flow in context.evidence.network.flows if flow.peer_kind.lower() == "internet"]
    largest = max(outside, key=lambda flow: (flow.bytes, flow.peer), default=None)
    peer = largest.peer if largest else ""
    proxied = peer.endswith(PUBLIC_PROXY)
    variables = [
        use.name
        for use in context.evidence.settings
        if set(use.name.upper().split("_")) & set(DATABASE_VARIABLES)
    ]
    return Conclusion(
        context.service_name,
        VerdictReason.EGRESS_THROUGH_PUBLIC_PROXY if proxied else VerdictReason.EGRESS_GREW,
        Category.CONFIGURATION if proxied else Category.INCONCLUSIVE,
        confidence=0.75 if proxied else 0.4,
        supports=context.cite_findings(finding),
        finding=finding,
        subject=peer,
        names=tuple(variables[:1]) if proxied else (),
        numbers={"bytes": largest.bytes if largest else 0.0},
    )
