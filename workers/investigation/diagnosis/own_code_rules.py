"""Judges errors, refusals, slowness and leaks that own code may cause. Pure.

A commit counts only if it touched what fails: the lines of the trace, the handler of the route, or what it imports.
"""

from __future__ import annotations

from workers.investigation.diagnosis.concluding import cause_conclusion, quote_of
from workers.investigation.diagnosis.conclusion import Conclusion
from workers.investigation.diagnosis.context import (
    DOMINANT_SHARE,
    LONG_AFTER,
    RIGHT_AFTER,
    SOON_AFTER,
    DiagnosisContext,
)
from workers.investigation.diagnosis.error_causes import Cause
from workers.models import Category, CodeLocation, SignKind, VerdictReason

FAILURE_KINDS = frozenset(
    {
        "server_errors",
        "client_errors",
        "crashed",
        "restart_loop",
        "stopped",
        "failed_deployment",
        "error_logs",
        "worker_idle",
    }
)
"""Findings that an exception in the code can cause directly."""
CREDENTIAL_STATUSES = (401, 403)
TOO_MANY_REQUESTS = 429


def error_in_code(context: DiagnosisContext, cause: Cause) -> Conclusion | None:
    """Stack traces of errors name the service's own code at the deployed commit."""
    location = context.first_location(cause)
    if location is None or not _is_own(context) or context.out_of_memory or context.disk_full:
        return None
    if not context.kinds & FAILURE_KINDS and (
        # Slowness without a better location may come from the code that raises.
        context.locations("route", "changed") or not context.kinds & {"latency", "cpu"}
    ):
        return None
    suspect = context.evidence.suspect
    files = cause.files or {location.file}
    changed = suspect is not None and bool(files & set(suspect.files))
    # Without failed requests, an exception may be one that the service copes with.
    certain = context.kinds & (FAILURE_KINDS - {"error_logs"})
    return cause_conclusion(
        context, cause, VerdictReason.ERROR_IN_CODE, Category.CODE,
        # Without a clone the place is as the trace names it.
        (0.9 if changed else 0.8) if certain and context.evidence.repository else 0.6,
        location=location,
        caller=_changed_caller(context, cause, location),
        commit=suspect.commit or "" if suspect and changed else "",
        supports=(*context.cite_locations(cause), *(context.cite_suspect() if changed else ())),
    )  # fmt: skip


def _is_own(context: DiagnosisContext) -> bool:
    """True for a service that is built from a repository, readable or not: the code of an image may be anybody's."""
    service = context.incident.service
    return context.evidence.repository is not None or bool(service and service.repo)


def _changed_caller(context: DiagnosisContext, cause: Cause, location: CodeLocation) -> CodeLocation | None:
    """The place that the suspect commit changed and that calls the innermost one: the fault may be there."""
    suspect = context.evidence.suspect
    if suspect is None or location.file in suspect.files:
        return None
    places = [context.location_at(place) for place in cause.places]
    return next((place for place in places if place and place.file in suspect.files), None)


# ---- refused requests ----


