"""The sentence of a finding, rendered from its kind, its numbers and its labels. For people only.

No code reads a sentence to decide anything. `RENDERERS` is the only place that words findings, so a test can replace
all of them and expect the same decisions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from workers.models import Finding, FindingKind, Window
from workers.runtime.text import format_duration, format_milliseconds, plural

SHORT_WINDOW_SECONDS = 600.0  # in a shorter window clock times show seconds


@dataclass(frozen=True)
class TimeFormat:
    """The window of a finding and its sample step in seconds: how times are shown."""

    window: Window
    step: float

    def clock(self, at: datetime) -> str:
        """`03:04 UTC`, with seconds in a short window, with the date if it is not the day of the window's end."""
        pattern = "%H:%M:%S UTC" if self.window.seconds < SHORT_WINDOW_SECONDS else "%H:%M UTC"
        return at.strftime(pattern if at.date() == self.window.end.date() else "%Y-%m-%d " + pattern)

    def onset(self, at: datetime) -> str:
        """`03:04 UTC`, or `03:04 UTC or earlier` if the condition already held when the window began."""
        may_be_older = at <= self.window.start + timedelta(seconds=1.5 * self.step)
        return f"{self.clock(at)}{' or earlier' if may_be_older else ''}"

    def period(self, finding: Finding) -> str:
        """`since 03:04 UTC, ongoing`, or `since 03:04 UTC until 03:20 UTC`."""
        onset = f"since {self.onset(finding.since)}"
        if finding.ongoing or finding.last_seen is None:
            return f"{onset}, ongoing"
        return f"{onset} until {self.clock(finding.last_seen)}"


Renderer = Callable[[Finding, TimeFormat], str]


def render_sentence(finding: Finding, times: TimeFormat) -> str:
    """The sentence of the finding, without the name of its service."""
    sentence = RENDERERS[finding.kind](finding, times)
    if finding.seconds_to_limit is not None:
        limit = "full" if finding.kind == "volume" else "at the limit"
        sentence += f"; at this rate {limit} in {format_duration(finding.seconds_to_limit)}"
    if finding.chronic:
        return f"{sentence} (chronic: as long as the history reaches)"
    return f"{sentence} (matches its baseline)" if finding.is_baseline else sentence


def _occurrences(number: float) -> str:
    """`once`, `3 times`."""
    return "once" if number == 1 else f"{number:,.0f} times"


