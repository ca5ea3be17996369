"""Texts of verdicts about load, resources that run out, processes that end, and failures that are over."""

from __future__ import annotations

from collections.abc import Callable

from workers.investigation.diagnosis.conclusion import Conclusion, Texts, quote_text
from workers.models import VerdictReason
from workers.runtime.text import format_duration


def _more_traffic(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"{service} gets more requests than before, and no error points to a fault in the code",
        f"Give {service} more replicas or a higher limit (in Railway: {service}, Settings, Deploy), or slow the "
        "callers down",
        (
            "find the clients that send the additional requests",
            "check whether the additional requests are wanted",
            "find the routes of the additional requests",
        ),
    )


def _resource_limit(resource: str, unit: str) -> Callable[[Conclusion], Texts]:
    def render(conclusion: Conclusion) -> Texts:
        service = conclusion.service
        action = f"Raise the {resource} limit of {service} (in Railway: {service}, Settings, Deploy)"
        if target := conclusion.numbers.get("target"):
            current = conclusion.numbers["current"]
            action = (
                f"Raise the {resource} limit of {service} from {current:g} to {target:.2g} {unit} (in Railway: "
                f"{service}, Settings, Deploy), or spread the load over replicas"
            )
        if "steady_load" in conclusion.numbers:
            return _more_for_the_same_load(conclusion, action)
        return Texts(_limit_summary(conclusion), f"{action}{_ceiling(conclusion)}", _limit_checks(resource))

    return render


def _more_for_the_same_load(conclusion: Conclusion, action: str) -> Texts:
    service = conclusion.service
    return Texts(
        f"{_limit_summary(conclusion)}, without more requests: a loop or a regression is likelier than real need",
        f"Restart {service}, and find out what it computes: profile it, and compare it with the deployment before. "
        f"{action} only if the usage is real work",
        (
            f"take a profile or a stack dump of {service} while it is busy",
            "check what changed before the onset: deployments, variables, scheduled jobs, data",
            "check whether one request or one job causes all of it",
        ),
    )


def _ceiling(conclusion: Conclusion) -> str:
    ceiling = conclusion.numbers.get("ceiling_mb")
    option = conclusion.subject or "the runtime's own ceiling"
    return f". Raise {option} with it: the process ended at {ceiling:,.0f} MB" if ceiling else ""


def _volume_full(conclusion: Conclusion) -> Texts:
    seconds = conclusion.finding.seconds_to_limit if conclusion.finding else None
    when = "" if seconds is None else " now" if seconds < 2 * 3600 else f" within {format_duration(seconds)}"
    return Texts(
        _limit_summary(conclusion),
        f"Enlarge the volume of {conclusion.service}{when}, or delete data that is no longer needed",
        _limit_checks("disk"),
    )


def _disk_full(conclusion: Conclusion) -> Texts:
    service, path = conclusion.service, conclusion.subject
    where = f" at {path}" if path else ""
    return Texts(
        f"the disk of {service} is full{where}: {quote_text(conclusion)}",
        f"Delete files that {service} no longer needs{where}, and attach a volume for what must stay (in Railway: "
        f"{service}, Attach volume). A restart empties the disk of the container, but no volume",
        (
            f"list the largest folders in a shell of {service} (du -xh / | sort -h | tail)",
            "check whether uploads, caches or log files are ever deleted",
        ),
    )


def _limit_summary(conclusion: Conclusion) -> str:
    quote = f": {quote_text(conclusion)}" if conclusion.quote else ""
    need = conclusion.finding.sentence if conclusion.finding else ""
    if conclusion.quote and conclusion.reason is VerdictReason.MEMORY_LIMIT:
        return f"{conclusion.service} ran out of memory and needs more than its limit{quote}"
    return f"{conclusion.service} needs more than its limit: {need or conclusion.quote}"


def _limit_checks(resource: str) -> tuple[str, ...]:
    return (
        f"measure {resource} usage over a whole day",
        "check how much of the usage is real load",
        "check whether the usage grows from week to week",
    )


def _process_ended(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"the process of {service} exited without an error, and nothing restarts it",
        f"Start {service} again, and set its restart policy to Always (in Railway: {service}, Settings, Deploy; not on "
        "the Free and Trial plans): On Failure does not restart a process that exits with 0. If it is a job, give it a "
        "schedule",
        (
            "look up in the project's activity log who stopped it",
            "check its start command",
            "check its restart policy",
        ),
    )


def _recovered(conclusion: Conclusion) -> Texts:
    return Texts(
        f"{conclusion.service} has recovered, and nothing in the code explains the failure",
        "Nothing for now. Trackwalker checks again if it comes back",
        (
            "watch whether it comes back at the same time of day",
            "look at deployments and restarts around it",
        ),
    )


RENDERERS: dict[VerdictReason, Callable[[Conclusion], Texts]] = {
    VerdictReason.MORE_TRAFFIC: _more_traffic,
    VerdictReason.CPU_LIMIT: _resource_limit("CPU", "vCPU"),
    VerdictReason.MEMORY_LIMIT: _resource_limit("memory", "GB"),
    VerdictReason.VOLUME_FULL: _volume_full,
    VerdictReason.DISK_FULL: _disk_full,
    VerdictReason.PROCESS_ENDED: _process_ended,
    VerdictReason.RECOVERED: _recovered,
}
