"""Judges deployments that never ran, and what an image lacks: modules, programs, a health check that passes. Pure."""

from __future__ import annotations

from dataclasses import replace

from workers.investigation.diagnosis.concluding import cause_conclusion, inconclusive, quote_of
from workers.investigation.diagnosis.conclusion import Conclusion
from workers.investigation.diagnosis.context import DiagnosisContext
from workers.investigation.diagnosis.error_causes import Cause, rank_causes
from workers.models import (
    Category,
    CodeLocation,
    Deployment,
    LogPattern,
    ModuleDeclaration,
    SignKind,
    VerdictReason,
)

KINDS_BEFORE_FAILED_DEPLOYMENT = frozenset({"server_errors", "latency", "restart_loop", "cpu"})
"""Findings of the deployment that serves: they are diagnosed before a newer deployment that failed. A crash is
not among them, because the failed deployment itself may have crashed at its start."""
KINDS_BEFORE_STUCK_DEPLOYMENT = frozenset(
    {"server_errors", "latency", "restart_loop", "crashed", "stopped", "oom_killed", "cpu", "memory"}
)
"""Findings of the deployment that serves: they are diagnosed before a newest deployment that hangs. All of them are of
the serving one, because the other has not run yet."""
WAITING_STATUSES = {
    "NEEDS_APPROVAL": (VerdictReason.APPROVAL_PENDING, Category.CONFIGURATION),
    "WAITING": (VerdictReason.CHECKS_PENDING, Category.CONFIGURATION),
    "SKIPPED": (VerdictReason.DEPLOYMENT_SKIPPED, Category.DEPLOYMENT),
    "QUEUED": (VerdictReason.BUILD_QUEUED, Category.PLATFORM),
    "INITIALIZING": (VerdictReason.DEPLOYMENT_NOT_STARTED, Category.PLATFORM),
}
"""Statuses of Railway's `DeploymentStatus` that wait for a person. A deployment of any other status is in progress."""
DEPLOYMENT_ID_CHARS = 8  # as Railway's dashboard shortens ids
NO_START_COMMAND = "start command"  # subject of a builder's complaint that it found none
BUILT_FOLDERS = ("/dist/", "/build/", "/out/", "/.next/", "/.output/", "/target/", "/bin/")
"""Folders that a build creates: a file that is missing there was not built, or is started under a wrong name."""


def failed_deployment(context: DiagnosisContext, external: Conclusion | None) -> Conclusion | None:
    """The newest deployment failed, and the one that serves is healthy.

    Args:
        external: the conclusion about the cause that its logs show, if a rule knows its sign.
    """
    if "failed_deployment" not in context.kinds or context.kinds & KINDS_BEFORE_FAILED_DEPLOYMENT:
        return None
    patterns = (*context.evidence.build_patterns, *context.evidence.patterns)
    if not patterns:
        return inconclusive(context, VerdictReason.NO_LOGS_OF_FAILED_DEPLOYMENT)
    if external is not None:
        return external
    unhealthy = context.has_sign(SignKind.HEALTH_CHECK_FAILED)
    first, place = _first_failure(context)
    return Conclusion(
        context.service_name,
        VerdictReason.HEALTH_CHECK_FAILED if unhealthy and place is None else VerdictReason.BUILD_OR_START_FAILED,
        Category.DEPLOYMENT,
        confidence=0.8 if context.errors else 0.5,
        supports=(
            *context.measured,
            *context.cite_patterns(first or patterns[-1], *context.errors[:3]),
            *context.cited_locations,
        ),
        subject=_health_path(context) if unhealthy else "",
        location=place,
        quote=quote_of(first or patterns[-1]),
    )  # fmt: skip


def _first_failure(context: DiagnosisContext) -> tuple[LogPattern | None, CodeLocation | None]:
    """The first log pattern that says what is wrong, with its place: one with a place, else the first cause."""
    logs = (context.evidence.build_patterns, context.evidence.patterns)
    for patterns in logs:
        for pattern in sorted(patterns, key=lambda pattern: pattern.first):
            place = next(
                (location for name in pattern.locations if (location := context.location_at(name))), None
            )
            if place is not None and pattern.level in ("error", "warning"):
                return pattern, place
    for patterns in logs:
        errors = [pattern for pattern in patterns if pattern.level == "error"]
        causes = rank_causes(errors, context.onset, at_start=True)
        ranked = [cause.patterns[0] for cause in causes]
        first = min(ranked, key=lambda pattern: pattern.first, default=None)
        if first is not None:
            build = context.locations("build")
            return first, build[0] if build and patterns is context.evidence.build_patterns else None
    return None, None


