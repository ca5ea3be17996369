"""Judges failed calls: to a service of the project, to an outside host, or to nobody that is named. Pure."""

from __future__ import annotations

from workers.investigation.diagnosis import peers, setting_rules
from workers.investigation.diagnosis.call_conclusions import conclude_call, find_upstream, upstream_down
from workers.investigation.diagnosis.conclusion import Conclusion
from workers.investigation.diagnosis.context import (
    DOMINANT_SHARE,
    RIGHT_AFTER,
    SOON_AFTER,
    START_KINDS,
    DiagnosisContext,
)
from workers.investigation.diagnosis.error_causes import CALL_SIGNS, Cause
from workers.investigation.diagnosis.sibling_rules import call_to_sibling, network_drops
from workers.investigation.signs.host_names import host_of, is_local
from workers.models import Category, SignKind, Upstream, VerdictReason

MANY_HOSTS = 3  # unrelated outside hosts that fail at once: their common way out fails, not each of them
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
        return call_to_sibling(context, cause)
    return _outside(context, cause)


# ---- outside hosts ----


def _outside(context: DiagnosisContext, cause: Cause) -> Conclusion | None:
    host = host_of(cause.subject)
    status = int(cause.number("status"))
    if status in CLIENT_ERRORS:
        return None
    upstream = find_upstream(context, host)
    if _client_is_at_fault(context, cause, upstream):
        return None
    others = _hosts_that_fail(context)
    if len(others) >= MANY_HOSTS and not (set(others) & context.troubled_hosts):
        return conclude_call(context, cause, VerdictReason.OUTBOUND_NETWORK_DOWN, 0.6, others[0], *others[1:])
    if cause.kind is SignKind.UNKNOWN_HOST and _never_existed(context, host):
        return conclude_call(context, cause, VerdictReason.HOST_UNKNOWN, 0.6, host)
    return upstream_down(context, cause, host, upstream)


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
        return conclude_call(context, cause, VerdictReason.TLS_SETTINGS_WRONG, 0.7, name)
    return upstream_down(context, cause, host, find_upstream(context, host))


# ---- nobody is named ----


def _call_to_nobody(context: DiagnosisContext, cause: Cause) -> Conclusion:
    """The call that failed names nobody: only its own frame, a status page or an unhealthy sibling can tell."""
    if cause.kind is SignKind.TLS_FAILED:
        return conclude_call(context, cause, VerdictReason.TLS_SETTINGS_WRONG, 0.5, "")
    troubled = [
        upstream
        for upstream in context.evidence.upstreams
        if upstream.in_code and upstream.host in context.troubled_hosts
    ]
    named = _host_of_frame(context, cause)
    if troubled and (named is None or named in troubled):
        return upstream_down(context, cause, host_of(troubled[0].host), troubled[0])
    unhealthy = peers.unhealthy_siblings(context)
    if len(unhealthy) == 1:
        return conclude_call(context, cause, VerdictReason.SIBLING_DOWN, 0.6, unhealthy[0].name)
    if network_drops(context):
        return conclude_call(context, cause, VerdictReason.PRIVATE_NETWORK_DOWN, 0.6, "")
    if named is not None:
        return upstream_down(context, cause, host_of(named.host), named)
    if cause.kind is SignKind.NO_RESPONSE or cause.kind is SignKind.ERROR_RESPONSE:
        return conclude_call(context, cause, VerdictReason.UPSTREAM_NOT_NAMED, 0.4, "")
    if datastore := peers.likely_datastore(context, cause):
        return conclude_call(context, cause, VerdictReason.SIBLING_DOWN, 0.5, datastore)
    return conclude_call(context, cause, VerdictReason.SIBLING_NOT_NAMED, 0.5, "")


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
    named = _hosts_of_handlers(context)
    if len(named) != 1:
        return None
    return Conclusion(
        context.service_name, VerdictReason.UPSTREAM_DOWN, Category.UPSTREAM, 0.5,
        supports=(*context.measured, *context.cite_upstream(named[0].host), *context.cited_locations),
        subject=host_of(named[0].host), upstream=named[0],
    )  # fmt: skip


def _hosts_of_handlers(context: DiagnosisContext) -> list[Upstream]:
    """The outside hosts that the handlers' files name, and what they import; if these are several, only the latter."""
    routes = context.locations("route")
    imported = {file for place in routes for file in place.imports}
    every = imported | {place.file for place in routes}
    named = [upstream for upstream in context.evidence.upstreams if every & set(upstream.files)]
    if len(named) > 1:
        return [upstream for upstream in named if imported & set(upstream.files)]
    return named
