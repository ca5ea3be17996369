"""Texts of verdicts about causes outside the code: platform, deployments, configuration, upstreams, traffic."""

from __future__ import annotations

from collections.abc import Callable

from workers.investigation.diagnosis.conclusion import Conclusion, Texts, quote_text
from workers.models import Upstream, VerdictReason
from workers.runtime.text import plural

# ---- platform and deployments ----


def _platform_incident(conclusion: Conclusion) -> Texts:
    count = int(conclusion.numbers["services"])
    verb = "is" if count == 1 else "are"
    return Texts(
        f"{plural(count, 'service')} {verb} failing while Railway reports an incident of its own",
        "Wait until Railway's status page reports recovery, then check again",
        ("follow Railway's status page", "check whether the services recover together"),
    )


def _removed(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    removed = conclusion.reason is VerdictReason.SERVICE_REMOVED
    state = "is gone from the environment" if removed else "has no deployment any more"
    return Texts(
        f"{service} {state}",
        f"Deploy {service} again. If it was removed on purpose, update the services that still call it",
        (
            "look up in the project's activity log who removed it",
            f"find the services whose variables still name {service}",
        ),
    )


def _stuck(state: str, action: str) -> Callable[[Conclusion], Texts]:
    def render(conclusion: Conclusion) -> Texts:
        deployment = f"deployment {conclusion.subject}" if conclusion.subject else "the deployment"
        quote = f": {quote_text(conclusion)}" if conclusion.quote else ""
        return Texts(
            f"the newest deployment of {conclusion.service} {state}{quote}",
            action.format(deployment=deployment),
            (
                "look at the last lines of its build log",
                "check Railway's status page",
                "check whether deployments of other services hang too",
            ),
        )

    return render


# ---- configuration ----


def _variables(conclusion: Conclusion) -> Texts:
    service, variable = conclusion.service, conclusion.subject
    action = f"Correct the variables of {service} that the error mentions, and deploy again"
    first_check = "check the variables of this environment"
    if conclusion.reason is VerdictReason.VARIABLE_MISSING:
        action = f"Set {variable} of {service} in Railway and deploy again"
        first_check = f"check whether {variable} is set in this environment"
    return Texts(
        f"{service} is misconfigured: {quote_text(conclusion)}",
        action,
        (
            first_check,
            "check which variables the last commits require",
            "check whether a variable was changed or renamed shortly before",
        ),
    )


def _not_listening(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"{service} runs, but only Railway's edge proxy responds: {service} does not listen on the expected port",
        f"Let {service} listen on 0.0.0.0 and on PORT, or set the target port of its domain",
        (
            "look up the address and port that the service logs at its start",
            "check the target port of its domain",
            "check the start command of the newest deployment",
        ),
    )


def _sibling(conclusion: Conclusion) -> Texts:
    sibling = conclusion.subject
    unknown = conclusion.reason is VerdictReason.SIBLING_UNKNOWN
    state = "cannot be found under that name" if unknown else "does not respond"
    action = f"Correct the variable that names {sibling}" if unknown else f"Fix {sibling}, which is the cause"
    return Texts(
        f"{conclusion.service} fails because the service {sibling} of the same project {state}",
        action,
        (
            f"check whether {sibling} runs and listens on the private network",
            f"check the variable that names {sibling}",
        ),
    )


def _locked_out(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"{service} rejects the credentials of its callers, and no commit explains it",
        f"Correct the keys or allowed origins that {service} and its callers share",
        (
            "find the keys, secrets and sessions that changed or expired at the onset",
            "find the clients whose requests are refused",
        ),
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
        else f"No code change will help. Wait for {host} to recover",
        (
            f"follow the status page of {host}",
            f"send a request to {host} by hand from outside Railway",
            "consider a timeout, a retry or a fallback for the next outage",
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
        f"Give {service} its domain back",
        _traffic_checks(conclusion),
    )


def _traffic_gone(conclusion: Conclusion) -> Texts:
    return Texts(
        f"no request reaches {conclusion.service} any more, and nothing in the service explains it",
        "Needs a human: check the path to the service (domain, DNS, proxy, callers)",
        _traffic_checks(conclusion),
    )


def _traffic_checks(conclusion: Conclusion) -> tuple[str, ...]:
    deployed = ", and check its newest deployment and its port" if conclusion.recently_deployed else ""
    return (
        f"send a request to its domain by hand{deployed}",
        "check that the domain's name still points to Railway and its certificate is valid",
        "check the proxy or CDN in front of it",
        "check whether its callers still run, or were changed",
    )


def _more_traffic(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"{service} gets more requests than before, and no error points to a fault in the code",
        f"Give {service} more replicas or a higher limit, or slow the callers down",
        (
            "find the clients that send the additional requests",
            "check whether the additional requests are wanted",
            "find the routes of the additional requests",
        ),
    )


RENDERERS: dict[VerdictReason, Callable[[Conclusion], Texts]] = {
    VerdictReason.PLATFORM_INCIDENT: _platform_incident,
    VerdictReason.SERVICE_REMOVED: _removed,
    VerdictReason.NO_DEPLOYMENT_LEFT: _removed,
    VerdictReason.APPROVAL_PENDING: _stuck(
        "waits for an approval", "Approve {deployment} in Railway, or discard it"
    ),
    VerdictReason.CHECKS_PENDING: _stuck(
        "waits for a precondition, such as the checks of its commit",
        "Look at the checks of its commit. If they have ended, redeploy {deployment}",
    ),
    VerdictReason.BUILD_QUEUED: _stuck(
        "waits in Railway's build queue", "Wait for Railway, or cancel {deployment} and redeploy it"
    ),
    VerdictReason.DEPLOYMENT_NOT_STARTED: _stuck(
        "was not started by Railway", "Wait for Railway, or cancel {deployment} and redeploy it"
    ),
    VerdictReason.DEPLOYMENT_HANGS: _stuck(
        "is in progress and does not finish",
        "Cancel {deployment} and redeploy it. If it hangs again, the last line of its log names the step",
    ),
    VerdictReason.VARIABLE_MISSING: _variables,
    VerdictReason.VARIABLES_WRONG: _variables,
    VerdictReason.NOT_LISTENING: _not_listening,
    VerdictReason.SIBLING_UNKNOWN: _sibling,
    VerdictReason.SIBLING_DOWN: _sibling,
    VerdictReason.UPSTREAM_DOWN: _upstream_down,
    VerdictReason.DOMAIN_REMOVED: _domain_removed,
    VerdictReason.TRAFFIC_GONE: _traffic_gone,
    VerdictReason.CALLERS_LOCKED_OUT: _locked_out,
    VerdictReason.MORE_TRAFFIC: _more_traffic,
}
