"""Nezha's Online Boutique: real minutes of ten pods against their limits, with CPU faults of about three minutes.

CPU comes in thousandths of a core, memory in MiB. Limits are the median of usage over usage rate, as a single ratio is
torn where the load changes; CPU is taken from the rate. The success rate is always 0 there and is not used;
PodWorkload is requests a second, latency seconds. TimeStamp is wrong, Time is not.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from pathlib import Path
from statistics import median

from tests.eval.detector import Line, summary_of

WINDOW = 30
EVERY = 10
FAULT = timedelta(minutes=4)
"""Three minutes of fault, and the minute whose sample still shows the end of it."""
AFTER = timedelta(minutes=8)
"""Some pods take this long to get well: a window that begins in it is neither sick nor a false alarm."""
CPU = ("cpu_contention", "cpu_consumed")
PAST = 48


@dataclass(frozen=True)
class NezhaTruth:
    """What is known of one window of one pod."""

    pod: str
    fault: str
    """The CPU fault of its own that lies whole within the window, as kind and time; "" if there is none."""
    unclear: bool
    """It holds another fault of its own, or a part of one."""
    elsewhere: bool
    """A fault of another pod lies within the window: symptoms are to be expected."""


@dataclass(frozen=True)
class _Row:
    at: datetime
    cpu_percent: float
    memory: float
    requests: float
    p95_ms: float
    cpu_limit: float | None
    memory_limit: float | None


@dataclass(frozen=True)
class _Fault:
    pod: str
    kind: str
    at: datetime


def nezha_cases(folder: Path, *, traffic: bool = True) -> Iterator[tuple[str, Line, NezhaTruth]]:
    """Label, line and truth of each pod's windows of 30 minutes every 10, oldest first; `folder` holds one day."""
    faults = _faults(folder)
    for path in sorted(folder.glob("*_metric.csv")):
        pod = path.name.removesuffix("_metric.csv")
        rows = _rows(path)
        past: dict[datetime, Line] = {}
        end = rows[0].at.replace(second=0, microsecond=0) + timedelta(minutes=WINDOW)
        while end <= rows[-1].at:
            seen = [row for row in rows if end - timedelta(minutes=WINDOW) <= row.at < end]
            line = _line(pod, seen, end, traffic)
            line["past"] = [past[at] for at in _earlier(end, past)]
            yield f"{end:%H:%M} {pod}", line, _truth(pod, end, faults)
            past[end] = summary_of(line)
            end += timedelta(minutes=EVERY)


def _earlier(end: datetime, known: dict[datetime, Line]) -> list[datetime]:
    """The ends of the windows before this one that overlap neither it nor each other, oldest first."""
    ends = [end - timedelta(minutes=WINDOW * age) for age in range(PAST, 0, -1)]
    return [one for one in ends if one in known]


def _truth(pod: str, end: datetime, faults: list[_Fault]) -> NezhaTruth:
    start = end - timedelta(minutes=WINDOW)
    touched = [one for one in faults if one.at < end and one.at + AFTER > start]
    own = [one for one in touched if one.pod == pod]
    whole = [one for one in own if one.kind in CPU and start <= one.at and one.at + FAULT <= end]
    name = " ".join(f"{one.kind}@{one.at:%H:%M}" for one in whole)
    return NezhaTruth(pod, name, bool(own) and not whole, len(own) < len(touched))


def _faults(folder: Path) -> list[_Fault]:
    told = json.loads((folder / f"{folder.name}-fault_list.json").read_text())
    return [
        _Fault(
            one["inject_pod"], one["inject_type"], datetime.fromtimestamp(int(one["inject_timestamp"]), UTC)
        )
        for hour in told.values()
        for one in hour
    ]


def _rows(path: Path) -> list[_Row]:
    with path.open(newline="") as file:
        return [_row(row) for row in csv.DictReader(file)]


def _number(text: str) -> float:
    """0 where nothing was measured: some cells are empty or NaN."""
    value = float(text or 0)
    return value if isfinite(value) else 0.0


def _row(row: dict[str, str]) -> _Row:
    known = {name: _number(value) for name, value in row.items() if name not in ("Time", "PodName")}
    cpu, memory = known["CpuUsage(m)"] / 1000, known["MemoryUsage(Mi)"] / 1024
    cpu_rate, memory_rate = known["CpuUsageRate(%)"], known["MemoryUsageRate(%)"]
    return _Row(
        at=datetime.strptime(row["Time"][:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC),
        cpu_percent=cpu_rate,
        memory=memory,
        requests=60 * known["PodWorkload(Ops)"],
        p95_ms=1000 * known["PodServerLatencyP95(s)"],
        cpu_limit=100 * cpu / cpu_rate if cpu_rate > 0 else None,
        memory_limit=100 * memory / memory_rate if memory_rate > 0 else None,
    )


def _line(pod: str, rows: list[_Row], end: datetime, traffic: bool) -> Line:
    minutes: list[_Row | None] = [None] * WINDOW
    for row in rows:
        minutes[int((row.at - end + timedelta(minutes=WINDOW)).total_seconds() // 60)] = row
    cpu_limit = median([row.cpu_limit for row in rows if row.cpu_limit] or [0.02])
    memory_limits = [row.memory_limit for row in rows if row.memory_limit]
    line: Line = {
        "service": pod,
        "end": end.isoformat(),
        "step_seconds": 60,
        "cpu": [row and row.cpu_percent * cpu_limit / 100 for row in minutes],
        "cpu_limit": cpu_limit,
        "memory": [row and row.memory for row in minutes],
        "memory_limit": round(median(memory_limits), 4) if memory_limits else None,
        "replicas": 1,
    }
    if traffic:
        requests = [round(row.requests) if row else 0 for row in minutes]
        p95 = [row.p95_ms or None if row and row.requests else None for row in minutes]
        nothing = [0] * WINDOW
        line["http"] = {
            "step_seconds": 60, "requests": requests, "2xx": requests, "4xx": nothing, "5xx": nothing, "p95": p95,
        }  # fmt: skip
    return line
