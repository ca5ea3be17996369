"""The host's own sentences about the evidence in a prompt: numbers and labels, without text of others. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime

from workers.models import (
    GAP_LABELS,
    CodeLocation,
    Deployment,
    Evidence,
    Fact,
    FactKind,
    Finding,
    Gap,
    LogPattern,
    LogSource,
    Suspect,
)
from workers.runtime.text import format_duration, plural

Quoted = LogPattern | CodeLocation
"""A value whose text is from others, and that the prompt quotes once."""
Labels = dict[tuple[object, ...], str]
"""Identity of a quoted value → its label, such as `P1`."""

COMMIT = re.compile(r"[0-9a-f]{6,40}")
NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
"""A name of ours, such as `failed_percent`."""


def label_evidence(evidence: Evidence) -> Labels:
    """Labels for everything that the prompt quotes: patterns P, code locations L."""
    labels: Labels = {}
    quoted: tuple[tuple[str, Iterable[Quoted]], ...] = (
        ("P", (*evidence.patterns, *evidence.build_patterns)),
        ("L", evidence.locations),
    )
    for letter, values in quoted:
        for number, value in enumerate(values, start=1):
            labels.setdefault(identity(value), f"{letter}{number}")
    return labels


def identity(value: Quoted) -> tuple[object, ...]:
    """A key that a value shares with its copy in a fact, although the copy lacks samples and excerpts."""
    match value:
        case LogPattern():
            return ("pattern", value.template, value.level, value.count, value.first, value.last)
        case CodeLocation():
            return ("location", value.file, value.line, value.why)


def count_fact(fact: Fact, labels: Labels) -> str:
    """The fact without any text of others: its kind, its numbers and the labels of what it is about."""
    sentence = SENTENCES.get(fact.kind, _numbers)(fact, labels)
    return f"- {fact.id} {fact.kind.value.replace('_', ' ')}{f': {sentence}' if sentence else ''}"


def source_of(fact: Fact) -> str:
    """Where the fact comes from, in one or two words."""
    if fact.source is LogSource.BUILD:
        return "build log"
    if fact.location is not None:
        return LOCATION_SOURCES[fact.location.why]
    return SOURCES.get(fact.kind, "Railway")


def count_gap(gap: Gap) -> str:
    """The part that could not be read; its name and the reason are quoted in the data."""
    return f"- {GAP_LABELS[gap.part]}"


def commit_of(suspect: Suspect) -> str:
    """The hash of the suspect's commit; "unknown" for anything else that stands in its place."""
    return suspect.commit if suspect.commit and COMMIT.fullmatch(suspect.commit) else "unknown"


def _finding(fact: Fact, _labels: Labels) -> str:
    return _finding_numbers(fact.finding) if fact.finding else ""


def _finding_numbers(finding: Finding) -> str:
    numbers = [
        f"{name.replace('_', ' ')} {value:.4g}"
        for name, value in finding.numbers.items()
        if NAME.fullmatch(name)
    ]
    kind = finding.kind.replace("_", " ")
    return ", ".join([kind, finding.severity.value, f"since {_time(finding.since)}", *numbers])


def _suspect(fact: Fact, _labels: Labels) -> str:
    if fact.suspect is None:
        return ""
    distance = fact.numbers.get("seconds_to_onset", 0.0)
    start = "during its rollout" if distance < 0 else f"{format_duration(distance)} after it"
    return f"commit C1 by A1 ({commit_of(fact.suspect)}) of {_time(fact.suspect.at)}; the failure started {start}"


def _changed_files(fact: Fact, _labels: Labels) -> str:
    return f"commit C1 changed {plural(len(fact.suspect.files), 'file')}" if fact.suspect else ""


def _pattern(fact: Fact, labels: Labels) -> str:
    pattern = fact.pattern
    if pattern is None:
        return ""
    source = " of the build log" if fact.source is LogSource.BUILD else ""
    label = labels.get(identity(pattern), "in the words of this fact")
    span = f"from {pattern.first:%H:%M:%S} to {pattern.last:%H:%M:%S}"
    return f"{label}{source}, {plural(pattern.count, 'time')} {span}"


