"""Diagnosis of cases in the public format: a JSON line in, a JSON line out. Needs no settings and no network.

The stages of the line use the same code: `investigation.evidence.assembly` and `investigation.diagnosis`. Only the
reading differs, since a case holds what the line reads from Railway, the repository and status pages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from workers.agent.prompts import brief_text
from workers.cli.diagnosis_format import Case, parse_case
from workers.cli.diagnosis_input import make_incident, open_material
from workers.cli.evaluation import OutputLine
from workers.errors import InvalidCase
from workers.investigation.diagnosis import diagnose
from workers.investigation.evidence.assembly import assemble, examine
from workers.models import CodeLocation, Evidence, Fact, Incident, LogPattern, Upstream, Verdict
from workers.runtime.text import truncate

MAX_HEADLINE_CHARS = 300
MAX_EXAMPLE_CHARS = 1_500
TROUBLED_STATES = ("degraded", "down")


class Diagnosis(NamedTuple):
    """The answer to a case, with what it rests on."""

    incident: Incident
    evidence: Evidence
    verdict: Verdict
    records: int
    """Log records in the case, of both logs."""


def diagnose_case(case: Case) -> Diagnosis:
    """The diagnosis of a case.

    Raises:
        InvalidCase: The repository of the case cannot be used; the message names the field.
    """
    incident, service = make_incident(case)
    with open_material(case, incident, service) as material:
        examination = examine(incident, material, case.upstreams)
        upstreams = tuple(
            examination.upstream(host, case.upstreams.get(host, "unknown")) for host in examination.hosts
        )
        evidence = assemble(incident, service, material, examination, upstreams)
        records = len(material.run_log) + len(material.build_log)
    return Diagnosis(incident, evidence, diagnose(incident, evidence), records)


def diagnose_line(line: str) -> str:
    """The diagnosis of one line, as one line.

    Raises:
        InvalidCase: The line is not of the format; the message names the field.
    """
    return json.dumps(_report(diagnose_case(parse_case(line))))


def write_brief(line: str) -> str:
    """The brief that the agent gets about the case of one line.

    Raises:
        InvalidCase: The line is not of the format; the message names the field.
    """
    diagnosis = diagnose_case(parse_case(line))
    return brief_text(diagnosis.incident, diagnosis.evidence, diagnosis.verdict)


def answer_lines(lines: Iterable[bytes], answer: Callable[[str], str]) -> Iterator[OutputLine]:
    """The answer to each line that is not blank.

    An invalid line gives `{"line": number, "error": "field: what is wrong"}`, and the next lines are answered.
    """
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        try:
            yield OutputLine(answer(raw.decode()), is_valid=True)
        except (InvalidCase, UnicodeDecodeError, OverflowError) as error:
            yield OutputLine(json.dumps({"line": number, "error": str(error)}), is_valid=False)


def _report(diagnosis: Diagnosis) -> dict[str, Any]:
    incident, evidence, verdict, records = diagnosis
    return {
        "service": incident.subject.name,
        "category": verdict.category.value,
        "summary": verdict.summary,
        "action": verdict.action,
        "confidence": verdict.confidence,
        "places": [_place(location) for location in evidence.locations],
        "facts": [_fact(fact) for fact in evidence.facts],
        "upstreams": [_upstream(upstream) for upstream in evidence.upstreams if _is_blamed(upstream)],
        "patterns": [_pattern(pattern) for pattern in (*evidence.build_patterns, *evidence.patterns)],
        "records": records,
        "next_checks": list(verdict.next_checks),
    }


def _place(location: CodeLocation) -> dict[str, Any]:
    """The place; its line is null if only the file is known, as for built code without a source map."""
    place = location.model_dump(include={"file", "line", "function", "why"})
    return place | {"line": location.line or None}


def _fact(fact: Fact) -> dict[str, str]:
    return {"id": fact.id, "kind": fact.kind.value, "text": fact.text}


def _is_blamed(upstream: Upstream) -> bool:
    return upstream.errors > 0 or upstream.state in TROUBLED_STATES


def _upstream(upstream: Upstream) -> dict[str, Any]:
    return upstream.model_dump(include={"host", "errors", "in_code", "state"})


def _pattern(pattern: LogPattern) -> dict[str, Any]:
    return {
        "count": pattern.count,
        "level": pattern.level,
        "headline": truncate(pattern.headline or pattern.template, MAX_HEADLINE_CHARS),
        "example": truncate(pattern.sample, MAX_EXAMPLE_CHARS),
    }
