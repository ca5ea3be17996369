"""Rules for the service's own trouble: a deployment that never lived, code, limits, an end without an error."""

from __future__ import annotations

from workers.investigation.diagnosis.context import (
    DOMINATES,
    LONG_AGO,
    SOON_AFTER,
    DiagnosisContext,
    inconclusive,
    saturated,
    short,
)
from workers.investigation.diagnosis.external import configuration, upstream
from workers.investigation.diagnosis.patterns import UNHEALTHY, quoted, traces_to, words
from workers.models import Category, Finding, Verdict

ROOM = 1.5
"""A limit that holds is the peak and half of it again."""


def never_started(case: DiagnosisContext) -> Verdict | None:
    """The newest deployment failed, and that is all the trouble there is."""
    if "failed_deployment" not in case.kinds or case.kinds & {
        "server_errors",
        "latency",
        "restart_loop",
        "cpu",
    }:
        return None
    said = (*case.evidence.build_patterns, *case.evidence.patterns)
    if not said:
        return inconclusive(
            case, f"why the newest deployment of {case.name} failed is not known: no log was seen"
        )
    elsewhere = configuration(case) or upstream(case)
    if elsewhere is not None:
        return elsewhere
    ill = any(UNHEALTHY.search(words(one)) for one in said)
    what = "never answered its health check" if ill else "could not be built or started"
    cause = next(iter(case.trouble), said[-1])
    return Verdict(
        category=Category.DEPLOYMENT,
        summary=f"the newest deployment of {case.name} {what}: {short(quoted(cause))}",
        supports=(*case.measured, *case.said(*case.trouble[:3]), *case.place_facts),
        next_checks=(
            "the build logs up to the first error",
            "what the newest commit changed in the manifests",
        ),
        confidence=0.8 if case.trouble else 0.5,
    )


def traced(case: DiagnosisContext) -> Verdict | None:
    """Traces of trouble name own code at the deployed commit."""
    places = case.places("stack")
    if not places or case.evidence.repository is None or case.out_of_memory or case.disk_full:
        return None
    fails = case.kinds & {
        "server_errors", "client_errors", "crashed", "restart_loop", "stopped", "failed_deployment",
    }  # fmt: skip
    if not fails and (case.places("route", "changed") or not case.kinds & {"latency", "cpu"}):
        return None
    first, suspect = places[0], case.evidence.suspect
    where = f"{first.file}:{first.line}" + (f" in {first.function}" if first.function else "")
    changed = suspect is not None and first.file in suspect.files
    # What only accompanies the trace (an access log's line) may be said as often.
    trouble = sorted(case.trouble, key=lambda one: not traces_to(one, first))
    said = short(quoted(trouble[0])) if trouble else "an error"
    by_commit = case.facts("live at the onset", "that commit changed") if changed else ()
    return Verdict(
        category=Category.CODE,
        summary=f"{case.name} fails at {where}: {said}",
        supports=(*case.measured, *case.place_facts, *case.said(*trouble[:3]), *by_commit),
        next_checks=(f"which input leads to {where}", "whether other callers of it fail too"),
        confidence=0.9 if changed else 0.8,
    )


def refuses(case: DiagnosisContext) -> Verdict | None:
    """Requests refused in place of successes: the code, where a commit came just before; else keys, or the callers."""
    if not case.refuses or (case.load_grew and _refused_with(case, 429)):
        return None
    changed, places = case.places("changed"), case.places("route", "changed")
    fresh = case.evidence.repository is not None and bool(changed) and case.began_within(SOON_AFTER)
    if not fresh and not (case.kinds == {"client_errors"} and _refused_with(case, 401, 403)):
        return None
    # The handler of the refused route, where the commit changed its file, says more than the file's first change.
    files = {one.file for one in changed}
    first = next((one for one in places if one.file in files), None)
    if not fresh or first is None:
        return Verdict(
            category=Category.CONFIGURATION,
            summary=f"{case.name} does not let its callers in any more, and no commit explains it",
            supports=(*case.measured, *case.facts("was refused")),
            action=f"put right the keys or allowed origins that {case.name} and its callers share",
            next_checks=(
                "which key, secret or session was changed or ran out at the onset",
                "who sends the refused requests",
            ),
            confidence=0.5,
        )
    return Verdict(
        category=Category.CODE,
        summary=f"{case.name} refuses what it used to answer, since a commit that changed {first.file}:{first.line}",
        supports=(
            *case.measured,
            *case.facts("was refused", "live at the onset", "that commit changed"),
            *case.place_facts,
        ),
        next_checks=(
            "which of the refused requests were answered before",
            "whether the deployment before it answers them",
        ),
        confidence=0.7,
    )


def _refused_with(case: DiagnosisContext, *statuses: int) -> bool:
    """Whether most of what was refused was refused like this."""
    refused = [one for one in case.evidence.requests if 400 <= one.status < 500]
    like_this = sum(one.count for one in refused if one.status in statuses)
    return like_this > DOMINATES * sum(one.count for one in refused)


