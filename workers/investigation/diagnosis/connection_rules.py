"""Judges failed calls: to a service of the project, to an outside host, or to nobody that is named. Pure."""

from __future__ import annotations

from datetime import timedelta

from workers.investigation.diagnosis import peers, setting_rules
from workers.investigation.diagnosis.concluding import cause_conclusion
from workers.investigation.diagnosis.conclusion import Conclusion
from workers.investigation.diagnosis.context import (
    DOMINANT_SHARE,
    RIGHT_AFTER,
    SOON_AFTER,
    START_KINDS,
    DiagnosisContext,
)
from workers.investigation.diagnosis.error_causes import CALL_SIGNS, Cause, port_of
from workers.investigation.signs.host_names import host_of, is_local
from workers.models import Category, Sibling, SignKind, Upstream, VerdictReason

PEER_JUST_DEPLOYED = timedelta(
    minutes=15
)  # a cached address fails within minutes of the deployment that changed it
CLOCK_SLACK = timedelta(
    minutes=2
)  # a deployment's time may lie a little after the first error that it led to
MANY_HOSTS = 3  # unrelated outside hosts that fail at once: their common way out fails, not each of them
PEER_SIGNS = frozenset({SignKind.CONNECTION_REFUSED, SignKind.NOT_READY, SignKind.CONNECTION_CLOSED})
"""Signs that the peer itself was reached."""
FIRST_SERVER_ERROR = 500
GATEWAY = frozenset({502, 503, 504})
"""Statuses with which a service passes on that a call of its own failed."""
CLIENT_ERRORS = range(400, 429)  # statuses of a call that was made wrongly; 429 is a limit of the host


def failed_call(context: DiagnosisContext, cause: Cause) -> Conclusion | None:
    """The conclusion about a failed call; None if the call itself is at fault."""
    if not cause.subject:
        return _call_to_nobody(context, cause)
    if is_local(host_of(cause.subject)):
        return setting_rules.wrong_address(context, cause)
    if cause.kind is SignKind.TLS_FAILED:
        return _tls(context, cause)
    if peers.is_sibling(context, cause.subject):
        return _sibling(context, cause)
    return _outside(context, cause)


# ---- services of the project ----


def _sibling(context: DiagnosisContext, cause: Cause) -> Conclusion:
    sibling, name = peers.called_sibling(context, cause), peers.sibling_name(context, cause.subject)
    if cause.kind is SignKind.UNKNOWN_HOST:
        return _unknown_sibling(context, cause, sibling, name)
    if sibling is None:
        return _unlisted_sibling(context, cause, name)
    name = name or sibling.name
    if sibling.healthy is False or cause.kind is SignKind.ERROR_RESPONSE:
        confidence = 0.85 if sibling.healthy is False else 0.6
        return _conclude(context, cause, VerdictReason.SIBLING_DOWN, confidence, name)
    if _network_drops(context):
        return _conclude(context, cause, VerdictReason.PRIVATE_NETWORK_DOWN, 0.8, name)
    if _was_just_deployed(sibling, cause):
        confidence = 0.8 if sibling.healthy else 0.6
        return _conclude(context, cause, VerdictReason.SIBLING_ADDRESS_STALE, confidence, name)
    if context.ends_after_start(cause):
        return _conclude(context, cause, VerdictReason.STARTED_BEFORE_SIBLING, 0.7, name)
    if not sibling.healthy:
        return _conclude(context, cause, VerdictReason.SIBLING_DOWN, 0.7, name)
    return _healthy_sibling(context, cause, name)


def _healthy_sibling(context: DiagnosisContext, cause: Cause, name: str) -> Conclusion:
    """The sibling is healthy now: the fault lies between the two, or at the caller."""
    if context.kinds & START_KINDS:
        return _conclude(context, cause, VerdictReason.STARTED_BEFORE_SIBLING, 0.6, name)
    if cause.kind in (SignKind.CONNECTION_CLOSED, SignKind.NOT_READY):
        return _conclude(context, cause, VerdictReason.SIBLING_DOWN, 0.5, name)
    if cause.kind in (SignKind.NO_RESPONSE, SignKind.UNREACHABLE):
        return _conclude(context, cause, VerdictReason.PRIVATE_NETWORK_DOWN, 0.6, name)
    return _conclude(context, cause, VerdictReason.SIBLING_ADDRESS_STALE, 0.5, name)


