"""PetShop: real 5-minute series of 39 to 41 nodes, 26 faults of ten minutes, 49 quiet hours (metrics.csv, target.json).

Latency is in seconds, availability in per cent of `requests`; the time of a bin is its start.
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
BIN_SECONDS = 300
"""Seconds."""
WINDOW_BINS = 5
"""Bins per window: 25 minutes, the length of the record of one fault."""
HISTORY_WINDOWS = 48
CHRONIC_PERCENT = 95.0
"""A node whose median availability on quiet days is below this (per cent) fails chronically."""
Bin = tuple[float, dict[str, float]]


@dataclass(frozen=True)
class PetShopTruth:
    """The ground truth of one window of one node."""

    fault: str
    """The name of the record; "" in the quiet hours."""
    metric: str
    """The affected metric at the user-facing node, latency or availability; "" in the quiet hours."""
    is_user_facing: bool
    is_chronic: bool


def petshop_cases(folder: Path, *, nodes: str = "all") -> Iterator[tuple[str, Line, PetShopTruth]]:
    """Label, line and truth: the faults first, then the quiet hours, oldest first; `nodes` all or target.

    The history of a fault is the last quiet windows of the node, shifted to just before it.
    """
    quiet = _series(folder / "noissue" / "metrics.csv")
    usual = {
        node: _summaries(node, bins) for node, bins in quiet.items() if nodes == "all" or node == USER_FACING
    }
    chronic = {node for node, bins in quiet.items() if _always_fails(bins)}
    for record in sorted((*folder.glob("train/issue_*"), *folder.glob("test/issue_*")), key=_number):
        yield from _fault_windows(record, usual, chronic, nodes)
    for node, bins in quiet.items():
        if nodes == "all" and sum(values["requests"] for _, values in bins) > 0:
            yield from _quiet_windows(node, bins, node in chronic)


def _number(record: Path) -> tuple[str, int]:
    return record.parent.name, int(record.name.rpartition("_")[2])


def _fault_windows(
    record: Path, usual: dict[str, list[Line]], chronic: set[str], nodes: str
) -> Iterator[tuple[str, Line, PetShopTruth]]:
    affected = json.loads((record / "target.json").read_text())["target"]
    name = f"{record.parent.name}/{record.name}"
    for node, bins in _series(record / "metrics.csv").items():
        if nodes == "target" and node != affected["node"]:
            continue
        line = _line(node, bins, bins[0][0] + WINDOW_BINS * BIN_SECONDS)
        line["past"] = _shifted(usual.get(node, []), bins[0][0])
        truth = PetShopTruth(name, affected["metric"], node == affected["node"], node in chronic)
        yield f"{name} {node}", line, truth


def _quiet_windows(node: str, bins: list[Bin], chronic: bool) -> Iterator[tuple[str, Line, PetShopTruth]]:
    past: list[Line] = []
    for first in range(0, len(bins) - WINDOW_BINS + 1, WINDOW_BINS):
        line = _line(node, bins[first : first + WINDOW_BINS], bins[first][0] + WINDOW_BINS * BIN_SECONDS)
        line["past"] = past[-HISTORY_WINDOWS:]
        yield f"quiet {line['end']} {node}", line, PetShopTruth("", "", node == USER_FACING, chronic)
        past.append(summary_of(line))


def _summaries(node: str, bins: list[Bin]) -> list[Line]:
    """The summaries of the last quiet windows of a node."""
    past: list[Line] = []
    for first in range(max(0, len(bins) % WINDOW_BINS), len(bins) - WINDOW_BINS + 1, WINDOW_BINS):
        line = _line(node, bins[first : first + WINDOW_BINS], bins[first][0] + WINDOW_BINS * BIN_SECONDS)
        past.append(summary_of({**line, "past": past[-HISTORY_WINDOWS:]}))
    return past[-HISTORY_WINDOWS:]


def _shifted(past: list[Line], before: float) -> list[Line]:
    """The summaries, shifted so that the last window ends at `before` (epoch seconds)."""
    return [
        {**summary, "at": _iso_time(before - (len(past) - 1 - index) * WINDOW_BINS * BIN_SECONDS)}
        if "at" in summary
        else summary
        for index, summary in enumerate(past)
    ]


def _always_fails(bins: list[Bin]) -> bool:
    availabilities = [values["availability"] for _, values in bins if "availability" in values]
    return bool(availabilities) and median(availabilities) < CHRONIC_PERCENT


def _series(path: Path) -> dict[str, list[Bin]]:
    """Per node and bin: requests, p95 in milliseconds, availability in per cent. Empty cells are left out."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    measures = {("requests", "Sum"): ("requests", 1.0), ("latency", "p95"): ("p95", 1000.0)}
    measures |= {("availability", "Average"): ("availability", 1.0)}
    columns = [
        (index, rows[0][index], *measures[rows[1][index], rows[2][index]])
        for index in range(1, len(rows[0]))
        if (rows[1][index], rows[2][index]) in measures
    ]
    series: dict[str, list[Bin]] = defaultdict(list)
    for row in rows[4:]:
        values: dict[str, dict[str, float]] = defaultdict(dict)
        for index, node, name, factor in columns:
            values[node].update({name: float(row[index]) * factor} if row[index] else {})
        for node, availabilities in values.items():
            series[node].append((float(row[0]), {"requests": 0.0, **availabilities}))
    return series


def _line(node: str, bins: list[Bin], end: float) -> Line:
    requests = [round(values["requests"]) for _, values in bins]
    failed = [
        round(count * (100 - values.get("availability", 100.0)) / 100)
        for count, (_, values) in zip(requests, bins, strict=True)
    ]
    return {
        "service": node,
        "end": _iso_time(end),
        "step_seconds": 60,
        "http": {
            "step_seconds": BIN_SECONDS,
            "requests": requests,
            "2xx": [count - bad for count, bad in zip(requests, failed, strict=True)],
            "4xx": [0] * len(requests),
            "5xx": failed,
            "p95": [values.get("p95") for _, values in bins],
        },
    }


def _iso_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