def leaks_or_slow(case: DiagnosisContext) -> Verdict | None:
    """A service that leaks, is busy or slow without a trace: the code, if a place and a suspect say so."""
    grows = "memory_growth" in case.kinds
    if (
        not (grows or case.out_of_memory or case.kinds & {"latency", "cpu"})
        or case.evidence.repository is None
    ):
        return None
    if case.load_grew and not grows:
        return None
    changed, routes = case.places("changed"), case.places("route")
    within = LONG_AGO if grows or (case.from_the_start and not case.out_of_memory) else SOON_AFTER
    fresh = case.evidence.suspect is not None and bool(changed) and case.began_within(within)
    if not fresh and not (("latency" in case.kinds or case.busy) and case.one_route):
        return None
    first = changed[0] if fresh else routes[0]
    what = (
        "leaks memory" if grows or case.out_of_memory else "is slow" if "latency" in case.kinds else "is busy"
    )
    why = "since a commit that changed" if fresh else "on one route only, answered by"
    return Verdict(
        category=Category.CODE,
        summary=f"{case.name} {what} {why} {first.file}:{first.line}",
        supports=(
            *case.measured,
            *case.place_facts,
            *case.facts("live at the onset", "that commit changed", "load did not grow"),
        ),
        next_checks=(
            f"what {first.file} keeps, or repeats with each request",
            "whether the deployment before it shows the same",
        ),
        confidence=0.75 if fresh and case.began_within(SOON_AFTER) else 0.55,
    )


def limit(case: DiagnosisContext) -> Verdict | None:
    """Honest need above the limit: near it without growth, out of memory without a suspect, a full volume."""
    kinds = ("volume",) if case.disk_full else ("cpu", "memory", "oom_killed", "volume")
    near = [one for one in case.alarms if one.kind in kinds and (one.kind != "cpu" or saturated(one))]
    spent = not near and case.out_of_memory
    if "memory_growth" in case.kinds or not (near or spent):
        return None
    if case.trouble and not case.out_of_memory and near[0].kind != "volume":
        return None
    worst = near[0] if near else case.alarms[0]
    need = worst.sentence if near else "its logs say that memory ran out"
    return Verdict(
        category=Category.RESOURCE_LIMIT,
        summary=f"{case.name} needs more than its limit: {need}",
        supports=(
            *case.measured,
            *case.facts("load did not grow", "hold no error"),
            *case.said(*case.trouble[:2]),
        ),
        action=_raise(case, worst),
        next_checks=(
            "how much it needs over a day",
            "what of it is work and what is kept for no use",
            "whether the need grows from week to week",
        ),
        confidence=0.5 if spent or (case.logs_missing and worst.kind != "volume") else 0.7,
    )


def _raise(case: DiagnosisContext, worst: Finding) -> str:
    """The limit that would hold."""
    if worst.kind == "volume":
        hours = (worst.seconds_to_limit or 0.0) / 3600
        soon = (
            f" within {hours:.0f} h" if hours >= 2 else " now" if worst.seconds_to_limit is not None else ""
        )
        return f"enlarge the volume of {case.name}{soon}, or delete what is not needed on it"
    unit, name, what = ("vcpu", "vCPU", "CPU") if worst.kind == "cpu" else ("gb", "GB", "memory")
    now = worst.numbers.get(f"limit_{unit}", 0.0)
    service = case.incident.service
    if not now and service is not None:
        now = (service.cpu_limit if unit == "vcpu" else service.memory_limit) or 0.0
    wanted = ROOM * max(now, worst.numbers.get(f"peak_{unit}", 0.0))
    if not wanted:
        return f"raise the {what} limit of {case.name}"
    return f"raise the {what} limit of {case.name} from {now:g} to {wanted:.2g} {name}, or spread it over replicas"


def ended(case: DiagnosisContext) -> Verdict | None:
    """The process ended by itself and says no error: nothing keeps it running."""
    if case.kinds != {"stopped"} or case.trouble or case.logs_missing:
        return None
    return Verdict(
        category=Category.CONFIGURATION,
        summary=f"the process of {case.name} ended without an error, and nothing starts it again",
        supports=(*case.measured, *case.facts("hold no error")),
        action=f"start {case.name} again; if it is a job, give it a schedule, else a start command that stays",
        next_checks=("who stopped it, by the project's activity", "its start command", "its restart policy"),
        confidence=0.55,
    )


def transient(case: DiagnosisContext) -> Verdict | None:
    """Over, and not explained by the code."""
    if any(finding.ongoing for finding in case.alarms):
        return None
    return Verdict(
        category=Category.TRANSIENT,
        summary=f"the trouble of {case.name} is over, and nothing in the code explains it",
        supports=case.measured,
        action="nothing now; should it come again, it is looked at again",
        next_checks=("whether it comes again at the same time of day", "deployments and restarts around it"),
        confidence=0.6,
    )
