"""Writes the brief: what is known about an incident, the best facts first, each with its source. Pure.

The agent gets it in its prompt. It is at most a twentieth of the logs that were read, and never longer than
`MAX_BRIEF_CHARS`. The host's own sentences only count and refer; all text of others stands apart, to be quoted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from workers.agent.inert_text import inert, inert_line
from workers.agent.prompt_facts import (
    Labels,
    commit_of,
    count_fact,
    count_gap,
    identity,
    label_evidence,
    source_of,
)
from workers.agent.samples import short_sample
from workers.models import Evidence, Fact, Incident, LogPattern, Verdict, describe_gap

MAX_BRIEF_CHARS = 16_000
"""About 4,000 tokens: more would hide the cause and cost more than reading the code."""
MIN_BRIEF_CHARS = 2_400
"""Room for a few facts and one trace where the logs are so short that a twentieth of them holds nothing."""
SHARE_OF_LOGS = 20
MARKS_CHARS = 500
"""Size of the introduction and of the marks around the text of others, which count as part of the brief."""
FACTS_SHARE = 0.6
"""Share of the brief for the facts; the rest is for traces."""
MIN_FACTS = 4
MAX_SAMPLE_CHARS = 2_500
"""Characters of one log sample: a whole traceback."""
MIN_SAMPLE_CHARS = 250
"""A shorter rest of the room holds no trace that tells anything."""
MAX_SAMPLES = 6
MAX_LOCATIONS = 8
MAX_SYMPTOMS = 6
"""Services with symptoms that the brief names."""
MAX_NAME_CHARS = 80
"""Characters of a service's name."""
MAX_GAPS = 6


class Brief(NamedTuple):
    """The two parts of a brief."""

    own: str
    """The host's own sentences: numbers and labels."""
    quoted: str
    """Text of others: log lines, names, paths, commit messages, requests, status pages."""


def write_brief(incident: Incident, evidence: Evidence, verdict: Verdict) -> Brief:
    """The brief of an incident."""
    labels = label_evidence(evidence)
    budget = brief_limit(evidence) - MARKS_CHARS
    gaps = tuple(dict.fromkeys((*incident.failed_reads, *evidence.failed_reads)))[:MAX_GAPS]
    facts = _chosen_facts(evidence, labels, int(budget * FACTS_SHARE))
    own = [
        section("Facts", [count_fact(fact, labels) for fact in facts]),
        section("Verdict of the diagnosis rules (you may reach another one)", _verdict_lines(verdict)),
        section("Data that could not be read", [count_gap(gap) for gap in gaps]),
    ]
    quoted = [
        section("Service", _service_lines(incident, evidence)),
        section("Facts in words", [_in_words(fact) for fact in facts]),
        section("Verdict in words", [inert_line(verdict.summary)] if verdict.summary else []),
        section("Code locations that the facts point at", _location_lines(evidence, labels)),
        section("What could not be read", [f"- {inert_line(describe_gap(gap))}" for gap in gaps]),
    ]
    room = budget - len(join(own)) - len(join(quoted))
    quoted.append(section("Log samples", list(_samples(evidence, labels, room))))
    return Brief(join(own), inert(join(quoted))[: max(0, budget - len(join(own)))])


def brief_limit(evidence: Evidence) -> int:
    """Characters of the brief: a twentieth of the logs that were read, within the two bounds."""
    if not evidence.raw_chars:
        return MAX_BRIEF_CHARS
    return max(MIN_BRIEF_CHARS, min(MAX_BRIEF_CHARS, evidence.raw_chars // SHARE_OF_LOGS))


def section(title: str, lines: Sequence[str]) -> str:
    """A titled list; empty without lines."""
    return f"# {title}\n\n" + "\n".join(lines) if lines else ""


def join(parts: Sequence[str]) -> str:
    """The parts that are not empty, a blank line between them."""
    return "\n\n".join(part for part in parts if part)


def _chosen_facts(evidence: Evidence, labels: Labels, room: int) -> list[Fact]:
    """The first facts that fit; a few in any case."""
    chosen: list[Fact] = []
    for fact in evidence.facts:
        room -= len(count_fact(fact, labels)) + len(_in_words(fact)) + 2
        if room < 0 and len(chosen) >= MIN_FACTS:
            break
        chosen.append(fact)
    return chosen


def _in_words(fact: Fact) -> str:
    return f"{fact.id} ({source_of(fact)}): {inert_line(fact.text)}"


def _verdict_lines(verdict: Verdict) -> list[str]:
    lines = [f"{verdict.category.value}: {verdict.reason.value.replace('_', ' ')}"]
    lines += [f"for: {', '.join(verdict.supports)}"] if verdict.supports else []
    return lines + ([f"against: {', '.join(verdict.contradicts)}"] if verdict.contradicts else [])


# ---- text of others --------------------------------------------------------------------------


def _service_lines(incident: Incident, evidence: Evidence) -> list[str]:
    repository = evidence.repository
    lines = [f"name: `{_name(incident.subject.name)}`"]
    lines += [f"its code is in `{inert_line(repository.root)}/`"] if repository and repository.root else []
    names = dict.fromkeys(f"`{_name(finding.service)}`" for finding in incident.symptoms[:MAX_SYMPTOMS])
    lines += [f"{', '.join(names)} only show symptoms of it"] if names else []
    suspect = evidence.suspect
    return lines + ([f"C1 is commit {commit_of(suspect)}, deployed before the onset"] if suspect else [])


def _name(service: str) -> str:
    return inert_line(service)[:MAX_NAME_CHARS]


def _location_lines(evidence: Evidence, labels: Labels) -> list[str]:
    """Each location alone on its line, the reason indented below."""
    lines = []
    for location in evidence.locations[:MAX_LOCATIONS]:
        function = f" in {inert_line(location.function)}" if location.function else ""
        times = "once" if location.count == 1 else f"{location.count} times"
        lines += [inert_line(location.position)]
        lines += [f"  ({labels[identity(location)]}, {location.why}{function}, {times})"]
    return lines


def _samples(evidence: Evidence, labels: Labels, room: int) -> Iterator[str]:
    """Samples of the first patterns, as long as there is room; a sample of one line is in the words of its fact."""
    patterns = (*evidence.build_patterns, *evidence.patterns)
    several = [pattern for pattern in patterns if "\n" in pattern.sample and pattern.level != "info"]
    for pattern in several[:MAX_SAMPLES]:
        lead = f"{labels[identity(pattern)]} ({_source(pattern, evidence)}):"
        limit = min(MAX_SAMPLE_CHARS, room - len(lead) - 2)
        if limit < MIN_SAMPLE_CHARS:
            return
        text = f"{lead}\n{short_sample(pattern, limit)}\n"
        room -= len(text) + 1
        yield text


def _source(pattern: LogPattern, evidence: Evidence) -> str:
    return "build log" if pattern in evidence.build_patterns else "log"