def _health_path(context: DiagnosisContext) -> str:
    patterns = context.patterns_with(SignKind.HEALTH_CHECK_FAILED)
    signs = [sign for pattern in patterns for sign in pattern.signs]
    return next(
        (sign.subject for sign in signs if sign.kind is SignKind.HEALTH_CHECK_FAILED and sign.subject), ""
    )


def stuck_deployment(context: DiagnosisContext, external: Conclusion | None) -> Conclusion | None:
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
    if reason is VerdictReason.DEPLOYMENT_SKIPPED and deployment:
        return replace(
            conclusion, commit=deployment.commit or "", quote=deployment.skipped_reason or "", confidence=0.9
        )
    if reason is not VerdictReason.DEPLOYMENT_HANGS:
        return conclusion
    quote = quote_of(context.errors[0]) if context.errors else ""
    return external or replace(conclusion, confidence=0.5, quote=quote)


def _stuck_deployment(context: DiagnosisContext) -> Deployment | None:
    service = context.incident.service
    if service is None:
        return None
    deployments = {
        deployment.id: deployment for deployment in (*service.deployments, service.latest) if deployment
    }
    ids = [finding.deployment_id for finding in context.alerting if finding.kind == "stuck_deployment"]
    return next((deployments[id_] for id_ in ids if id_ in deployments), service.latest)


def module_missing(context: DiagnosisContext, cause: Cause) -> Conclusion:
    """A module that is imported and not installed, or a file of the repository under a name that it does not have."""
    name = cause.subject
    module = _declaration(context, name)
    if _is_own(name, module):
        # The build tells before anything serves: whatever it lacks, the deployment is what failed.
        category = Category.DEPLOYMENT if context.kinds == {"failed_deployment"} else Category.CODE
        return cause_conclusion(
            context, cause, VerdictReason.OWN_MODULE_MISSING, category, 0.75,
            subject=name, module=module, location=context.first_location(cause), supports=context.cite_locations(cause),
        )  # fmt: skip
    return cause_conclusion(
        context, cause, VerdictReason.MODULE_NOT_INSTALLED, Category.DEPLOYMENT, 0.85 if module else 0.7,
        subject=name, module=module, supports=context.cite_locations(cause),
    )  # fmt: skip


def _declaration(context: DiagnosisContext, name: str) -> ModuleDeclaration | None:
    return next((module for module in context.evidence.modules if module.name == name), None)


def _is_own(name: str, module: ModuleDeclaration | None) -> bool:
    if any(folder in f"/{name}" for folder in BUILT_FOLDERS):
        return False
    if module is not None:
        return module.is_own
    return name.startswith((".", "/", "@/", "~/"))


def library_missing(context: DiagnosisContext, cause: Cause) -> Conclusion:
    """The image lacks a system library or a program that the code calls."""
    return cause_conclusion(
        context, cause, VerdictReason.LIBRARY_MISSING, Category.DEPLOYMENT, 0.8, subject=cause.subject
    )


def command_missing(context: DiagnosisContext, cause: Cause) -> Conclusion:
    """The program of the start command does not exist: not installed, or a start command that names a wrong one."""
    program = cause.subject
    if program == NO_START_COMMAND:
        return cause_conclusion(context, cause, VerdictReason.START_COMMAND_MISSING, Category.DEPLOYMENT, 0.8)
    module = _declaration(context, program)
    service = context.incident.service
    start = (service.start_command or "") if service else ""
    is_setting = bool(program) and program in start and (module is None or module.listed)
    reason = VerdictReason.START_COMMAND_WRONG if is_setting else VerdictReason.COMMAND_MISSING
    return cause_conclusion(
        context, cause, reason, Category.CONFIGURATION if is_setting else Category.DEPLOYMENT, 0.75,
        subject=program, module=module, names=(start,) if start else (),
    )  # fmt: skip
