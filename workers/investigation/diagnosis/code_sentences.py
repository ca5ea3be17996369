"""Texts of verdicts about own code: errors, refusals, slowness and leaks."""

from __future__ import annotations

from collections.abc import Callable

from workers.investigation.diagnosis.conclusion import Conclusion, Texts, place_text, quote_text
from workers.models import CodeLocation, VerdictReason
from workers.runtime.text import format_duration

RESTART_BELOW_SECONDS = 3600.0  # until memory is full: a review, a merge and a build may take longer
COMMIT_CHARS = 7  # as GitHub shortens commits


def _error_in_code(conclusion: Conclusion) -> Texts:
    place = place_text(conclusion.location)
    caller = conclusion.caller
    called = f", called at {place_text(caller)}" if caller else ""
    commit, suspected = conclusion.commit[:COMMIT_CHARS], caller or conclusion.location
    since = f". Commit {commit} changed {suspected.file}" if commit and suspected else ""
    back = (
        f"Roll {conclusion.service} back to the deployment before commit {commit} "
        "(this restores its variables too), then correct"
    )
    action = f"{back if commit else 'Correct'} {_line(suspected)}"
    return Texts(
        f"{conclusion.service} fails at {place}{called}: {quote_text(conclusion) or 'an error'}{since}",
        action,
        (f"find the input that leads to {place}", "check whether other callers of it fail too"),
    )  # fmt: skip


def _refuses_since_commit(conclusion: Conclusion) -> Texts:
    quote = f": {quote_text(conclusion)}" if conclusion.quote else ""
    return Texts(
        f"{conclusion.service} has refused requests that it used to accept since a commit changed "
        f"{_line(conclusion.location)}{quote}",
        f"Roll {conclusion.service} back to the deployment before that commit (this restores its variables too), "
        f"or correct {_line(conclusion.location)}",
        (
            "find the refused requests that were accepted before",
            "check whether the previous deployment accepts them",
        ),
    )


def _input_rejected(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    field = f" because of the field {conclusion.subject}" if conclusion.subject else ""
    handler = f" at {place_text(conclusion.location)}" if conclusion.location else ""
    return Texts(
        f"{service} refuses requests{field}, and no commit to their handler explains it: {quote_text(conclusion)}",
        f"Compare a refused request with what {service} expects{handler}, then correct the caller or accept the field",
        (
            "ask the caller whether its requests changed at the onset",
            f"replay a refused request against {service}, and read its validation error",
            "check whether the sender is an outside service that changed its format",
        ),
    )


def _locked_out(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"{service} rejects the credentials of its callers, and no commit explains it",
        f"Correct the keys or allowed origins that {service} and its callers share (in Railway: {service}, Variables)",
        (
            "find the keys, secrets and sessions that changed or expired at the onset",
            "find the clients whose requests are refused",
        ),
    )


def _behaviour(behaviour: str, *, since_commit: bool) -> Callable[[Conclusion], Texts]:
    where = "since a commit changed" if since_commit else "on one route only, handled by"

    def render(conclusion: Conclusion) -> Texts:
        location, service = conclusion.location, conclusion.service
        quote = f": {quote_text(conclusion)}" if conclusion.quote else ""
        back = (
            f"Roll {service} back to the deployment before that commit (this restores its variables too), "
            f"then correct {_line(location)}"
        )
        advice = back if since_commit else f"Profile {_line(location)} with a slow request, and correct it"
        return Texts(
            f"{service} {behaviour}{_time_left(conclusion)} {where} {_line(location)}{quote}",
            f"{_restart(conclusion)}{advice}",
            (
                f"look for data that {location.file if location else ''} keeps, or work that it repeats",
                "check whether the previous deployment behaves the same",
            ),
        )

    return render


def _time_left(conclusion: Conclusion) -> str:
    """` (84 % of its limit, full in about 9 min),` for a leak whose end is known."""
    seconds, percent = conclusion.numbers.get("seconds_to_limit"), conclusion.numbers.get("percent")
    if seconds is None:
        return ""
    level = f"{percent:.0f} % of its limit, " if percent is not None else ""
    return f" ({level}at the limit in about {format_duration(seconds)}),"


def _restart(conclusion: Conclusion) -> str:
    """`Restart api now, which buys about 40 min. ` where a merge would come too late."""
    seconds, buys = conclusion.numbers.get("seconds_to_limit"), conclusion.numbers.get("restart_seconds")
    if seconds is None or seconds > RESTART_BELOW_SECONDS:
        return ""
    gain = f", which buys about {format_duration(buys)}" if buys else ""
    return f"Restart {conclusion.service} now{gain}. Then: "


def _worker_timeout(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    server = conclusion.subject or "its server"
    place = f" A request was at {place_text(conclusion.location)}." if conclusion.location else ""
    return Texts(
        f"{service} loses workers because single requests take longer than {server} allows, not because of memory: "
        f"{quote_text(conclusion)}.{place}",
        f"Find the request that hangs, and give its outside calls and queries a time limit below that of {server}. "
        f"Until then raise the worker timeout of {service} in its start command (gunicorn: --timeout 120)",
        (
            "list the slowest requests before each worker time-out, by path",
            "look for slow queries and slow outside calls at these times",
            f"take a stack dump of a worker that hangs (py-spy dump --pid) in a shell of {service}",
        ),
    )


def _line(location: CodeLocation | None) -> str:
    return location.position if location else ""


RENDERERS: dict[VerdictReason, Callable[[Conclusion], Texts]] = {
    VerdictReason.ERROR_IN_CODE: _error_in_code,
    VerdictReason.REFUSES_SINCE_COMMIT: _refuses_since_commit,
    VerdictReason.INPUT_REJECTED: _input_rejected,
    VerdictReason.CALLERS_LOCKED_OUT: _locked_out,
    VerdictReason.LEAK_SINCE_COMMIT: _behaviour("has leaked memory", since_commit=True),
    VerdictReason.SLOW_SINCE_COMMIT: _behaviour("has been slow", since_commit=True),
    VerdictReason.BUSY_SINCE_COMMIT: _behaviour("has used much CPU", since_commit=True),
    VerdictReason.LEAK_ON_ROUTE: _behaviour("leaks memory", since_commit=False),
    VerdictReason.SLOW_ROUTE: _behaviour("is slow", since_commit=False),
    VerdictReason.BUSY_ROUTE: _behaviour("uses much CPU", since_commit=False),
    VerdictReason.WORKER_TIMEOUT: _worker_timeout,
}