def _requests(fact: Fact, _labels: Labels) -> str:
    request = fact.request
    if request is None:
        return ""
    edge = ", answered by the edge" if request.platform_answer else ""
    slowest = f"slowest {request.slowest_ms:.0f} ms"
    return f"{plural(request.count, 'time')} with {request.status}, {slowest}{edge}"


def _location(fact: Fact, labels: Labels) -> str:
    location = fact.location
    if location is None:
        return ""
    label = labels.get(identity(location), "in the words of this fact")
    return f"{label}, by {location.why}, {plural(location.count, 'time')}"


def _upstream(fact: Fact, _labels: Labels) -> str:
    upstream = fact.upstream
    if upstream is None:
        return ""
    return f"{plural(upstream.errors, 'log error')}, status page: {upstream.state}"


def _deployment(fact: Fact, _labels: Labels) -> str:
    deployment: Deployment | None = fact.deployment
    return f"created {_time(deployment.created_at)}" if deployment else ""


def _sign(fact: Fact, labels: Labels) -> str:
    if fact.sign is None:
        return ""
    source = " of the build log" if fact.source is LogSource.BUILD else ""
    return f"{fact.sign.kind.value.replace('_', ' ')}{source}, {_numbers(fact, labels)}"


def _dns_answer(fact: Fact, _labels: Labels) -> str:
    return plural(fact.answer.count, "answer") if fact.answer else ""


def _flow(fact: Fact, _labels: Labels) -> str:
    return f"{plural(fact.flow.dropped, 'packet')} dropped" if fact.flow else ""


def _sibling(fact: Fact, _labels: Labels) -> str:
    return HEALTH[fact.sibling.healthy] if fact.sibling else ""


def _module(fact: Fact, _labels: Labels) -> str:
    if fact.module is None or fact.module.is_own:
        return "own file" if fact.module else ""
    return "listed" if fact.module.listed else "not listed"


def _numbers(fact: Fact, _labels: Labels) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {value:.6g}"
        for name, value in fact.numbers.items()
        if NAME.fullmatch(name)
    )


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


SENTENCES: dict[FactKind, Callable[[Fact, Labels], str]] = {
    FactKind.FINDING: _finding,
    FactKind.SYMPTOM: _finding,
    FactKind.SUSPECT: _suspect,
    FactKind.CHANGED_FILES: _changed_files,
    FactKind.LOG_PATTERN: _pattern,
    FactKind.REQUESTS: _requests,
    FactKind.CODE_LOCATION: _location,
    FactKind.UPSTREAM: _upstream,
    FactKind.SIGN: _sign,
    FactKind.DNS_ANSWER: _dns_answer,
    FactKind.NETWORK_FLOW: _flow,
    FactKind.SIBLING: _sibling,
    FactKind.MODULE: _module,
    FactKind.DEPLOYMENT: _deployment,
    FactKind.EXAMINED_DEPLOYMENT: _deployment,
}
"""Kind → its sentence; the facts of the other kinds consist of numbers."""

SOURCES = {
    FactKind.FINDING: "metrics", FactKind.SYMPTOM: "metrics", FactKind.SUSPECT: "deployments",
    FactKind.CHANGED_FILES: "git", FactKind.SIGN: "log", FactKind.LINES_DROPPED: "log", FactKind.LOG_PATTERN: "log",
    FactKind.NO_LOG_ERRORS: "log", FactKind.REQUESTS: "requests", FactKind.UPSTREAM: "log, status page",
    FactKind.DNS_ANSWER: "DNS log", FactKind.NETWORK_FLOW: "network log", FactKind.SIBLING: "survey",
    FactKind.MODULE: "code", FactKind.SETTING: "code", FactKind.LOAD_GREW: "metrics", FactKind.LOAD_STEADY: "metrics",
    FactKind.CPU_HEADROOM: "metrics", FactKind.MEMORY_HEADROOM: "metrics", FactKind.SERVER_ERROR_COUNT: "metrics",
    FactKind.DEPLOYMENT: "deployments", FactKind.EXAMINED_DEPLOYMENT: "deployments",
}  # fmt: skip
"""Kind → where such a fact comes from."""
LOCATION_SOURCES = {
    "stack": "log, code", "log": "log, code", "build": "build log, code", "route": "requests, code", "changed": "git",
}  # fmt: skip
HEALTH = {True: "healthy", False: "in trouble", None: "not read"}
