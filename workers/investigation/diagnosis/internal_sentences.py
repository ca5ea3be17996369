"""Texts of verdicts about causes inside the service: failed deployments, code, limits, its process."""

from __future__ import annotations

from collections.abc import Callable

from workers.investigation.diagnosis.conclusion import Conclusion, Texts, quote_text
from workers.models import CodeLocation, VerdictReason
from workers.runtime.text import format_duration


def _failed_deployment(conclusion: Conclusion) -> Texts:
    unhealthy = conclusion.reason is VerdictReason.HEALTH_CHECK_FAILED
    failure = "failed its health check" if unhealthy else "could not be built or started"
    return Texts(
        f"the newest deployment of {conclusion.service} {failure}: {quote_text(conclusion)}",
        next_checks=(
            "read the build logs up to the first error",
            "look at the changes of the newest commit to the manifests",
        ),
    )


# ---- code ----


def _error_in_code(conclusion: Conclusion) -> Texts:
    place = _place(conclusion.location)
    return Texts(
        f"{conclusion.service} fails at {place}: {quote_text(conclusion) or 'an error'}",
        next_checks=(f"find the input that leads to {place}", "check whether other callers of it fail too"),
    )


def _refuses_since_commit(conclusion: Conclusion) -> Texts:
    return Texts(
        f"{conclusion.service} refuses requests that it used to accept, since a commit that changed "
        f"{_file_and_line(conclusion.location)}",
        next_checks=(
            "find the refused requests that were accepted before",
            "check whether the previous deployment accepts them",
        ),
    )


def _behaviour(behaviour: str, *, since_commit: bool) -> Callable[[Conclusion], Texts]:
    where = "since a commit that changed" if since_commit else "on one route only, handled by"

    def render(conclusion: Conclusion) -> Texts:
        location = conclusion.location
        return Texts(
            f"{conclusion.service} {behaviour} {where} {_file_and_line(location)}",
            next_checks=(
                f"look for data that {location.file if location else ''} keeps, or work that it repeats",
                "check whether the previous deployment behaves the same",
            ),
        )

    return render


def _recovered(conclusion: Conclusion) -> Texts:
    return Texts(
        f"{conclusion.service} has recovered, and nothing in the code explains the failure",
        "Nothing for now. Trackwalker checks again if it comes back",
        (
            "watch whether it comes back at the same time of day",
            "look at deployments and restarts around it",
        ),
    )


def _process_ended(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"the process of {service} exited without an error, and nothing restarts it",
        f"Start {service} again. If it is a job, give it a schedule, else a start command that keeps running",
        (
            "look up in the project's activity log who stopped it",
            "check its start command",
            "check its restart policy",
        ),
    )


# ---- resource limits ----


def _resource_limit(resource: str, unit: str) -> Callable[[Conclusion], Texts]:
    def render(conclusion: Conclusion) -> Texts:
        service = conclusion.service
        action = f"Raise the {resource} limit of {service}"
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
        f"Enlarge the volume of {conclusion.service}{when}, or delete data that is no longer needed",
        _limit_checks("disk"),
    )


def _limit_summary(conclusion: Conclusion) -> str:
    need = conclusion.finding.sentence if conclusion.finding else "its logs report that memory ran out"
    return f"{conclusion.service} needs more than its limit: {need}"


def _limit_checks(resource: str) -> tuple[str, ...]:
    return (
        f"measure {resource} usage over a whole day",
        "check how much of the usage is real load",
        "check whether the usage grows from week to week",
    )


def _file_and_line(location: CodeLocation | None) -> str:
    return f"{location.file}:{location.line}" if location else ""


def _place(location: CodeLocation | None) -> str:
    function = f" in {location.function}" if location and location.function else ""
    return f"{_file_and_line(location)}{function}"


RENDERERS: dict[VerdictReason, Callable[[Conclusion], Texts]] = {
    VerdictReason.HEALTH_CHECK_FAILED: _failed_deployment,
    VerdictReason.BUILD_OR_START_FAILED: _failed_deployment,
    VerdictReason.ERROR_IN_CODE: _error_in_code,
    VerdictReason.REFUSES_SINCE_COMMIT: _refuses_since_commit,
    VerdictReason.LEAK_SINCE_COMMIT: _behaviour("leaks memory", since_commit=True),
    VerdictReason.SLOW_SINCE_COMMIT: _behaviour("is slow", since_commit=True),
    VerdictReason.BUSY_SINCE_COMMIT: _behaviour("is busy", since_commit=True),
    VerdictReason.LEAK_ON_ROUTE: _behaviour("leaks memory", since_commit=False),
    VerdictReason.SLOW_ROUTE: _behaviour("is slow", since_commit=False),
    VerdictReason.BUSY_ROUTE: _behaviour("is busy", since_commit=False),
    VerdictReason.CPU_LIMIT: _resource_limit("CPU", "vCPU"),
    VerdictReason.MEMORY_LIMIT: _resource_limit("memory", "GB"),
    VerdictReason.VOLUME_FULL: _volume_full,
    VerdictReason.PROCESS_ENDED: _process_ended,
    VerdictReason.RECOVERED: _recovered,
}
