"""PetShop: real 5-minute series of 39 to 41 nodes, 26 faults of ten minutes, 49 quiet hours (metrics.csv, target.json).

Latency is in seconds, availability in per cent of `requests`; a bin is named by its start.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.eval.detector import Line, summary_of

USER_FACING = "PetSite"
BIN = 300
"""Seconds."""
BINS = 5
"""A window is 25 minutes: as long as the record of one fault."""
PAST = 48
CHRONIC = 95.0
"""A node whose median availability on quiet days is below this (per cent) always fails."""
Bin = tuple[float, dict[str, float]]


@dataclass(frozen=True)
class PetShopTruth:
    """What is known of one window of one node."""

    fault: str
    """The record's name, or "" in the quiet hours."""
    metric: str
    """What the fault hurts at the user-facing node: latency or availability; "" in the quiet hours."""
    user_facing: bool
    is_cause: bool
    chronic: bool


def petshop_cases(folder: Path, *, nodes: str = "all") -> Iterator[tuple[str, Line, PetShopTruth]]:
    """Label, line and truth: the faults first, then the quiet hours, oldest first; `nodes` all or target.

    The past of a fault are the last quiet windows of that node, moved to just before it.
    """
    quiet = _series(folder / "noissue" / "metrics.csv")
    usual = {
        node: _summaries(node, bins) for node, bins in quiet.items() if nodes == "all" or node == USER_FACING
    }
    chronic = {node for node, bins in quiet.items() if _always_fails(bins)}
    for record in sorted((*folder.glob("train/issue_*"), *folder.glob("test/issue_*")), key=_number):
        yield from _fault(record, usual, chronic, nodes)
    for node, bins in quiet.items():
        if nodes == "all" and sum(values["requests"] for _, values in bins) > 0:
            yield from _quiet(node, bins, node in chronic)


def _number(record: Path) -> tuple[str, int]:
    return record.parent.name, int(record.name.rpartition("_")[2])


def _fault(
    record: Path, usual: dict[str, list[Line]], chronic: set[str], nodes: str
) -> Iterator[tuple[str, Line, PetShopTruth]]:
    told = json.loads((record / "target.json").read_text())
    target, cause = told["target"]["node"], told["root_cause"]["node"]
    name = f"{record.parent.name}/{record.name}"
    for node, bins in _series(record / "metrics.csv").items():
        if nodes == "target" and node != target:
            continue
        line = _line(node, bins, bins[0][0] + BINS * BIN)
        line["past"] = _moved(usual.get(node, []), bins[0][0])
        truth = PetShopTruth(name, told["target"]["metric"], node == target, node == cause, node in chronic)
        yield f"{name} {node}", line, truth


def _quiet(node: str, bins: list[Bin], chronic: bool) -> Iterator[tuple[str, Line, PetShopTruth]]:
    past: list[Line] = []
    for first in range(0, len(bins) - BINS + 1, BINS):
        line = _line(node, bins[first : first + BINS], bins[first][0] + BINS * BIN)
        line["past"] = past[-PAST:]
        yield f"quiet {line['end']} {node}", line, PetShopTruth("", "", node == USER_FACING, False, chronic)
        past.append(summary_of(line))


def _summaries(node: str, bins: list[Bin]) -> list[Line]:
    """The last quiet windows of a node, summed up one after the other."""
    past: list[Line] = []
    for first in range(max(0, len(bins) % BINS), len(bins) - BINS + 1, BINS):
        line = _line(node, bins[first : first + BINS], bins[first][0] + BINS * BIN)
        past.append(summary_of({**line, "past": past[-PAST:]}))
    return past[-PAST:]


def _moved(past: list[Line], before: float) -> list[Line]:
    """The same summaries as though the last window had ended at that moment (epoch seconds)."""
    return [
        {**one, "at": _moment(before - (len(past) - 1 - index) * BINS * BIN)} if "at" in one else one
        for index, one in enumerate(past)
    ]


def _always_fails(bins: list[Bin]) -> bool:
    known = [values["availability"] for _, values in bins if "availability" in values]
    return bool(known) and median(known) < CHRONIC


def _series(path: Path) -> dict[str, list[Bin]]:
    """Per node and bin: requests, p95 in ms, availability in per cent; what is empty is left out."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    wanted = {("requests", "Sum"): ("requests", 1.0), ("latency", "p95"): ("p95", 1000.0)}
    wanted |= {("availability", "Average"): ("availability", 1.0)}
    columns = [
        (index, rows[0][index], *wanted[rows[1][index], rows[2][index]])
        for index in range(1, len(rows[0]))
        if (rows[1][index], rows[2][index]) in wanted
    ]
    series: dict[str, list[Bin]] = defaultdict(list)
    for row in rows[4:]:
        values: dict[str, dict[str, float]] = defaultdict(dict)
        for index, node, name, factor in columns:
            values[node].update({name: float(row[index]) * factor} if row[index] else {})
        for node, known in values.items():
            series[node].append((float(row[0]), {"requests": 0.0, **known}))
    return series


def _line(node: str, bins: list[Bin], end: float) -> Line:
    requests = [round(values["requests"]) for _, values in bins]
    failed = [
        round(count * (100 - values.get("availability", 100.0)) / 100)
        for count, (_, values) in zip(requests, bins, strict=True)
    ]
    return {
        "service": node,
        "end": _moment(end),
        "step_seconds": 60,
        "http": {
            "step_seconds": BIN,
            "requests": requests,
            "2xx": [count - bad for count, bad in zip(requests, failed, strict=True)],
            "4xx": [0] * len(requests),
            "5xx": failed,
            "p95": [values.get("p95") for _, values in bins],
        },
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