def refused_requests(context: DiagnosisContext) -> Conclusion | None:
    """Requests are refused that used to succeed: the code after a commit to their handler, else keys or callers."""
    if not context.refuses_requests or (
        context.load_grew and mostly_refused_with(context, TOO_MANY_REQUESTS)
    ):
        return None
    refused = context.cite_where(lambda fact: fact.request is not None and is_refused(fact.request.status))
    rejecting = context.patterns_with(SignKind.INPUT_REJECTED)
    quote = quote_of(rejecting[0]) if rejecting else ""
    supports = (*context.measured, *refused, *context.cite_patterns(*rejecting[:1]))
    location = _changed_handler(context)
    if location is not None:
        return Conclusion(
            context.service_name, VerdictReason.REFUSES_SINCE_COMMIT, Category.CODE, confidence=0.7,
            supports=(*supports, *context.cite_suspect(), *context.cited_locations),
            location=location, quote=quote, commit=context.suspect_commit,
        )  # fmt: skip
    if rejecting and not mostly_refused_with(context, *CREDENTIAL_STATUSES):
        fields = [
            sign.subject
            for sign in rejecting[0].signs
            if sign.kind is SignKind.INPUT_REJECTED and sign.subject
        ]
        return Conclusion(
            context.service_name, VerdictReason.INPUT_REJECTED, Category.INCONCLUSIVE, confidence=0.5,
            supports=supports, subject=next(iter(fields), ""), names=tuple(fields[1:]), quote=quote,
            location=next(iter(context.locations("route", "log")), None), kinds=frozenset(context.kinds),
        )  # fmt: skip
    if context.kinds == {"client_errors"} and mostly_refused_with(context, *CREDENTIAL_STATUSES):
        return Conclusion(
            context.service_name, VerdictReason.CALLERS_LOCKED_OUT, Category.CONFIGURATION, 0.5, supports
        )
    return None


def _changed_handler(context: DiagnosisContext) -> CodeLocation | None:
    """The handler of the refused route, if a recent commit changed its file or a file that it imports."""
    if context.evidence.repository is None or not context.began_within(SOON_AFTER):
        return None
    for location in context.locations("route", "log", "stack"):
        if context.is_related(frozenset({location.file})):
            return _nearest_change(context, location)
    return None


def _nearest_change(context: DiagnosisContext, location: CodeLocation) -> CodeLocation:
    """The location itself if the commit changed its file, else the change in a file that it imports."""
    suspect = context.evidence.suspect
    if suspect is not None and location.file in suspect.files:
        return location
    changes = context.changed_sources
    return next((change for change in changes if change.file in location.imports), location)


def is_refused(status: int) -> bool:
    """True for a client error."""
    return 400 <= status < 500


def mostly_refused_with(context: DiagnosisContext, *statuses: int) -> bool:
    """True if most of the refused requests got one of these statuses."""
    refused = [request for request in context.evidence.requests if is_refused(request.status)]
    matching = sum(request.count for request in refused if request.status in statuses)
    return matching > DOMINANT_SHARE * sum(request.count for request in refused)


# ---- leaks and slowness ----


def leak_or_slowness(context: DiagnosisContext) -> Conclusion | None:
    """A leak, high CPU or slowness without a stack trace: the code, if a commit or a single route points to it."""
    grows = "memory_growth" in context.kinds
    affected = grows or context.out_of_memory or context.kinds & {"latency", "cpu"}
    if not affected or context.evidence.repository is None or (context.load_grew and not grows):
        return None
    change = _change_that_explains(context)
    routes = context.locations("route")
    one_slow_route = (
        ("latency" in context.kinds or context.busy)
        and context.one_route
        and not _calls_outside(context, routes)
    )
    if change is None and not one_slow_route:
        return None
    return Conclusion(
        context.service_name,
        _behaviour_reason(context, since_commit=change is not None),
        Category.CODE,
        confidence=0.75 if change is not None and context.began_within(SOON_AFTER) else 0.5,
        supports=(
            *context.measured,
            *context.cited_locations,
            *context.cite_suspect(),
            *context.cite_load_steady(),
        ),
        location=_named_line(context, change) if change else routes[0],
        commit=context.suspect_commit if change is not None else "",
        numbers=_leak_numbers(context),
    )  # fmt: skip


def _named_line(context: DiagnosisContext, change: CodeLocation) -> CodeLocation:
    """The line that a trace, a log line or a route names in the changed file; the changed line without one."""
    named = (place for place in context.locations("stack", "log", "route") if place.file == change.file)
    return next((place for place in named if place.line), change)


