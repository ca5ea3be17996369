"""Texts of verdicts about failed calls: services of the project, outside hosts, the network between them."""

from __future__ import annotations

from collections.abc import Callable

from workers.investigation.diagnosis.conclusion import Conclusion, Texts, quote_text
from workers.models import Upstream, VerdictReason
from workers.runtime.text import join_names


def _sibling_down(conclusion: Conclusion) -> Texts:
    service, sibling = conclusion.service, conclusion.subject
    return Texts(
        f"{service} fails because {sibling} of the same project does not answer: {quote_text(conclusion)}",
        f"Bring {sibling} back first: read its logs in Railway and restart or redeploy it. {service} needs no change",
        (
            f"check whether {sibling} runs, and since when (in Railway: {sibling}, Deployments)",
            f"check whether {sibling} listens on {_listen_address(conclusion)}, which the private network needs",
            f"check whether the variable of {service} that names {sibling} is right",
        ),
    )


def _listen_address(conclusion: Conclusion) -> str:
    port = conclusion.numbers.get("port")
    return f"port {port:.0f} of all addresses (::)" if port else "all addresses (::)"


def _sibling_recovered(conclusion: Conclusion) -> Texts:
    service, sibling = conclusion.service, conclusion.subject
    return Texts(
        f"{service} failed while {sibling} of the same project did not answer. Both are healthy again: "
        f"{quote_text(conclusion)}",
        f"Nothing for now. Read in the logs of {sibling} why it stopped, and let {service} retry a lost connection",
        (
            f"look up in the project's activity log whether {sibling} was restarted or deployed at the onset",
            f"check whether the connection pool of {service} replaces broken connections",
        ),
    )


def _sibling_unknown(conclusion: Conclusion) -> Texts:
    service, sibling = conclusion.service, conclusion.subject
    similar = next(iter(conclusion.names), "")
    right = similar or "the service that it means"
    hint = f". Its project has a service {similar}" if similar else ""
    return Texts(
        f"{service} fails because there is no service {sibling} in its private network: {quote_text(conclusion)}{hint}",
        f"Correct {_variable(conclusion)} (in Railway: {service}, Variables) to the private "
        f"domain of {right}, best as a reference, and deploy again",
        (
            f"check whether a service {sibling} exists, and its private domain (Settings, Networking)",
            f"check whether {sibling} was renamed or removed before the onset",
        ),
    )


def _variable(conclusion: Conclusion) -> str:
    service, use = conclusion.service, conclusion.setting
    return f"{use.name} of {service}" if use else f"the variable of {service} that names {conclusion.subject}"


