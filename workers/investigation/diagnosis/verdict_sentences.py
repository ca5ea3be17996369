"""Renders a conclusion as the texts of a verdict. The only place of diagnosis that knows the wording.

Nothing decides by these texts: the reason and the category of a verdict are types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from workers.investigation.diagnosis.conclusion import Conclusion
from workers.models import CodeLocation, Gap, Upstream, VerdictReason, describe_gap
from workers.runtime.text import format_duration, plural, truncate

MAX_QUOTE_CHARS = 160  # a log line or a failed read inside a sentence
MAX_LISTED_GAPS = 2  # failed reads among the next checks; the evidence lists all of them


class Texts(NamedTuple):
    """The texts of a verdict: its cause, the advice to people, and the next checks."""

    summary: str
    action: str = ""
    next_checks: tuple[str, ...] = ()


def render_verdict(conclusion: Conclusion) -> Texts:
    """The texts of the verdict, from the reason and the typed fields of the conclusion."""
    return RENDERERS[conclusion.reason](conclusion)


# ---- no cause ----


def _inconclusive(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    summaries = {
        VerdictReason.NO_FACTS: f"nothing could be measured for {service}",
        VerdictReason.NO_LOGS_OF_FAILED_DEPLOYMENT: (
            f"the newest deployment of {service} failed, and none of its logs could be read"
        ),
        VerdictReason.NO_RULE_APPLIES: f"the evidence does not show why {service} is failing",
    }
    return Texts(
        summaries[conclusion.reason],
        "Needs a human; evidence and gaps below",
        (*_checks_of_gaps(conclusion.gaps), *_checks_of_kinds(conclusion.kinds)),
    )


def _checks_of_gaps(gaps: tuple[Gap, ...]) -> tuple[str, ...]:
    return tuple(
        f"could not be read: {truncate(describe_gap(gap), MAX_QUOTE_CHARS)}" for gap in gaps[:MAX_LISTED_GAPS]
    )


def _checks_of_kinds(kinds: frozenset[str]) -> tuple[str, ...]:
    checks = []
    if "client_errors" in kinds:
        checks.append("the clients whose requests are refused, and the routes they call")
    if kinds & {"crashed", "restart_loop"}:
        checks.append("the last log lines before the container exited, and its exit code in Railway")
    if "server_errors" in kinds:
        checks.append("one failing request, sent by hand, and its log lines")
    if kinds & {"latency", "cpu", "memory", "memory_growth"}:
        checks.append("a profile of the running service")
    return (
        *checks,
        "changes at the onset: deployments, variables, data, callers",
        "the services that it calls",
    )


# ---- platform and deployments ----


def _platform_incident(conclusion: Conclusion) -> Texts:
    count = int(conclusion.numbers["services"])
    verb = "is" if count == 1 else "are"
    return Texts(
        f"{plural(count, 'service')} {verb} failing while Railway reports an incident of its own",
        "wait until Railway's status page reports recovery, then check again",
        ("Railway's status page", "whether the services recover together"),
    )


def _removed(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    removed = conclusion.reason is VerdictReason.SERVICE_REMOVED
    state = "is gone from the environment" if removed else "has no deployment any more"
    return Texts(
        f"{service} {state}",
        f"deploy {service} again; if it was removed on purpose, update the services that still call it",
        (
            "the project's activity log: who removed it",
            f"the services whose variables still name {service}",
        ),
    )


def _failed_deployment(conclusion: Conclusion) -> Texts:
    unhealthy = conclusion.reason is VerdictReason.HEALTH_CHECK_FAILED
    failure = "failed its health check" if unhealthy else "could not be built or started"
    return Texts(
        f"the newest deployment of {conclusion.service} {failure}: {_quote(conclusion)}",
        next_checks=(
            "the build logs up to the first error",
            "the changes of the newest commit to the manifests",
        ),
    )


def _stuck(state: str, action: str) -> Callable[[Conclusion], Texts]:
    def render(conclusion: Conclusion) -> Texts:
        deployment = f"deployment {conclusion.subject}" if conclusion.subject else "the deployment"
        quote = f": {_quote(conclusion)}" if conclusion.quote else ""
        return Texts(
            f"the newest deployment of {conclusion.service} {state}{quote}",
            action.format(deployment=deployment),
            (
                "the last lines of its build log",
                "Railway's status page",
                "whether deployments of other services hang too",
            ),
        )

    return render


# ---- configuration ----


def _variables(conclusion: Conclusion) -> Texts:
    service, variable = conclusion.service, conclusion.subject
    action = f"correct the variables of {service} that the error mentions, and deploy again"
    first_check = "the variables of this environment"
    if conclusion.reason is VerdictReason.VARIABLE_MISSING:
        action = f"set {variable} of {service} in Railway and deploy again"
        first_check = f"whether {variable} is set in this environment"
    return Texts(
        f"{service} is misconfigured: {_quote(conclusion)}",
        action,
        (
            first_check,
            "the variables that the last commits require",
            "whether a variable was changed or renamed shortly before",
        ),
    )


def _not_listening(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"{service} runs, but only Railway's edge proxy responds: {service} does not listen on the expected port",
        f"let {service} listen on 0.0.0.0 and on PORT, or set the target port of its domain",
        (
            "the address and port that the service logs at its start",
            "the target port of its domain",
            "the start command of the newest deployment",
        ),
    )


def _sibling(conclusion: Conclusion) -> Texts:
    sibling = conclusion.subject
    unknown = conclusion.reason is VerdictReason.SIBLING_UNKNOWN
    state = "cannot be found under that name" if unknown else "does not respond"
    action = f"correct the variable that names {sibling}" if unknown else f"fix {sibling}, which is the cause"
    return Texts(
        f"{conclusion.service} fails because the service {sibling} of the same project {state}",
        action,
        (
            f"whether {sibling} runs and listens on the private network",
            f"the variable that names {sibling}",
        ),
    )


def _locked_out(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"{service} rejects the credentials of its callers, and no commit explains it",
        f"correct the keys or allowed origins that {service} and its callers share",
        (
            "the keys, secrets and sessions that changed or expired at the onset",
            "the clients whose requests are refused",
        ),
    )


def _process_ended(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"the process of {service} exited without an error, and nothing restarts it",
        f"start {service} again; if it is a job, give it a schedule, else a start command that keeps running",
        ("the project's activity log: who stopped it", "its start command", "its restart policy"),
    )


# ---- traffic and upstreams ----


def _upstream_down(conclusion: Conclusion) -> Texts:
    upstream = conclusion.upstream
    host = upstream.host if upstream else ""
    confirmed = upstream is not None and upstream.state in ("degraded", "down")
    return Texts(
        f"{conclusion.service} fails because {host} does not respond correctly{_status_page(upstream)}",
        f"{host} outage; no code change will help. Wait for recovery"
        if confirmed
        else f"no code change will help. Wait for {host} to recover",
        (
            f"the status page of {host}",
            f"a request to {host}, sent by hand from outside Railway",
            "whether a timeout, a retry or a fallback can soften the next outage",
        ),
    )


def _status_page(upstream: Upstream | None) -> str:
    if upstream is None or upstream.state not in ("degraded", "down"):
        return ""
    return f" (its status page says {upstream.state})"


def _domain_removed(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"no request reaches {service} any more: it has no public domain",
        f"give {service} its domain back",
        _traffic_checks(conclusion),
    )


def _traffic_gone(conclusion: Conclusion) -> Texts:
    return Texts(
        f"no request reaches {conclusion.service} any more, and nothing in the service explains it",
        "Needs a human: check the path to the service (domain, DNS, proxy, callers)",
        _traffic_checks(conclusion),
    )


def _traffic_checks(conclusion: Conclusion) -> tuple[str, ...]:
    deployed = ", its newest deployment and its port" if conclusion.recently_deployed else ""
    return (
        f"a request to its domain, sent by hand{deployed}",
        "whether the domain's name still points to Railway, and its certificate",
        "the proxy or CDN in front of it",
        "whether its callers still run, or were changed",
    )


def _more_traffic(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"{service} gets more requests than before, and no error points to a fault in the code",
        f"give {service} more replicas or a higher limit, or slow the callers down",
        (
            "the clients that send the additional requests",
            "whether the additional requests are wanted",
            "the routes of the additional requests",
        ),
    )


# ---- code ----


def _error_in_code(conclusion: Conclusion) -> Texts:
    place = _place(conclusion.location)
    return Texts(
        f"{conclusion.service} fails at {place}: {_quote(conclusion) or 'an error'}",
        next_checks=(f"the input that leads to {place}", "whether other callers of it fail too"),
    )


def _refuses_since_commit(conclusion: Conclusion) -> Texts:
    return Texts(
        f"{conclusion.service} refuses requests that it used to accept, since a commit that changed "
        f"{_file_and_line(conclusion.location)}",
        next_checks=(
            "the refused requests that were accepted before",
            "whether the previous deployment accepts them",
        ),
    )


def _behaviour(behaviour: str, *, since_commit: bool) -> Callable[[Conclusion], Texts]:
    where = "since a commit that changed" if since_commit else "on one route only, handled by"

    def render(conclusion: Conclusion) -> Texts:
        location = conclusion.location
        return Texts(
            f"{conclusion.service} {behaviour} {where} {_file_and_line(location)}",
            next_checks=(
                f"data that {location.file if location else ''} keeps, or work that it repeats with each request",
                "whether the previous deployment behaves the same",
            ),
        )

    return render


def _recovered(conclusion: Conclusion) -> Texts:
    return Texts(
        f"{conclusion.service} has recovered, and nothing in the code explains the failure",
        "nothing for now; Trackwalker checks again if it comes back",
        ("whether it comes back at the same time of day", "deployments and restarts around it"),
    )


# ---- resource limits ----


def _resource_limit(resource: str, unit: str) -> Callable[[Conclusion], Texts]:
    def render(conclusion: Conclusion) -> Texts:
        service = conclusion.service
        action = f"raise the {resource} limit of {service}"
        if target := conclusion.numbers.get("target"):
            current = conclusion.numbers["current"]
            action += f" from {current:g} to {target:.2g} {unit}, or spread the load over replicas"
        return Texts(_limit_summary(conclusion), action, _limit_checks(resource))

    return render


def _volume_full(conclusion: Conclusion) -> Texts:
    seconds = conclusion.finding.seconds_to_limit if conclusion.finding else None
    when = "" if seconds is None else " now" if seconds < 2 * 3600 else f" within {format_duration(seconds)}"
    return Texts(
        _limit_summary(conclusion),
        f"enlarge the volume of {conclusion.service}{when}, or delete data that is no longer needed",
        _limit_checks("disk space"),
    )


def _limit_summary(conclusion: Conclusion) -> str:
    need = conclusion.finding.sentence if conclusion.finding else "its logs report that memory ran out"
    return f"{conclusion.service} needs more than its limit: {need}"


def _limit_checks(resource: str) -> tuple[str, ...]:
    return (
        f"{resource} usage over a whole day",
        "how much of the usage is real load",
        "whether the usage grows from week to week",
    )


# ---- parts ----


def _quote(conclusion: Conclusion) -> str:
    return truncate(conclusion.quote, MAX_QUOTE_CHARS)


def _file_and_line(location: CodeLocation | None) -> str:
    return f"{location.file}:{location.line}" if location else ""


def _place(location: CodeLocation | None) -> str:
    function = f" in {location.function}" if location and location.function else ""
    return f"{_file_and_line(location)}{function}"


RENDERERS: dict[VerdictReason, Callable[[Conclusion], Texts]] = {
    VerdictReason.NO_FACTS: _inconclusive,
    VerdictReason.NO_RULE_APPLIES: _inconclusive,
    VerdictReason.NO_LOGS_OF_FAILED_DEPLOYMENT: _inconclusive,
    VerdictReason.PLATFORM_INCIDENT: _platform_incident,
    VerdictReason.SERVICE_REMOVED: _removed,
    VerdictReason.NO_DEPLOYMENT_LEFT: _removed,
    VerdictReason.HEALTH_CHECK_FAILED: _failed_deployment,
    VerdictReason.BUILD_OR_START_FAILED: _failed_deployment,
    VerdictReason.APPROVAL_PENDING: _stuck(
        "waits for an approval", "approve {deployment} in Railway, or discard it"
    ),
    VerdictReason.CHECKS_PENDING: _stuck(
        "waits for a precondition, such as the checks of its commit",
        "look at the checks of its commit; if they have ended, deploy {deployment} again",
    ),
    VerdictReason.BUILD_QUEUED: _stuck(
        "waits in Railway's build queue", "wait for Railway, or cancel {deployment} and deploy it again"
    ),
    VerdictReason.DEPLOYMENT_NOT_STARTED: _stuck(
        "was not started by Railway", "wait for Railway, or cancel {deployment} and deploy it again"
    ),
    VerdictReason.DEPLOYMENT_HANGS: _stuck(
        "is in progress and does not finish",
        "cancel {deployment} and deploy it again; if it hangs again, the last line of its log names the step",
    ),
    VerdictReason.VARIABLE_MISSING: _variables,
    VerdictReason.VARIABLES_WRONG: _variables,
    VerdictReason.NOT_LISTENING: _not_listening,
    VerdictReason.SIBLING_UNKNOWN: _sibling,
    VerdictReason.SIBLING_DOWN: _sibling,
    VerdictReason.UPSTREAM_DOWN: _upstream_down,
    VerdictReason.DOMAIN_REMOVED: _domain_removed,
    VerdictReason.TRAFFIC_GONE: _traffic_gone,
    VerdictReason.ERROR_IN_CODE: _error_in_code,
    VerdictReason.CALLERS_LOCKED_OUT: _locked_out,
    VerdictReason.REFUSES_SINCE_COMMIT: _refuses_since_commit,
    VerdictReason.LEAK_SINCE_COMMIT: _behaviour("leaks memory", since_commit=True),
    VerdictReason.SLOW_SINCE_COMMIT: _behaviour("is slow", since_commit=True),
    VerdictReason.BUSY_SINCE_COMMIT: _behaviour("is busy", since_commit=True),
    VerdictReason.LEAK_ON_ROUTE: _behaviour("leaks memory", since_commit=False),
    VerdictReason.SLOW_ROUTE: _behaviour("is slow", since_commit=False),
    VerdictReason.BUSY_ROUTE: _behaviour("is busy", since_commit=False),
    VerdictReason.MORE_TRAFFIC: _more_traffic,
    VerdictReason.CPU_LIMIT: _resource_limit("CPU", "vCPU"),
    VerdictReason.MEMORY_LIMIT: _resource_limit("memory", "GB"),
    VerdictReason.VOLUME_FULL: _volume_full,
    VerdictReason.PROCESS_ENDED: _process_ended,
    VerdictReason.RECOVERED: _recovered,
}
"""The renderer of each reason. Tests replace the entries to prove that no decision depends on the wording."""
