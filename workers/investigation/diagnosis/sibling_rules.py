"""Judges failed calls to another service of the project: the service, its name, or the network between them. Pure."""

from __future__ import annotations

from datetime import timedelta

from workers.investigation.diagnosis import peers
from workers.investigation.diagnosis.call_conclusions import conclude_call
from workers.investigation.diagnosis.conclusion import Conclusion
from workers.investigation.diagnosis.context import START_KINDS, DiagnosisContext
from workers.investigation.diagnosis.error_causes import Cause
from workers.investigation.signs.host_names import host_of
from workers.models import Sibling, SignKind, VerdictReason

PEER_JUST_DEPLOYED = timedelta(
    minutes=15
)  # a cached address fails within minutes of the deployment that changed it
CLOCK_SLACK = timedelta(
    minutes=2
)  # a deployment's time may lie a little after the first error that it led to


def call_to_sibling(context: DiagnosisContext, cause: Cause) -> Conclusion:
    sibling, name = peers.called_sibling(context, cause), peers.sibling_name(context, cause.subject)
    if cause.kind is SignKind.UNKNOWN_HOST:
        return _unknown_sibling(context, cause, sibling, name)
    if sibling is None:
        return _unlisted_sibling(context, cause, name)
    name = name or sibling.name
    if sibling.healthy is False or cause.kind is SignKind.ERROR_RESPONSE:
        confidence = 0.85 if sibling.healthy is False else 0.6
        return conclude_call(context, cause, VerdictReason.SIBLING_DOWN, confidence, name)
    if network_drops(context):
        return conclude_call(context, cause, VerdictReason.PRIVATE_NETWORK_DOWN, 0.8, name)
    if sibling.healthy and not context.kinds & START_KINDS and context.is_over:
        return conclude_call(context, cause, VerdictReason.SIBLING_RECOVERED, 0.65, name)
    if _was_just_deployed(sibling, cause):
        confidence = 0.8 if sibling.healthy else 0.6
        return conclude_call(context, cause, VerdictReason.SIBLING_ADDRESS_STALE, confidence, name)
    if context.ends_after_start(cause):
        return conclude_call(context, cause, VerdictReason.STARTED_BEFORE_SIBLING, 0.7, name)
    if not sibling.healthy:
        return conclude_call(context, cause, VerdictReason.SIBLING_DOWN, 0.7, name)
    return _healthy_sibling(context, cause, name)


def _healthy_sibling(context: DiagnosisContext, cause: Cause, name: str) -> Conclusion:
    """The sibling is healthy now: the fault lies between the two, or at the caller."""
    if context.kinds & START_KINDS:
        return conclude_call(context, cause, VerdictReason.STARTED_BEFORE_SIBLING, 0.6, name)
    if cause.kind in (SignKind.CONNECTION_CLOSED, SignKind.NOT_READY):
        return conclude_call(context, cause, VerdictReason.SIBLING_DOWN, 0.5, name)
    if cause.kind in (SignKind.NO_RESPONSE, SignKind.UNREACHABLE):
        return conclude_call(context, cause, VerdictReason.PRIVATE_NETWORK_DOWN, 0.6, name)
    return conclude_call(context, cause, VerdictReason.SIBLING_ADDRESS_STALE, 0.5, name)


def _unknown_sibling(
    context: DiagnosisContext, cause: Cause, sibling: Sibling | None, name: str
) -> Conclusion:
    codes = peers.dns_codes(context, host_of(cause.subject))
    if peers.name_service_fails(context, host_of(cause.subject)):
        return conclude_call(context, cause, VerdictReason.PRIVATE_NETWORK_DOWN, 0.8, name)
    if context.ends_after_start(cause):
        return conclude_call(context, cause, VerdictReason.STARTED_BEFORE_SIBLING, 0.7, name)
    if sibling is not None and peers.DENIED not in codes:
        if context.kinds & START_KINDS:
            return conclude_call(context, cause, VerdictReason.STARTED_BEFORE_SIBLING, 0.6, name)
        return conclude_call(context, cause, VerdictReason.PRIVATE_NETWORK_DOWN, 0.6, name)
    similar = peers.similar_sibling(context, name)
    listed = bool(context.incident.siblings) or peers.DENIED in codes
    confidence = 0.5 if cause.number("temporary") and not listed else 0.85 if listed else 0.7
    return conclude_call(context, cause, VerdictReason.SIBLING_UNKNOWN, confidence, name, similar)


def _unlisted_sibling(context: DiagnosisContext, cause: Cause, name: str) -> Conclusion:
    """A sibling that the survey does not list, or whose bare address does not tell which one it is."""
    if network_drops(context):
        return conclude_call(context, cause, VerdictReason.PRIVATE_NETWORK_DOWN, 0.7, name)
    if context.ends_after_start(cause):
        return conclude_call(context, cause, VerdictReason.STARTED_BEFORE_SIBLING, 0.6, name)
    if not name:
        unhealthy = peers.unhealthy_siblings(context)
        if len(unhealthy) == 1:
            return conclude_call(context, cause, VerdictReason.SIBLING_DOWN, 0.6, unhealthy[0].name)
        return conclude_call(context, cause, VerdictReason.SIBLING_NOT_NAMED, 0.5, host_of(cause.subject))
    if context.incident.siblings:
        similar = peers.similar_sibling(context, name)
        return conclude_call(context, cause, VerdictReason.SIBLING_UNKNOWN, 0.6, name, similar)
    return conclude_call(context, cause, VerdictReason.SIBLING_DOWN, 0.7, name)


def _was_just_deployed(sibling: Sibling, cause: Cause) -> bool:
    deployed = sibling.deployed_at
    return deployed is not None and deployed - CLOCK_SLACK <= cause.first <= deployed + PEER_JUST_DEPLOYED


def network_drops(context: DiagnosisContext) -> bool:
    return bool(peers.dropping_flows(context)) or peers.private_name_service_fails(context)
