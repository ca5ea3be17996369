"""Renders facts for people and prompts. The only place of their wording, with `cause_sentences`."""

from __future__ import annotations

from collections.abc import Callable

from workers.investigation.evidence import cause_sentences
from workers.models import Deployment, Fact, FactKind, LogSource, RequestPattern, Suspect
from workers.runtime.text import (
    format_duration,
    format_milliseconds,
    join_names,
    one_line,
    plural,
)

MAX_LISTED_FILES = 8  # files of a commit that a sentence lists by name
MAX_QUOTE_CHARS = 120  # first line of a commit message, an author or a status text
COMMIT_CHARS = 12  # enough to be unique in any repository and still readable
POINTERS = {"stack": "stack traces point to", "log": "log lines name", "build": "the build log names"}
LOG_NAMES = {LogSource.DEPLOYMENT: "the logs", LogSource.BUILD: "the build logs"}


def render_fact(fact: Fact) -> str:
    """The fact as one sentence, from its kind and typed fields."""
    return RENDERERS[fact.kind](fact)


def _finding(fact: Fact) -> str:
    finding = fact.finding
    return f"{finding.named_sentence} [{finding.severity.value}]" if finding else ""


def _symptom(fact: Fact) -> str:
    return f"also affected: {_finding(fact)}" if fact.finding else ""


def _suspect(fact: Fact) -> str:
    suspect = fact.suspect
    if suspect is None:
        return ""
    message = f' "{_first_line(suspect.message)}"' if suspect.message else ""
    author = f" by {_first_line(suspect.author)}" if suspect.author else ""
    return (
        f"deployed version at onset: {_commit_name(suspect)}{message}{author}, deployment {suspect.deployment_id} "
        f"of {suspect.at:%Y-%m-%d %H:%M:%S} UTC; the failure {_start(fact.numbers['seconds_to_onset'])}"
    )


def _start(seconds_to_onset: float) -> str:
    if seconds_to_onset < 0:
        return "started during its rollout"
    return f"started {format_duration(seconds_to_onset)} after it"


def _commit_name(suspect: Suspect) -> str:
    return f"commit {suspect.commit[:COMMIT_CHARS]}" if suspect.commit else "an unknown commit"


def _changed_files(fact: Fact) -> str:
    if fact.suspect is None:
        return ""
    return f"{_commit_name(fact.suspect)} changed {join_names(fact.suspect.files, MAX_LISTED_FILES)}"


def _log_pattern(fact: Fact) -> str:
    pattern = fact.pattern
    if pattern is None:
        return ""
    source = "build log: " if fact.source is LogSource.BUILD else ""
    level = "" if pattern.level == "error" else f" ({pattern.level})"
    first, last = f"{pattern.first:%H:%M:%S}", f"{pattern.last:%H:%M:%S}"
    if pattern.count == 1:
        times = f"once at {last} UTC"
    else:
        span = f"at {last} UTC" if first == last else f"from {first} to {last} UTC"
        times = f"{_times(pattern.count)} {span}"
    return f"{source}logged {times}{level}: {pattern.template}"


def _no_log_errors(fact: Fact) -> str:
    log = LOG_NAMES[fact.source or LogSource.DEPLOYMENT]
    return f"no errors in {log} ({plural(int(fact.numbers['records']), 'record')} read)"


def _requests(fact: Fact) -> str:
    request = fact.request
    if request is None:
        return ""
    edge = ", answered by Railway's edge proxy and not by the service" if request.platform_answer else ""
    return (
        f"{request.method} {request.route} {_request_verb(request)} {_times(request.count)} with "
        f"{request.status}{edge}; slowest {format_milliseconds(request.slowest_ms)} (for example {request.path})"
    )


def _request_verb(request: RequestPattern) -> str:
    if request.status >= 500:
        return "failed"
    return "was refused" if request.status >= 400 else "was slow"


def _code_location(fact: Fact) -> str:
    location = fact.location
    if location is None:
        return ""
    function = f" in {location.function}" if location.function else ""
    place = f"{location.position}{function}"
    if location.why in POINTERS:
        return f"{POINTERS[location.why]} {place} ({_times(location.count)})"
    if location.why == "route":
        return f"{place} handles {plural(location.count, 'failing, refused or slow request')}"
    lines = f" ({plural(location.count, 'line')} of the file)" if location.line else ""
    return f"the commit deployed at onset changed {place}{lines}"


