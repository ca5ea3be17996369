"""A finding in a few words with its most important number: what a lock screen shows. Pure.

The sentences of `detection.sentences` say everything about a finding; these say as much as a tired person reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from workers.models import Finding, Severity, Window
from workers.runtime.local_clock import LocalClock
from workers.runtime.text import format_duration, format_milliseconds, plural

EARLY_ONSET_SECONDS = 90.0  # after the window's start: the condition may have begun before the window
DOWN_KINDS = ("crashed", "missing", "stopped")
KIND_ORDER = (
    *DOWN_KINDS, "oom_killed", "restart_loop", "server_errors", "traffic_lost", "failed_deployment", "client_errors",
    "memory_growth", "volume", "latency", "memory", "cpu", "stuck_deployment", "cron_missed", "cron_overlap",
)  # fmt: skip
"""Kinds of findings by what they mean for users, worst first: errors come before slowness. Others follow."""

Words = Callable[[Finding], str]


def ranked(findings: Sequence[Finding]) -> list[Finding]:
    """The findings, those that matter most first."""
    severities = list(Severity)
    ranks = {kind: rank for rank, kind in enumerate(KIND_ORDER)}
    return sorted(
        findings,
        key=lambda item: (-severities.index(item.severity), ranks.get(item.kind, len(ranks))),
    )


def trouble(finding: Finding, window: Window | None, clock: LocalClock) -> str:
    """`94 % of requests fail since 14:02`, not escaped.

    A finding without the numbers of its kind is worded by its sentence.

    Args:
        window: the checked time; an onset at its start may be earlier. None if it is not known.
    """
    words = describe(finding)
    if not words:
        return finding.sentence
    if finding.chronic:
        return f"{words}, unchanged as far back as the data goes"
    reference = window.end if window else finding.last_seen
    onset = clock.at(finding.since, reference)
    early = window is not None and (finding.since - window.start).total_seconds() <= EARLY_ONSET_SECONDS
    if not finding.ongoing and finding.last_seen and finding.last_seen > finding.since:
        return f"{words}, {clock.span(finding.since, finding.last_seen, reference)}"
    return f"{words} since {onset}{' or earlier' if early else ''}"


def describe(finding: Finding) -> str:
    """`94 % of requests fail`, without any text from outside; "" if the finding lacks the numbers of its kind."""
    try:
        return _WORDS[finding.kind](finding) if finding.kind in _WORDS else finding.kind.replace("_", " ")
    except KeyError:
        return ""


def describe_past(finding: Finding) -> str:
    """`94 % of requests failed`: `describe` for trouble that is over; a forecast is left out."""
    ended = finding.model_copy(update={"ongoing": False, "seconds_to_limit": None})
    if finding.kind == "memory_growth" and {"now_percent", "limit_gb"} <= finding.numbers.keys():
        return f"memory grew to {finding.numbers['now_percent']:.0f} % of {finding.numbers['limit_gb']:g} GB"
    words = describe(ended)
    for present, past in _PAST:
        words = words.replace(present, past)
    return words


def share(part: float, whole: float) -> str:
    """`94 %`. Only all of them are `100 %`, which reads as a total outage."""
    percent = 100 * part / whole if whole else 0.0
    if part == whole:
        return "100 %"
    return f"{percent:.1f} %" if percent >= 99.5 or percent < 1 else f"{percent:.0f} %"


def _server_errors(finding: Finding) -> str:
    numbers = finding.numbers
    verb = "fail" if finding.ongoing else "failed"
    if "requests" not in numbers:
        return f"{numbers['failed_percent']:.3g} % of requests {verb}"
    return f"{share(numbers['failed'], numbers['requests'])} of requests {verb}"


def _latency(finding: Finding) -> str:
    baseline = finding.numbers.get("baseline_ms")
    usual = f" (usually {format_milliseconds(baseline)})" if baseline is not None else ""
    return f"p95 {format_milliseconds(finding.numbers['p95_ms'])}{usual}"


def _memory_growth(finding: Finding) -> str:
    numbers = finding.numbers
    level = f"{numbers['now_percent']:.0f} % of {numbers['limit_gb']:g} GB"
    if finding.seconds_to_limit is not None:
        return f"out of memory in about {format_duration(finding.seconds_to_limit)} ({level}), growing"
    return f"memory grows steadily, now {level}"


def _memory(finding: Finding) -> str:
    numbers = finding.numbers
    percent = numbers["peak_percent"] if "restarts" in numbers else numbers["mean_percent"]
    return f"memory at {percent:.0f} % of {numbers['limit_gb']:g} GB"


def _cpu(finding: Finding) -> str:
    numbers = finding.numbers
    if "baseline_vcpu" in numbers:
        return f"CPU at {numbers['vcpu']:.3g} vCPU (usually at most {numbers['baseline_vcpu']:.2g})"
    if "limit_vcpu" not in numbers:
        return f"CPU at {numbers.get('peak_percent', numbers['mean_percent']):.0f} % of its limit"
    return f"CPU at {numbers['mean_percent']:.0f} % of {numbers['limit_vcpu']:g} vCPU"


def _volume(finding: Finding) -> str:
    percent = finding.numbers["used_percent"]
    if finding.seconds_to_limit is not None:
        return (
            f"volume {percent:.0f} % full, no space left in about {format_duration(finding.seconds_to_limit)}"
        )
    return f"volume {percent:.0f} % full"


def _crashed(finding: Finding) -> str:
    numbers = finding.numbers
    if numbers.get("running_replicas"):
        return f"{numbers['running_replicas']:.0f} of {numbers['replicas']:.0f} replicas running, the others crashed"
    return (
        "newest deployment crashed, an older one still serves"
        if "serving" in finding.labels
        else "down, crashed"
    )


def _failed_deployment(finding: Finding) -> str:
    older = "an older one still serves" if "serving" in finding.labels else "nothing else serves"
    return f"newest deployment failed, {older}"


def _restart_loop(finding: Finding) -> str:
    return f"restarts again and again ({plural(round(finding.numbers['starts']), 'start')})"


def _oom_killed(finding: Finding) -> str:
    limit = f" (limit {finding.numbers['limit_gb']:g} GB)" if "limit_gb" in finding.numbers else ""
    times = round(finding.numbers["kills"])
    return f"killed for running out of memory{limit}{'' if times == 1 else f' {times} times'}"


def _client_errors(finding: Finding) -> str:
    return f"{finding.numbers['refused_percent']:.2g} % of requests are refused (4xx)"


def _traffic_lost(finding: Finding) -> str:
    if not finding.numbers.get("requests"):
        return "no requests"
    return f"hardly any requests ({plural(round(finding.numbers['requests']), 'request')})"


def _traffic_surge(finding: Finding) -> str:
    rate, usual = (_rate(finding.numbers[key]) for key in ("requests_per_minute", "baseline_per_minute"))
    return f"{rate} requests a minute (usually at most {usual})"


def _traffic_drop(finding: Finding) -> str:
    return f"only {_rate(finding.numbers['requests_per_minute'])} requests a minute"


def _error_logs(finding: Finding) -> str:
    return f"{plural(round(finding.numbers['lines']), 'error')} in the log"


def _cron_missed(finding: Finding) -> str:
    missed, expected = (round(finding.numbers[key]) for key in ("missed", "expected"))
    return f"{missed} of {plural(expected, 'scheduled run')} did not start"


def _rate(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


_PAST = (
    ("restarts again", "restarted again"),
    ("are refused", "were refused"),
    ("still serves", "still served"),
    ("else serves", "else served"),
    ("does not go live", "did not go live"),
    ("overlap", "overlapped"),
    ("take longer", "took longer"),
    ("sends ", "sent "),
)
"""Verbs of our own words in both tenses."""
_WORDS: dict[str, Words] = {
    "server_errors": _server_errors,
    "latency": _latency,
    "memory_growth": _memory_growth,
    "memory": _memory,
    "cpu": _cpu,
    "volume": _volume,
    "crashed": _crashed,
    "failed_deployment": _failed_deployment,
    "stuck_deployment": lambda _: "newest deployment does not go live",
    "restart_loop": _restart_loop,
    "oom_killed": _oom_killed,
    "client_errors": _client_errors,
    "traffic_lost": _traffic_lost,
    "traffic_surge": _traffic_surge,
    "traffic_drop": _traffic_drop,
    "error_logs": _error_logs,
    "stopped": lambda _: "down, stopped",
    "missing": lambda _: "down, no deployment left",
    "cron_missed": _cron_missed,
    "cron_overlap": lambda _: "scheduled runs overlap",
    "cron_slower": lambda _: "scheduled runs take longer than usual",
    "worker_idle": lambda _: "worker idle",
    "egress": lambda item: f"sends {item.numbers['gb_per_hour']:.3g} GB an hour",
}
