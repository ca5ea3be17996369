"""Nezha's Online Boutique: real minutes of ten pods against their limits, with CPU faults of about three minutes.

CPU is in thousandths of a core, memory in MiB. The limit is the median of usage divided by usage rate, because a single
ratio is distorted when the load changes; CPU is taken from the rate. The success rate is always 0 and not used.
PodWorkload is in requests per second, latency in seconds. TimeStamp is wrong; Time is right.
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

WINDOW_MINUTES = 30
STEP_MINUTES = 10
FAULT_LENGTH = timedelta(minutes=4)
"""Three minutes of fault, and one minute whose sample still shows its end."""
RECOVERY_TIME = timedelta(minutes=8)
"""Some pods take this long to recover: a window that begins in it counts neither as failing nor as healthy."""
CPU_FAULTS = ("cpu_contention", "cpu_consumed")
HISTORY_WINDOWS = 48


@dataclass(frozen=True)
class NezhaTruth:
    """The ground truth of one window of one pod."""

    pod: str
    fault: str
    """The pod's own CPU fault that lies completely in the window, as kind and time; "" without one."""
    is_unclear: bool
    """The window contains another fault of the pod, or a part of one."""
    fault_elsewhere: bool
    """The window contains a fault of another pod, so symptoms are expected."""


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
    """Label, line and truth of each pod's 30-minute windows, every 10 minutes, oldest first; `folder` holds one day."""
    faults = _faults(folder)
    for path in sorted(folder.glob("*_metric.csv")):
        pod = path.name.removesuffix("_metric.csv")
        rows = _rows(path)
        past: dict[datetime, Line] = {}
        end = rows[0].at.replace(second=0, microsecond=0) + timedelta(minutes=WINDOW_MINUTES)
        while end <= rows[-1].at:
            recent = [row for row in rows if end - timedelta(minutes=WINDOW_MINUTES) <= row.at < end]
            line = _line(pod, recent, end, traffic)
            line["past"] = [past[at] for at in _earlier(end, past)]
            yield f"{end:%H:%M} {pod}", line, _truth(pod, end, faults)
            past[end] = summary_of(line)
            end += timedelta(minutes=STEP_MINUTES)


def _earlier(end: datetime, past: dict[datetime, Line]) -> list[datetime]:
    """The ends of the earlier windows that overlap neither this one nor each other, oldest first."""
    ends = [end - timedelta(minutes=WINDOW_MINUTES * age) for age in range(HISTORY_WINDOWS, 0, -1)]
    return [at for at in ends if at in past]


def _truth(pod: str, end: datetime, faults: list[_Fault]) -> NezhaTruth:
    start = end - timedelta(minutes=WINDOW_MINUTES)
    touched = [fault for fault in faults if fault.at < end and fault.at + RECOVERY_TIME > start]
    own = [fault for fault in touched if fault.pod == pod]
    whole = [
        fault
        for fault in own
        if fault.kind in CPU_FAULTS and start <= fault.at and fault.at + FAULT_LENGTH <= end
    ]
    name = " ".join(f"{fault.kind}@{fault.at:%H:%M}" for fault in whole)
    return NezhaTruth(pod, name, bool(own) and not whole, len(own) < len(touched))


def _faults(folder: Path) -> list[_Fault]:
    faults_by_hour = json.loads((folder / f"{folder.name}-fault_list.json").read_text())
    return [
        _Fault(
            fault["inject_pod"],
            fault["inject_type"],
            datetime.fromtimestamp(int(fault["inject_timestamp"]), UTC),
        )
        for hour in faults_by_hour.values()
        for fault in hour
    ]


def _rows(path: Path) -> list[_Row]:
    with path.open(newline="") as file:
        return [_row(row) for row in csv.DictReader(file)]


def _number(text: str) -> float:
    """The number in the cell; 0 for an empty or NaN cell."""
    value = float(text or 0)
    return value if isfinite(value) else 0.0


def _row(row: dict[str, str]) -> _Row:
    metrics = {name: _number(value) for name, value in row.items() if name not in ("Time", "PodName")}
    cpu, memory = metrics["CpuUsage(m)"] / 1000, metrics["MemoryUsage(Mi)"] / 1024
    cpu_rate, memory_rate = metrics["CpuUsageRate(%)"], metrics["MemoryUsageRate(%)"]
    return _Row(
        at=datetime.strptime(row["Time"][:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC),
        cpu_percent=cpu_rate,
        memory=memory,
        requests=60 * metrics["PodWorkload(Ops)"],
        p95_ms=1000 * metrics["PodServerLatencyP95(s)"],
        cpu_limit=100 * cpu / cpu_rate if cpu_rate > 0 else None,
        memory_limit=100 * memory / memory_rate if memory_rate > 0 else None,
    )


def _line(pod: str, rows: list[_Row], end: datetime, traffic: bool) -> Line:
    minutes: list[_Row | None] = [None] * WINDOW_MINUTES
    for row in rows:
        minutes[int((row.at - end + timedelta(minutes=WINDOW_MINUTES)).total_seconds() // 60)] = row
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
        nothing = [0] * WINDOW_MINUTES
        line["http"] = {
            "step_seconds": 60, "requests": requests, "2xx": requests, "4xx": nothing, "5xx": nothing, "p95": p95,
        }  # fmt: skip
    return line
