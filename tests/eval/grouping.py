"""Grouping accuracy of log patterns on Loghub-2k, whose lines experts gave a template each.

GA is the share of lines whose group holds exactly the lines of their template. FGA is the F1 score over groups:
precision is the share of groups that are exactly the lines of a template, recall the share of templates that are
exactly a group (Zhu et al., "Tools and Benchmarks for Automated Log Parsing"; Jiang et al., "LogPub").
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.eval.shared import data_path
from workers.investigation.logs.log_patterns import group_records
from workers.investigation.logs.log_records import LogRecord

ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def grouping_scores() -> list[tuple[str, float, float]]:
    """Name of the log, GA and FGA, for each file in the data folder; empty if it is absent."""
    folder = data_path("data", "loghub-2k")
    return [_score(path) for path in sorted(folder.glob("*.csv"))] if folder else []


def _score(path: Path) -> tuple[str, float, float]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    records = [_record(row["Content"]) for row in rows]
    positions = {id(record): number for number, record in enumerate(records)}
    groups = {
        frozenset(positions[id(record)] for record in group.records)
        for group in group_records(records, limit=len(records))
    }
    templates = _template_lines([row["EventId"] for row in rows])
    exact = groups & templates
    precision, recall = len(exact) / len(groups), len(exact) / len(templates)
    factor = 2 * precision * recall / (precision + recall) if exact else 0.0
    return path.name.split("_")[0], sum(map(len, exact)) / len(rows), factor


def _template_lines(events: Sequence[str]) -> set[frozenset[int]]:
    lines: dict[str, set[int]] = {}
    for number, event in enumerate(events):
        lines.setdefault(event, set()).add(number)
    return {frozenset(numbers) for numbers in lines.values()}


def _record(content: str) -> LogRecord:
    return LogRecord(
        at=ANY_TIME, instance="", reported_level="info", lines=(content,), level="info", is_trace=False,
        headline=content, exception="",
    )  # fmt: skip