def _unknown_sibling(
    context: DiagnosisContext, cause: Cause, sibling: Sibling | None, name: str
) -> Conclusion:
    codes = peers.dns_codes(context, host_of(cause.subject))
    if peers.name_service_fails(context, host_of(cause.subject)):
        return _conclude(context, cause, VerdictReason.PRIVATE_NETWORK_DOWN, 0.8, name)
    if context.ends_after_start(cause):
        return _conclude(context, cause, VerdictReason.STARTED_BEFORE_SIBLING, 0.7, name)
    if sibling is not None and peers.DENIED not in codes:
        if context.kinds & START_KINDS:
            return _conclude(context, cause, VerdictReason.STARTED_BEFORE_SIBLING, 0.6, name)
        return _conclude(context, cause, VerdictReason.PRIVATE_NETWORK_DOWN, 0.6, name)
    similar = peers.similar_sibling(context, name)
    listed = bool(context.incident.siblings) or peers.DENIED in codes
    confidence = 0.5 if cause.number("temporary") and not listed else 0.85 if listed else 0.7
    return _conclude(context, cause, VerdictReason.SIBLING_UNKNOWN, confidence, name, similar)


def _unlisted_sibling(context: DiagnosisContext, cause: Cause, name: str) -> Conclusion:
    """A sibling that the survey does not list, or whose bare address does not tell which one it is."""
    if _network_drops(context):
        return _conclude(context, cause, VerdictReason.PRIVATE_NETWORK_DOWN, 0.7, name)
    if context.ends_after_start(cause):
        return _conclude(context, cause, VerdictReason.STARTED_BEFORE_SIBLING, 0.6, name)
    if not name:
        unhealthy = peers.unhealthy_siblings(context)
        if len(unhealthy) == 1:
            return _conclude(context, cause, VerdictReason.SIBLING_DOWN, 0.6, unhealthy[0].name)
        return _conclude(context, cause, VerdictReason.SIBLING_NOT_NAMED, 0.5, host_of(cause.subject))
    if context.incident.siblings:
        similar = peers.similar_sibling(context, name)
        return _conclude(context, cause, VerdictReason.SIBLING_UNKNOWN, 0.6, name, similar)
    return _conclude(context, cause, VerdictReason.SIBLING_DOWN, 0.7, name)


def _was_just_deployed(sibling: Sibling, cause: Cause) -> bool:
    deployed = sibling.deployed_at
    return deployed is not None and deployed - CLOCK_SLACK <= cause.first <= deployed + PEER_JUST_DEPLOYED


def _network_drops(context: DiagnosisContext) -> bool:
    return bool(peers.dropping_flows(context)) or peers.private_name_service_fails(context)


# ---- outside hosts ----


def _outside(context: DiagnosisContext, cause: Cause) -> Conclusion | None:
    host = host_of(cause.subject)
    status = int(cause.number("status"))
    if status in CLIENT_ERRORS:
        return None
    upstream = _find_upstream(context, host)
    if _client_is_at_fault(context, cause, upstream):
        return None
    others = _hosts_that_fail(context)
    if len(others) >= MANY_HOSTS and not (set(others) & context.troubled_hosts):
        return _conclude(context, cause, VerdictReason.OUTBOUND_NETWORK_DOWN, 0.6, others[0], *others[1:])
    if cause.kind is SignKind.UNKNOWN_HOST and _never_existed(context, host):
        return _conclude(context, cause, VerdictReason.HOST_UNKNOWN, 0.6, host)
    return _upstream_down(context, cause, host, upstream)