def _rate(number: float) -> str:
    """A rate in three significant digits: `0.25`, `49.3`, `1,200`."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


# ---- resources -------------------------------------------------------------------------------


def _cpu(finding: Finding, times: TimeFormat) -> str:
    numbers = finding.numbers
    if "baseline_vcpu" in numbers:
        level = f"CPU at {numbers['vcpu']:.3g} vCPU (baseline maximum {numbers['baseline_vcpu']:.2g} vCPU)"
        return f"{level} {times.period(finding)}"
    level = f"CPU at {numbers['mean_percent']:.0f} % of its {numbers['limit_vcpu']:g}-vCPU limit"
    return f"{level}{_replicas(finding)} {times.period(finding)}"


def _worker_idle(finding: Finding, times: TimeFormat) -> str:
    numbers = finding.numbers
    baseline = f"baseline {numbers['baseline_vcpu']:.2g} vCPU, never below {numbers['baseline_low_vcpu']:.2g}"
    return f"CPU fell to {numbers['vcpu']:.2g} vCPU ({baseline}) {times.period(finding)}"


def _memory(finding: Finding, times: TimeFormat) -> str:
    numbers = finding.numbers
    limit = f"its {numbers['limit_gb']:g}-GB limit"
    if "restarts" in numbers:
        restarts = f"restarted {_occurrences(numbers['restarts'])} since {times.onset(finding.since)}"
        return f"memory reached {numbers['peak_percent']:.0f} % of {limit}; {restarts}"
    return f"memory at {numbers['mean_percent']:.0f} % of {limit}{_replicas(finding)} {times.period(finding)}"


def _replicas(finding: Finding) -> str:
    total = finding.numbers.get("replicas_measured", 1.0)
    return f" on {finding.numbers['replicas']:.0f} of {total:.0f} replicas" if total > 1 else ""


def _memory_growth(finding: Finding, times: TimeFormat) -> str:
    numbers = finding.numbers
    growth = (
        f"memory grew by {numbers['grown_gb']:.3g} GB to {numbers['now_percent']:.0f} % "
        f"of its {numbers['limit_gb']:g}-GB limit"
    )
    if "hours_seen" in numbers:
        covered = format_duration(3600 * numbers["hours_seen"])
        return f"{growth} in {covered}, since {times.clock(finding.since)} or earlier"
    return f"{growth} in {format_duration(60 * numbers['minutes_seen'])}"


def _volume(finding: Finding, _times: TimeFormat) -> str:
    numbers, labels = finding.numbers, finding.labels
    used = f"{numbers['used_mb']:,.0f} of {numbers['size_mb']:,.0f} MB"
    return f"volume {labels['volume']} ({labels['mount_path']}) {numbers['used_percent']:.0f} % full ({used})"


# ---- traffic ---------------------------------------------------------------------------------


def _server_errors(finding: Finding, times: TimeFormat) -> str:
    failed, requests = finding.numbers["failed"], finding.numbers["requests"]
    percent = 100 * failed / requests
    # Two significant digits would round 99.6 % up to 100 %, which reads as a total outage.
    share = "100 %" if failed == requests else f"{percent:.1f} %" if percent >= 99.5 else f"{percent:.2g} %"
    verb = "failing" if finding.ongoing else "failed"
    counts = f"{failed:,.0f} of {requests:,.0f}"
    again = ""
    if "outages" in finding.numbers:
        again = f"; again in {finding.numbers['outages']:.0f} of the last {finding.numbers['windows']:.0f} windows"
    return f"{share} of requests {verb} (5xx, {counts}) {times.period(finding)}{again}"


def _latency(finding: Finding, times: TimeFormat) -> str:
    numbers = finding.numbers
    baseline = (
        f" (baseline {format_milliseconds(numbers['baseline_ms'])})" if "baseline_ms" in numbers else ""
    )
    return f"p95 latency {format_milliseconds(numbers['p95_ms'])}{baseline} {times.period(finding)}"


def _client_errors(finding: Finding, times: TimeFormat) -> str:
    numbers = finding.numbers
    successes = (
        f"{_rate(numbers['successes_per_minute'])} successful requests per minute "
        f"(baseline {_rate(numbers['baseline_successes_per_minute'])})"
    )
    return (
        f"{numbers['refused_percent']:.2g} % of requests rejected (4xx), {successes} {times.period(finding)}"
    )


def _traffic_surge(finding: Finding, times: TimeFormat) -> str:
    numbers = finding.numbers
    baseline = f"baseline maximum {_rate(numbers['baseline_per_minute'])}"
    return f"{_rate(numbers['requests_per_minute'])} requests per minute ({baseline}) {times.period(finding)}"


def _traffic_lost(finding: Finding, times: TimeFormat) -> str:
    numbers = finding.numbers
    requests = plural(round(numbers["requests"]), "request") if numbers["requests"] else "no requests"
    silence = format_duration(60 * numbers["silent_minutes"])
    baseline = f"baseline {_rate(numbers['baseline_per_minute'])} per minute"
    return f"{requests} in {silence} ({baseline}) since {times.onset(finding.since)}"


def _traffic_drop(finding: Finding, times: TimeFormat) -> str:
    numbers = finding.numbers
    baseline = f"at least {_rate(numbers['baseline_per_minute'])} expected"
    return f"only {_rate(numbers['requests_per_minute'])} requests per minute ({baseline}) {times.period(finding)}"


def _error_logs(finding: Finding, _times: TimeFormat) -> str:
    numbers = finding.numbers
    return f"{plural(round(numbers['lines']), 'error log line')} (baseline maximum {numbers['baseline_lines']:,.0f})"


# ---- containers and deployments --------------------------------------------------------------


def _oom_killed(finding: Finding, times: TimeFormat) -> str:
    numbers = finding.numbers
    limit = f" (limit {numbers['limit_gb']:g} GB)" if "limit_gb" in numbers else ""
    period = f"since {times.onset(finding.since)}{_last(finding, times)}"
    return f"killed for running out of memory {_occurrences(numbers['kills'])}{limit} {period}"


def _restart_loop(finding: Finding, times: TimeFormat) -> str:
    numbers = finding.numbers
    event = "process crashed" if finding.labels["event"] == "crashed" else "container started"
    replicas = f" ({plural(round(numbers['replicas']), 'replica')})" if numbers["replicas"] > 1 else ""
    within = format_duration(times.window.seconds)
    period = f"since {times.onset(finding.since)}{_last(finding, times)}"
    return f"{event} {_occurrences(numbers['starts'])} in {within}{replicas}, {period}"


def _last(finding: Finding, times: TimeFormat) -> str:
    return f", last at {times.clock(finding.last_seen)}" if finding.last_seen is not None else ""


def _crashed(finding: Finding, times: TimeFormat) -> str:
    numbers, labels = finding.numbers, finding.labels
    rest = "no running instance"
    if numbers["running_replicas"]:
        rest = f"{numbers['running_replicas']:.0f} of {numbers['replicas']:.0f} replicas running"
    elif "serving" in labels:
        rest = f"{labels['serving']} still serving"
    return f"crashed at {times.clock(finding.since)} ({labels['deployment']}); {rest}"


def _failed_deployment(finding: Finding, times: TimeFormat) -> str:
    at = times.clock(finding.since)
    if "deployment" in finding.labels:
        return f"newest deployment ({finding.labels['deployment']}) failed at {at}; {_older(finding)}"
    # Only the event feed reported the failure: the deployments could not be read.
    return f"deployment failed at {at}" + ("" if finding.ongoing else "; a later deployment succeeded")


def _stuck_deployment(finding: Finding, _times: TimeFormat) -> str:
    labels, waited = finding.labels, format_duration(60 * finding.numbers["minutes"])
    if reason := labels.get("reason"):
        return (
            f"newest deployment ({labels['deployment']}) skipped {waited} ago ({reason}); {_older(finding)}"
        )
    return f"newest deployment ({labels['deployment']}) {labels['status']} for {waited}; {_older(finding)}"


def _older(finding: Finding) -> str:
    older = finding.labels.get("serving")
    return f"an older deployment ({older}) is still serving" if older else "no other deployment is serving"


def _stopped(finding: Finding, times: TimeFormat) -> str:
    return f"stopped at {times.clock(finding.since)} ({finding.labels['deployment']}); no running instance"


def _missing(_finding: Finding, _times: TimeFormat) -> str:
    return "no deployment left; the last deployment was removed and not replaced"


def _cron_missed(finding: Finding, _times: TimeFormat) -> str:
    missed, expected = (round(finding.numbers[key]) for key in ("missed", "expected"))
    return f"{missed} of {plural(expected, 'scheduled run')} did not start ({_schedule(finding)})"


def _cron_overlap(finding: Finding, _times: TimeFormat) -> str:
    run, between = (format_duration(finding.numbers[key]) for key in ("run_seconds", "interval_seconds"))
    return f"a run takes {run}, and the next one is due after {between} ({_schedule(finding)})"


def _cron_slower(finding: Finding, _times: TimeFormat) -> str:
    run, usual = (format_duration(finding.numbers[key]) for key in ("run_seconds", "baseline_seconds"))
    return f"a run takes {run} (baseline {usual}; {_schedule(finding)})"


def _schedule(finding: Finding) -> str:
    return f"schedule {finding.labels['schedule']}"


def _egress(finding: Finding, _times: TimeFormat) -> str:
    numbers = finding.numbers
    rate = f"sends {numbers['gb_per_hour']:.3g} GB per hour (baseline {numbers['baseline_gb_per_hour']:.3g})"
    month = numbers.get("gb_per_month")
    return rate if month is None else f"{rate}; at this rate {month:,.0f} GB per month"


RENDERERS: dict[FindingKind, Renderer] = {
    "cpu": _cpu,
    "memory": _memory,
    "memory_growth": _memory_growth,
    "volume": _volume,
    "server_errors": _server_errors,
    "latency": _latency,
    "client_errors": _client_errors,
    "traffic_surge": _traffic_surge,
    "traffic_lost": _traffic_lost,
    "error_logs": _error_logs,
    "traffic_drop": _traffic_drop,
    "worker_idle": _worker_idle,
    "oom_killed": _oom_killed,
    "restart_loop": _restart_loop,
    "crashed": _crashed,
    "failed_deployment": _failed_deployment,
    "stuck_deployment": _stuck_deployment,
    "stopped": _stopped,
    "missing": _missing,
    "cron_missed": _cron_missed,
    "cron_overlap": _cron_overlap,
    "cron_slower": _cron_slower,
    "egress": _egress,
}
"""One renderer per kind of finding; each returns a sentence without the service's name."""