def _upstream(fact: Fact) -> str:
    upstream = fact.upstream
    if upstream is None:
        return ""
    mentions = f"the code calls {upstream.host}, no log error mentions it"
    if upstream.errors:
        verb = "mentions" if upstream.errors == 1 else "mention"
        mentions = f"{plural(upstream.errors, 'log error')} {verb} {upstream.host}"
    description = _first_line(upstream.description)
    if upstream.state == "unknown":
        return f"{mentions}; {description or 'the state of its status page is unknown'}"
    return f"{mentions}; its status page says {upstream.state}" + (f": {description}" if description else "")


def _load(fact: Fact) -> str:
    verb = "grew" if fact.kind is FactKind.LOAD_GREW else "did not grow"
    before, since = fact.numbers["before_per_minute"], fact.numbers["since_per_minute"]
    return f"load {verb}: {before:.1f} requests/min before the onset, {since:.1f} requests/min since"


def _public_domain(fact: Fact) -> str:
    return f"{fact.service} has a public domain; whether its DNS name still points to Railway is unknown"


def _no_public_domain(fact: Fact) -> str:
    return f"{fact.service} no longer has a public domain"


def _headroom(fact: Fact) -> str:
    resource = "CPU" if fact.kind is FactKind.CPU_HEADROOM else "memory"
    # Rounded up: `stayed below 0 %` would be wrong for any usage at all.
    return f"{resource} stayed below {fact.numbers['peak_percent'] + 1:.0f} % of its limit"


def _server_error_count(fact: Fact) -> str:
    failed, requests = int(fact.numbers["failed"]), int(fact.numbers["requests"])
    return f"{failed:,} of {plural(requests, 'request')} in the window failed with 5xx"


def _no_restart_loop(fact: Fact) -> str:
    return f"no restart loop: the container started {_times(int(fact.numbers['starts']))} in the window"


def _deployment(fact: Fact) -> str:
    deployment = fact.deployment
    if deployment is None:
        return ""
    examined = ", examined here" if fact.kind is FactKind.EXAMINED_DEPLOYMENT else ""
    created = f"{deployment.created_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"deployment {deployment.id[:8]} of {created}: {deployment.status}, {_origin(deployment)}{examined}"
    )


def _origin(deployment: Deployment) -> str:
    if deployment.commit:
        return f"commit {deployment.commit[:COMMIT_CHARS]}"
    return deployment.image or "no commit"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _first_line(text: str | None) -> str:
    return one_line((text or "").strip().split("\n")[0], MAX_QUOTE_CHARS)


RENDERERS: dict[FactKind, Callable[[Fact], str]] = {
    **cause_sentences.RENDERERS,
    FactKind.FINDING: _finding,
    FactKind.SYMPTOM: _symptom,
    FactKind.SUSPECT: _suspect,
    FactKind.CHANGED_FILES: _changed_files,
    FactKind.LOG_PATTERN: _log_pattern,
    FactKind.NO_LOG_ERRORS: _no_log_errors,
    FactKind.REQUESTS: _requests,
    FactKind.CODE_LOCATION: _code_location,
    FactKind.UPSTREAM: _upstream,
    FactKind.LOAD_GREW: _load,
    FactKind.LOAD_STEADY: _load,
    FactKind.PUBLIC_DOMAIN: _public_domain,
    FactKind.NO_PUBLIC_DOMAIN: _no_public_domain,
    FactKind.CPU_HEADROOM: _headroom,
    FactKind.MEMORY_HEADROOM: _headroom,
    FactKind.SERVER_ERROR_COUNT: _server_error_count,
    FactKind.NO_RESTART_LOOP: _no_restart_loop,
    FactKind.DEPLOYMENT: _deployment,
    FactKind.EXAMINED_DEPLOYMENT: _deployment,
}
"""The renderer of each kind. Tests replace the entries to prove that no decision depends on the wording."""