def _upstream_down(
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


def _find_upstream(context: DiagnosisContext, host: str) -> Upstream | None:
    return next((upstream for upstream in context.evidence.upstreams if host_of(upstream.host) == host), None)


def _hosts_that_fail(context: DiagnosisContext) -> tuple[str, ...]:
    """The outside hosts without a response, in the order of their causes."""
    hosts = [
        host_of(cause.subject)
        for cause in context.causes
        if cause.kind in CALL_SIGNS
        and cause.kind is not SignKind.ERROR_RESPONSE
        and cause.subject
        and not peers.is_sibling(context, cause.subject)
    ]
    return tuple(dict.fromkeys(hosts))


def _client_is_at_fault(context: DiagnosisContext, cause: Cause, upstream: Upstream | None) -> bool:
    """True if the suspect commit changed the code that makes the call, and nothing speaks for an outage.

    A host that reports itself operational is believed for as long as the commit may have led to the failure; one
    without a status page only if the failure began right after the deployment, which rarely is a coincidence.
    """
    suspect = context.evidence.suspect
    calling = {place.rpartition(":")[0] for place in cause.places[:1]}
    if suspect is None or not calling & set(suspect.files):
        return False
    if upstream is not None and upstream.state == "operational":
        return context.began_within(SOON_AFTER)
    if upstream is not None and upstream.state in ("degraded", "down"):
        return False
    answered_with_error = cause.kind is SignKind.ERROR_RESPONSE
    return not answered_with_error and context.began_within(RIGHT_AFTER)


def _never_existed(context: DiagnosisContext, host: str) -> bool:
    """True if the name service denies the host and the service has called it since its start only."""
    codes = peers.dns_codes(context, host)
    fails_from_start = bool(context.kinds & START_KINDS) or context.began_within(RIGHT_AFTER)
    return peers.DENIED in codes and peers.ANSWERED not in codes and fails_from_start


def _tls(context: DiagnosisContext, cause: Cause) -> Conclusion:
    """A certificate of an outside host that cannot be verified is its own; inside the project it is a setting."""
    host = host_of(cause.subject)
    if peers.is_sibling(context, cause.subject):
        name = peers.sibling_name(context, cause.subject)
        return _conclude(context, cause, VerdictReason.TLS_SETTINGS_WRONG, 0.7, name)
    return _upstream_down(context, cause, host, _find_upstream(context, host))


# ---- nobody is named ----


def _call_to_nobody(context: DiagnosisContext, cause: Cause) -> Conclusion:
    """The call that failed names nobody: only its own frame, a status page or an unhealthy sibling can tell."""
    if cause.kind is SignKind.TLS_FAILED:
        return _conclude(context, cause, VerdictReason.TLS_SETTINGS_WRONG, 0.5, "")
    troubled = [
        upstream
        for upstream in context.evidence.upstreams
        if upstream.in_code and upstream.host in context.troubled_hosts
    ]
    named = _host_of_frame(context, cause)
    if troubled and (named is None or named in troubled):
        return _upstream_down(context, cause, host_of(troubled[0].host), troubled[0])
    unhealthy = peers.unhealthy_siblings(context)
    if len(unhealthy) == 1:
        return _conclude(context, cause, VerdictReason.SIBLING_DOWN, 0.6, unhealthy[0].name)
    if _network_drops(context):
        return _conclude(context, cause, VerdictReason.PRIVATE_NETWORK_DOWN, 0.6, "")
    if named is not None:
        return _upstream_down(context, cause, host_of(named.host), named)
    if cause.kind is SignKind.NO_RESPONSE or cause.kind is SignKind.ERROR_RESPONSE:
        return _conclude(context, cause, VerdictReason.UPSTREAM_NOT_NAMED, 0.4, "")
    if datastore := peers.likely_datastore(context, cause):
        return _conclude(context, cause, VerdictReason.SIBLING_DOWN, 0.5, datastore)
    return _conclude(context, cause, VerdictReason.SIBLING_NOT_NAMED, 0.5, "")


def _host_of_frame(context: DiagnosisContext, cause: Cause) -> Upstream | None:
    """The only outside host that the file of the call's innermost own frame names."""
    files = [place.rpartition(":")[0] for place in cause.places[:1]]
    named = [upstream for upstream in context.evidence.upstreams if set(files) & set(upstream.files)]
    return named[0] if len(named) == 1 else None


def gateway_errors(context: DiagnosisContext) -> Conclusion | None:
    """Requests that the service itself answers as a gateway does, without a log line that explains it.

    Then the only outside host that the handler's code names is the one that it waited for.
    """
    failing = [request for request in context.evidence.requests if request.status >= FIRST_SERVER_ERROR]
    as_gateway = [request for request in failing if request.status in GATEWAY and not request.platform_answer]
    if sum(request.count for request in as_gateway) <= DOMINANT_SHARE * sum(item.count for item in failing):
        return None
    files = {file for place in context.locations("route") for file in (place.file, *place.imports)}
    named = [upstream for upstream in context.evidence.upstreams if files & set(upstream.files)]
    if len(named) != 1:
        return None
    return Conclusion(
        context.service_name, VerdictReason.UPSTREAM_DOWN, Category.UPSTREAM, 0.5,
        supports=(*context.measured, *context.cite_upstream(named[0].host), *context.cited_locations),
        subject=host_of(named[0].host), upstream=named[0],
    )  # fmt: skip


CATEGORIES = {
    VerdictReason.SIBLING_DOWN: Category.UPSTREAM,
    VerdictReason.SIBLING_NOT_NAMED: Category.UPSTREAM,
    VerdictReason.SIBLING_UNKNOWN: Category.CONFIGURATION,
    VerdictReason.SIBLING_ADDRESS_STALE: Category.CONFIGURATION,
    VerdictReason.PRIVATE_NETWORK_DOWN: Category.PLATFORM,
    VerdictReason.OUTBOUND_NETWORK_DOWN: Category.PLATFORM,
    VerdictReason.HOST_UNKNOWN: Category.CONFIGURATION,
    VerdictReason.TLS_SETTINGS_WRONG: Category.CONFIGURATION,
    VerdictReason.UPSTREAM_NOT_NAMED: Category.INCONCLUSIVE,
}


def _conclude(
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
    )