def _sibling_not_named(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    target = (
        f"a service of the same project at {conclusion.subject}"
        if conclusion.subject
        else "a service that it calls"
    )
    return Texts(
        f"{service} fails because {target} does not answer, and the logs do not name it: "
        f"{quote_text(conclusion)}",
        f"Find the service by the port in the error and by the variables of {service}, and restart it if it does not "
        "run",
        (
            "check which of the project's databases and services are down or were redeployed at the onset",
            f"compare the address and port in the error with the variables of {service}",
        ),
    )  # fmt: skip


def _address_stale(conclusion: Conclusion) -> Texts:
    service, sibling = conclusion.service, conclusion.subject
    return Texts(
        f"{service} cannot reach {sibling} although {sibling} runs, because {service} caches the address that "
        f"{sibling} had before its last deployment: {quote_text(conclusion)}",
        f"Restart {service} (in Railway: {service}, Deployments, Restart)",
        (
            f"check whether {sibling} was deployed or restarted shortly before the onset",
            f"check the port that {service} calls against the one that {sibling} listens on",
            f"let the client of {service} resolve the name again for each new connection",
        ),
    )


def _started_before(conclusion: Conclusion) -> Texts:
    service, sibling = conclusion.service, conclusion.subject or "a service of the same project"
    return Texts(
        f"{service} fails at its start because it calls {sibling} before {sibling} or the private network is ready: "
        f"{quote_text(conclusion)}",
        f"Let the start command of {service} wait for {sibling} and retry (in Railway: {service}, Settings, Deploy), "
        f"and restart {service} now. No change to the code is needed",
        (
            f"check whether {sibling} was deployed at the same time",
            "check whether the start command migrates the database before the network is ready",
            f"check that {sibling} listens on {_listen_address(conclusion)}, which the private network needs",
        ),
    )


def _private_network(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    target = conclusion.subject or "services of the same project"
    return Texts(
        f"{service} cannot reach {target} over Railway's private network, while {target} itself is not known to be "
        f"down: {quote_text(conclusion)}",
        f"Wait for Railway, and look at its status page. If the trouble lasts, redeploy {service}, which connects it "
        "to the network anew",
        (
            "follow Railway's status page",
            f"check whether other services reach {target}",
            "read DNS answers and dropped packets of the network (in Railway: Observability, Network flows)",
        ),
    )


def _outbound_network(conclusion: Conclusion) -> Texts:
    hosts = (conclusion.subject, *conclusion.names)
    return Texts(
        f"{conclusion.service} reaches none of {join_names(hosts, 4)}, so its outbound network fails, and not "
        f"the hosts: {quote_text(conclusion)}",
        f"Wait for Railway, and look at its status page. If the trouble lasts, redeploy {conclusion.service}",
        ("follow Railway's status page", "check whether other services reach the same hosts"),
    )


def _upstream_down(conclusion: Conclusion) -> Texts:
    upstream, host = conclusion.upstream, conclusion.subject
    confirmed = upstream is not None and upstream.state in ("degraded", "down")
    return Texts(
        f"{conclusion.service} fails because {host} {_failure(conclusion)}{_status_page(upstream)}"
        f"{_quote(conclusion)}",
        f"{host} outage; no code change will help. Wait for recovery"
        if confirmed
        else f"No code change will help. Wait for {host} to recover",
        (
            f"follow the status page of {host}",
            f"send a request to {host} by hand from outside Railway",
            "consider a timeout, a retry or a fallback for the next outage",
        ),
    )


def _quote(conclusion: Conclusion) -> str:
    return f": {quote_text(conclusion)}" if conclusion.quote else ""


TOO_MANY_REQUESTS = 429


def _failure(conclusion: Conclusion) -> str:
    status = conclusion.numbers.get("status")
    if status == TOO_MANY_REQUESTS:
        return "rejects its requests because there are too many (429)"
    if status:
        return f"answers with {status:.0f}"
    if conclusion.numbers.get("untrusted"):
        return "has a certificate that cannot be verified"
    return "cannot be resolved to an address" if conclusion.numbers.get("unresolved") else "does not respond"


def _status_page(upstream: Upstream | None) -> str:
    if upstream is None or upstream.state not in ("degraded", "down"):
        return ""
    return f" (its status page says {upstream.state})"


def _host_unknown(conclusion: Conclusion) -> Texts:
    service, host = conclusion.service, conclusion.subject
    return Texts(
        f"{service} calls {host}, a name that does not exist: {quote_text(conclusion)}",
        f"Correct {_variable(conclusion)} (in Railway: {service}, Variables), and deploy again",
        (f"look up {host} in the public name service", f"check which variable or file names {host}"),
    )


def _not_named(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"{service} fails because one of its calls gets no answer, and the logs do not name the host: "
        f"{quote_text(conclusion)}",
        f"Check the services and hosts that {service} calls, and let {service} log the address with this error",
        (
            "check which of the project's services are down or slow since the onset",
            "check the status pages of the outside hosts that the failing code calls",
            "look at the slow requests before the first error",
        ),
    )


RENDERERS: dict[VerdictReason, Callable[[Conclusion], Texts]] = {
    VerdictReason.SIBLING_DOWN: _sibling_down,
    VerdictReason.SIBLING_RECOVERED: _sibling_recovered,
    VerdictReason.SIBLING_UNKNOWN: _sibling_unknown,
    VerdictReason.SIBLING_NOT_NAMED: _sibling_not_named,
    VerdictReason.SIBLING_ADDRESS_STALE: _address_stale,
    VerdictReason.STARTED_BEFORE_SIBLING: _started_before,
    VerdictReason.PRIVATE_NETWORK_DOWN: _private_network,
    VerdictReason.OUTBOUND_NETWORK_DOWN: _outbound_network,
    VerdictReason.UPSTREAM_DOWN: _upstream_down,
    VerdictReason.UPSTREAM_NOT_NAMED: _not_named,
    VerdictReason.HOST_UNKNOWN: _host_unknown,
}
