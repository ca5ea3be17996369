"""Texts of verdicts about limits and the way to a service: Railway, traffic, schedules, resources, processes."""

from __future__ import annotations

from collections.abc import Callable

from workers.investigation.diagnosis.conclusion import Conclusion, Texts, quote_text
from workers.models import VerdictReason
from workers.runtime.text import plural

# ---- Railway itself ----


def _platform_incident(conclusion: Conclusion) -> Texts:
    count = int(conclusion.numbers["services"])
    verb = "is" if count == 1 else "are"
    return Texts(
        f"{plural(count, 'service')} {verb} failing while Railway reports an incident of its own",
        "Wait until Railway's status page reports recovery, then check again",
        ("follow Railway's status page", "check whether the services recover together"),
    )


def _way_in_lost(conclusion: Conclusion) -> Texts:
    services = plural(int(conclusion.numbers["services"]), "service")
    return Texts(
        f"{services} lost all requests in the same minute: Railway's edge, the DNS or a proxy in front of it is "
        "broken, not the services",
        "Request the public address of one of them from outside, and look at Railway's status page and at the DNS "
        "records of the domain",
        (
            "follow Railway's status page",
            "check whether the domain's name server and its certificate changed",
            "check the proxy or CDN in front of Railway, if there is one",
        ),
    )


def _stopped_by_platform(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"{service} was stopped from outside without a deployment or a kill for memory, which points to Railway: "
        f"{quote_text(conclusion)}",
        f"Restart {service} if it does not run (in Railway: {service}, Deployments, Restart), and ask Railway's "
        "support why it was stopped",
        (
            "look up in the project's activity log whether a person stopped or restarted it",
            "follow Railway's status page",
            "check whether other services of the project were stopped in the same minute",
        ),
    )


def _edge_failed(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"requests to {service} fail at Railway's edge proxy, while {service} itself answers the others and logs no "
        "error",
        "Wait for Railway, and look at its status page",
        (
            "follow Railway's status page",
            "check whether other services had the same burst",
            f"check whether {service} was being deployed or restarted in these minutes",
        ),
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


# ---- traffic ----


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
        f"Send a request to the domain of {conclusion.service} by hand: if it is answered, ask its callers, else check "
        "domain, DNS and proxy in this order",
        _traffic_checks(conclusion),
    )


def _traffic_fell(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    deployed = conclusion.recently_deployed
    cause = "since its newest deployment" if deployed else "and nothing in the service explains it"
    action = (
        f"Compare the routes of {service} with those of the deployment before, and look for 404 in its HTTP log"
        if deployed
        else f"Ask the callers of {service} whether they send less on purpose"
    )
    return Texts(
        f"far fewer requests than usual reach {service} {cause}: {_measured(conclusion)}",
        action,
        (*_traffic_checks(conclusion), "find the route or client whose requests are missing"),
    )


def _idle_worker(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    deployed = ", and whether its newest deployment still consumes it" if conclusion.recently_deployed else ""
    return Texts(
        f"{service} does far less work than usual and logs no reason: {_measured(conclusion)}",
        f"Check the length of the queue that {service} works on{deployed}; restart {service} if jobs wait there (in "
        f"Railway: {service}, Deployments, Restart)",
        (
            "check whether the scheduler or the services that enqueue jobs still run",
            f"look at the last lines that {service} logged before it fell silent",
            "check whether it waits for a lock, a connection or an outside call",
        ),
    )


def _traffic_checks(conclusion: Conclusion) -> tuple[str, ...]:
    deployed = ", and check its newest deployment and its port" if conclusion.recently_deployed else ""
    return (
        f"send a request to its domain by hand{deployed}",
        "check that the domain's name still points to Railway and its certificate is valid",
        "check the proxy or CDN in front of it",
        "check whether its callers still run, or were changed",
    )


# ---- schedules and egress ----


def _cron_missed(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"runs of {service} do not start when they are due: {_measured(conclusion)}",
        f"Run {service} by hand now (in Railway: {service}, Cron Runs, Run now), and report the missed runs to Railway",
        (
            "check whether the previous run still runs: then the next one is skipped",
            f"check the schedule of {service} (UTC) and whether the service is enabled",
            "follow Railway's status page",
        ),
    )


def _cron_overlap(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"a run of {service} lasts longer than the time to the next one, which is then skipped: "
        f"{_measured(conclusion)}",
        f"Set the schedule of {service} to a longer interval than a run takes (in Railway: {service}, Settings, Cron "
        "Schedule), or end a run before the next one is due",
        (
            "check whether the run hangs: read its last log lines",
            "check whether the process exits when its work is done",
        ),
    )


def _cron_slower(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"runs of {service} take longer and longer: {_measured(conclusion)}",
        f"Find the step of {service} that grows with its data before a run reaches the next one",
        (
            "compare the log of a run today with one of a week ago, step by step",
            "check the amount of data that each run works on",
            "look for slow queries and slow outside calls during a run",
        ),
    )


def _measured(conclusion: Conclusion) -> str:
    return conclusion.finding.sentence if conclusion.finding else ""


def _egress_proxy(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    variable = next(iter(conclusion.names), "") or "the variable that holds the database's address"
    return Texts(
        f"{service} sends much more data than usual, and most of it to {conclusion.subject}, the public proxy of a "
        f"database: {_measured(conclusion)}",
        f"Set {variable} of {service} in Railway ({service}, Variables) to the private address of the database "
        "(*.railway.internal), and deploy again: private traffic costs nothing",
        (
            f"check which variable names {conclusion.subject}",
            "look at the usage page of the project for the costs",
        ),
    )


def _egress_grew(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    peer = f", most of it to {conclusion.subject}" if conclusion.subject else ""
    return Texts(
        f"{service} sends much more data than usual{peer}: {_measured(conclusion)}",
        f"Find what {service} sends{' to ' + conclusion.subject if conclusion.subject else ''}, and stop it if it is "
        "not wanted; it is billed by the GB",
        (
            "look for large responses in the HTTP log, and for clients that repeat them",
            "read the network flows of the service by peer (in Railway: Observability)",
            "check whether backups or exports leave the service",
        ),
    )


RENDERERS: dict[VerdictReason, Callable[[Conclusion], Texts]] = {
    VerdictReason.PLATFORM_INCIDENT: _platform_incident,
    VerdictReason.WAY_IN_LOST: _way_in_lost,
    VerdictReason.STOPPED_BY_PLATFORM: _stopped_by_platform,
    VerdictReason.EDGE_FAILED: _edge_failed,
    VerdictReason.SERVICE_REMOVED: _removed,
    VerdictReason.NO_DEPLOYMENT_LEFT: _removed,
    VerdictReason.NOT_LISTENING: _not_listening,
    VerdictReason.DOMAIN_REMOVED: _domain_removed,
    VerdictReason.TRAFFIC_GONE: _traffic_gone,
    VerdictReason.TRAFFIC_FELL: _traffic_fell,
    VerdictReason.WORKER_IDLE: _idle_worker,
    VerdictReason.CRON_MISSED: _cron_missed,
    VerdictReason.CRON_OVERLAP: _cron_overlap,
    VerdictReason.CRON_SLOWER: _cron_slower,
    VerdictReason.EGRESS_THROUGH_PUBLIC_PROXY: _egress_proxy,
    VerdictReason.EGRESS_GREW: _egress_grew,
}
