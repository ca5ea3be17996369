"""Draws conclusions about failed calls. Pure."""

from __future__ import annotations

from workers.investigation.diagnosis import peers
from workers.investigation.diagnosis.concluding import cause_conclusion
from workers.investigation.diagnosis.conclusion import Conclusion
from workers.investigation.diagnosis.context import DiagnosisContext
from workers.investigation.diagnosis.error_causes import Cause, port_of
from workers.investigation.signs.host_names import host_of
from workers.models import Category, SignKind, Upstream, VerdictReason

PEER_SIGNS = frozenset({SignKind.CONNECTION_REFUSED, SignKind.NOT_READY, SignKind.CONNECTION_CLOSED})
"""Signs that the peer itself was reached."""
CATEGORIES = {
    VerdictReason.SIBLING_DOWN: Category.UPSTREAM,
    VerdictReason.SIBLING_RECOVERED: Category.UPSTREAM,
    VerdictReason.SIBLING_NOT_NAMED: Category.UPSTREAM,
    VerdictReason.SIBLING_UNKNOWN: Category.CONFIGURATION,
    VerdictReason.SIBLING_ADDRESS_STALE: Category.CONFIGURATION,
    VerdictReason.PRIVATE_NETWORK_DOWN: Category.PLATFORM,
    VerdictReason.OUTBOUND_NETWORK_DOWN: Category.PLATFORM,
    VerdictReason.HOST_UNKNOWN: Category.CONFIGURATION,
    VerdictReason.TLS_SETTINGS_WRONG: Category.CONFIGURATION,
    VerdictReason.UPSTREAM_NOT_NAMED: Category.INCONCLUSIVE,
}


def conclude_call(
    context: DiagnosisContext,
    cause: Cause,
    reason: VerdictReason,
    confidence: float,
    subject: str,
    *names: str,
) -> Conclusion:
    # At a start it is the peer that is not ready, or the network that has no name or route for it yet.
    waits_for = Category.UPSTREAM if cause.kind in PEER_SIGNS else Category.PLATFORM
    return cause_conclusion(
        context,
        cause,
        reason,
        CATEGORIES.get(reason, waits_for),
        confidence,
        subject=subject,
        names=tuple(name for name in names if name),
        numbers={"port": float(port_of(cause.subject))} if port_of(cause.subject) else {},
        setting=peers.address_variable(context, cause),
    )


def upstream_down(
    context: DiagnosisContext, cause: Cause, host: str, upstream: Upstream | None
) -> Conclusion:
    troubled = host in context.troubled_hosts
    numbers = {"status": cause.number("status")} if cause.number("status") else {}
    if cause.kind is SignKind.UNKNOWN_HOST:
        numbers["unresolved"] = 1.0
    if cause.kind is SignKind.TLS_FAILED:
        numbers["untrusted"] = 1.0
    return cause_conclusion(
        context,
        cause,
        VerdictReason.UPSTREAM_DOWN,
        Category.UPSTREAM,
        0.9 if troubled else 0.65,
        subject=host,
        upstream=upstream,
        numbers=numbers,
        supports=context.cite_upstream(host),
    )


def find_upstream(context: DiagnosisContext, host: str) -> Upstream | None:
    return next((upstream for upstream in context.evidence.upstreams if host_of(upstream.host) == host), None)