def _leak_numbers(context: DiagnosisContext) -> dict[str, float]:
    """Numbers of a leak: `percent` of the limit, `seconds_to_limit`, and `restart_seconds` that a restart buys."""
    growth = next((item for item in context.alerting if item.kind == "memory_growth"), None)
    if growth is None or growth.seconds_to_limit is None:
        return {}
    numbers = {"seconds_to_limit": growth.seconds_to_limit}
    known = growth.numbers
    if "now_percent" in known:
        numbers["percent"] = known["now_percent"]
    seconds = 60 * known.get("minutes_seen", 60 * known.get("hours_seen", 0.0))
    if seconds and known.get("grown_gb", 0.0) > 0 and known.get("limit_gb"):
        start = known["limit_gb"] * known.get("now_percent", 100.0) / 100 - known["grown_gb"]
        numbers["restart_seconds"] = (known["limit_gb"] - max(0.0, start)) * seconds / known["grown_gb"]
    return numbers


def _calls_outside(context: DiagnosisContext, routes: tuple[CodeLocation, ...]) -> bool:
    """True if a handler calls an outside host: then the host may be slow, and the handler only waits for it."""
    files = {file for location in routes for file in (location.file, *location.imports)}
    return any(files & set(upstream.files) for upstream in context.evidence.upstreams)


def _change_that_explains(context: DiagnosisContext) -> CodeLocation | None:
    """The change of the suspect commit that leads to the behaviour; None if it touched nothing of it.

    Where no handler is known, only a failure that began right after the deployment, or a leak, is attributed to it.
    """
    grows = "memory_growth" in context.kinds
    # A leak takes days to show, and the true onset of a failure older than the window is unknown.
    slow_onset = grows or (context.began_before_window and not context.out_of_memory)
    changes = context.changed_sources
    if not changes or not context.began_within(LONG_AFTER if slow_onset else SOON_AFTER):
        return None
    affected = context.locations("route", "stack", "log")
    for location in affected:
        if context.is_related(frozenset({location.file})):
            return _change_at(location, changes)
    leaks = grows or context.out_of_memory
    if affected or not (leaks or context.began_within(RIGHT_AFTER)):
        return None
    return changes[0]


def _change_at(location: CodeLocation, changes: tuple[CodeLocation, ...]) -> CodeLocation:
    """The change in the file of the location, else in a file that it imports."""
    files = (location.file, *location.imports)
    return min(
        (change for change in changes if change.file in files),
        key=lambda change: files.index(change.file),
        default=location,
    )


def _behaviour_reason(context: DiagnosisContext, *, since_commit: bool) -> VerdictReason:
    if "memory_growth" in context.kinds or context.out_of_memory:
        return VerdictReason.LEAK_SINCE_COMMIT if since_commit else VerdictReason.LEAK_ON_ROUTE
    if "latency" in context.kinds:
        return VerdictReason.SLOW_SINCE_COMMIT if since_commit else VerdictReason.SLOW_ROUTE
    return VerdictReason.BUSY_SINCE_COMMIT if since_commit else VerdictReason.BUSY_ROUTE


def worker_timeout(context: DiagnosisContext, cause: Cause) -> Conclusion:
    """The server ended a worker for one slow request: the code if a commit touched what is slow, else unknown."""
    slow = cause.files | {location.file for location in context.locations("route")}
    location = context.first_location(cause) or next(iter(context.locations("route")), None)
    if slow and context.is_related(slow) and context.began_within(SOON_AFTER) and context.evidence.repository:
        return cause_conclusion(
            context, cause, VerdictReason.SLOW_SINCE_COMMIT, Category.CODE, 0.65,
            location=location, commit=context.suspect_commit,
            supports=(*context.cited_locations, *context.cite_suspect()),
        )  # fmt: skip
    return cause_conclusion(
        context, cause, VerdictReason.WORKER_TIMEOUT, Category.INCONCLUSIVE, 0.5,
        subject=cause.subject, location=location, kinds=frozenset(context.kinds), supports=context.cite_headroom(),
    )  # fmt: skip
