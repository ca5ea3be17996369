"""Rules for what is not there: the service itself, a newest deployment that gets no further, the usual requests."""

from __future__ import annotations

from workers.investigation.diagnosis.context import SOON_AFTER, DiagnosisContext, short
from workers.investigation.diagnosis.external import configuration, upstream
from workers.investigation.diagnosis.patterns import quoted
from workers.models import Category, Deployment, Verdict

LOUDER = {"server_errors", "latency", "restart_loop", "crashed", "stopped", "oom_killed", "cpu", "memory"}
"""Trouble of what serves: it is looked into first, a newest deployment that hangs is only told beside it."""
WAITS = {
    "NEEDS_APPROVAL": (
        Category.CONFIGURATION, "waits for somebody's approval", "approve {it} in Railway, or discard it",
    ),
    "WAITING": (
        Category.CONFIGURATION, "waits for what must come before it, as the checks of its commit",
        "look at the checks of its commit; where they ended, deploy {it} again",
    ),
    "QUEUED": (Category.PLATFORM, "waits for a place to be built", "wait for Railway; cancel {it} and deploy it again"),
    "INITIALIZING": (
        Category.PLATFORM, "was not begun by Railway", "wait for Railway; cancel {it} and deploy it again",
    ),
}  # fmt: skip
"""By Railway's DeploymentStatus; every other one is under way and does not end."""


def missing(case: DiagnosisContext) -> Verdict | None:
    """The service, or every deployment of it, is gone: somebody took it away, no code did."""
    if "missing" not in case.kinds:
        return None
    gone = "is gone from the environment" if case.incident.service is None else "has no deployment any more"
    return Verdict(
        category=Category.CONFIGURATION,
        summary=f"{case.name} {gone}",
        supports=case.measured,
        action=f"deploy {case.name} again; if it was taken away on purpose, whoever still calls it must know",
        next_checks=(
            "who removed it, by the project's activity",
            f"which services still name {case.name} in their variables",
        ),
        confidence=0.8,
    )


def stuck(case: DiagnosisContext) -> Verdict | None:
    """The newest deployment neither lives nor fails. It is told: what holds it stands outside of the repository."""
    if "stuck_deployment" not in case.kinds or case.kinds & LOUDER:
        return None
    held = _stuck_deployment(case)
    it = f"deployment {held.id[:8]}" if held else "the deployment"
    lane, why, action = WAITS.get(held.status if held else "", (Category.DEPLOYMENT, "", ""))
    if not why:
        elsewhere = configuration(case) or upstream(case)
        if elsewhere is not None:
            return elsewhere
        said = f": {short(quoted(case.trouble[0]))}" if case.trouble else ""
        why = f"is under way and does not end{said}"
        action = "cancel {it} and deploy it again; if it hangs again, the last line of its log says at what"
    return Verdict(
        category=lane,
        summary=f"the newest deployment of {case.name} {why}",
        supports=(*case.measured, *case.said(*case.trouble[:3])),
        action=action.format(it=it),
        next_checks=(
            "the last lines of its build log",
            "Railway's status page",
            "whether other services' deployments hang too",
        ),
        confidence=0.7 if held and held.status in WAITS else 0.5,
    )


def _stuck_deployment(case: DiagnosisContext) -> Deployment | None:
    service = case.incident.service
    if service is None:
        return None
    known = {one.id: one for one in (*service.deployments, service.latest) if one}
    named = [one.deployment_id for one in case.alarms if one.kind == "stuck_deployment"]
    return next((known[name] for name in named if name in known), service.latest)


def traffic_lost(case: DiagnosisContext) -> Verdict | None:
    """Nobody asks any more where many did: what leads to the service, not the service."""
    if case.kinds != {"traffic_lost"}:
        return None
    service = case.incident.service
    closed = service is not None and not service.public
    fresh = " and its port" if case.began_within(SOON_AFTER) else ""
    return Verdict(
        category=Category.CONFIGURATION if closed else Category.INCONCLUSIVE,
        summary=f"no request reaches {case.name} any more"
        + (": it has no public domain" if closed else ", and nothing of its own says why"),
        supports=(*case.measured, *case.facts("public domain", "hold no error")),
        action=f"give {case.name} its domain back"
        if closed
        else "a person has to look at what leads to it: domain, DNS, proxy, callers",
        next_checks=(
            f"one request to its domain by hand{', its newest deployment' + fresh if fresh else ''}",
            "whether the domain's name still leads to Railway, and its certificate",
            "the proxy or content network before it",
            "whether its callers still run, or were changed",
        ),
        confidence=0.7 if closed else 0.3,
    )
