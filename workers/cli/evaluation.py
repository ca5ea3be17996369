"""Detection on lines of the public window format: a JSON line in, a JSON line out. Needs no settings and no network."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from workers import detection
from workers.cli.window_format import ServiceInput, parse_line, to_detection_input, to_survey
from workers.errors import InvalidWindow
from workers.models import Finding, Service, Survey, alerting_findings

DEFAULT_MIN_DURATION_MINUTES = 4.0  # the default of TRACKWALKER_MIN_DURATION_MINUTES
OUTPUT_FIELDS = {"kind", "severity", "since", "ongoing", "numbers", "sentence", "confidence", "chronic"}
"""The fields of a finding that are part of the format."""


class OutputLine(NamedTuple):
    """One line of output; `is_valid` is false if it is an error about the input line."""

    text: str
    is_valid: bool


def evaluate_line(line: str, *, min_duration_minutes: float = DEFAULT_MIN_DURATION_MINUTES) -> str:
    """The findings of one line, as one line.

    Raises:
        InvalidWindow: The line is not of the format; the message names the field.
    """
    parsed = parse_line(line)
    survey, history = to_detection_input(parsed)
    services = [parsed] if isinstance(parsed, ServiceInput) else parsed.services
    findings, reports = [], []
    for service in services:
        # The windows of a project may end at different times, so each service is evaluated in its own.
        own_survey = to_survey([service])
        own_findings = detection.detect(
            own_survey, min_duration_minutes=min_duration_minutes, history=history
        )
        reports.append(service_report(own_survey.services[0], own_survey, own_findings))
        findings += own_findings
    if isinstance(parsed, ServiceInput):
        return json.dumps(reports[0])
    return json.dumps({"services": reports, "cause": detection.rank_suspects(findings, survey)})


def evaluate_lines(
    lines: Iterable[bytes], *, min_duration_minutes: float = DEFAULT_MIN_DURATION_MINUTES
) -> Iterator[OutputLine]:
    """A line of output for each line that is not blank.

    An invalid line gives `{"line": number, "error": "field: what is wrong"}`, and the next lines are evaluated.
    """
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        try:
            text = evaluate_line(raw.decode(), min_duration_minutes=min_duration_minutes)
            yield OutputLine(text, is_valid=True)
        except (InvalidWindow, UnicodeDecodeError, OverflowError) as error:
            yield OutputLine(json.dumps({"line": number, "error": str(error)}), is_valid=False)


def service_report(service: Service, survey: Survey, findings: Sequence[Finding]) -> dict[str, Any]:
    """One service in the output format: whether it is failing, its findings, and the summary of its window."""
    own = [finding for finding in findings if finding.service_id == service.id]
    summary = detection.with_kinds(detection.summarise(service, survey), own)
    empty = {name for name in ("alerting_kinds", "notice_kinds") if not getattr(summary, name)}
    return {
        "service": service.name,
        "sick": bool(alerting_findings(own)),
        "findings": [finding.model_dump(mode="json", include=OUTPUT_FIELDS) for finding in own],
        "summary": summary.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=empty),
    }
